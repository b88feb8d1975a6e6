"""Tracks in the format of the MOT challenge, as CVAT writes it ("MOT 1.1"): a table without header, ``gt/gt.txt``.

The columns are frame, track, x, y, width, height, and perhaps a flag that is 0 for boxes to ignore, the number of the class and
the visibility. Frames and classes count from 1; ``labels.txt`` beside the file has the names of the classes.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mrsal.aoi.formats.reading import number
from mrsal.aoi.formats.tracks import Tracks
from mrsal.aoi.shapes import Area, Rectangle
from mrsal.datasets import Table, read_text
from mrsal.errors import DataError, FileError

_FEWEST, _MOST = 6, 10  # columns
_FLAG, _CLASS = 6, 7
_LONGEST = 100_000  # bytes of the list of classes


def is_mot(table: Table) -> bool:
    """Whether the first line has numbers instead of names."""
    return _FEWEST <= len(table.header) <= _MOST and all(map(_is_number, table.header))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read(table: Table, tracks: Tracks) -> None:
    """Read the tracks; one is visible in the frames in which it has a box, and named after its class if that is known."""
    labels = _labels(table)
    boxes: dict[int, list[tuple[float, Area | None]]] = defaultdict(list)
    names: dict[int, str] = {}
    rows: list[tuple[Sequence[Any], int]] = [(table.header, table.lines[0] - 1 if table.lines else 1)]
    for row, line in [*rows, *zip(table.rows, table.lines, strict=True)]:
        try:
            frame, track, *box = (number(cell, "a column of MOT") for cell in row[:_FEWEST])
            if len(row) > _FLAG and number(row[_FLAG], "the flag") == 0:
                continue
            if frame < 1:
                raise DataError(f"expected frames from 1 on, got {frame:g}")
            key = int(track)
            label = labels.get(int(number(row[_CLASS], "the class")), "") if labels and len(row) > _CLASS else ""
            names.setdefault(key, label or f"track {key}")
            boxes[key].append((frame - 1, Rectangle(names[key], *box)))
        except ValueError as error:
            raise DataError(f"{table.place} {line}: {error}") from error
    for key, key_frames in boxes.items():
        tracks.add(names[key], _with_gaps(sorted(key_frames, key=lambda item: item[0])), "frames")


def _with_gaps(boxes: Sequence[tuple[float, Area | None]]) -> list[tuple[float, Area | None]]:
    """The boxes, and a hidden key frame after each that the next frame does not follow."""
    result: list[tuple[float, Area | None]] = []
    for (frame, box), following in zip(boxes, [*[frame for frame, _ in boxes[1:]], None], strict=True):
        result.append((frame, box))
        if following is None or following > frame + 1:
            result.append((frame + 1, None))
    return result


def _labels(table: Table) -> dict[int, str]:
    """The names of the classes; none if there is no list of them."""
    path = table.path.with_name("labels.txt")
    try:
        if path.stat().st_size > _LONGEST:
            return {}
        lines = read_text(path).splitlines()
    except (OSError, FileError, DataError):
        return {}
    return {i: line.strip() for i, line in enumerate(lines, start=1) if line.strip()}
