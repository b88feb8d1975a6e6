"""Metrics on fixated locations: AUC in its four kinds, NSS, information gain."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_map, as_pixels, as_unit_range, values_at

Negatives = Literal["uniform", "unfixated", "shuffled", "borji"]


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
    r"""Area under the ROC curve: how well the map tells fixated locations from others.

    .. math:: P(s^+ > s^-) + \tfrac12 P(s^+ = s^-)

    for the map's value at a random fixation and at a random negative: exact, ties count one half.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, any range.
    x, y : array
        ``(N,)`` fixations in pixels of the map, 0-based; fractions are dropped, repeats kept.
    negatives : str
        ``"uniform"``: all pixels. ``"shuffled"``: the fixations of other images, ``other_x`` and ``other_y``, rescaled to this
        one, repeats kept. ``"unfixated"``: the pixels without a fixation, with thresholds at fixated values only [1]_.
        ``"borji"``: as many random pixels as there are fixations, mean over ``splits`` draws [2]_.
    other_x, other_y : array
        ``(M,)``, for ``"shuffled"``.
    seed, splits : int
        For ``"borji"``: where the random numbers start, and the number of draws, 1 or more.
    step : float, optional
        For ``"borji"``: the distance between thresholds on the map scaled to [0, 1]; 0.1 is that of the MATLAB code and
        scores peaky maps far too low. Above 0, at most 1. None: exact.

    Returns
    -------
    float
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
    pixels = as_pixels(x, y, map_.shape)
    positive = map_[pixels]
    if negatives == "uniform":
        return above(positive, np.sort(map_, axis=None))
    if negatives == "shuffled":
        if other_x is None or other_y is None:
            raise InputError("shuffled negatives need other_x and other_y, the fixations of other images")
        return above(positive, np.sort(values_at(map_, other_x, other_y, "fixations of other images")))
    if negatives == "unfixated":
        return judd(map_, pixels, np.sort(map_, axis=None))
    if negatives == "borji":
        if splits < 1:
            raise InputError(f"expected splits of 1 or more, got {splits}")
        if step is not None and not 0 < step <= 1:
            raise InputError(f"expected a step above 0 and at most 1, got {step}; None scores exactly")
        if step is not None:
            map_ = as_unit_range(map_)
            positive = map_[pixels]
        draws = np.random.default_rng(seed).choice(map_.ravel(), (splits, positive.size))
        if step is None:
            return float(np.mean([above(positive, np.sort(draw)) for draw in draws]))
        return float(np.mean([stepped(positive, draw, step) for draw in draws]))
    raise InputError(f"expected negatives to be uniform, unfixated, shuffled or borji, got {negatives!r}")


