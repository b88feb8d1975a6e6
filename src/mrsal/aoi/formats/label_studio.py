"""Exports of Label Studio, JSON and JSON-MIN (https://labelstud.io/guide/export).

A region can have several results: with the template for OCR, a rectangle, its label and its text. They have the same ``id``; in
JSON-MIN, which has none, the same numbers.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from mrsal.aoi.formats.reading import Reading, grouped, mask, number, polygon
from mrsal.aoi.formats.run_lengths import brush_alpha
from mrsal.aoi.shapes import Area, Ellipse, Rectangle
from mrsal.errors import DataError

_NO_SURFACE = {
    "keypoint": "keypoint",
    "vector": "line",
    "videorectangle": "video track",
    "cube": "cuboid",
    "bitmask": "bitmask",
}
Region = list[tuple[dict[str, Any], dict[str, Any]]]
"""The results of a region, and the value of each."""

_NUMBERS = ("x", "y", "width", "height", "radiusX", "radiusY", "rotation", "points", "rle")


def is_label_studio(content: Any) -> bool:
    """Whether this is a task, or a list of tasks, in JSON (``completions`` before version 1) or JSON-MIN."""
    tasks = _tasks(content)
    return isinstance(tasks, list) and bool(tasks) and all(_is_task(task) for task in tasks)


def _tasks(content: Any) -> Any:
    return [content] if isinstance(content, dict) and isinstance(content.get("data"), dict) else content


def _is_task(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    is_json = isinstance(entry.get("data"), dict) and ("annotations" in entry or "completions" in entry)
    return is_json or bool(_minimal_results(entry)) or {"annotation_id", "annotator"} <= entry.keys()


def _minimal_results(task: dict[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
    """The results of a JSON-MIN task, which may stand under any name, each with a key that results of one region share.

    Two results in one list are two regions, even with the same numbers.
    """
    found = []
    for results in task.values():
        seen: Counter[str | None] = Counter()
        for result in results if isinstance(results, list) else []:
            if isinstance(result, dict) and not result.keys().isdisjoint(("original_width", "sequence")):
                key = _key(result)
                seen[key] += 1
                found.append((key and (key, seen[key]), result))
    return found


def read(content: Any, reading: Reading) -> None:
    """Read the regions of the image; each is named after its labels, or after its text if it has none."""
    for region in regions(content, reading):
        add(region, reading)


def regions(content: Any, reading: Reading) -> list[Region]:
    """The regions of the image or video, each with its results and their values."""
    named = []
    for task in _tasks(content):
        data = task["data"] if isinstance(task.get("data"), dict) else task
        named += [(_name(text), task) for text in _image_texts(data)][:1]
    task = reading.choose(named)
    versions = task.get("annotations", task.get("completions"))
    if versions is None:
        found = [(key, (result, result)) for key, result in _minimal_results(task)]
    else:
        versions = [version for version in versions if version.get("result") and not version.get("was_cancelled")]
        if len(versions) > 1:
            raise DataError(
                f"expected one annotation of {reading.image}, got {len(versions)}; export one for each image"
            )
        results = versions[0]["result"] if versions else []
        results = [result for result in results if isinstance(result.get("value"), dict)]
        found = [(result.get("id") or _key(result["value"]), (result, result["value"])) for result in results]
    return grouped(found)


def _key(value: dict[str, Any]) -> str | None:
    """What identifies a region in JSON-MIN; None if it has no place on the image."""
    numbers = {name: value[name] for name in _NUMBERS if name in value}
    return repr(numbers) if numbers else None


def add(region: Region, reading: Reading) -> None:
    """Add the area of the results of one region."""
    placed = [(result, value) for result, value in region if _shape(value)]
    if not placed:
        kinds = [_no_surface(result, value) for result, value in region]
        if kind := next((kind for kind in kinds if kind), None):
            reading.leave_out(kind)
        return
    result, value = placed[0]
    label = label_of(region)
    if angle := float(result.get("image_rotation") or 0):
        raise DataError(
            f"{label!r} was drawn on an image that was turned by {angle:g} degrees in Label Studio; turn it back there"
        )
    width = number(result["original_width"], "original_width")
    height = number(result["original_height"], "original_height")
    reading.check_size(width, height)
    reading.add(_area(label, value, width, height))


def label_of(region: Region) -> str:
    """The labels of a region, or its text if it has none."""
    labels = [label for _, value in region for label in _labels(value)]
    labels = labels or [text for _, value in region for text in _texts(value)]
    return " ".join(dict.fromkeys(labels)) or "area"


def _shape(value: dict[str, Any]) -> str:
    """The kind of a region with a surface; empty if it has none."""
    if "rle" in value:
        return "brush"
    if isinstance(value.get("points"), list) and value.get("closed", True):
        return "polygon"
    if {"x", "y", "radiusX", "radiusY"} <= value.keys():
        return "ellipse"
    return "rectangle" if {"x", "y", "width", "height"} <= value.keys() and value["height"] else ""


def _no_surface(result: dict[str, Any], value: dict[str, Any]) -> str | None:
    """What a region without a surface is; None if the result says something about the whole image."""
    names = [str(result.get("type", "")), *value]
    for name in names:
        for start, kind in _NO_SURFACE.items():
            if name.casefold().startswith(start):
                return kind
    if "points" in value or "vertices" in value:
        return "line"
    if "sequence" in value:
        return "video track"
    return "keypoint" if {"x", "y"} <= value.keys() else None


def _labels(value: dict[str, Any]) -> Iterator[str]:
    for name, labels in value.items():
        if name.casefold().endswith("labels") and isinstance(labels, list):
            yield from map(str, labels)


def _texts(value: dict[str, Any]) -> Iterator[str]:
    texts = value.get("text")
    for text in [texts] if isinstance(texts, str) else texts if isinstance(texts, list) else []:
        yield " ".join(str(text).split())


def _area(label: str, value: dict[str, Any], width: float, height: float) -> Area | None:
    def pixels(name: str, side: float) -> float:
        return number(value[name], f"{name} of {label!r}") / 100 * side

    kind = _shape(value)
    rotation = number(value.get("rotation") or 0, f"the rotation of {label!r}")
    if kind == "brush":
        w, h = round(width), round(height)
        opacity = brush_alpha(value["rle"], w * h).reshape(h, w)
        is_whole = np.isin(opacity, (0, opacity.max())).all()
        return mask(label, opacity > 0 if is_whole else opacity / np.float32(255))
    if kind == "polygon":
        return polygon(
            label, [[(number(x, "x") / 100 * width, number(y, "y") / 100 * height) for x, y in value["points"]]]
        )
    if kind == "ellipse":
        centre = pixels("x", width), pixels("y", height)
        return Ellipse(label, *centre, pixels("radiusX", width), pixels("radiusY", height), rotation)
    corner = pixels("x", width), pixels("y", height)
    return Rectangle.turned_about_corner(label, *corner, pixels("width", width), pixels("height", height), rotation)


def _image_texts(data: dict[str, Any]) -> list[str]:
    """The texts that may be the address of the image. Its variable is mostly called ``image``, but may have any name."""
    texts = [
        value for key, value in sorted(data.items(), key=lambda item: item[0] != "image") if isinstance(value, str)
    ]
    return [text for text in texts if PurePosixPath(_name(text)).suffix] or texts


def _name(text: str) -> str:
    """The path of an image: ``/upload/1/8ed3b6a1-a.png`` for its address, ``a.png`` for ``/data/?d=a.png``."""
    address = urlsplit(text)
    return unquote(parse_qs(address.query).get("d", [address.path])[0]).replace("\\", "/") or text
