"""The score that published numbers of this code family call AUC. Not an ROC area."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import simpson

from mrsal.errors import InputError
from mrsal.images import min_max_scaled
from mrsal.metrics._checks import as_pair, batched

_THRESHOLDS = np.linspace(0, 1, 20)


@batched("prediction", "target")
def agreement_score(prediction: ArrayLike, target: ArrayLike) -> float:
    """Share of pixels on which two thresholded maps agree, over 20 thresholds. For comparison with old numbers only.

    Parameters
    ----------
    prediction : array
        ``(H, W)`` or a stack of B, any range; scaled to [0, 1] by its own minimum and maximum, or to 0 if it is constant.
    target : array
        ``(H, W)`` or a stack of B, density map as 8 bits hold it, 0 to 255; divided by 255.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        Simpson's rule with unit spacing over the shares ``mean((prediction > t) == (target > t))`` for 20 thresholds from 0
        to 1, divided by 20: at most 0.95, which is what the ground truth itself scores.

    Raises
    ------
    InputError
        If the shapes differ, a value is not finite, or the target leaves 0 to 255 or ends at 1, as one in [0, 1] does.

    Notes
    -----
    Most pixels of a density map are near 0, so whatever is near 0 agrees: a constant map scores 0.917 on 100 of
    MIT1003's maps, more than the models this score was published for. ``docs/agreement-score.md`` has the numbers. SciPy
    before 1.11 integrated an even number of values another way, which moves the score by less than 0.001.

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
        raise InputError(f"expected a target from 0 to 255, got {q.min():.3g} to {q.max():.3g}")
    if 0 < q.max() <= 1:
        raise InputError(f"expected a target from 0 to 255, got {q.min():.3g} to {q.max():.3g}; multiply it by 255")
    p, q = min_max_scaled(p), q / 255
    # a pixel disagrees at the thresholds that lie between its two values: count those instead of comparing 20 maps
    low, high = np.minimum(p, q).ravel(), np.maximum(p, q).ravel()
    first = np.searchsorted(_THRESHOLDS, low, side="left")
    last = np.searchsorted(_THRESHOLDS, high, side="left")
    change = np.bincount(first, minlength=21) - np.bincount(last, minlength=21)
    agree = 1 - np.cumsum(change)[:20] / p.size
    return float(simpson(agree) / 20)
