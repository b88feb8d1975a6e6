"""Boxes on disk: our plain JSON, COCO, and exports of Label Studio flow in; areas in pixels of one image flow out.

==============  ===================================================================================
plain           ``{"cta": [x, y, width, height]}``, or ``[{"name", "x", "y", "width", "height"}]``
COCO            ``images``, ``annotations`` with ``bbox``, ``categories``; the image by its file name
Label Studio    JSON or JSON-MIN with rectangle labels, per cent of the image; the image by its file name
==============  ===================================================================================
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mrsal.aoi.areas import Area, numbered
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import write_text

_MOST_BYTES = 200_000_000
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # that Label Studio puts before the names of uploaded files
_TURNED = 0.01  # degrees


def read_areas(path: str | Path, *, image: str | Path = "", shape: tuple[int, int] | None = None) -> list[Area]:
    """Read the areas of one image.

    Parameters
    ----------
    path : str or Path
        A JSON file in one of the three layouts; which one is told by what it holds.
    image : str or Path
        The image's file name, by which COCO and Label Studio files are searched. Its folders count only where two images
        in the file have the same name.
    shape : (int, int), optional
        Height and width of the image in pixels. Given, boxes that were drawn on another size are refused.

    Returns
    -------
    list of Area
        In the order of the file. Where a label occurs more than once, its areas are called ``face 1``, ``face 2``.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If it is in none of the layouts, has no boxes for this image, turned ones, or ones drawn on another size
        or given as shares of it.
    """
    path = Path(path)
    content = _read_json(path)
    try:
        found = numbered(_areas(content, str(image), shape))
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from error
        raise DataError(f"{path} is no complete list of boxes: {type(error).__name__}: {error}") from error
    if not found:
        raise DataError(f"{path} has no boxes{f' for {image}' if str(image) else ''}; draw at least one")
    if all(max(area.x0 + area.width, area.y0 + area.height) <= 1 for area in found):
        raise DataError(f"{path}: all boxes lie within the first pixel; give pixels, not shares of the image's size")
    return found


def write_areas(areas: Iterable[Area], path: str | Path) -> Path:
    """Write areas as plain JSON, ``{"name": [x, y, width, height]}``, for :func:`read_areas` and ``mrsal check``."""
    boxes = {area.name: [round(float(v), 3) for v in (area.x0, area.y0, area.width, area.height)] for area in areas}
    lines = ",\n".join(f" {json.dumps(name, ensure_ascii=False)}: {json.dumps(box)}" for name, box in boxes.items())
    write_text(path, f"{{\n{lines}\n}}\n")
    return Path(path)


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES // 10**6} MB; export the boxes of fewer images")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"cannot read the boxes in {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no JSON file: it is not UTF-8 text") from error
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise DataError(f"{path} is no list of boxes: it is nested too deeply") from error
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    except ValueError as error:
        raise DataError(f"{path} is no JSON file: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The second of two boxes of one name would silently win."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{repeated!r} is there twice; give each area a name of its own")
    return found


def _areas(content: Any, image: str, shape: tuple[int, int] | None) -> Iterator[Area]:
    if isinstance(content, dict) and isinstance(content.get("annotations"), list) and "images" in content:
        return _coco(content, image, shape)
    tasks = [content] if isinstance(content, dict) and isinstance(content.get("data"), dict) else content
    if isinstance(tasks, list) and tasks and all(_is_task(task) for task in tasks):
        return _label_studio(tasks, image, shape)
    return _plain(content)


def _plain(content: Any) -> Iterator[Area]:
    if isinstance(content, dict):
        for name, box in content.items():
            if not isinstance(box, list) or len(box) != 4:
                raise DataError(f"expected [x, y, width, height] in pixels for {name!r}, got {_short(box)}")
            yield _area(name, box)
    elif isinstance(content, list):
        for entry in content:
            if not isinstance(entry, dict) or not {"name", "x", "y", "width", "height"} <= entry.keys():
                raise DataError(f"expected an object with name, x, y, width and height, got {_short(entry)}")
            yield _area(entry["name"], [entry[key] for key in ("x", "y", "width", "height")])
    else:
        raise DataError(
            f'expected {{"name": [x, y, width, height]}}, a list of objects with name, x, y, width and height, a COCO file or '
            f"an export of Label Studio; got {_short(content)}"
        )


def _coco(content: dict[str, Any], image: str, shape: tuple[int, int] | None) -> Iterator[Area]:
    entry = _chosen([(str(entry["file_name"]), entry) for entry in content["images"]], image)
    if entry.get("width") and entry.get("height"):
        _check_size((entry["width"], entry["height"]), shape)
    names = {category["id"]: category["name"] for category in content.get("categories", [])}
    for annotation in content["annotations"]:
        if annotation["image_id"] == entry["id"] and annotation.get("bbox"):
            name = names.get(annotation.get("category_id"), annotation.get("category_id"))
            yield _area(str(name), annotation["bbox"])


def _is_task(entry: Any) -> bool:
    """Of Label Studio: whole (``annotations``; ``completions`` before version 1), or JSON-MIN with the boxes under any name."""
    if not isinstance(entry, dict):
        return False
    whole = isinstance(entry.get("data"), dict) and ("annotations" in entry or "completions" in entry)
    return whole or bool(_minimal_boxes(entry)) or {"annotation_id", "annotator"} <= entry.keys()


def _minimal_boxes(task: dict[str, Any]) -> list[dict[str, Any]]:
    lists = [value for value in task.values() if isinstance(value, list)]
    return [box for boxes in lists for box in boxes if isinstance(box, dict) and "original_width" in box]


def _label_studio(tasks: list[dict[str, Any]], image: str, shape: tuple[int, int] | None) -> Iterator[Area]:
    named = []
    for task in tasks:
        data = task["data"] if isinstance(task.get("data"), dict) else task
        named += [(_label_studio_name(text), task) for text in _image_texts(data)][:1]
    task = _chosen(named, image)
    versions = task.get("annotations", task.get("completions"))
    if versions is None:
        boxes = [(box, box) for box in _minimal_boxes(task)]
    else:
        versions = [version for version in versions if version.get("result") and not version.get("was_cancelled")]
        if len(versions) > 1:
            raise DataError(f"{len(versions)} people labelled {image}; export one annotation for each image")
        results = versions[0]["result"] if versions else []
        boxes = [(result, result["value"]) for result in results if "rectanglelabels" in result.get("value", {})]
    for result, value in boxes:
        label = " ".join(value.get("rectanglelabels") or ["area"])
        turned = float(value.get("rotation") or 0), float(result.get("image_rotation") or 0)
        if max(map(abs, turned)) > _TURNED:
            raise DataError(
                f"{label!r} is turned by {turned[0] or turned[1]:g} degrees; draw it upright, with rotation 0"
            )
        width, height = float(result["original_width"]), float(result["original_height"])
        _check_size((width, height), shape)
        per_cent = [float(value[key]) for key in ("x", "y", "width", "height")]
        yield _area(label, [share / 100 * side for share, side in zip(per_cent, 2 * (width, height), strict=True)])


def _image_texts(data: dict[str, Any]) -> list[str]:
    """What may be the image's address: the variable is named as its user likes, mostly ``image``."""
    texts = [
        value for key, value in sorted(data.items(), key=lambda item: item[0] != "image") if isinstance(value, str)
    ]
    return [text for text in texts if PurePosixPath(_label_studio_name(text)).suffix] or texts


