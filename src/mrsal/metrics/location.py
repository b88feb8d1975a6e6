"""Metrics on fixated locations: AUC in its four kinds, NSS."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mrsal.errors import InputError
from mrsal.images import min_max_scaled
from mrsal.metrics._checks import as_map, as_pixels, batched
from mrsal.metrics._kernels import centred, judd_area, ranks, roc_area, stepped_area, z_score

Negatives = Literal["uniform", "unfixated", "shuffled", "borji"]


@batched("saliency_map")
def auc(
    saliency_map: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    negatives: Negatives = "uniform",
    other_x: ArrayLike | None = None,
    other_y: ArrayLike | None = None,
    seed: int = 0,
    splits: int = 100,
    step: float | None = None,
) -> float:
    """Area under the ROC curve: how well the map tells fixated locations from others.

        P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)

    for the map's value at a random fixation and at a random negative: exact, ties count one half.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, any range; or a stack of B maps.
    x, y : array
        ``(N,)`` fixations in pixels of the map, 0-based; fractions are dropped, repeats kept. For a stack B arrays, of any
        lengths.
    negatives : str
        ``"uniform"``: all pixels. ``"shuffled"``: the fixations of other images, ``other_x`` and ``other_y``, rescaled to this
        one, repeats kept. ``"unfixated"``: the pixels without a fixation, with thresholds at fixated values only [1]_.
        ``"borji"``: as many random pixels as there are fixations, mean over ``splits`` draws [2]_.
    other_x, other_y : array
        ``(M,)``, for ``"shuffled"``; for a stack B arrays.
    seed, splits : int
        For ``"borji"``: where the random numbers start, and the number of draws, 1 or more.
    step : float, optional
        For ``"borji"``: the distance between thresholds on the map scaled to [0, 1]; 0.1 is that of the MATLAB code and
        scores peaky maps far too low. Above 0, at most 1. None: exact.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        In [0, 1]; 0.5 for a constant map. Higher is better. A monotone transform of the map changes nothing (but with
        ``step``).

    Raises
    ------
    InputError
        If the map is not 2-D or not finite, there are no fixations or no negatives, some lie outside, or an option is
        not one of those above.

    Notes
    -----
    The MATLAB code behind ``"unfixated"`` counts fixations on one pixel once and breaks ties by adding noise; here they
    count as often as they occur, and ties one half, so that the result is the same every time.

    References
    ----------
    .. [1] Judd, Ehinger, Durand and Torralba, ICCV 2009. Biased up by about 1 / (2 N).
    .. [2] Borji, Sihite and Itti, "Quantitative analysis of human-model agreement", IEEE TIP 2013.

    Examples
    --------
    >>> import numpy as np
    >>> float(auc(np.array([[0.0, 1.0], [2.0, 3.0]]), [1], [1]))
    0.875
    """
    map_ = as_map(saliency_map, "the saliency map")
    pixels = np.ravel_multi_index(as_pixels(x, y, map_.shape), map_.shape)
    values = map_.ravel()
    positive = values[pixels]
    if negatives == "uniform":
        return roc_area(*ranks(values, positive), values.size)
    if negatives == "shuffled":
        if other_x is None or other_y is None:
            raise InputError("shuffled negatives need other_x and other_y, the fixations of other images")
        others = map_[as_pixels(other_x, other_y, map_.shape, "fixations of other images")]
        return roc_area(*ranks(others, positive), others.size)
    if negatives == "unfixated":
        if np.unique(pixels).size == values.size:
            raise InputError("every pixel is fixated, so there are no unfixated ones to compare with")
        return judd_area(positive, ranks(values, positive)[0], pixels, values.size)
    if negatives == "borji":
        if splits < 1:
            raise InputError(f"expected splits of 1 or more, got {splits}")
        if step is not None and not 0 < step <= 1:
            raise InputError(f"expected a step above 0 and at most 1, got {step}; None scores exactly")
        if step is not None:
            values = min_max_scaled(values)
        draws = np.random.default_rng(seed).choice(values, (splits, positive.size))
        if step is not None:
            return stepped_area(values[pixels], draws, step)
        return float(np.mean([roc_area(*ranks(draw, positive), draw.size) for draw in draws]))
    raise InputError(f"expected negatives to be uniform, unfixated, shuffled or borji, got {negatives!r}")


@batched("saliency_map")
def nss(saliency_map: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """Normalised scanpath saliency: the mean over fixations of the map's z-score.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, any range; or a stack of B maps.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack B arrays.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        In standard deviations (of the population); 0 is chance, and the value of a constant map. Higher is better.

    Raises
    ------
    InputError
        If the map is not 2-D or not finite, there are no fixations, or some lie outside.

    References
    ----------
    Peters, Iyer, Itti and Koch, "Components of bottom-up gaze allocation in natural images", Vision Research 2005.

    Examples
    --------
    >>> round(nss([[0.0, 0.0], [0.0, 4.0]], [1], [1]), 6)
    1.732051
    """
    map_ = as_map(saliency_map, "the saliency map")
    return z_score(centred(map_), np.ravel_multi_index(as_pixels(x, y, map_.shape), map_.shape))
