"""Examples of which only the name, the size and the fixations matter."""

import numpy as np

from mrsal.datasets.archives.example import ArchiveImage, Example
from mrsal.datasets.fixations import Fixations
from mrsal.model.grid import Grid
from mrsal.model.pyramid import Pyramid


def example(name, x, y, *, subject=0, shape=(60, 80)):
    """An example of which only the name, the size and the fixations matter."""
    picture = np.zeros((*shape, 3), np.uint8)
    points = Fixations.create(x, y, subject=subject)
    return Example(
        name,
        ArchiveImage(shape, lambda: picture, Pyramid((), shape), Grid.cells(shape)),
        lambda: np.ones(shape),
        points if len(points) else None,
    )


def clusters(rng, *, images=12, observers=4, each=10, spread=4.0, shape=(90, 120)):
    """Each image has a place of its own that all observers look at."""
    height, width = shape
    out = []
    for i in range(images):
        centre = rng.uniform(0.25, 0.75, 2) * (width, height)
        points = np.clip(rng.normal(centre, spread, (observers * each, 2)), 0, (width - 0.01, height - 0.01))
        out.append(example(f"i{i}", *points.T, subject=np.repeat(np.arange(observers), each), shape=shape))
    return out
