"""Small files in the layouts in which the authors of data sets publish them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48


def write_images(folder: Path, names: Iterable[str], *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Write an image for each name, all of the same size."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "grey").save(path)


def map_of(points: Iterable[tuple[int, int]], *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """An array that is 1 at these points (x, y) and 0 elsewhere."""
    map_ = np.zeros(size[::-1])
    for x, y in points:
        map_[y, x] = 1
    return map_
