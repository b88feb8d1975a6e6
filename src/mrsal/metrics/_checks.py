"""What all metrics demand of their arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.errors import InputError


def as_map(values: Any, name: str) -> NDArray[np.float64]:
    """A 2-D float64 array without NaN and infinities; a torch tensor is brought to the CPU."""
    array = _as_floats(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"expected {name} of shape (H, W), got {array.shape}")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise InputError(f"{name} holds {count} values that are NaN or infinite; replace them before scoring")
    return array


def as_pair(a: Any, b: Any, names: tuple[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two maps of one shape."""
    first, second = as_map(a, names[0]), as_map(b, names[1])
    if first.shape != second.shape:
        raise InputError(
            f"expected {names[0]} and {names[1]} of one shape, got {first.shape} and {second.shape}; resize one"
        )
    return first, second


def as_distribution(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """A non-negative map divided by its sum."""
    if values.min() < 0:
        raise InputError(f"{name} holds negative values, so it is no distribution; subtract its minimum, or clip at 0")
    total = values.sum()
    if not total > 0:
        raise InputError(f"{name} is zero everywhere, so it cannot be divided by its sum")
    return values / total


def as_unit_range(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map scaled to [0, 1] by its own minimum and maximum; a constant one becomes 0."""
    span = np.ptp(map_)
    return (map_ - map_.min()) / (span if span > 0 else 1.0)


def as_pixels(
    x: Any, y: Any, shape: tuple[int, ...], name: str = "fixations"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pixels that hold positions; at least one, all inside ``shape``, (H, W)."""
    xs, ys = np.atleast_1d(_as_floats(x, f"x of the {name}")), np.atleast_1d(_as_floats(y, f"y of the {name}"))
    if xs.shape != ys.shape or xs.ndim != 1:
        raise InputError(f"expected x and y of the {name} of one length, got {xs.shape} and {ys.shape}")
    if not xs.size:
        raise InputError(f"expected at least one of the {name}, got none; leave such an image out")
    height, width = shape
    inside = (xs >= 0) & (ys >= 0) & (xs < width) & (ys < height)
    if not inside.all():
        raise InputError(
            f"{int((~inside).sum())} of {xs.size} {name} lie outside the {width}x{height} map; drop them first"
        )
    return ys.astype(np.int64), xs.astype(np.int64)


def values_at(map_: NDArray[np.float64], x: Any, y: Any, name: str = "fixations") -> NDArray[np.float64]:
    """The values of a map at positions in pixels."""
    return map_[as_pixels(x, y, map_.shape, name)]


def _as_floats(values: Any, name: str) -> NDArray[np.float64]:
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()  # NumPy has no bfloat16
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"values of type {array.dtype}")
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected {name} as an array of real numbers, got {type(values).__name__}: {error}") from None
