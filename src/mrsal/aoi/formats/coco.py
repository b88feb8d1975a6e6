"""COCO's format of objects, and what CVAT and Label Studio write in it (https://cocodataset.org/#format-data)."""

from typing import Any

from mrsal.aoi.formats.reading import Reading, mask, number, pairs, polygon, short
from mrsal.aoi.formats.run_lengths import coco_counts, from_counts
from mrsal.aoi.shapes import Area, Mask, Rectangle
from mrsal.errors import DataError

_SAME = 0.51  # pixels by which the corners of a box may differ, since tools round


def is_coco(content: Any) -> bool:
    """Whether this is a file of COCO."""
    return isinstance(content, dict) and isinstance(content.get("annotations"), list) and "images" in content


def read(content: dict[str, Any], reading: Reading) -> None:
    """Read the annotations of the image; each is named after its category.

    The outline or mask in ``segmentation`` is what was drawn; without it, it is the box, turned by ``attributes.rotation``.
    """
    entry = reading.choose((str(entry["file_name"]), entry) for entry in content["images"])
    if entry.get("width") and entry.get("height"):
        reading.check_size(entry["width"], entry["height"])
    names = {category["id"]: category["name"] for category in content.get("categories", [])}
    crowds = []
    for annotation in content["annotations"]:
        if annotation["image_id"] != entry["id"]:
            continue
        name = str(names.get(annotation.get("category_id"), annotation.get("category_id")))
        if annotation.get("iscrowd"):
            name += " (crowd)"
        area = _area(name, annotation)
        if area is None:
            reading.leave_out("keypoint annotation" if annotation.get("keypoints") else "annotation without a surface")
            continue
        if annotation.get("iscrowd"):
            crowds.append(name)
        reading.add(area)
    if crowds:
        many = f"{len(crowds)} regions are crowds" if len(crowds) > 1 else "1 region is a crowd"
        reading.notes.append(f"{many}, which contains several objects, and counts as one area ({crowds[0]})")


def _area(name: str, annotation: dict[str, Any]) -> Area | None:
    """The area of an annotation; None if it has no surface."""
    segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
    if isinstance(segmentation, dict):
        return _mask(name, segmentation)
    if segmentation is not None and not isinstance(segmentation, list):
        raise DataError(f"expected outlines or run lengths as segmentation of {name!r}, got {short(segmentation)}")
    parts = [pairs(part, name) for part in segmentation or []]
    parts = [part for part in parts if len(part) > 2]
    rectangle = _rectangle(name, annotation, box) if box else None
    if not parts:
        return rectangle
    if rectangle and box and len(parts) == 1 and _is_box(parts[0], box):
        return rectangle
    return polygon(name, parts)


def _rectangle(name: str, annotation: dict[str, Any], box: Any) -> Rectangle | None:
    if not isinstance(box, list) or len(box) != 4:
        raise DataError(f"expected four numbers, x, y, width and height in pixels, for {name!r}, got {short(box)}")
    x, y, width, height = (number(value, f"the box of {name!r}") for value in box)
    if width == 0 or height == 0:
        return None
    attributes = annotation.get("attributes")
    rotation = attributes.get("rotation", 0) if isinstance(attributes, dict) else 0
    return Rectangle(name, x, y, width, height, number(rotation or 0, f"the rotation of {name!r}"))


def _is_box(corners: list[tuple[Any, Any]], box: list[Any]) -> bool:
    """Whether an outline has the four corners of a box, as some tools write beside each box."""
    x, y, width, height = (float(value) for value in box)
    points = [(number(a, "a corner"), number(b, "a corner")) for a, b in corners]
    points = points[:-1] if points[0] == points[-1] else points
    wanted = [(a, b) for a in (x, x + width) for b in (y, y + height)]
    return len(points) == 4 and all(
        any(abs(a - c) < _SAME and abs(b - d) < _SAME for c, d in points) for a, b in wanted
    )


def _mask(name: str, segmentation: dict[str, Any]) -> Mask | None:
    size, counts = segmentation["size"], segmentation["counts"]
    height, width = (int(number(value, f"the size of the mask of {name!r}")) for value in size)
    if min(height, width) < 1:
        raise DataError(f"expected a mask with height and width above 0 for {name!r}, got {short(size)}")
    runs = coco_counts(counts) if isinstance(counts, str) else counts
    return mask(name, from_counts(runs, height * width).reshape(width, height).T)  # column after column
