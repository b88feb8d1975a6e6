"""The metrics of the probability of fixations, in bit: information gain and log-likelihood."""

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError
from mrsal.metrics._checks import as_map, as_pixels, batched, same_shape, total_mass


@batched("density")
def log_likelihood(density: ArrayLike, x: ArrayLike, y: ArrayLike) -> float:
    """Compute how probable the fixations are under a density, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)`` or a stack of B, non-negative. It is divided by its sum.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack, B arrays.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The mean over fixations of ``log2 p``, where p is the probability of the fixated pixel: at most 0, ``-log2(H W)`` for a
        uniform density, and minus infinity if the density is 0 at a fixation. Higher is better. Values for images of different
        sizes cannot be compared; :func:`information_gain` can.

    Raises
    ------
    InputError
        If the density is not 2-D, not finite, has negative values or is 0 everywhere, or if there are no fixations or some lie
        outside.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015.

    Examples
    --------
    The fixated pixels have the probabilities 1/2 and 1/4:

    >>> log_likelihood([[1.0, 1.0], [2.0, 4.0]], [1, 0], [1, 1])
    -1.5
    """
    p = as_map(density, "the density")
    return float(np.mean(_log2_at(p, as_pixels(x, y, p.shape), "the density")))


@batched("density", "baseline")
def information_gain(
    density: ArrayLike, x: ArrayLike, y: ArrayLike, *, baseline: Literal["uniform"] | ArrayLike
) -> float:
    """Compute how much better a density predicts the fixations than a baseline does, in bit/fixation.

    Parameters
    ----------
    density : array
        ``(H, W)`` or a stack of B, non-negative. It is divided by its sum.
    x, y : array
        ``(N,)`` fixations in pixels, 0-based; for a stack, B arrays.
    baseline : "uniform" or array
        The density to compare with, usually the centre bias: ``(H, W)`` for all maps or a stack of B, non-negative. It is
        divided by its sum.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The mean over fixations of ``log2 p - log2 b``, the probabilities of the fixated pixel under the density and under the
        baseline. It is minus infinity if the density is 0 at a fixation. Higher is better.

    Raises
    ------
    InputError
        If a map is not 2-D, not finite, has negative values or is 0 everywhere, the shapes differ, there are no fixations,
        some lie outside, or the baseline is 0 at a fixation.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015.

    Examples
    --------
    A density of 1/2 on one of four pixels is one bit better than the uniform 1/4:

    >>> information_gain([[1.0, 1.0], [2.0, 4.0]], [1], [1], baseline="uniform")
    1.0
    """
    p = as_map(density, "the density")
    pixels = as_pixels(x, y, p.shape)
    log_p = _log2_at(p, pixels, "the density")
    if isinstance(baseline, str):
        if baseline != "uniform":
            raise InputError(f"expected the baseline 'uniform' or an array, got {baseline!r}; give an array")
        return float(np.mean(log_p) + np.log2(p.size))
    b = as_map(baseline, "the baseline")
    same_shape(p, b, ("the density", "the baseline"))
    log_b = _log2_at(b, pixels, "the baseline")
    if not np.isfinite(log_b).all():
        raise InputError("the baseline is 0 at a fixation, so the gain over it is not defined; smooth the baseline")
    return float(np.mean(log_p - log_b))


def _log2_at(map_: NDArray[Any], pixels: tuple[NDArray, NDArray], name: str) -> NDArray[np.float64]:
    total = total_mass(map_, name)
    with np.errstate(divide="ignore"):
        return np.log2(map_[pixels].astype(np.float64)) - np.log2(total)
