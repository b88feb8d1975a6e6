"""The arithmetic of the metrics on arrays that have been checked: each of these is a pass over the map.

Kept apart from the metrics so that :func:`mrsal.metrics.score` can use one pass for several of them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.images import min_max_scaled

MATLAB_EPS = 2.2204e-16
_BINS = 1 << 16
_BLOCK = 1 << 14  # elements whose temporaries stay in the cache


def ranks(population: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of the population lie below each value, and how many equal it: exact, without sorting the population.

    ``(M,)`` and ``(N,)`` of one dtype; two ``(N,)``. Values fall into equal bins, which cannot change their order. Then only
    those that share a bin with one of ``values`` have to be sorted: a few thousand of a million pixels.
    """
    low, high = min(population.min(), values.min()), max(population.max(), values.max())
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (_BINS - 1) / (high - low)
    if population.size < _BINS // 8 or not (np.isfinite(scale) and scale > 0):
        ordered = np.sort(population)
        below = np.searchsorted(ordered, values, side="left")
        return below, np.searchsorted(ordered, values, side="right") - below

    bins, own = (((v - low) * scale).astype(np.uint16) for v in (population, values))
    counts = np.bincount(bins, minlength=_BINS)
    shared = np.zeros(_BINS, bool)
    shared[own] = True
    unsorted_below = np.cumsum(np.where(shared, 0, counts))[own]
    candidates = np.sort(population[shared.take(bins)])  # take: twice as fast as shared[bins]
    below = np.searchsorted(candidates, values, side="left")
    return unsorted_below + below, np.searchsorted(candidates, values, side="right") - below


def roc_area(below: NDArray[np.int64], equal: NDArray[np.int64], population: int) -> float:
    """Mann-Whitney statistic: P(s+ > s-) + P(s+ = s-) / 2."""
    return float((2 * below.sum() + equal.sum()) / (2 * below.size * population))


def judd_area(positive: NDArray[Any], below: NDArray[np.int64], pixels: NDArray[np.int64], size: int) -> float:
    """Trapezoids through the rates at the fixated values, from the highest to the lowest, and the corner (1, 1).

    ``below`` counts all pixels below each of ``positive``; the fixated ``pixels``, flat indices, are taken out of it.
    """
    _, first = np.unique(pixels, return_index=True)
    fixated_below = np.searchsorted(np.sort(positive[first]), positive, side="left")
    order = np.argsort(positive)
    hits = 1 - np.searchsorted(positive[order], positive[order], side="left") / positive.size
    alarms = 1 - (below - fixated_below)[order] / (size - first.size)
    return float(_trapezoid(np.r_[0, hits[::-1], 1], np.r_[0, alarms[::-1], 1]))


def stepped_area(positive: NDArray[Any], draws: NDArray[Any], step: float) -> float:
    """Mean area under ROC curves with thresholds ``step`` apart, as the MATLAB code draws them.

    ``(N,)`` positives and ``(splits, K)`` negatives in [0, 1]. The MATLAB code ends at the highest value drawn; a threshold
    above it adds the point (0, 0) once more.
    """
    thresholds = np.arange(0, 1 + step / 2, step)[::-1]
    hits = np.r_[0, [(positive >= t).mean() for t in thresholds], 1]
    alarms = [(draws >= t).mean(axis=1) for t in thresholds]
    ends = np.zeros(len(draws)), np.ones(len(draws))
    areas = _trapezoid(hits[:, None], np.stack([ends[0], *alarms, ends[1]]))
    return float(np.mean(areas))


def _trapezoid(height: NDArray[Any], position: NDArray[Any]) -> Any:
    return ((height[1:] + height[:-1]) / 2 * np.diff(position, axis=0)).sum(axis=0)


def centred(map_: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """The map less its mean, in units of its span, and the sum of its squares; zeros for a constant map.

    NSS and CC ignore scale and offset: taking them out first keeps tiny values and large offsets from rounding away.
    """
    values = min_max_scaled(map_).ravel()
    if values.any():
        values -= values.mean()
    return values, float(np.dot(values, values))


def correlation(a: tuple[NDArray[np.float64], float], b: tuple[NDArray[np.float64], float]) -> float:
    """Pearson's coefficient of two results of :func:`centred`; 0 if one is constant."""
    if not (a[1] and b[1]):
        return 0.0
    return float(np.clip(np.dot(a[0], b[0]) / np.sqrt(a[1] * b[1]), -1, 1))


def z_score(a: tuple[NDArray[np.float64], float], pixels: NDArray[np.int64], *, ddof: int = 0) -> float:
    """Mean over flat indices of the map's deviation in standard deviations; 0 for a constant map."""
    values, squares = a
    return float(values[pixels].mean() / np.sqrt(squares / (values.size - ddof))) if squares else 0.0


def divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Sum of ``q log(eps + q / (p + eps))`` over ``(M,)`` distributions, block by block."""
    total = 0.0
    for start in range(0, p.size, _BLOCK):
        truth = q[start : start + _BLOCK]
        ratio = p[start : start + _BLOCK] + MATLAB_EPS
        np.divide(truth, ratio, out=ratio)
        ratio += MATLAB_EPS
        total += float(np.dot(truth, np.log(ratio, out=ratio)))
    return total
