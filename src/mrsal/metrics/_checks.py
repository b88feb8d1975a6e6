"""What all metrics demand of their arguments, and how a stack of maps goes through them."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from mrsal.errors import InputError

P = ParamSpec("P")

POSITIONS = frozenset({"x", "y", "other_x", "other_y"})


def batched(*maps: str) -> Callable[[Callable[P, float]], Callable[P, Any]]:
    """Let a metric of one map score a stack as well: the result is a float for a map, and ``(B,)`` for B of them.

    ``maps`` names the parameters that hold maps. If one of them is a stack, ``(B, H, W)`` or a list of B maps, every other
    one is a stack of B as well or a single map for all; positions come as B arrays, one for each map.
    """

    def decorate(metric: Callable[P, float]) -> Callable[P, Any]:
        signature = inspect.signature(metric)

        @functools.wraps(metric)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            stacks = [name for name in maps if _depth(given.get(name)) == 3]
            if not stacks:
                return metric(*args, **kwargs)
            count = len(given[stacks[0]])
            if not count:
                raise InputError(f"expected {stacks[0]} to hold at least one map, got an empty stack")
            split = stacks + [name for name in given if name in POSITIONS and given[name] is not None]
            for name in split:
                if _depth(given[name]) < 2 or len(given[name]) != count:
                    raise InputError(
                        f"expected {name} to hold {count} arrays, one for each map of the stack "
                        f"(a stack is (B, H, W)); repeat it if all maps share it"
                    )
            scores = np.empty(count)
            for i in range(count):
                one = {name: value[i] if name in split else value for name, value in given.items()}
                try:
                    scores[i] = metric(**one)  # type: ignore[call-arg]
                except InputError as error:
                    raise InputError(f"map {i} of the stack: {error}") from None
            return scores

        return wrapper

    return decorate


def _depth(value: Any) -> int:
    """Number of dimensions of an array, or of nested lists by their first elements."""
    if isinstance(value, list | tuple):
        return 1 + (_depth(value[0]) if value else 0)
    return getattr(value, "ndim", 0)


def as_map(values: Any, name: str) -> NDArray[Any]:
    """A 2-D array without NaN and infinities, float32 if it was that and else float64; a tensor is brought to the CPU."""
    array = _as_floats(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"expected {name} of shape (H, W), got {array.shape}")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise InputError(f"{name} holds {count} values that are NaN or infinite; replace them before scoring")
    return array


def as_pair(a: Any, b: Any, names: tuple[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two maps of one shape in float64."""
    first, second = as_map(a, names[0]), as_map(b, names[1])
    same_shape(first, second, names)
    return first.astype(np.float64, copy=False), second.astype(np.float64, copy=False)


def same_shape(first: NDArray, second: NDArray, names: tuple[str, str]) -> None:
    if first.shape != second.shape:
        raise InputError(
            f"expected {names[0]} and {names[1]} of one shape, got {first.shape} and {second.shape}; resize one"
        )


def total_mass(values: NDArray[Any], name: str) -> float:
    """The sum of a map that may stand for a distribution: nowhere negative, somewhere above 0."""
    if values.min() < 0:
        raise InputError(f"{name} holds negative values, so it is no distribution; subtract its minimum, or clip at 0")
    total = float(values.sum(dtype=np.float64))
    if not total > 0:
        raise InputError(f"{name} is zero everywhere, so it cannot be divided by its sum")
    return total


def as_distribution(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """A non-negative map divided by its sum."""
    return np.divide(values, total_mass(values, name), dtype=np.float64)


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


def _as_floats(values: Any, name: str) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # NumPy has no bfloat16
        values = values.numpy() if str(values.dtype) in ("torch.float32", "torch.float64") else values.double().numpy()
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"values of type {array.dtype}")
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected {name} as an array of real numbers, got {type(values).__name__}: {error}") from None
