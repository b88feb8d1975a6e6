"""Reading and writing the boxes of areas: plain JSON, COCO, and exports of Label Studio.

==============  ===================================================================================
plain           ``{"cta": [x, y, width, height]}``, or ``[{"name", "x", "y", "width", "height"}]``
COCO            ``images``, ``annotations`` with ``bbox``, ``categories``; found by the file name of the image
Label Studio    JSON or JSON-MIN with rectangle labels in per cent; found by the file name of the image
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
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the names of uploaded files
_LARGEST_ROTATION = 0.01  # degrees


def read_areas(path: str | Path, *, image: str | Path = "", shape: tuple[int, int] | None = None) -> list[Area]:
    """Read the areas of one image.

    Parameters
    ----------
    path : str or Path
        A JSON file in one of the three formats, which is recognised by its content.
    image : str or Path
        The file name of the image, by which it is found in COCO and Label Studio files. Its folders count only if two images
        in the file have the same name.
    shape : (int, int), optional
        The height and width of the image in pixels. If they are given, boxes drawn at another size are refused.

    Returns
    -------
    list of Area
        The areas in the order of the file. A label that occurs more than once gives ``face 1``, ``face 2`` and so on.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the file is in none of the formats or has no boxes for this image, or if a box is rotated, was drawn at another
        size of the image, or is given in shares of the image instead of pixels.
    """
    path = Path(path)
    content = _read_json(path)
    try:
        areas = numbered(_areas(content, str(image), shape))
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from error
        raise DataError(f"{path} is not a complete list of boxes: {type(error).__name__}: {error}") from error
    if not areas:
        raise DataError(f"{path} has no boxes{f' for {image}' if str(image) else ''}; draw at least one")
    if all(max(area.x0 + area.width, area.y0 + area.height) <= 1 for area in areas):
        raise DataError(f"{path}: all boxes lie within the first pixel; give pixels, not shares of the image's size")
    return areas


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
        raise DataError(f"{path} is not a JSON file: expected UTF-8 text") from error
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise DataError(f"{path} is not a list of boxes: it is nested too deeply") from error
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a JSON file: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs; refuses a repeated name, of which ``json`` would silently take the last box."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the name {repeated!r} occurs twice; give each area its own name")
    return content


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
    """Whether this is a task of Label Studio, in JSON (``annotations``, or ``completions`` before version 1) or JSON-MIN."""
    if not isinstance(entry, dict):
        return False
    is_json = isinstance(entry.get("data"), dict) and ("annotations" in entry or "completions" in entry)
    return is_json or bool(_minimal_boxes(entry)) or {"annotation_id", "annotator"} <= entry.keys()


def _minimal_boxes(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The boxes of a JSON-MIN task, which may stand under any name."""
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
            raise DataError(f"expected one annotation of {image}, got {len(versions)}; export one for each image")
        results = versions[0]["result"] if versions else []
        boxes = [(result, result["value"]) for result in results if "rectanglelabels" in result.get("value", {})]
    for result, value in boxes:
        label = " ".join(value.get("rectanglelabels") or ["area"])
        rotations = float(value.get("rotation") or 0), float(result.get("image_rotation") or 0)
        if max(map(abs, rotations)) > _LARGEST_ROTATION:
            raise DataError(
                f"{label!r} is rotated by {rotations[0] or rotations[1]:g} degrees; draw it with rotation 0"
            )
        width, height = float(result["original_width"]), float(result["original_height"])
        _check_size((width, height), shape)
        per_cent = [float(value[key]) for key in ("x", "y", "width", "height")]
        yield _area(label, [share / 100 * side for share, side in zip(per_cent, 2 * (width, height), strict=True)])


def _image_texts(data: dict[str, Any]) -> list[str]:
    """The texts that may be the address of the image. Its variable is mostly called ``image``, but may have any name."""
    texts = [
        value for key, value in sorted(data.items(), key=lambda item: item[0] != "image") if isinstance(value, str)
    ]
    return [text for text in texts if PurePosixPath(_label_studio_name(text)).suffix] or texts


def _label_studio_name(text: str) -> str:
    """The path of an image: ``/upload/1/a.png`` for ``/upload/1/8ed3b6a1-a.png``, ``a.png`` for ``/data/?d=a.png``."""
    address = urlsplit(text)
    path = PurePosixPath(unquote(parse_qs(address.query).get("d", [address.path])[0]).replace("\\", "/"))
    return str(path.with_name(_UPLOAD_PREFIX.sub("", path.name))) if path.name else text


def _chosen(named: list[tuple[str, dict[str, Any]]], image: str) -> dict[str, Any]:
    """The entry of an image by its name, and by its folders if several images have that name."""
    wanted = Path(image).as_posix()
    name = PurePosixPath(wanted).name
    matches = [(other, entry) for other, entry in named if PurePosixPath(other.replace("\\", "/")).name == name]
    if len(matches) > 1:
        whole = [(other, entry) for other, entry in matches if f"/{wanted}".endswith(f"/{other.lstrip('/')}")]
        matches = whole or matches
    if len(matches) == 1:
        return matches[0][1]
    if matches:
        raise DataError(f"{len(matches)} images are called {name}; keep the boxes of one of them")
    examples = ", ".join(other for other, _ in named[:3]) or "none"
    raise DataError(
        f"no boxes for an image called {name or '(no name was given)'}; the file has {len(named)} images: {examples}"
    )


def _check_size(size: tuple[float, float], shape: tuple[int, int] | None) -> None:
    width, height = size
    if shape is not None and (round(float(height)), round(float(width))) != shape:
        raise DataError(
            f"the boxes were drawn on an image of {width:g}x{height:g} pixels, but this one has {shape[1]}x{shape[0]}; "
            "use the image that was labelled"
        )


def _area(name: Any, box: list[Any]) -> Area:
    if len(box) != 4 or any(isinstance(value, bool) or not isinstance(value, int | float) for value in box):
        raise DataError(f"expected four numbers, x, y, width and height in pixels, for {name!r}, got {_short(box)}")
    return Area(name, *(float(value) for value in box))


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
