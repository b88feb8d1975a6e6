"""What the drawing on the page and the server tell each other about the areas of an image, as JSON.

The scripts of the drawing are in ``board/``. A visitor can send anything, so everything is checked here.

The drawing can change rectangles, ellipses and polygons with one outline. Masks and other polygons are *fixed*: the drawing
shows them, and can rename and remove them. It refers to them by their number, so that the server measures exactly what was
loaded.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from mrsal.aoi import Area, Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import InputError
from mrsal.web.options import UploadLimits

_MOST_POINTS = 400  # of a line around a fixed area, on the page only
_NUMBERS = {
    "rectangle": ("x", "y", "width", "height", "rotation"),
    "ellipse": ("x", "y", "radius_x", "radius_y", "rotation"),
}


@dataclass(frozen=True)
class Edit:
    """All areas of an image after a visitor has changed one.

    Parameters
    ----------
    key : str
        The image or design whose areas they are.
    number : int
        The number of the edit. Later edits have larger numbers.
    revision : int
        How often the areas had been replaced by others when the visitor changed them.
    shapes : list
        The areas as the page has sent them, for :func:`areas_of`.
    """

    key: str
    number: int
    revision: int
    shapes: list[Any]


def read_edit(sent: Any) -> Edit:
    """Check the envelope of what the page has sent.

    Raises
    ------
    InputError
        If it is something else.
    """
    if isinstance(sent, dict):
        key, number, revision, shapes = (sent.get(name) for name in ("key", "number", "revision", "areas"))
        if isinstance(key, str) and type(number) is int and type(revision) is int and isinstance(shapes, list):
            return Edit(key, number, revision, shapes)
    raise InputError("expected a list of areas from the page, got something else; reload the page")


def areas_of(shapes: Sequence[Any], fixed: Sequence[Area], limits: UploadLimits) -> list[Area]:
    """The areas that the page has sent.

    Parameters
    ----------
    shapes : sequence
        One object for each area, as :func:`shapes_of` makes them.
    fixed : sequence of Area
        The areas that objects of the kind ``fixed`` refer to.
    limits : UploadLimits
        The largest number of areas, of corners of a polygon, and of characters of a name.

    Raises
    ------
    InputError
        If an object is not an area, a limit is exceeded, or two areas have the same name.
    """
    if len(shapes) > limits.areas:
        raise InputError(f"expected at most {limits.areas} areas on an image, got {len(shapes)}; remove some")
    areas = [_area(shape, fixed, limits) for shape in shapes]
    names = [area.name for area in areas]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two areas are called {name!r}; rename one of them")
    return areas


def _area(shape: Any, fixed: Sequence[Area], limits: UploadLimits) -> Area:
    if not isinstance(shape, dict) or not isinstance(shape.get("name"), str):
        raise InputError("expected an object with a name for each area, got something else; reload the page")
    name, kind = shape["name"].strip(), shape.get("kind")
    if len(name) > limits.letters:
        raise InputError(f"expected a name of at most {limits.letters} characters, got {len(name)}; shorten it")
    if kind == "fixed":
        number = shape.get("number")
        if type(number) is not int or not 0 <= number < len(fixed):
            raise InputError(f"area {name!r} is no longer there; load it again")
        return fixed[number] if fixed[number].name == name else replace(fixed[number], name=name)
    if kind == "polygon":
        points = shape.get("points")
        if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
            raise InputError(f"area {name!r}: expected corners of two numbers, x and y; reload the page")
        if len(points) > limits.corners:
            raise InputError(f"area {name!r}: expected at most {limits.corners} corners, got {len(points)}")
        return Polygon(name, [(_number(x, name), _number(y, name)) for x, y in points])
    if not isinstance(kind, str) or kind not in _NUMBERS:
        raise InputError(f"area {name!r}: expected a rectangle, an ellipse or a polygon; reload the page")
    numbers = [_number(shape.get(key), name) for key in _NUMBERS[kind]]
    return Rectangle(name, *numbers) if kind == "rectangle" else Ellipse(name, *numbers)


def _number(value: Any, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 and math.isfinite(value):
        return float(value)
    raise InputError(f"area {name!r}: expected numbers in pixels, got something else; correct it")


def is_fixed(area: Area, limits: UploadLimits) -> bool:
    """Whether the drawing cannot change the shape of an area."""
    if isinstance(area, Polygon):
        return len(area.parts) > 1 or bool(area.holes) or len(area.parts[0]) > limits.corners
    return not isinstance(area, Rectangle | Ellipse)


def shapes_of(areas: Iterable[Area], fixed: Sequence[Area]) -> list[dict[str, Any]]:
    """Areas as objects for the page, from which :func:`areas_of` makes exactly the same areas."""
    return [_shape(area, fixed) for area in areas]


def _shape(area: Area, fixed: Sequence[Area]) -> dict[str, Any]:
    numbers = [i for i, other in enumerate(fixed) if _is_same(area, other)]
    if numbers:
        return {"kind": "fixed", "name": area.name, "number": numbers[0], "of": area.kind, "lines": _lines(area)}
    shape: dict[str, Any] = {"kind": area.kind, "name": area.name}
    if isinstance(area, Polygon):
        return {**shape, "points": [[x, y] for x, y in area.outlines()[0].tolist()]}
    if isinstance(area, Rectangle):
        numbers_of = (area.x0, area.y0, area.width, area.height, area.rotation)
    else:
        assert isinstance(area, Ellipse)
        numbers_of = (area.x, area.y, area.radius_x, area.radius_y, area.rotation)
    return {**shape, **{key: float(v) for key, v in zip(_NUMBERS[area.kind], numbers_of, strict=True)}}


def _is_same(area: Area, other: Area) -> bool:
    """Whether two areas are the same but for their names."""
    if isinstance(area, Mask) and isinstance(other, Mask):
        return (area.x0, area.y0) == (other.x0, other.y0) and np.array_equal(area.pixels, other.pixels)
    if isinstance(area, Polygon) and isinstance(other, Polygon):
        return (area.parts, area.holes) == (other.parts, other.holes)
    return False


@lru_cache(maxsize=256)
def _lines(area: Area) -> list[list[list[float]]]:
    """The lines around an area, with as many points as the eye can follow."""
    return [line[:: math.ceil(len(line) / _MOST_POINTS)].round(1).tolist() for line in area.outlines()]
