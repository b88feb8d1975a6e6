"""Statistics over images: the bootstrap, intervals, tests, and the correction for several tests."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_BLOCK = 4_000_000  # number of drawn images that are in memory at the same time
_SAME_TO_DECIMALS = 12  # smaller differences are rounding errors, and count as ties and zeros in ranks


def bootstrap_means(columns: NDArray[np.float64], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """Draw images with replacement, the same for all columns, and return the mean of each column over each draw.

    Parameters
    ----------
    columns : array
        ``(M, K)``: K numbers for each of M images. NaN is left out of the mean of its column.
    resamples : int
        R, the number of draws of M images.
    seed : int
        The random seed of the draws.

    Returns
    -------
    array
        The means: ``(R, K)``, NaN if a column is NaN on all images of a draw.
    """
    rng = np.random.default_rng(seed)
    images, count = columns.shape
    defined = (~np.isnan(columns)).astype(np.float64)
    filled = np.where(defined > 0, columns, 0)
    means = np.empty((resamples, count))
    block = max(1, _BLOCK // images)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(images, size=(rows, images)) + np.arange(rows)[:, None] * images
        times = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = times @ filled / (images if defined.all() else times @ defined)
    return means


def percentile_interval(means: NDArray[np.float64], level: float) -> tuple[float, float]:
    """The interval that holds the middle share ``level`` of the resampled means ``(R,)``."""
    tail = (1 - level) / 2
    low, high = np.quantile(means[~np.isnan(means)], [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the k-th smallest of n p-values times n - k + 1, never decreasing, at most 1.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()


def bootstrap_p(means: NDArray[np.float64]) -> float:
    """Two-sided p-value of the hypothesis that a mean is 0, from resampled means ``(R,)``; at least ``2 / (R + 1)``.

    It is the smallest level at which the percentile interval does not contain 0; the data count as one more draw (Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, section 15.4).
    """
    beyond = min((means <= 0).sum(), (means >= 0).sum())
    return min(1.0, 2 * (int(beyond) + 1) / (len(means) + 1))


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p-value of the signed-rank test of differences ``(M,)``, whose hypothesis is symmetry about 0; 1 if all are 0.

    The ranks of zeros are split evenly between the signs, as Demšar, "Statistical Comparisons of Classifiers over Multiple Data
    Sets", JMLR 7, 2006, recommends. If zeros were dropped, a few images could decide for all.
    """
    from scipy.stats import wilcoxon  # a slow import

    rounded = np.round(differences, _SAME_TO_DECIMALS)
    return float(wilcoxon(rounded, zero_method="zsplit").pvalue) if rounded.any() else 1.0
