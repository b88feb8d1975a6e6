"""The agreement score, which published numbers of this family of programs call AUC although it is not a ROC area."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import simpson

from mrsal.errors import InputError
from mrsal.images import min_max_scaled
from mrsal.metrics._checks import as_pair, batched

_THRESHOLDS = np.linspace(0, 1, 20)


@batched("prediction", "target")
def agreement_score(prediction: ArrayLike, target: ArrayLike) -> float:
    """Compute the share of pixels on which two thresholded maps agree, over 20 thresholds.

    Use it only for comparison with old numbers.

    Parameters
    ----------
    prediction : array
        ``(H, W)`` or a stack of B, with any range. It is scaled to [0, 1] by its own minimum and maximum; a constant map
        becomes 0.
    target : array
        ``(H, W)`` or a stack of B: a density map in the range of 8 bits, 0 to 255. It is divided by 255.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        Simpson's rule with unit spacing over the shares ``mean((prediction > t) == (target > t))`` for 20 thresholds from 0
        to 1, divided by 20. At most 0.95, which is the score of the ground truth itself.

    Raises
    ------
    InputError
        If the shapes differ, a value is not finite, a value of the target is not in 0 to 255, or its maximum is at most 1,
        since the target is then probably in [0, 1].

    Notes
    -----
    Most pixels of a density map are near 0, so any map that is near 0 agrees with it: a constant map scores 0.917 on 100 maps
    of MIT1003, which is more than the models for which this score was published. ``docs/agreement-score.md`` has the numbers.
    SciPy before 1.11 integrated an even number of values in another way, which changes the score by less than 0.001.

    Examples
    --------
    >>> target = [[0, 0, 0, 0], [0, 0, 255, 0]]
    >>> round(agreement_score(target, target), 6)
    0.95
    >>> round(agreement_score([[0, 0, 0, 0], [0, 0, 0, 0]], target), 2)
    0.83
    """
    p, q = as_pair(prediction, target, ("the prediction", "the target"))
    if q.min() < 0 or q.max() > 255 * (1 + 1e-9):
        raise InputError(f"expected a target from 0 to 255, got {q.min():.3g} to {q.max():.3g}; scale or clip it")
    if 0 < q.max() <= 1:
        raise InputError(f"expected a target from 0 to 255, got {q.min():.3g} to {q.max():.3g}; multiply it by 255")
    p, q = min_max_scaled(p), q / 255
    # a pixel disagrees at the thresholds between its two values; counting these is faster than comparing 20 maps
    low, high = np.minimum(p, q).ravel(), np.maximum(p, q).ravel()
    first = np.searchsorted(_THRESHOLDS, low, side="left")
    last = np.searchsorted(_THRESHOLDS, high, side="left")
    change = np.bincount(first, minlength=21) - np.bincount(last, minlength=21)
    agree = 1 - np.cumsum(change)[:20] / p.size
    return float(simpson(agree) / 20)
