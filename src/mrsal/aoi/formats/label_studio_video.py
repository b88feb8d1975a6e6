"""Rectangles that Label Studio tracks in a video (https://labelstud.io/tags/videorectangle)."""

from typing import Any

from mrsal.aoi.formats import label_studio
from mrsal.aoi.formats.reading import number
from mrsal.aoi.formats.tracks import Tracks
from mrsal.aoi.moving import Unit
from mrsal.aoi.shapes import Area, Rectangle
from mrsal.errors import DataError

_SIDES = (("x", 1), ("y", 0), ("width", 1), ("height", 0))  # the side of the video, in (height, width), that is 100 %


def read(content: Any, tracks: Tracks) -> None:
    """Read the tracked rectangles of the video; regions of other kinds are fixed, or left out.

    Frames count from 1, at the frame rate that the project has and not at that of the video. After a key frame that is not
    enabled, the rectangle is hidden until the next one.
    """
    for region in label_studio.regions(content, tracks.reading):
        value = next((value for _, value in region if "sequence" in value), None)
        if value is None:
            label_studio.add(region, tracks.reading)
        elif value["sequence"]:
            _add(label_studio.label_of(region), value, tracks)
        else:
            tracks.reading.leave_out("track without key frames")
    tracks.add_fixed(tracks.reading.areas)


def _add(label: str, value: dict[str, Any], tracks: Tracks) -> None:
    sequence = sorted(value["sequence"], key=lambda key: number(key["frame"], f"the frame of {label!r}"))
    if (first := float(sequence[0]["frame"])) < 1:
        raise DataError(f"expected frames from 1 on for {label!r}, got {first:g}")
    step, has_true_times = _clock(value, sequence[0])
    unit: Unit = "seconds" if step else "frames"
    key_frames: list[tuple[float, Area | None]] = []
    for key, following in zip(sequence, [*sequence[1:], None], strict=True):
        frame = float(key["frame"])
        moment = number(key.get("time"), f"a time of {label!r}") if has_true_times else (frame - 1) * (step or 1)
        key_frames.append((moment, _rectangle(label, key, tracks)))
        is_next = following is not None and float(following["frame"]) <= frame + 1
        if not key.get("enabled", True) and not is_next:
            key_frames.append((moment + (step or 1), None))
    tracks.add(label, key_frames, unit)


def _clock(value: dict[str, Any], key: dict[str, Any]) -> tuple[float, bool]:
    """The time from one frame to the next, 0 if the file does not say; and whether the times of key frames are true.

    They are true if Label Studio knew the times of all frames. Otherwise the time of a key frame is its number over the frame
    rate, so that of frame 1 is not 0.
    """
    frame = number(key["frame"], "the frame")
    time = number(key.get("time") or 0, "the time")
    count = number(value.get("framesCount") or 0, "framesCount")
    duration = number(value.get("duration") or 0, "the duration")
    step = duration / count if count else 0.0
    if key.get("time") is None:
        return step, False
    has_true_times = abs(time - frame * step) > abs(time - (frame - 1) * step)
    return (step, True) if has_true_times else (time / frame, False)


def _rectangle(label: str, key: dict[str, Any], tracks: Tracks) -> Rectangle:
    shape = tracks.reading.shape
    if shape is None:
        raise DataError(f"{label!r} is in per cent of the video; give the size of the video")
    x, y, w, h = (number(key[name], f"{name} of {label!r}") / 100 * shape[side] for name, side in _SIDES)
    rotation = number(key.get("rotation") or 0, f"the rotation of {label!r}")
    return Rectangle.turned_about_corner(label, x, y, w, h, rotation)
