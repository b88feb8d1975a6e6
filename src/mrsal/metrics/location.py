"""The metrics of the values at fixations: four kinds of AUC, and NSS."""

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
    """Compute the area under the ROC curve: how well the map separates fixated locations from others, the negatives.

        P(s⁺ > s⁻) + ½ P(s⁺ = s⁻)

    where s⁺ is the value of the map at a random fixation and s⁻ its value at a random negative. The area is exact, and ties
    count one half.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)`` or a stack of B, with any range.
    x, y : array
        ``(N,)`` fixations in pixels of the map, 0-based; fractions are dropped, and repeated fixations count. For a stack, B
        arrays, of any lengths.
    negatives : str
        ``"uniform"``: all pixels. ``"shuffled"``: the fixations of other images, ``other_x`` and ``other_y``, rescaled to this
        image; repeated ones count. ``"unfixated"``: the pixels without a fixation, with thresholds at fixated values only
        [1]_. ``"borji"``: as many random pixels as there are fixations, and the mean over ``splits`` draws [2]_.
    other_x, other_y : array
        ``(M,)`` fixations of other images in pixels, for ``"shuffled"``; for a stack, B arrays.
    seed, splits : int
        The seed of the random numbers and the number of draws, at least 1, for ``"borji"``.
    step : float, optional
        The distance between thresholds on the map scaled to [0, 1], for ``"borji"``; above 0, at most 1. The MATLAB code uses
        0.1, which gives peaky maps far too low scores. The default computes the exact area.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The area, in [0, 1]; it is 0.5 for a constant map. Higher is better. Without ``step``, a monotone transform of the map
        changes nothing.

    Raises
    ------
    InputError
        If the map is not 2-D or not finite, there are no fixations or no negatives, some lie outside, or an option has a
        value that is not allowed.

    Notes
    -----
    The MATLAB code of ``"unfixated"`` counts several fixations on a pixel once, and breaks ties with noise. Here, fixations
    count as often as they occur and ties count one half, so that the result is always the same.

    References
    ----------
    .. [1] Judd, Ehinger, Durand and Torralba, ICCV 2009. The area is too large by about 1 / (2 N).
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
            raise InputError(
                "expected other_x and other_y, the fixations of other images, for shuffled negatives; give both"
            )
        others = map_[as_pixels(other_x, other_y, map_.shape, "fixations of other images")]
        return roc_area(*ranks(others, positive), others.size)
    if negatives == "unfixated":
        if np.unique(pixels).size == values.size:
            raise InputError(
                "every pixel is fixated, so there are no unfixated pixels to compare with; use other negatives"
            )
        return judd_area(positive, ranks(values, positive)[0], pixels, values.size)
    if negatives == "borji":
        if splits < 1:
            raise InputError(f"expected splits of at least 1, got {splits}; 100 is usual")
        if step is not None and not 0 < step <= 1:
            raise InputError(f"expected a step above 0 and at most 1, got {step}; leave it out for the exact area")
        if step is not None:
            values = min_max_scaled(values)
        draws = np.random.default_rng(seed).choice(values, (splits, positive.size))
        if step is not None:
            return stepped_area(values[pixels], draws, step)
        return float(np.mean([roc_area(*ranks(draw, positive), draw.size) for draw in draws]))
    raise InputError(
        f"expected negatives to be uniform, unfixated, shuffled or borji, got {negatives!r}; choose one of them"
    )


@batched("saliency_map")
def nss(saliency_map: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """Compute the normalised scanpath saliency: the mean z-score of the map at fixations.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)`` or a stack of B, with any range.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack, B arrays.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The mean in standard deviations (of the population). Chance and a constant map give 0. Higher is better.

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
