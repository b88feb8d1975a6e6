"""The job of ``mrsal aoi`` for a video: measuring its areas, tables, curves, and the video with the areas drawn on it."""

import csv
import io
import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from mrsal.aoi.curve import save_curve
from mrsal.aoi.drawing import with_areas
from mrsal.aoi.film_strip import FilmStrip
from mrsal.aoi.moving import MovingArea
from mrsal.aoi.options import AoiOptions
from mrsal.aoi.shapes import Area
from mrsal.aoi.video_shares import Collected, FrameShare, VideoShares, measured_frames
from mrsal.errors import InputError
from mrsal.files import atomic_path
from mrsal.inference import VIDEO_EXTENSIONS, MovingHeat, SaliencyModel, Video, mp4_writer

VIDEO_COLUMNS = ("frame", "time", "area", "attention", "surface", "per_surface", "x", "y", "width", "height", "visible")
_CURVES = (".png", ".svg", ".pdf")
_ENDINGS = (*_CURVES, ".csv", ".mp4")


def is_video(path: Path) -> bool:
    """Whether the ending of a name is that of a video. An animated GIF or WebP is an image of several pages."""
    return path.suffix.lower() in VIDEO_EXTENSIONS


def check_video_out(paths: Sequence[Path], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse unknown file endings and files that are inputs, before anything is computed."""
    for path in paths:
        if path.resolve() in [file.resolve() for file in inputs]:
            raise InputError(f"--out {path} would overwrite an input; choose another name")
        if path.suffix.lower() not in _ENDINGS:
            raise InputError(f"for a video, --out must end in one of {', '.join(_ENDINGS)}, got {path.name!r}")


def video_shape(path: Path) -> tuple[int, int]:
    """The height and width in pixels of the upright frames of a video.

    Raises
    ------
    FileError, DataError
        If it cannot be opened, or its first frame cannot be decoded.
    """
    with Video(path, sound=False) as source:
        first = next(source.frames(), None)
        if first is None:
            source.check_end(0, None)
        assert first is not None
        return first.image.shape[0], first.image.shape[1]


def measure_video(
    path: Path,
    areas: Sequence[Area | MovingArea],
    model: SaliencyModel,
    *,
    every: int = AoiOptions.every,
    smoothing: float = AoiOptions.smoothing,
    out: Sequence[Path] = (),
    on_frame: Callable[[int, int | None], None] | None = None,
) -> VideoShares:
    """Predict a video, measure the shares of its areas, and write the results.

    Parameters
    ----------
    path : Path
        The video.
    areas : sequence of Area or MovingArea
        The areas, with different names.
    model : SaliencyModel
        The model, which is used in its own mode.
    every : int
        Predict only every n-th frame and the last one; the densities in between are interpolated in time.
    smoothing : float
        The time constant in seconds of an exponential average of the densities over past frames; 0: no smoothing.
    out : sequence of Path
        The results: a curve (``.png``, ``.svg``, ``.pdf``), a table of all frames (``.csv``), and the video with its heatmap,
        areas and shares (``.mp4``). They appear complete at the end, or not at all.
    on_frame : callable
        A function that is called with the number of frames done and the number of all frames, or None if it is unknown.

    Returns
    -------
    VideoShares
        The shares. If the file is damaged, those of the frames that can be decoded, and ``damage`` explains the damage.
    """
    check_video_out(out, inputs=[path])
    films = [file for file in out if file.suffix.lower() == ".mp4"]
    with Video(path, sound=bool(films)) as source, ExitStack() as stack:
        others = {file: stack.enter_context(atomic_path(file)) for file in out if file not in films}
        writers = [stack.enter_context(mp4_writer(file, source)) for file in films]
        heat = MovingHeat(root=model.gives_density)
        collected, strip, last = Collected(), FilmStrip(), None
        frames = measured_frames(source.frames(), areas, model, every=every, smoothing=smoothing)
        for frame, values, shares in frames:
            collected.add(frame, shares)
            strip.add(frame.time, frame.image)
            if writers:
                picture = _with_shares(heat(frame, values), shares)
            for write in writers:
                write(frame, picture)
            if on_frame is not None:
                on_frame(len(collected), source.total)
            last = frame
        source.check_end(len(collected), last)
        result = collected.result(path.name, [area.name for area in areas], source.damage)
        for file, temporary in others.items():
            if file.suffix.lower() == ".csv":
                temporary.write_text(video_csv_text(result), encoding="utf-8")
            else:
                save_curve(result, temporary, kind=file.suffix.lower()[1:], film=strip.pictures)
    for area, summary in zip(areas, result.summaries(), strict=True):
        if not summary.visible:
            warnings.warn(f"{area.name!r} is never visible{_reason(area, result)}", stacklevel=2)
    return result


def _with_shares(picture: NDArray[np.uint8], shares: Sequence[FrameShare]) -> NDArray[np.uint8]:
    """Draw the visible areas and their shares."""
    visible = [(share.area, share) for share in shares if share.area is not None]
    labels = [f"{share.name} {100 * share.attention:.1f}%" for _, share in visible]
    return with_areas(picture, [area for area, _ in visible], labels)


def _reason(area: Area | MovingArea, result: VideoShares) -> str:
    if not isinstance(area, MovingArea):
        return ""
    begins = next(moment for moment, each in area.key_frames if each is not None)
    in_seconds = area.unit == "seconds"
    if begins <= (result.seconds if in_seconds else len(result.times) - 1):
        return ": it is hidden or outside the frame all the time"
    first, last = f"{begins:g} s", f"{result.seconds:.2f} s"
    if not in_seconds:
        first, last = f"frame {begins:g}", f"frame {len(result.times) - 1}"
    return f": its first key frame is at {first}, and the video ends at {last}"


def video_table(result: VideoShares) -> Table:
    """A table of the areas, with the largest mean share first."""
    title = f"{result.name}: {len(result.times)} frames, {result.seconds:.2f} s"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("area")
    for heading in ("mean", "while visible", "highest", "at", "visible", "dwell", "per surface"):
        table.add_column(heading, justify="right")
    for row in sorted(result.summaries(), key=lambda row: -row.mean):
        table.add_row(
            escape(row.name),
            _per_cent(row.mean),
            _per_cent(row.while_visible),
            _per_cent(row.highest),
            "–" if row.highest_at is None else f"{row.highest_at:.2f} s",
            f"{row.visible:.2f} s",
            f"{row.dwell:.2f} s",
            "–" if row.per_surface is None else f"{row.per_surface:.2f}",
        )
    return table


def _per_cent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def video_csv_text(result: VideoShares) -> str:
    """The shares as CSV, a row for each area of each frame; ``visible`` is 0 or 1."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(VIDEO_COLUMNS)
    visible = result.visible
    for t, time in enumerate(result.times):
        for k, name in enumerate(result.names):
            attention, surface = float(result.attention[t, k]), float(result.surface[t, k])
            per_surface = _rounded(attention / surface) if visible[t, k] else ""
            box = [_rounded(float(v)) for v in result.boxes[t, k]]
            shares = (_rounded(attention), _rounded(surface), per_surface)
            writer.writerow([t, _rounded(float(time)), name, *shares, *box, int(visible[t, k])])
    return text.getvalue()


def video_json(result: VideoShares) -> dict[str, Any]:
    """The summaries and the curves, for ``--json``; a share is None while the area is hidden."""
    areas = []
    for k, row in enumerate(result.summaries()):
        shares = np.where(result.visible[:, k], result.attention[:, k], math.nan).tolist()
        values = {key: None if value is None else _rounded(value) for key, value in vars(row).items() if key != "name"}
        areas.append(
            {"area": row.name, **values, "attention": [None if math.isnan(s) else _rounded(s) for s in shares]}
        )
    times = [_rounded(time) for time in result.times.tolist()]
    about = {"video": result.name, "frames": len(times), "seconds": _rounded(result.seconds), "damage": result.damage}
    return {**about, "areas": areas, "times": times}


def _rounded(value: float) -> float | str:
    return "" if math.isnan(value) else round(value, 6)
