"""Compute the parts of the metrics, on arrays that have been checked.

They are separate functions so that :func:`mrsal.metrics.score` can share one pass over the map between several metrics.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from mrsal.images import min_max_scaled

MATLAB_EPS = 2.2204e-16
_BINS = 1 << 16
_BLOCK = 1 << 14  # elements; temporary arrays of this size stay in the processor's cache


def ranks(population: NDArray[Any], values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each value, how many of the population are below it and how many equal it.

    The result is exact, although the population is not sorted. ``population`` ``(M,)`` and ``values`` ``(N,)`` have the same
    dtype; the counts are two arrays ``(N,)``. The population is put into bins of equal width, which do not change the order.
    Only elements that share a bin with one of ``values`` are sorted: a few thousand of a million pixels.
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
    candidates = np.sort(population[shared.take(bins)])  # take is twice as fast as shared[bins]
    below = np.searchsorted(candidates, values, side="left")
    return unsorted_below + below, np.searchsorted(candidates, values, side="right") - below


def roc_area(below: NDArray[np.int64], equal: NDArray[np.int64], population: int) -> float:
    """Compute the Mann-Whitney statistic P(s+ > s-) + P(s+ = s-) / 2."""
    return float((2 * below.sum() + equal.sum()) / (2 * below.size * population))


def judd_area(positive: NDArray[Any], below: NDArray[np.int64], pixels: NDArray[np.int64], size: int) -> float:
    """Compute the area below the ROC curve through the rates at the fixated values and the corner (1, 1).

    ``below`` counts all pixels below each of ``positive``. The fixated ``pixels``, which are flat indices, are subtracted.
    """
    _, first = np.unique(pixels, return_index=True)
    fixated_below = np.searchsorted(np.sort(positive[first]), positive, side="left")
    order = np.argsort(positive)
    hits = 1 - np.searchsorted(positive[order], positive[order], side="left") / positive.size
    alarms = 1 - (below - fixated_below)[order] / (size - first.size)
    return float(trapezoid(np.r_[0, hits[::-1], 1], np.r_[0, alarms[::-1], 1]))


def stepped_area(positive: NDArray[Any], draws: NDArray[Any], step: float) -> float:
    """Compute the mean area below ROC curves whose thresholds are ``step`` apart, as in the MATLAB code.

    ``positive`` is ``(N,)`` and ``draws``, the negatives, ``(splits, K)``, all in [0, 1]. The MATLAB code stops at the highest
    value. Thresholds above it change nothing, since they only repeat the point (0, 0).
    """
    thresholds = np.arange(0, 1 + step / 2, step)[::-1]
    hits = np.r_[0, [(positive >= t).mean() for t in thresholds], 1]
    alarms = np.stack([np.zeros(len(draws)), *((draws >= t).mean(axis=1) for t in thresholds), np.ones(len(draws))])
    areas = trapezoid(np.broadcast_to(hits[:, None], alarms.shape), alarms, axis=0)
    return float(np.mean(areas))


def centred(map_: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Scale a map to a span of 1, subtract its mean, and sum its squares; a constant map gives zeros.

    NSS and CC do not depend on scale and offset. They are removed first, so that tiny values, and values with a
    large offset, are not lost to rounding.
    """
    values = min_max_scaled(map_).ravel()
    if values.any():
        values -= values.mean()
    return values, float(np.dot(values, values))


def correlation(a: tuple[NDArray[np.float64], float], b: tuple[NDArray[np.float64], float]) -> float:
    """Compute Pearson's coefficient from two results of :func:`centred`; it is 0 if one of them is constant."""
    if not (a[1] and b[1]):
        return 0.0
    return float(np.clip(np.dot(a[0], b[0]) / np.sqrt(a[1] * b[1]), -1, 1))


def z_score(a: tuple[NDArray[np.float64], float], pixels: NDArray[np.int64], *, ddof: int = 0) -> float:
    """Compute the mean z-score of a map at pixels, which are flat indices; it is 0 for a constant map."""
    values, squares = a
    return float(values[pixels].mean() / np.sqrt(squares / (values.size - ddof))) if squares else 0.0


def divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Compute the sum of ``q log(eps + q / (p + eps))`` for two ``(M,)`` distributions, block by block."""
    total = 0.0
    for start in range(0, p.size, _BLOCK):
        q_block = q[start : start + _BLOCK]
        ratio = p[start : start + _BLOCK] + MATLAB_EPS
        np.divide(q_block, ratio, out=ratio)
        ratio += MATLAB_EPS
        total += float(np.dot(q_block, np.log(ratio, out=ratio)))
    return total
