"""Which areas overlap, and how much attention is counted twice for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.aoi.areas import density_of
from mrsal.aoi.coverage import Window
from mrsal.aoi.shapes import Area
from mrsal.inference import SaliencyMap

_MOST_PIXELS = 1_000_000_000  # of all pairs; more would take minutes
_BAND = 10_000_000  # pixels of all areas that are in memory at the same time
Part = tuple[Window, NDArray[np.float64]]
"""The covered part of each pixel of a window."""

_LEAST = 0.5  # pixels of surface; less is the rounding of areas that touch


@dataclass(frozen=True)
class Overlap:
    """Two areas that overlap.

    Parameters
    ----------
    a, b : str
        Their names.
    attention : float
        The share of attention that both contain, in [0, 1].
    surface : float
        The share of the image's surface that both contain, in (0, 1].
    """

    a: str
    b: str
    attention: float
    surface: float


@dataclass(frozen=True)
class Overlaps:
    """The overlaps of the areas of an image.

    Parameters
    ----------
    pairs : list of Overlap or None
        The areas that overlap, the largest share first; None if there are too many areas to compare them by pairs.
    together : float
        The share of attention of all areas together, in which what lies in several areas counts once.
    twice : float
        The sum of the shares of the areas minus ``together``: what is counted more than once in this sum.
    """

    pairs: list[Overlap] | None
    together: float
    twice: float


def overlaps(saliency: SaliencyMap | ArrayLike, areas: Sequence[Area]) -> Overlaps:
    """Find the areas that overlap.

    Parameters
    ----------
    saliency : SaliencyMap or array
        The map, or a density ``(H, W)`` with values of at least 0 and any sum.
    areas : sequence of Area
        Areas with different names.

    Returns
    -------
    Overlaps
        What they have in common.

    Notes
    -----
    Of a pixel on the border of two areas it is not known which part lies in both. If they cover the parts a and b, at least
    a + b - 1 does, and this is what counts. So areas that touch do not overlap.
    """
    density = density_of(saliency)
    height = density.shape[0]
    windows = [area.window(density.shape) for area in areas]
    widths = sum(x1 - x0 for x0, _, x1, _ in windows)
    rows = max(1, _BAND // max(widths, 1))
    common = [_common(a, b) for a, b in combinations(windows, 2)]
    by_pairs = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in common) <= _MOST_PIXELS
    sums = np.zeros((len(areas), len(areas), 2))  # attention and surface that each two have in common
    together = total = 0.0
    for top in range(0, height, rows):
        band = density[top : top + rows]
        parts, covered = {}, np.zeros(band.shape)
        for i, (x0, y0, x1, y1) in enumerate(windows):
            y0, y1 = max(y0, top), min(y1, top + len(band))
            if x0 < x1 and y0 < y1:
                parts[i] = (x0, y0 - top, x1, y1 - top), areas[i].coverage((x0, y0, x1, y1))
                covered[y0 - top : y1 - top, x0:x1] += parts[i][1]
        together += float((band * np.minimum(covered, 1)).sum())
        total += float((band * covered).sum())
        if by_pairs and (covered > 1).any():
            for (i, a), (j, b) in combinations(parts.items(), 2):
                sums[i, j] += _in_common(band, a, b)
    twice = max(total - together, 0.0)
    if not by_pairs:
        return Overlaps(None, together, twice)
    pairs = [
        Overlap(areas[i].name, areas[j].name, float(sums[i, j, 0]), float(sums[i, j, 1] / density.size))
        for i, j in combinations(range(len(areas)), 2)
        if sums[i, j, 1] > _LEAST
    ]
    return Overlaps(sorted(pairs, key=lambda pair: -pair.attention), together, twice)


def _in_common(band: NDArray[np.float64], a: Part, b: Part) -> tuple[float, float]:
    """The attention and the surface that two areas have in common in a band of the image."""
    (window_a, covered_a), (window_b, covered_b) = a, b
    x0, y0, x1, y1 = _common(window_a, window_b)
    if x0 == x1 or y0 == y1:
        return 0.0, 0.0
    first, second = (
        covered[y0 - window[1] : y1 - window[1], x0 - window[0] : x1 - window[0]]
        for window, covered in ((window_a, covered_a), (window_b, covered_b))
    )
    both = np.maximum(first + second - 1, 0)
    return float(np.vdot(band[y0:y1, x0:x1], both)), float(both.sum())


def _common(a: Window, b: Window) -> Window:
    """The pixels of two windows; empty if they have none in common."""
    x0, y0 = max(a[0], b[0]), max(a[1], b[1])
    return x0, y0, max(x0, min(a[2], b[2])), max(y0, min(a[3], b[3]))
