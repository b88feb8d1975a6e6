"""The strongest spots of a map, in the order in which attention with inhibition of return would visit them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter

from mrsal.errors import InputError

_RADIUS = 1 / 6  # of the shorter side, as in the paper below
_PEAK = 1 / 3  # of the radius
_FAINT = 0.05  # of the range of the map; weaker places are not spots


@dataclass(frozen=True)
class Spot:
    """A strong place of a map.

    Parameters
    ----------
    x, y : float
        The centre of its pixel, in pixels from the upper left corner.
    strength : float
        The value of the map there, with the map scaled to [0, 1] and before inhibition.
    """

    x: float
    y: float
    strength: float


def strongest_spots(saliency_map: ArrayLike, *, count: int = 5, radius: float | None = None) -> list[Spot]:
    """The places that attention visits if it always goes to the strongest place and avoids earlier ones.

    Parameters
    ----------
    saliency_map : array
        The map, ``(H, W)``, finite, with any range.
    count : int
        The largest number of spots. There are fewer if the rest of the map is weak, and none if the map is constant.
    radius : float, optional
        The radius of the inhibition in pixels. None: a sixth of the shorter side.

    Returns
    -------
    list of Spot
        The spots in their order.

    Raises
    ------
    InputError
        If the map is empty or not finite, or a number is out of range.

    Notes
    -----
    Only peaks of the map, the highest places within a third of the radius, are spots. After each spot, the map is multiplied
    by one minus a Gaussian around it whose standard deviation is the radius. The paper inhibits a disc with a sharp edge and
    accepts any place, so the next spot often lies on the edge of the last disc. The order comes from the model and is not a
    measured scanpath: neither time nor the length of eye movements is modelled.

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
        raise InputError(f"expected a finite map of shape (H, W), got {values.shape}; replace NaN and infinities first")
    if count < 0:
        raise InputError(f"expected a count of 0 or more, got {count}")
    height, width = values.shape
    sigma = min(height, width) * _RADIUS if radius is None else radius
    if not 0 < sigma < np.inf:
        raise InputError(f"expected a radius above 0 pixels, got {radius}")
    span = np.ptp(values)
    strength = (values - values.min()) / (span if span > 0 else 1)
    window = 2 * max(1, round(sigma * _PEAK)) + 1
    peaks = strength == maximum_filter(strength, size=window, mode="nearest")
    remaining = np.where(peaks, strength, 0)
    spots: list[Spot] = []
    while len(spots) < count and remaining.max() > _FAINT:
        row, column = np.unravel_index(int(remaining.argmax()), remaining.shape)
        spots.append(Spot(float(column + 0.5), float(row + 0.5), float(strength[row, column])))
        remaining *= 1 - _gaussian(height, int(row), sigma)[:, None] * _gaussian(width, int(column), sigma)
    return spots


def _gaussian(side: int, centre: int, sigma: float) -> NDArray[np.float64]:
    return np.exp(-(((np.arange(side) - centre) / sigma) ** 2) / 2)
