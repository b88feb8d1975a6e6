"""Plain JSON and CSV of areas that move in a video."""

from collections import defaultdict
from typing import Any

from mrsal.aoi.formats import plain
from mrsal.aoi.formats.reading import number, short
from mrsal.aoi.formats.tracks import Tracks
from mrsal.aoi.moving import Unit
from mrsal.aoi.shapes import Area, Rectangle
from mrsal.datasets import Table
from mrsal.errors import DataError

_UNITS: dict[str, Unit] = {"time": "seconds", "frame": "frames"}
_BOX = ("x", "y", "width", "height")

KeyFrames = list[tuple[Unit, float, Area | None]]


def is_moving(content: Any) -> bool:
    """Whether this is plain JSON with key frames."""
    if isinstance(content, list):
        return any(
            isinstance(entry, dict) and "name" in entry and not _UNITS.keys().isdisjoint(entry) for entry in content
        )
    return isinstance(content, dict) and any(map(_is_list_of_objects, content.values()))


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def read_json(content: Any, tracks: Tracks) -> None:
    """Read ``{"name": [key frame, ...]}``, where areas that are fixed may stand, too; or a list of key frames with names."""
    if isinstance(content, list):
        named: dict[Any, list[Any]] = defaultdict(list)
        for entry in content:
            if not isinstance(entry, dict) or "name" not in entry:
                raise DataError(f"expected an object with a name and a time or frame, got {short(entry)}")
            named[entry["name"]].append({key: value for key, value in entry.items() if key != "name"})
        content = dict(named)
    for name, value in content.items():
        if _is_list_of_objects(value):
            _add(name, [_key_frame(name, entry) for entry in value], tracks)
        elif (area := plain.area_of(name, value)) is None:
            tracks.reading.leave_out("empty mask")
        else:
            tracks.add_fixed([area])


def _key_frame(name: str, entry: Any) -> tuple[Unit, float, Area | None]:
    moments = [key for key in _UNITS if isinstance(entry, dict) and key in entry]
    if len(moments) != 1:
        raise DataError(
            f'expected {{"time": seconds, "area": [x, y, width, height]}} for each key frame of {name!r}, with the frame '
            f"instead of the time, or null instead of the area, got {short(entry)}"
        )
    moment = number(entry[moments[0]], f"the {moments[0]} of {name!r}")
    rest = {key: value for key, value in entry.items() if key != moments[0]}
    value = rest.get("area", rest)
    return _UNITS[moments[0]], moment, None if value is None else plain.area_of(name, value)


def _add(name: str, key_frames: KeyFrames, tracks: Tracks) -> None:
    units = list(dict.fromkeys(unit for unit, *_ in key_frames))
    if len(units) > 1:
        raise DataError(f"the key frames of {name!r} have times and frames; give one of them")
    tracks.add(name, [(moment, area) for _, moment, area in key_frames], units[0])


def is_moving_table(table: Table) -> bool:
    """Whether a table has the columns of areas and a column of times or frames."""
    return plain.is_plain_table(table) and not _UNITS.keys().isdisjoint(map(str.casefold, table.header))


def read_table(table: Table, tracks: Tracks) -> None:
    """Read the columns name, time or frame, x, y, width and height; without the last four, the area is hidden from then on."""
    places = {name.casefold(): i for i, name in enumerate(table.header)}
    columns = [key for key in _UNITS if key in places]
    if len(columns) > 1:
        raise DataError(f"expected a column of times or of frames, got {' and '.join(columns)}; remove one of them")
    unit = _UNITS[columns[0]]
    rows = list(zip(table.rows, table.lines, strict=True))
    if column := next((name for name in ("video", "image") if name in places), None):
        names = dict.fromkeys(str(row[places[column]]) for row, _ in rows)
        chosen = tracks.reading.choose((name, name) for name in names)
        rows = [(row, line) for row, line in rows if str(row[places[column]]) == chosen]
    named: dict[str, KeyFrames] = defaultdict(list)
    for row, line in rows:
        cells = {key: _cell(row[places[key]]) for key in (*columns, *_BOX)}
        name = str(row[places["name"]]).strip()
        try:
            moment = number(cells[columns[0]], columns[0])
            is_hidden = not any(cells[key] for key in _BOX)
            box = [] if is_hidden else [number(cells[key], key) for key in _BOX]
            named[name].append((unit, moment, Rectangle(name, *box) if box else None))
        except ValueError as error:
            raise DataError(f"{table.place} {line}: {error}") from error
    for name, key_frames in named.items():
        _add(name, key_frames, tracks)


def _cell(value: Any) -> str:
    return "" if value is None else str(value).strip().replace(",", ".")
