"""Exports of CVAT in its own format for videos, "CVAT for video 1.1" (https://docs.cvat.ai/docs/other/xml_format)."""

from typing import Any
from xml.etree.ElementTree import Element

from mrsal.aoi.formats import cvat
from mrsal.aoi.formats.reading import number
from mrsal.aoi.formats.tracks import Tracks
from mrsal.aoi.shapes import Area
from mrsal.errors import DataError


def read(text: str, tracks: Tracks) -> None:
    """Read the tracks of the video; each has the name of its label.

    CVAT writes the shape of every frame, also between key frames. From a shape that is outside, the track is hidden.
    """
    images, task, found = 0, None, 0
    for element in cvat.children(text):
        if element.tag == "meta":
            task = _check_task(element, tracks)
        elif element.tag == "image":
            images += 1
        elif element.tag == "track":
            found += 1
            if task is None or element.get("task_id", task) == task:
                _add(element, tracks)
    if images and not found:
        raise DataError("it has images and no video tracks; export it as “CVAT for video 1.1”")


def _check_task(meta: Element, tracks: Tracks) -> str | None:
    """Refuse tracks on a video of another size; of a project with several tasks, the number of the one with this video."""
    tasks = list(meta.iter("task"))
    task, number_ = meta, None
    if len(tasks) > 1:
        task = tracks.reading.choose((task.findtext("source") or task.findtext("name") or "", task) for task in tasks)
        number_ = task.findtext("id")
    if (size := next(task.iter("original_size"), None)) is not None:
        tracks.reading.check_size(size.findtext("width"), size.findtext("height"))
    return number_


def _add(track: Element, tracks: Tracks) -> None:
    label = track.get("label", "")
    key_frames: list[tuple[float, Area | None]] = []
    for shape in track:
        if shape.tag in cvat.NO_SURFACE:
            tracks.reading.leave_out(cvat.NO_SURFACE[shape.tag])
            return
        frame: Any = number(shape.get("frame"), f"the frame of {label!r}")
        key_frames.append((frame, None if shape.get("outside") == "1" else cvat.area_of(shape, label)))
    if any(area is not None for _, area in key_frames):
        tracks.add(label, key_frames, "frames")
    else:
        tracks.reading.leave_out("track that is always outside")