def nss(saliency_map: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """Normalised scanpath saliency: the mean over fixations of the map's z-score.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, any range.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based.

    Returns
    -------
    float
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
    # NSS ignores scale and offset: taking them out first keeps tiny values and large offsets from rounding away
    map_ = as_unit_range(as_map(saliency_map, "the saliency map"))
    at_fixations = values_at(map_, x, y)
    if not map_.any():
        return 0.0
    return float((at_fixations.mean() - map_.mean()) / map_.std())


def information_gain(
    density: ArrayLike, x: ArrayLike, y: ArrayLike, *, baseline: Literal["uniform"] | ArrayLike
) -> float:
    """How much better a density predicts the fixations than a baseline does, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative; divided by its sum.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based.
    baseline : "uniform" or array
        ``(H, W)``, non-negative; divided by its sum. The usual one is the centre bias.

    Returns
    -------
    float
        Mean over fixations of ``log2 p - log2 b``; minus infinity if the density is 0 at a fixation. Higher is better.

    Raises
    ------
    InputError
        If a map is not 2-D, not finite, negative somewhere or 0 everywhere, the shapes differ, there are no fixations, some
        lie outside, or the baseline is 0 at one.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015.

    Examples
    --------
    Half of the density on one pixel of four is one bit more than a quarter:

    >>> information_gain([[1.0, 1.0], [2.0, 4.0]], [1], [1], baseline="uniform")
    1.0
    """
    p = as_distribution(as_map(density, "the density"), "the density")
    if isinstance(baseline, str):
        if baseline != "uniform":
            raise InputError(f"expected the baseline 'uniform' or an array, got {baseline!r}")
        b: NDArray[np.float64] = np.full(p.shape, 1 / p.size)
    else:
        b = as_distribution(as_map(baseline, "the baseline"), "the baseline")
    if b.shape != p.shape:
        raise InputError(f"expected density and baseline of one shape, got {p.shape} and {b.shape}")
    ours, theirs = values_at(p, x, y), values_at(b, x, y)
    if not theirs.all():
        raise InputError("the baseline is 0 at a fixation, so no gain over it is defined; smooth it")
    with np.errstate(divide="ignore"):
        return float(np.mean(np.log2(ours) - np.log2(theirs)))


def log_likelihood(density: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """Log-likelihood of the fixations under a density, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative; divided by its sum.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based.

    Returns
    -------
    float
        Mean over fixations of ``log2 p``, p the probability of the fixated pixel: at most 0, ``-log2(H W)`` for a uniform
        density, minus infinity if the density is 0 at a fixation. Higher is better. Depends on the number of pixels, which
        :func:`information_gain` does not.

    Raises
    ------
    InputError
        As :func:`information_gain`.

    Examples
    --------
    >>> log_likelihood([[1.0, 1.0], [2.0, 4.0]], [1], [1])
    -1.0
    """
    p = as_distribution(as_map(density, "the density"), "the density")
    with np.errstate(divide="ignore"):
        return float(np.mean(np.log2(values_at(p, x, y))))


# the kernels, which protocols.py shares between metrics: no checks, arrays that fit together


def above(positive: NDArray[Any], ranked: NDArray[Any]) -> float:
    """Mann-Whitney statistic: how often a positive is above a negative out of ``ranked``, sorted; ties count one half."""
    below = np.searchsorted(ranked, positive, side="left").sum()
    below_or_equal = np.searchsorted(ranked, positive, side="right").sum()
    return float((below + below_or_equal) / (2 * positive.size * ranked.size))


def judd(map_: NDArray[Any], pixels: tuple[NDArray[Any], NDArray[Any]], ranked: NDArray[Any]) -> float:
    """Trapezoids through the rates at the fixated values, from the highest to the lowest, and the corner (1, 1).

    ``ranked`` are all values of the map; those of fixated pixels are taken off the counts.
    """
    positive = np.sort(map_[pixels])
    fixated = np.sort(map_.ravel()[np.unique(np.ravel_multi_index(pixels, map_.shape))])
    if fixated.size == ranked.size:
        raise InputError("every pixel is fixated, so there are no unfixated ones to compare with")
    thresholds = positive[::-1]
    hits = 1 - np.searchsorted(positive, thresholds, side="left") / positive.size
    below = np.searchsorted(ranked, thresholds, side="left") - np.searchsorted(fixated, thresholds, side="left")
    alarms = 1 - below / (ranked.size - fixated.size)
    return _trapezoid(np.r_[0, hits, 1], np.r_[0, alarms, 1])


def stepped(positive: NDArray[Any], negative: NDArray[Any], step: float) -> float:
    """ROC with thresholds ``step`` apart, as the MATLAB code draws it."""
    top = max(positive.max(), negative.max())
    thresholds = np.arange(0, top + step / 2, step)[::-1]
    hits = [(positive >= t).mean() for t in thresholds]
    alarms = [(negative >= t).mean() for t in thresholds]
    return _trapezoid(np.r_[0, hits, 1], np.r_[0, alarms, 1])


def _trapezoid(height: NDArray[Any], position: NDArray[Any]) -> float:
    return float(((height[1:] + height[:-1]) / 2 * np.diff(position)).sum())
