"""Plain JSON and CSV, which people and programs write by hand, and which mrsal writes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from mrsal.aoi.formats.reading import Reading, mask, number, polygon, short
from mrsal.aoi.formats.run_lengths import from_counts, to_counts
from mrsal.aoi.shapes import Area, Ellipse, Mask, Polygon, Rectangle
from mrsal.datasets import Table
from mrsal.errors import DataError

_BOX = ("x", "y", "width", "height")
_COLUMNS = ("name", *_BOX)


def read_json(content: Any, reading: Reading) -> None:
    """Read ``{"name": area}``, or a list of objects that also have a ``name``."""
    if isinstance(content, dict):
        for name, value in content.items():
            reading.add(area_of(name, value))
    elif isinstance(content, list):
        for entry in content:
            if not isinstance(entry, dict) or "name" not in entry:
                raise DataError(f"expected an object with name, x, y, width and height, got {short(entry)}")
            reading.add(area_of(entry["name"], entry))
    else:
        raise DataError(
            'expected {"name": [x, y, width, height]}, a list of objects with name, x, y, width and height, or an export of '
            f"COCO, Label Studio, LabelMe, CVAT or VIA; got {short(content)}"
        )


def area_of(name: str, value: Any) -> Area | None:
    """The area of a list or an object; None if it is an empty mask."""
    if isinstance(value, list):
        return _rectangle(name, value)
    if not isinstance(value, dict):
        raise DataError(f"expected [x, y, width, height] in pixels for {name!r}, got {short(value)}")
    kind = value.get("kind", "rectangle")
    rotation = number(value.get("rotation", 0), f"the rotation of {name!r}")
    if kind == "rectangle" and set(_BOX) <= value.keys():
        return _rectangle(name, [value[key] for key in _BOX], rotation)
    if kind == "ellipse" and {"x", "y", "radius_x", "radius_y"} <= value.keys():
        x, y, radius_x, radius_y = (number(value[key], key) for key in ("x", "y", "radius_x", "radius_y"))
        return Ellipse(name, x, y, radius_x, radius_y, rotation)
    if kind == "polygon" and "parts" in value:
        return polygon(name, value["parts"], value.get("holes", ()))
    if kind == "mask" and {*_BOX, "counts"} <= value.keys():
        x, y, width, height = (int(number(value[key], key)) for key in _BOX)
        if min(width, height) < 1:
            raise DataError(f"expected a mask with width and height above 0 for {name!r}, got {width} and {height}")
        return mask(name, from_counts(value["counts"], width * height).reshape(height, width), x, y)
    raise DataError(
        f"expected [x, y, width, height] for {name!r}, or an object of the kind rectangle, ellipse, polygon or mask with all "
        f"that belongs to it, got {short(value)}"
    )


def _rectangle(name: str, box: list[Any], rotation: float = 0.0) -> Rectangle:
    if any(isinstance(value, dict) for value in box):
        raise DataError(f"{name!r} has key frames, which are for a video; give [x, y, width, height] for an image")
    if len(box) != 4 or any(isinstance(value, bool) or not isinstance(value, int | float) for value in box):
        raise DataError(f"expected four numbers, x, y, width and height in pixels, for {name!r}, got {short(box)}")
    x, y, width, height = (float(value) for value in box)
    return Rectangle(name, x, y, width, height, rotation)


def content_of(areas: Iterable[Area]) -> dict[str, Any]:
    """Areas as plain JSON, for :func:`read_json`; coordinates are rounded to thousandths of a pixel."""
    return {area.name: _value(area) for area in areas}


def _value(area: Area) -> Any:
    if isinstance(area, Rectangle):
        box = [_rounded(v) for v in (area.x0, area.y0, area.width, area.height)]
        return box if area.is_upright else {**dict(zip(_BOX, box, strict=True)), "rotation": float(area.rotation)}
    if isinstance(area, Ellipse):
        values = {key: _rounded(getattr(area, key)) for key in ("x", "y", "radius_x", "radius_y")}
        return {"kind": area.kind, **values, "rotation": float(area.rotation)}
    if isinstance(area, Polygon):
        lines = [[[_rounded(x), _rounded(y)] for x, y in line] for line in area.outlines()]
        count = len(area.parts)
        return {"kind": area.kind, "parts": lines[:count], **({"holes": lines[count:]} if area.holes else {})}
    assert isinstance(area, Mask)
    height, width = area.pixels.shape
    counts = to_counts((np.asarray(area.pixels, np.float32) >= 0.5).ravel())
    return {"kind": area.kind, "x": area.x0, "y": area.y0, "width": width, "height": height, "counts": counts}


def _rounded(value: float) -> float:
    return round(float(value), 3)


def is_plain_table(table: Table) -> bool:
    """Whether a table has the columns of areas."""
    return set(_COLUMNS) <= {name.casefold() for name in table.header}


def read_table(table: Table, reading: Reading) -> None:
    """Read the columns name, x, y, width and height; a column image, if there is one, says to which image a row belongs."""
    places = {name.casefold(): i for i, name in enumerate(table.header)}
    rows = list(enumerate(table.rows))
    if "image" in places:
        names = dict.fromkeys(str(row[places["image"]]) for _, row in rows)
        name = reading.choose((name, name) for name in names)
        rows = [(i, row) for i, row in rows if str(row[places["image"]]) == name]
    for i, row in rows:
        try:
            box = [number(str(row[places[key]]).strip().replace(",", "."), key) for key in _BOX]
            reading.add(Rectangle(str(row[places["name"]]).strip(), *box))
        except ValueError as error:
            raise DataError(f"{table.place} {table.lines[i]}: {error}") from error
