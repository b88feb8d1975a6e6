"""Scenes made up on the spot, with observers who look at what stands out; for the demo and for tests.

A scene is a textured ground with a few vivid objects and more dull ones. Observers look at the vivid objects, the more
contrast the more often, and sometimes elsewhere; where an object lies is random, so a centre bias does not help. Written
as a folder for :mod:`mrsal.datasets.folder`.
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
_ELSEWHERE = 0.08  # share of fixations that follow nothing


def write_synthetic(
    out: str | Path,
    *,
    scenes: int = 60,
    observers: int = 12,
    fixations: int = 8,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a data set of one's own making.

    Parameters
    ----------
    out : str or Path
        Folder for ``stimuli/*.png``, ``fixations.csv`` and ``pixels_per_degree.txt``; replaced if it is there.
    scenes, observers, fixations : int
        How many scenes, observers, and fixations per trial; the first of a trial is near the centre.
    seed : int
    progress : callable, optional
        Called with 1 after each scene.

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
    """One scene and what attracts the eye in it.

    Returns
    -------
    image : array
        ``(240, 320, 3)`` uint8.
    targets : array
        ``(K, 4)``: x, y, radius in pixels, and share of the fixations, which sum to 1.
    """
    ground = _ground(rng)
    page = Image.fromarray(ground)
    vivid, dull = int(rng.integers(1, 4)), int(rng.integers(5, 9))
    places = _places(vivid + dull, rng)
    mean = ground.reshape(-1, 3).mean(axis=0)
    targets = []
    for k, (x, y) in enumerate(places):
        radius = rng.uniform(9, 17)
        contrast = rng.uniform(0.75, 1.0) if k < vivid else rng.uniform(0.06, 0.13)
        away = np.where(mean > 127, 0, 255) if rng.random() < 0.4 else rng.permutation([255, 40, 40 + 180 * (k % 2)])
        colour = mean + contrast * (away - mean)
        _draw(page, str(rng.choice(_SHAPES)), x, y, radius, tuple(int(c) for c in colour))
        if k < vivid:
            targets.append((x, y, radius, contrast**2 * rng.uniform(0.7, 1.3)))
    attracting = np.array(targets)
    attracting[:, 3] /= attracting[:, 3].sum()
    noise = rng.normal(0, 4, (HEIGHT, WIDTH, 1))
    return np.clip(np.asarray(page) + noise, 0, 255).astype(np.uint8), attracting


def _ground(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A soft, coloured texture with a light gradient."""
    texture = sum(
        weight * gaussian_filter(rng.standard_normal((HEIGHT, WIDTH)), sigma) * sigma
        for weight, sigma in ((10, 2), (18, 8), (30, 30))
    )
    slope = np.linspace(-1, 1, HEIGHT)[:, None] * rng.uniform(-18, 18)
    colour = rng.uniform(75, 180) + rng.uniform(-25, 25, 3)
    return np.clip(colour + (texture + slope)[..., None], 0, 255).astype(np.uint8)


def _places(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Positions that keep a distance from each other and from the border."""
    chosen: list[tuple[float, float]] = []
    while len(chosen) < count:
        x, y = rng.uniform(22, WIDTH - 22), rng.uniform(22, HEIGHT - 22)
        if all((x - a) ** 2 + (y - b) ** 2 > 44**2 for a, b in chosen):
            chosen.append((x, y))
    return chosen


def _draw(page: Image.Image, shape: str, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    pen = ImageDraw.Draw(page)
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
    """One observer's fixations: from the centre to the targets, with some wandering."""
    points = [(WIDTH / 2 + rng.normal(0, 8), HEIGHT / 2 + rng.normal(0, 8))]
    while len(points) < count:
        if rng.random() < _ELSEWHERE:
            points.append((rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)))
            continue
        x, y, radius, _ = targets[rng.choice(len(targets), p=targets[:, 3])]
        x, y = x + rng.normal(0, radius / 2), y + rng.normal(0, radius / 2)
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            points.append((x, y))
    return points
