"""Check the arguments of the metrics, and let each metric score a stack of maps."""

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
    """Let a metric of one map score a stack as well: it returns a float for one map, and ``(B,)`` for B maps.

    ``maps`` has the names of the parameters that take maps. If one of them is a stack, ``(B, H, W)`` or a list of B maps, each
    of the others is a stack of B maps too or a single map for all. Positions are then B arrays, one for each map.
    """

    def decorate(metric: Callable[P, float]) -> Callable[P, Any]:
        signature = inspect.signature(metric)

        @functools.wraps(metric)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            arguments = signature.bind(*args, **kwargs).arguments
            stacks = [name for name in maps if _depth(arguments.get(name)) == 3]
            if not stacks:
                return metric(*args, **kwargs)
            count = len(arguments[stacks[0]])
            if not count:
                raise InputError(f"expected {stacks[0]} to hold at least one map, got an empty stack")
            split = stacks + [name for name in arguments if name in POSITIONS and arguments[name] is not None]
            for name in split:
                if _depth(arguments[name]) < 2 or len(arguments[name]) != count:
                    raise InputError(
                        f"expected {name} to hold {count} arrays, one for each map of the stack "
                        f"(a stack is (B, H, W)), got another number; if all maps share it, repeat it"
                    )
            scores = np.empty(count)
            for i in range(count):
                of_map = {name: value[i] if name in split else value for name, value in arguments.items()}
                try:
                    scores[i] = metric(**of_map)  # type: ignore[call-arg]
                except InputError as error:
                    raise InputError(f"map {i} of the stack: {error}") from None
            return scores

        return wrapper

    return decorate


def _depth(value: Any) -> int:
    """Count the dimensions of an array, or of nested lists by their first elements."""
    if isinstance(value, list | tuple):
        return 1 + (_depth(value[0]) if value else 0)
    return getattr(value, "ndim", 0)


def as_map(values: Any, name: str) -> NDArray[Any]:
    """Convert to a 2-D array and check that it is finite; float32 stays float32, any other type becomes float64."""
    array = _as_floats(values, name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"expected {name} of shape (H, W), got {array.shape}; give a single map or a stack of maps")
    if not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise InputError(
            f"expected finite values in {name}, got {count} that are NaN or infinite; replace them before scoring"
        )
    return array


def as_pair(a: Any, b: Any, names: tuple[str, str]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Convert two maps of the same shape to float64."""
    first, second = as_map(a, names[0]), as_map(b, names[1])
    same_shape(first, second, names)
    return first.astype(np.float64, copy=False), second.astype(np.float64, copy=False)


def same_shape(first: NDArray, second: NDArray, names: tuple[str, str]) -> None:
    """Check that two maps have the same shape."""
    if first.shape != second.shape:
        raise InputError(
            f"expected {names[0]} and {names[1]} of the same shape, got {first.shape} and {second.shape}; resize one of them"
        )


def total_mass(values: NDArray[Any], name: str) -> float:
    """Return the sum of a map, after a check that it can be a distribution: no negative values, and not all of them 0."""
    if values.min() < 0:
        raise InputError(
            f"{name} has negative values, so it is not a distribution; subtract its minimum, or clip it at 0"
        )
    total = float(values.sum(dtype=np.float64))
    if not total > 0:
        raise InputError(f"{name} is zero everywhere, so it cannot be divided by its sum; leave it out")
    return total


def as_distribution(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Divide a non-negative map by its sum."""
    return np.divide(values, total_mass(values, name), dtype=np.float64)


def as_pixels(
    x: Any, y: Any, shape: tuple[int, ...], name: str = "fixations"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows and columns of the pixels of positions, after a check that all lie inside ``shape``, (H, W)."""
    xs, ys = np.atleast_1d(_as_floats(x, f"x of the {name}")), np.atleast_1d(_as_floats(y, f"y of the {name}"))
    if xs.shape != ys.shape or xs.ndim != 1:
        raise InputError(
            f"expected as many x as y of the {name}, got {xs.shape} and {ys.shape}; give one pair for each fixation"
        )
    if not xs.size:
        raise InputError(f"expected at least one position of the {name}, got none; leave this image out")
    height, width = shape
    inside = (xs >= 0) & (ys >= 0) & (xs < width) & (ys < height)
    if not inside.all():
        raise InputError(
            f"{int((~inside).sum())} of {xs.size} {name} lie outside the {width}x{height} map; remove them first"
        )
    return ys.astype(np.int64), xs.astype(np.int64)


def _as_floats(values: Any, name: str) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        # through float64, since NumPy has no bfloat16
        values = values.numpy() if str(values.dtype) in ("torch.float32", "torch.float64") else values.double().numpy()
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"values of type {array.dtype}")
        return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"expected {name} as an array of real numbers, got {type(values).__name__} ({error}); convert it"
        ) from None
