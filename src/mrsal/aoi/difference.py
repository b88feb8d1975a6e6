"""Where attention moved between two designs: the difference of their densities."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mrsal.aoi.areas import AreaDifference, density_of
from mrsal.aoi.overlaps import overlaps
from mrsal.aoi.study import Attention
from mrsal.errors import InputError
from mrsal.inference import SaliencyMap

_SAME_ASPECT = 0.01  # by which part the ratios of the sides may differ: sides are whole pixels


def difference_map(a: SaliencyMap | ArrayLike, b: SaliencyMap | ArrayLike) -> NDArray[np.float64]:
    """Compute where design B gets more attention than design A, and where less.

    Parameters
    ----------
    a, b : SaliencyMap or array
        The maps of both designs, or densities ``(H, W)`` with values of at least 0 and any sum.

    Returns
    -------
    array
        ``(H, W)`` float64 of the size of ``b``: the density of B minus that of A. It sums to 0. Times the number of
        pixels it is the difference in attention per surface: where it is 2, a patch with 1 % of the surface gets 2 percentage
        points more of the attention in B than in A.

    Raises
    ------
    InputError
        If the designs differ in shape. The ratio of width to height may differ by 1 %; the density of A is then resized to B.

    Examples
    --------
    >>> difference_map([[1, 1], [1, 1]], [[2, 2], [2, 4]])
    array([[-0.05, -0.05],
           [-0.05,  0.15]])
    """
    first, second = density_of(a), density_of(b)
    if first.shape != second.shape:
        first = _resized(first, second.shape)
    return second - first


def _resized(density: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """A density at another size with about the same ratio of its sides; it sums to 1 again."""
    (height, width), (new_height, new_width) = density.shape, shape
    if abs(width * new_height / (height * new_width) - 1) > _SAME_ASPECT:
        raise InputError(
            f"no difference map: expected designs with the same ratio of width to height, got {width}x{height} and "
            f"{new_width}x{new_height}; crop one of them, or put it on a background of the same shape"
        )
    per_surface = (density * density.size).astype(np.float32)
    resized = Image.fromarray(per_surface).resize((new_width, new_height), Image.Resampling.BILINEAR)
    values = np.asarray(resized, np.float64)
    return values / values.sum()


def change_elsewhere(a: Attention, b: Attention, differences: Sequence[AreaDifference]) -> float:
    """By how much the share of what lies outside all compared areas is larger in design B than in A."""
    inside_a = overlaps(a.saliency, [pair.a.area for pair in differences]).together
    inside_b = overlaps(b.saliency, [pair.b.area for pair in differences]).together
    return inside_a - inside_b
