"""The strongest spots of a map, in the order in which inhibition of return would visit them.

A map flows in; spots flow out, the most salient first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter

from mrsal.errors import InputError

_RADIUS = 1 / 6  # of the shorter side, as in the paper below
_HILLTOP = 1 / 3  # of the radius
_FAINT = 0.05  # what is left of the map below this part of its range is no spot


@dataclass(frozen=True)
class Spot:
    """A place that stands out.

    Parameters
    ----------
    x, y : float
        Centre of its pixel, in pixels from the upper left corner.
    strength : float
        The map there, stretched to [0, 1], before anything was inhibited.
    """

    x: float
    y: float
    strength: float


def strongest_spots(saliency_map: ArrayLike, *, count: int = 5, radius: float | None = None) -> list[Spot]:
    """The places that attention visits if it goes to the strongest and then avoids where it has been.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, finite, of any range.
    count : int
        The most spots to find; fewer where the rest of the map is faint, none where it is constant.
    radius : float, optional
        Of the inhibition, in pixels. None: a sixth of the shorter side.

    Returns
    -------
    list of Spot
        In their order.

    Raises
    ------
    InputError
        If the map is not finite or empty, or a number is out of its range.

    Notes
    -----
    Only hilltops of the map itself, the highest places within a third of the radius, are spots. After each, the map is
    multiplied by one minus a Gaussian of that standard deviation around it. The paper inhibits a disc with a sharp edge and
    takes any place, so that the next spot often lies on the rim of the last. The order is the model's and no measured
    scanpath: nothing here knows time, or how far eyes jump.

    References
    ----------
    Itti, Koch and Niebur, "A Model of Saliency-Based Visual Attention for Rapid Scene Analysis", PAMI 1998, section 2.3.

    Examples
    --------
    >>> saliency_map = np.zeros((60, 90))
    >>> saliency_map[10, 20], saliency_map[50, 70] = 0.5, 1.0
    >>> [(spot.x, spot.y, spot.strength) for spot in strongest_spots(saliency_map)]
    [(70.5, 50.5, 1.0), (20.5, 10.5, 0.5)]
    """
    values = np.asarray(saliency_map, np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise InputError(f"expected a finite map of shape (H, W), got {values.shape}; mend NaN and infinities first")
    if count < 0:
        raise InputError(f"expected a count of 0 or more, got {count}")
    height, width = values.shape
    sigma = min(height, width) * _RADIUS if radius is None else radius
    if not 0 < sigma < np.inf:
        raise InputError(f"expected a radius above 0 pixels, got {radius}")
    span = np.ptp(values)
    strength = (values - values.min()) / (span if span > 0 else 1)
    around = 2 * max(1, round(sigma * _HILLTOP)) + 1
    hilltops = strength == maximum_filter(strength, size=around, mode="nearest")
    left = np.where(hilltops, strength, 0)
    spots: list[Spot] = []
    while len(spots) < count and left.max() > _FAINT:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        spots.append(Spot(float(column + 0.5), float(row + 0.5), float(strength[row, column])))
        left *= 1 - _bump(height, int(row), sigma)[:, None] * _bump(width, int(column), sigma)
    return spots


def _bump(side: int, at: int, sigma: float) -> NDArray[np.float64]:
    return np.exp(-(((np.arange(side) - at) / sigma) ** 2) / 2)
