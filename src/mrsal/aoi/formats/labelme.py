"""Files of LabelMe, one for each image (https://github.com/wkentaro/labelme)."""

import math
from typing import Any

from mrsal.aoi.formats.masks import mask_of_base64
from mrsal.aoi.formats.reading import Reading, grouped, number, polygon, short
from mrsal.aoi.shapes import Area, Ellipse, Rectangle, joined
from mrsal.errors import DataError

_LINES = {"line": "line", "linestrip": "line", "point": "point", "points": "point"}
_POLYGONS = ("polygon", "rotation", "oriented_rectangle", "quadrilateral")


def is_labelme(content: Any) -> bool:
    """Whether this is a file of LabelMe."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def read(content: dict[str, Any], reading: Reading) -> None:
    """Read the shapes; those with the same label and the same ``group_id`` are parts of one object."""
    content = reading.choose([(str(content["imagePath"]), content)])
    if content.get("imageWidth") and content.get("imageHeight"):
        reading.check_size(content["imageWidth"], content["imageHeight"])
    found = []
    for shape in content["shapes"]:
        kind, label = shape.get("shape_type") or "polygon", str(shape["label"])
        if kind in _LINES:
            reading.leave_out(_LINES[kind])
            continue
        group = shape.get("group_id")
        found.append((None if group is None else (label, str(group)), _area(label, kind, shape)))
    for areas in grouped(found):
        parts = [area for area in areas if area is not None]
        reading.add(joined(parts[0].name, parts) if parts else None)


def _area(label: str, kind: str, shape: dict[str, Any]) -> Area | None:
    points = [(number(x, f"a point of {label!r}"), number(y, f"a point of {label!r}")) for x, y in shape["points"]]
    if kind in _POLYGONS or (kind == "rectangle" and len(points) == 4):
        return polygon(label, [points])
    if kind in ("rectangle", "circle", "mask") and len(points) == 2:
        (ax, ay), (bx, by) = points
        x, y = min(ax, bx), min(ay, by)
        if kind == "circle":
            radius = math.hypot(bx - ax, by - ay)
            return Ellipse(label, ax, ay, radius, radius)
        if kind == "mask":
            return mask_of_base64(label, shape["mask"], int(x), int(y))
        return Rectangle(label, x, y, abs(bx - ax), abs(by - ay))
    raise DataError(f"expected a shape of LabelMe for {label!r}, got {short(kind)} with {len(points)} points")
