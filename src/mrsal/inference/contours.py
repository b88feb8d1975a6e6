"""Contours around the smallest region that contains a certain share of the attention."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError


def contour_level(density: ArrayLike, share: float) -> float:
    """The lowest value in the smallest region that contains a share of a density (its highest-density region).

    Parameters
    ----------
    density : array
        A density ``(H, W)`` with values of at least 0 and any sum.
    share : float
        The share, in (0, 1).

    Returns
    -------
    float
        The highest value v for which the pixels with values of at least v contain at least ``share``.

    Raises
    ------
    InputError
        If the values are not a density, or the share is out of range.

    References
    ----------
    Hyndman, "Computing and Graphing Highest Density Regions", The American Statistician 1996.

    Examples
    --------
    >>> contour_level([[1, 2], [3, 4]], 0.5)
    3.0
    """
    values = np.asarray(density, np.float64)
    if not values.size or not np.isfinite(values).all() or values.min() < 0 or not values.sum() > 0:
        raise InputError("expected a density with finite values of at least 0 that are not all 0")
    if not 0 < share < 1:
        raise InputError(f"expected a share above 0 and below 1, got {share}")
    descending = np.sort(values, axis=None)[::-1]
    sums = np.cumsum(descending)
    return float(descending[min(np.searchsorted(sums, share * sums[-1] * (1 - 1e-12)), values.size - 1)])


def contour_lines(density: ArrayLike, share: float) -> list[NDArray[np.float64]]:
    """The outline of the smallest region that contains a share of a density.

    Parameters
    ----------
    density, share
        As for :func:`contour_level`.

    Returns
    -------
    list of array
        The lines, ``(N, 2)`` each: x and y in pixels from the upper left corner. A line that reaches the border ends there.
    """
    from contourpy import contour_generator  # matplotlib depends on it

    values = np.asarray(density, np.float64)
    level = contour_level(values, share)
    if min(values.shape) < 2:  # too thin to have an outline
        return []
    lines = contour_generator(z=values).lines(level)
    return [np.asarray(line) + 0.5 for line in lines if len(line) > 1]
