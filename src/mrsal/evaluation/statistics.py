"""Resampling and tests over images, and the correction for several of them: columns of numbers in, numbers out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4_000_000  # drawn images held in memory at a time
_SAME_TO_DECIMALS = 12  # differences below are rounding: ties and zeros for the ranks


def bootstrap_means(columns: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Means of many columns over images drawn with replacement, the same images for all columns.

    Parameters
    ----------
    columns : array
        ``(M, K)``: K values for each of M images; a NaN is left out of the means of its column.
    resamples : int
        R, how often M images are drawn.
    seed : int

    Returns
    -------
    array
        ``(R, K)``. NaN where a draw holds no value of a column.
    """
    rng = np.random.default_rng(seed)
    images, count = columns.shape
    there = (~np.isnan(columns)).astype(np.float64)
    filled = np.where(there > 0, columns, 0)
    means = np.empty((resamples, count))
    block = max(1, _BLOCK // images)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(images, size=(rows, images)) + np.arange(rows)[:, None] * images
        times = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = times @ filled / (images if there.all() else times @ there)
    return means


def percentile_interval(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The middle ``level`` of the resampled means ``(R,)``."""
    tail = (1 - level) / 2
    low, high = np.quantile(means[~np.isnan(means)], [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the k-th smallest of n times n - k + 1, never falling, at most 1.

    "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()


def bootstrap_p(drawn: NDArray[np.float64]) -> float:
    """Two-sided p that a mean is 0, from its resampled values ``(R,)``; not below ``2 / (R + 1)``.

    The smallest level at which the percentile interval leaves out 0, counting the data as one draw (Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993, section 15.4).
    """
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return min(1.0, 2 * (int(beyond) + 1) / (len(drawn) + 1))


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the signed-rank test that differences ``(M,)`` lie symmetrically about 0; 1 where all are 0.

    Ranks of zeros are split evenly between the signs, as Demšar, "Statistical Comparisons of Classifiers over Multiple Data
    Sets", JMLR 7, 2006, recommends; dropping them would let a handful of images speak for all.
    """
    from scipy.stats import wilcoxon  # a slow import

    rounded = np.round(differences, _SAME_TO_DECIMALS)
    return float(wilcoxon(rounded, zero_method="zsplit").pvalue) if rounded.any() else 1.0