def _label_studio_name(text: str) -> str:
    """``/upload/1/8ed3b6a1-a.png`` is ``/upload/1/a.png``, ``/data/local-files/?d=photos/a.png`` is ``photos/a.png``."""
    address = urlsplit(text)
    path = PurePosixPath(unquote(parse_qs(address.query).get("d", [address.path])[0]).replace("\\", "/"))
    return str(path.with_name(_UPLOAD_PREFIX.sub("", path.name))) if path.name else text


def _chosen(named: list[tuple[str, dict[str, Any]]], image: str) -> dict[str, Any]:
    """The entry of an image, by its name; by its folders too where the name alone is not enough."""
    wanted = Path(image).as_posix()
    name = PurePosixPath(wanted).name
    found = [(other, entry) for other, entry in named if PurePosixPath(other.replace("\\", "/")).name == name]
    if len(found) > 1:
        found = [(other, entry) for other, entry in found if f"/{wanted}".endswith(f"/{other.lstrip('/')}")] or found
    if len(found) == 1:
        return found[0][1]
    if found:
        raise DataError(f"{len(found)} images are called {name}; keep the boxes of one of them")
    there = ", ".join(other for other, _ in named[:3]) or "none"
    raise DataError(
        f"no boxes for an image called {name or '(no name was given)'}; it has {len(named)} images, such as {there}"
    )


def _check_size(size: tuple[float, float], shape: tuple[int, int] | None) -> None:
    width, height = size
    if shape is not None and (round(float(height)), round(float(width))) != shape:
        raise DataError(
            f"the boxes were drawn on {width:g}x{height:g} pixels, the image has {shape[1]}x{shape[0]}; "
            "use the image that was labelled"
        )


def _area(name: Any, box: list[Any]) -> Area:
    if len(box) != 4 or any(isinstance(value, bool) or not isinstance(value, int | float) for value in box):
        raise DataError(f"expected four numbers, x, y, width and height in pixels, for {name!r}, got {_short(box)}")
    return Area(name, *(float(value) for value in box))


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
