"""Which areas overlap, and how much attention is counted twice for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from mrsal.aoi.areas import density_of
from mrsal.aoi.coverage import Window
from mrsal.aoi.shapes import Area
from mrsal.inference import SaliencyMap

_MOST_PIXELS = 1_000_000_000  # of all pairs; more would take minutes
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
    windows = [area.window(density.shape) for area in areas]
    covered = np.zeros(density.shape)
    total = 0.0
    for area, (x0, y0, x1, y1) in zip(areas, windows, strict=True):
        part = area.coverage((x0, y0, x1, y1))
        total += float((density[y0:y1, x0:x1] * part).sum())
        covered[y0:y1, x0:x1] += part
    together = float((density * np.minimum(covered, 1)).sum())
    common = [(i, j, _common(windows[i], windows[j])) for i, j in combinations(range(len(areas)), 2)]
    common = [(i, j, window) for i, j, window in common if window[0] < window[2] and window[1] < window[3]]
    if sum((x1 - x0) * (y1 - y0) for _, _, (x0, y0, x1, y1) in common) > _MOST_PIXELS:
        return Overlaps(None, together, max(total - together, 0))
    pairs = []
    for i, j, (x0, y0, x1, y1) in common:
        window = (x0, y0, x1, y1)
        both = np.maximum(areas[i].coverage(window) + areas[j].coverage(window) - 1, 0)
        if both.sum() > _LEAST:
            attention = float((density[y0:y1, x0:x1] * both).sum())
            pairs.append(Overlap(areas[i].name, areas[j].name, attention, float(both.sum() / density.size)))
    pairs.sort(key=lambda pair: -pair.attention)
    return Overlaps(pairs, together, max(total - together, 0))


def _common(a: Window, b: Window) -> Window:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
