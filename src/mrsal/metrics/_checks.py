"""What all metrics demand of their arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.errors import InputError


def as_map(values: Any, name: str) -> NDArray[np.float64]:
    """A 2-D float64 array without NaN and infinities; a torch tensor is brought to the CPU."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    array = np.asarray(values, np.float64)
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


def values_at(map_: NDArray[np.float64], x: Any, y: Any, name: str = "fixations") -> NDArray[np.float64]:
    """The values of a map at positions in pixels; at least one, all inside."""
    xs, ys = np.atleast_1d(np.asarray(x, np.float64)), np.atleast_1d(np.asarray(y, np.float64))
    if xs.shape != ys.shape or xs.ndim != 1:
        raise InputError(f"expected x and y of the {name} of one length, got {xs.shape} and {ys.shape}")
    if not xs.size:
        raise InputError(f"expected at least one of the {name}, got none; leave such an image out")
    height, width = map_.shape
    inside = (xs >= 0) & (ys >= 0) & (xs < width) & (ys < height)
    if not inside.all():
        raise InputError(
            f"{int((~inside).sum())} of {xs.size} {name} lie outside the {width}x{height} map; drop them first"
        )
    return map_[ys.astype(np.int64), xs.astype(np.int64)]
