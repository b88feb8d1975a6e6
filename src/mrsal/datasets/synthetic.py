"""Generate a data set of random scenes with simulated observers, for the demo and for tests.

A scene is a textured ground with a few vivid objects and more dull objects. Observers look at the vivid objects, more often the
higher their contrast is, and sometimes elsewhere. The objects are at random places, so a centre bias does not help. The data
set has the layout of :mod:`mrsal.datasets.folder`.
"""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from mrsal.files import atomic_folder

HEIGHT, WIDTH = 240, 320
PIXELS_PER_DEGREE = 14.0

_SHAPES = ("disc", "ring", "square", "triangle", "star")
_ELSEWHERE = 0.08  # the share of fixations at random places


def write_synthetic(
    out: str | Path,
    *,
    scenes: int = 60,
    observers: int = 12,
    fixations: int = 8,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Generate a data set and write it to a folder.

    Parameters
    ----------
    out : str or Path
        The folder for ``stimuli/*.png``, ``fixations.csv`` and ``pixels_per_degree.txt``. An existing folder is replaced.
    scenes, observers, fixations : int
        The number of scenes, of observers, and of fixations per trial. The first fixation of a trial is near the centre.
    seed : int
        The seed of the random numbers.
    progress : callable, optional
        A function that is called with 1 after each scene.

    Returns
    -------
    Path
        The folder.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["stimulus", "subject", "x", "y", "start_s", "end_s"])
    with atomic_folder(out) as folder:
        (folder / "stimuli").mkdir()
        for i in range(scenes):
            rng = np.random.default_rng([seed, i])
            name = f"scene{i:03d}.png"
            image, targets = make_scene(rng)
            Image.fromarray(image).save(folder / "stimuli" / name)
            for observer in range(observers):
                for order, (x, y) in enumerate(_trial(targets, fixations, rng)):
                    writer.writerow([name, f"s{observer}", f"{x:.1f}", f"{y:.1f}", order * 0.3, order * 0.3 + 0.25])
            if progress:
                progress(1)
        (folder / "fixations.csv").write_text(table.getvalue(), encoding="utf-8")
        (folder / "pixels_per_degree.txt").write_text(f"{PIXELS_PER_DEGREE}\n", encoding="utf-8")
    return Path(out)


def make_scene(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Generate a scene and the objects in it that attract fixations.

    Returns
    -------
    image : array
        ``(240, 320, 3)`` uint8.
    targets : array
        ``(K, 4)``: x, y and radius of each vivid object in pixels, and its share of the fixations. The shares sum to 1.
    """
    ground = _ground(rng)
    canvas = Image.fromarray(ground)
    vivid, dull = int(rng.integers(1, 4)), int(rng.integers(5, 9))
    places = _places(vivid + dull, rng)
    mean = ground.reshape(-1, 3).mean(axis=0)
    targets = []
    for k, (x, y) in enumerate(places):
        radius = rng.uniform(9, 17)
        contrast = rng.uniform(0.75, 1.0) if k < vivid else rng.uniform(0.06, 0.13)
        away = np.where(mean > 127, 0, 255) if rng.random() < 0.4 else rng.permutation([255, 40, 40 + 180 * (k % 2)])
        colour = mean + contrast * (away - mean)
        _draw(canvas, str(rng.choice(_SHAPES)), x, y, radius, tuple(int(c) for c in colour))
        if k < vivid:
            targets.append((x, y, radius, contrast**2 * rng.uniform(0.7, 1.3)))
    attracting = np.array(targets)
    attracting[:, 3] /= attracting[:, 3].sum()
    noise = rng.normal(0, 4, (HEIGHT, WIDTH, 1))
    return np.clip(np.asarray(canvas) + noise, 0, 255).astype(np.uint8), attracting


def _ground(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Generate a soft, coloured texture with a brightness gradient."""
    texture = sum(
        weight * gaussian_filter(rng.standard_normal((HEIGHT, WIDTH)), sigma) * sigma
        for weight, sigma in ((10, 2), (18, 8), (30, 30))
    )
    slope = np.linspace(-1, 1, HEIGHT)[:, None] * rng.uniform(-18, 18)
    colour = rng.uniform(75, 180) + rng.uniform(-25, 25, 3)
    return np.clip(colour + (texture + slope)[..., None], 0, 255).astype(np.uint8)


def _places(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Draw positions with a distance from each other and from the border."""
    chosen: list[tuple[float, float]] = []
    while len(chosen) < count:
        x, y = rng.uniform(22, WIDTH - 22), rng.uniform(22, HEIGHT - 22)
        if all((x - a) ** 2 + (y - b) ** 2 > 44**2 for a, b in chosen):
            chosen.append((x, y))
    return chosen


def _draw(canvas: Image.Image, shape: str, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    pen = ImageDraw.Draw(canvas)
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "disc":
        pen.ellipse(box, fill=colour)
    elif shape == "ring":
        pen.ellipse(box, outline=colour, width=max(3, round(radius / 2.5)))
    elif shape == "square":
        pen.rectangle(box, fill=colour)
    else:
        corners = 3 if shape == "triangle" else 10
        angles = np.arange(corners) * 2 * np.pi / corners - np.pi / 2
        reach = radius * np.where(np.arange(corners) % 2, 0.45 if corners == 10 else 1.0, 1.0)
        outline = np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)])
        pen.polygon([(float(a), float(b)) for a, b in outline], fill=colour)


def _trial(targets: NDArray[np.float64], count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Draw the fixations of an observer: the first near the centre, then most of them on the targets."""
    fixations = [(WIDTH / 2 + rng.normal(0, 8), HEIGHT / 2 + rng.normal(0, 8))]
    while len(fixations) < count:
        if rng.random() < _ELSEWHERE:
            fixations.append((rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)))
            continue
        x, y, radius, _ = targets[rng.choice(len(targets), p=targets[:, 3])]
        x, y = x + rng.normal(0, radius / 2), y + rng.normal(0, radius / 2)
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            fixations.append((x, y))
    return fixations
