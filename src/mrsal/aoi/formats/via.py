"""Files of the VGG Image Annotator, version 1 or 2, JSON and CSV (https://www.robots.ox.ac.uk/~vgg/software/via/)."""

import json
import math
from collections.abc import Iterable
from typing import Any

from mrsal.aoi.formats.reading import Reading, number, polygon, short
from mrsal.aoi.shapes import Area, Ellipse, Rectangle
from mrsal.datasets import Table
from mrsal.errors import DataError

_IMAGES = "_via_img_metadata"
_NO_SURFACE = {"polyline": "line", "line": "line", "point": "point"}
_CSV = ("filename", "region_shape_attributes", "region_attributes")
_USUAL = ("label", "name", "class", "type", "category", "object", "region")


def is_via(content: Any) -> bool:
    """Whether this is a project or the annotations of VIA."""
    if not isinstance(content, dict):
        return False
    if isinstance(content.get(_IMAGES), dict) or {"project", "metadata", "file"} <= content.keys():
        return True
    return bool(content) and all(isinstance(e, dict) and {"filename", "regions"} <= e.keys() for e in content.values())


def is_via_table(table: Table) -> bool:
    """Whether a table has the columns of VIA."""
    return set(_CSV) <= set(_header(table))


def _header(table: Table) -> list[str]:
    return [name.lstrip("#") for name in table.header]


def read(content: dict[str, Any], reading: Reading) -> None:
    """Read the regions of the image; each is named after its attribute, such as ``label``."""
    if "metadata" in content and _IMAGES not in content:
        raise DataError("it is a project of VIA 3; export the areas as COCO, or draw them with VIA 2")
    entries = content.get(_IMAGES, content)
    regions = reading.choose((str(entry["filename"]), entry["regions"]) for entry in entries.values())
    regions = list(regions.values()) if isinstance(regions, dict) else regions  # a dict in version 1
    _add(((region["shape_attributes"], region.get("region_attributes")) for region in regions), reading)


def read_table(table: Table, reading: Reading) -> None:
    """Read the rows of the image in a CSV file."""
    name, shape, attributes = (_header(table).index(column) for column in _CSV)
    chosen = reading.choose((text, text) for text in dict.fromkeys(str(row[name]) for row in table.rows))
    regions = []
    for line, row in zip(table.lines, table.rows, strict=True):
        if str(row[name]) == chosen:
            try:
                found = json.loads(row[shape] or "{}"), json.loads(row[attributes] or "{}")
            except (ValueError, RecursionError) as error:
                raise DataError(f"line {line}: expected JSON in the columns of the region: {error}") from error
            regions += [found] if found[0] else []
    _add(regions, reading)


def _add(regions: Iterable[tuple[dict[str, Any], Any]], reading: Reading) -> None:
    for shape, attributes in regions:
        kind = shape.get("name")
        if kind in _NO_SURFACE:
            reading.leave_out(_NO_SURFACE[kind])
        else:
            reading.add(_area(_label(attributes), kind, shape))


def _label(attributes: Any) -> str:
    """The name of a region: its attribute with a usual name, or else the first that has a value."""
    if not isinstance(attributes, dict):
        return "area"
    values = {key.casefold(): _text(value) for key, value in attributes.items()}
    usual = [values[key] for key in _USUAL if values.get(key)]
    return next(iter([*usual, *(value for value in values.values() if value)]), "area")


def _text(value: Any) -> str:
    """The value of an attribute as one line; of a checkbox, the names that are checked."""
    if isinstance(value, dict):
        return " ".join(str(key) for key, checked in value.items() if checked)
    return " ".join(str(value).split())


def _area(label: str, kind: Any, shape: dict[str, Any]) -> Area:
    def value(name: str) -> float:
        return number(shape[name], f"{name} of {label!r}")

    if kind == "rect":
        return Rectangle(label, value("x"), value("y"), value("width"), value("height"))
    if kind == "circle":
        return Ellipse(label, value("cx"), value("cy"), value("r"), value("r"))
    if kind == "ellipse":
        turned = math.degrees(number(shape.get("theta") or 0, f"theta of {label!r}"))
        return Ellipse(label, value("cx"), value("cy"), value("rx"), value("ry"), turned)
    if kind == "polygon":
        return polygon(label, [list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))])
    raise DataError(f"expected a region of VIA 2 for {label!r}, got {short(kind)}")
