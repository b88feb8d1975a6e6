"""Contours that mean something: the smallest region that holds a share of all attention.

A density flows in; thresholds and lines flow out.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError


def contour_level(density: ArrayLike, share: float) -> float:
    """The value above which a density holds a share of its sum: the rim of its highest-density region.

    Parameters
    ----------
    density : array
        ``(H, W)``, not negative, of any sum.
    share : float
        In (0, 1).

    Returns
    -------
    float
        The highest value v for which the pixels of at least v hold at least ``share``.

    Raises
    ------
    InputError
        If the density is none, or the share is out of its range.

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
        raise InputError("expected a density: finite, not negative and not zero everywhere")
    if not 0 < share < 1:
        raise InputError(f"expected a share above 0 and below 1, got {share}")
    descending = np.sort(values, axis=None)[::-1]
    held = np.cumsum(descending)
    return float(descending[min(np.searchsorted(held, share * held[-1] * (1 - 1e-12)), values.size - 1)])


def contour_lines(density: ArrayLike, share: float) -> list[NDArray[np.float64]]:
    """The outline of the smallest region that holds a share of a density.

    Parameters
    ----------
    density, share
        As for :func:`contour_level`.

    Returns
    -------
    list of array
        ``(N, 2)`` each: x and y in pixels from the upper left corner. A line that reaches the border ends there.
    """
    from contourpy import contour_generator  # comes with matplotlib

    values = np.asarray(density, np.float64)
    level = contour_level(values, share)
    if min(values.shape) < 2:  # too thin to have an outline
        return []
    lines = contour_generator(z=values).lines(level)
    return [np.asarray(line) + 0.5 for line in lines if len(line) > 1]
