"""Reading and writing files of areas. The format is recognised by the content.

=============  ===================================================================================
plain          ``{"cta": [x, y, width, height]}``, other kinds as objects; CSV with name, x, y, width, height
masks          a PNG file, or a folder with one for each area
COCO           boxes with rotation, outlines, run lengths
Label Studio   JSON or JSON-MIN with rectangles, ellipses, polygons and brushes
LabelMe        JSON
CVAT           XML, "CVAT for images 1.1"
VIA            JSON or CSV of version 1 or 2
=============  ===================================================================================
"""

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrsal.aoi.areas import numbered
from mrsal.aoi.formats import coco, cvat, label_studio, labelme, masks, plain, via
from mrsal.aoi.formats.reading import Reading
from mrsal.aoi.shapes import Area
from mrsal.datasets import read_table
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import write_text

_MOST_BYTES = 100_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


def read_areas(path: str | Path, *, image: str | Path = "", shape: tuple[int, int] | None = None) -> list[Area]:
    """Read the areas of one image.

    Parameters
    ----------
    path : str or Path
        A file in one of the formats above, which is recognised by its content, or a folder with masks.
    image : str or Path
        The file name of the image, by which it is found in files with several images. Its folders count only if two images in
        the file have the same name.
    shape : (int, int), optional
        The height and width of the image in pixels. If they are given, areas drawn at another size are refused.

    Returns
    -------
    list of Area
        The areas in the order of the file. A label that occurs more than once gives ``face 1``, ``face 2`` and so on.

    Raises
    ------
    FileError
        If the file cannot be read.
    DataError
        If the file is in none of the formats or has no areas for this image, or if an area was drawn at another size of the
        image, or is given in shares of the image instead of pixels.

    Warns
    -----
    UserWarning
        Once for each file, of what has no surface, such as keypoints and lines, and is left out.
    """
    path = Path(path)
    reading = Reading(str(image), shape)
    with reading_errors(path):
        _read(path, reading)
    account = reading.account()
    check_found(path, reading, reading.areas)
    if account:
        warnings.warn(f"{path.name}: {account}", stacklevel=2)
    return numbered(reading.areas)


@contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """In the block, a file of areas is read; what is raised there becomes an error that names the file."""
    try:
        yield
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    except DataError as error:
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError, RecursionError) as error:
        raise DataError(f"{path} is not a complete list of areas: {type(error).__name__}: {error}") from error


def check_found(path: Path, reading: Reading, areas: Sequence[Area]) -> None:
    """Refuse a file without areas, and areas in shares of the image instead of pixels."""
    if not areas:
        where = f" for {reading.image}" if reading.image else ""
        raise DataError(f"{path} has no areas{where}; {reading.account() or 'draw at least one'}")
    if all(max(area.bounds) <= 1 for area in areas):
        raise DataError(f"{path}: all areas lie within the first pixel; give pixels, not shares of the image's size")


def write_areas(areas: Iterable[Area], path: str | Path) -> Path:
    """Write areas as plain JSON, for :func:`read_areas` and ``mrsal check``; masks with parts of pixels become whole pixels."""
    content = plain.content_of(areas)
    lines = ",\n".join(f" {json.dumps(name, ensure_ascii=False)}: {json.dumps(v)}" for name, v in content.items())
    write_text(path, f"{{\n{lines}\n}}\n")
    return Path(path)


def _read(path: Path, reading: Reading) -> None:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".png" and file.name[0] != ".")
        masks.read(files, reading)
        return
    text = text_of(path)
    if text is None:
        masks.read([path], reading)
    elif cvat.is_xml(text):
        cvat.read(text, reading)
    elif is_json(text, path):
        _read_json(parsed_json(text, path), reading)
    else:
        _read_table(path, reading)


def text_of(path: Path) -> str | None:
    """The text of a file of areas; None if it is a PNG file."""
    content = _bytes(path)
    return None if content.startswith(_PNG) else _text(content, path)


def is_json(text: str, path: Path) -> bool:
    """Whether the text is meant to be JSON."""
    return text.lstrip()[:1] in ("{", "[") or path.suffix.lower() == ".json"


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path} is larger than {_MOST_BYTES // 10**6} MB; export the areas of fewer images")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileError(
            f"there is no file {path}; draw the areas with mrsal serve, or write a file such as "
            '{"button": [60, 370, 230, 60]}, with x, y, width and height in pixels'
        ) from error
    except OSError as error:
        raise FileError(f"cannot read the areas in {path}: {error.strerror}") from error


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is neither text nor a PNG file: expected UTF-8 text") from error


def parsed_json(text: str, path: Path) -> Any:
    """The content of JSON in which each name occurs once."""
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise DataError(f"{path} is not a list of areas: it is nested too deeply") from error
    except InputError:
        raise
    except ValueError as error:
        raise DataError(f"{path} is not a complete JSON file: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict of the pairs; refuses a repeated name, of which ``json`` would silently take the last area."""
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InputError(f"the name {repeated!r} occurs twice; give each area its own name")
    return content


def is_export(content: Any) -> bool:
    """Whether JSON is of COCO, LabelMe, VIA or Label Studio."""
    return any(
        is_one(content) for is_one in (coco.is_coco, labelme.is_labelme, via.is_via, label_studio.is_label_studio)
    )


def _read_json(content: Any, reading: Reading) -> None:
    if coco.is_coco(content):
        coco.read(content, reading)
    elif labelme.is_labelme(content):
        labelme.read(content, reading)
    elif via.is_via(content):
        via.read(content, reading)
    elif label_studio.is_label_studio(content):
        label_studio.read(content, reading)
    else:
        plain.read_json(content, reading)


def _read_table(path: Path, reading: Reading) -> None:
    table = read_table(path)
    if via.is_via_table(table):
        via.read_table(table, reading)
    elif plain.is_plain_table(table):
        plain.read_table(table, reading)
    else:
        raise DataError(
            "expected a table with the columns name, x, y, width and height, JSON, XML of CVAT or a PNG mask, "
            f"got {table.kind} with {', '.join(table.header) or 'no columns'}"
        )
