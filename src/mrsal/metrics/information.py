"""Metrics of probability at fixations, in bit: information gain and log-likelihood."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError
from mrsal.metrics._checks import as_map, as_pixels, batched, same_shape, total_mass


@batched("density")
def log_likelihood(density: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """How probable a density finds the fixations, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative; divided by its sum. Or a stack of B densities.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack B arrays.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        Mean over fixations of ``log2 p``, p the probability of the fixated pixel: at most 0, ``-log2(H W)`` for a uniform
        density, minus infinity if the density is 0 at a fixation. Higher is better; compare on one image size only, or take
        :func:`information_gain`.

    Raises
    ------
    InputError
        If the density is not 2-D, not finite, negative somewhere or 0 everywhere, there are no fixations, or some lie outside.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015.

    Examples
    --------
    Probabilities 1/2 and 1/4:

    >>> log_likelihood([[1.0, 1.0], [2.0, 4.0]], [1, 0], [1, 1])
    -1.5
    """
    p = as_map(density, "the density")
    return float(np.mean(_log2_at(p, as_pixels(x, y, p.shape), "the density")))


@batched("density", "baseline")
def information_gain(
    density: ArrayLike, x: ArrayLike, y: ArrayLike, *, baseline: Literal["uniform"] | ArrayLike
) -> float:
    """How much better a density predicts the fixations than a baseline does, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative; divided by its sum. Or a stack of B densities.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack B arrays.
    baseline : "uniform" or array
        ``(H, W)``, non-negative; divided by its sum. The usual one is the centre bias. For a stack one for all or B.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
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
    p = as_map(density, "the density")
    pixels = as_pixels(x, y, p.shape)
    ours = _log2_at(p, pixels, "the density")
    if isinstance(baseline, str):
        if baseline != "uniform":
            raise InputError(f"expected the baseline 'uniform' or an array, got {baseline!r}")
        return float(np.mean(ours) + np.log2(p.size))
    b = as_map(baseline, "the baseline")
    same_shape(p, b, ("the density", "the baseline"))
    theirs = _log2_at(b, pixels, "the baseline")
    if not np.isfinite(theirs).all():
        raise InputError("the baseline is 0 at a fixation, so no gain over it is defined; smooth it")
    return float(np.mean(ours - theirs))


def _log2_at(map_: NDArray[Any], pixels: tuple[NDArray, NDArray], name: str) -> NDArray[np.float64]:
    total = total_mass(map_, name)
    with np.errstate(divide="ignore"):
        return np.log2(map_[pixels].astype(np.float64)) - np.log2(total)
