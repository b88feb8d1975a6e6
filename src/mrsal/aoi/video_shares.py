"""The share of attention that areas get in each frame of a video, and over the whole of it."""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.areas import attention_shares, inside_window
from mrsal.aoi.moving import MovingArea
from mrsal.aoi.options import AoiOptions
from mrsal.aoi.shapes import Area
from mrsal.errors import InputError
from mrsal.inference import Average, Frame, SaliencyMap, SaliencyModel, Video, on_grid, predicted

_PIXEL_SURFACE = 1e-9  # pixels; less is a rounding


@dataclass(frozen=True)
class FrameShare:
    """The share of attention of an area in a frame.

    Parameters
    ----------
    name : str
        The name of the area.
    area : Area, optional
        The area in this frame, an upright rectangle cut to the frame; None if it is hidden or outside.
    attention : float
        The sum of the density inside, in [0, 1]; 0 if it is hidden.
    surface : float
        The share of the frame's surface, in [0, 1]; 0 if it is hidden.
    """

    name: str
    area: Area | None
    attention: float
    surface: float

    @property
    def visible(self) -> bool:
        """Whether a part of the area is in the frame."""
        return self.area is not None

    @property
    def per_surface(self) -> float | None:
        """Attention divided by surface: 1 for a uniform density; None if the area is hidden."""
        return self.attention / self.surface if self.area is not None else None


@dataclass(frozen=True)
class FrameShares:
    """The shares of all areas in a frame.

    Parameters
    ----------
    frame : int
        The number of the frame, from 0.
    time : float
        When it is shown, in seconds from the start of the video.
    duration : float
        For how long it is shown, in seconds: until the next frame, and for the last frame as the file says.
    shares : tuple of FrameShare
        The shares in the order of the areas.
    """

    frame: int
    time: float
    duration: float
    shares: tuple[FrameShare, ...]


def shares_over_video(
    path: str | Path,
    areas: Iterable[Area | MovingArea],
    model: SaliencyModel,
    *,
    every: int = AoiOptions.every,
    smoothing: float = AoiOptions.smoothing,
) -> Iterator[FrameShares]:
    """Compute the share of attention of each area in each frame of a video.

    Parameters
    ----------
    path : str or Path
        Any video that FFmpeg can read. Coordinates are those of the upright frames, as people see them.
    areas : iterable of Area or MovingArea
        Areas with different names, in pixels. A fixed area is the same in all frames.
    model : SaliencyModel
        The model, which is used in its own mode; ``model.with_mode(model.video_mode)`` has the default mode for videos.
    every : int
        Predict only every n-th frame and the last one; the densities in between are interpolated in time, while areas move with
        every frame.
    smoothing : float
        The time constant in seconds of an exponential average of the densities over past frames; 0: no smoothing.

    Yields
    ------
    FrameShares
        The frames in order, one after the other; nothing of earlier frames is kept.

    Raises
    ------
    InputError
        If PyAV is missing, names occur twice, or a fixed area lies outside the frame.
    FileError, DataError
        If the file cannot be opened or no frame can be decoded.

    Warns
    -----
    UserWarning
        After the last frame, if the video is damaged; and at the first, of fixed areas that reach over the border.

    Examples
    --------
    The shares in each frame::

        for frame in shares_over_video("film.mp4", areas, mrsal.load_model(mode="fast")):
            print(frame.time, {share.name: share.attention for share in frame.shares})
    """
    waiting: tuple[Frame, int, tuple[FrameShare, ...]] | None = None
    count = 0
    with Video(Path(path), sound=False) as source:
        for frame, _, shares in measured_frames(source.frames(), list(areas), model, every=every, smoothing=smoothing):
            if waiting is not None:
                yield FrameShares(waiting[1], waiting[0].time, frame.time - waiting[0].time, waiting[2])
            waiting = frame, count, shares
            count += 1
        source.check_end(count, waiting and waiting[0])
        assert waiting is not None
        yield FrameShares(waiting[1], waiting[0].time, waiting[0].seconds, waiting[2])
        if source.damage:
            warnings.warn(
                f"{path} is {source.damage}; the {count} frames that can be decoded were measured", stacklevel=2
            )


def measured_frames(
    frames: Iterator[Frame],
    areas: Sequence[Area | MovingArea],
    model: SaliencyModel,
    *,
    every: int,
    smoothing: float,
) -> Iterator[tuple[Frame, NDArray[np.float32], tuple[FrameShare, ...]]]:
    """Frames with their maps on the grid of the network, and the shares of the areas; as :func:`shares_over_video`."""
    if every < 1:
        raise InputError(f"expected every to be at least 1, got {every}")
    average, grid_average = Average(smoothing), Average(smoothing)
    first = next(frames, None)
    if first is None:
        return
    height, width, _ = first.image.shape
    _check_areas(areas, (height, width))

    def keep(map_: SaliencyMap) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        return map_.density, on_grid(map_)

    maps = predicted(chain([first], frames), model, keep, every=every)
    for index, (frame, before, after, share) in enumerate(maps):
        values = grid_average(frame.time, before[1] + np.float32(share) * (after[1] - before[1]))
        densities = before[0], after[0]
        if smoothing:  # needs all pixels; otherwise those of the areas are enough
            whole = average(frame.time, before[0] + share * (after[0] - before[0]))
            densities = whole, whole
        shares = tuple(_share(area, index, frame.time, densities, share, (height, width)) for area in areas)
        yield frame, values, shares


def _check_areas(areas: Sequence[Area | MovingArea], shape: tuple[int, int]) -> None:
    """Refuse names that occur twice and fixed areas outside the frame, and warn of those that are cut."""
    names = [area.name for area in areas]
    if not names:
        raise InputError("expected at least one area, got none")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"expected areas with different names, got {', '.join(repeated)} more than once")
    attention_shares(np.ones(shape), [area for area in areas if isinstance(area, Area)])


def _share(
    area: Area | MovingArea,
    index: int,
    time: float,
    densities: tuple[NDArray[np.float64], NDArray[np.float64]],
    share: float,
    shape: tuple[int, int],
) -> FrameShare:
    now = area.at(time if area.unit == "seconds" else index) if isinstance(area, MovingArea) else area
    if now is None or not _is_on(now, shape):
        return FrameShare(area.name, None, 0.0, 0.0)
    now = now.clipped(shape)
    x0, y0, x1, y1 = window = now.window(shape)
    a, b = (density[y0:y1, x0:x1] for density in densities)
    values = b if share == 1 else a + share * (b - a)
    attention, surface = inside_window(values, window, now)
    if not surface > _PIXEL_SURFACE:
        return FrameShare(area.name, None, 0.0, 0.0)
    return FrameShare(area.name, now, attention, surface / math.prod(shape))


def _is_on(area: Area, shape: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = area.bounds
    return x0 < shape[1] and y0 < shape[0] and x1 > 0 and y1 > 0


@dataclass(frozen=True)
class AreaSummary:
    """What an area gets over a video.

    Parameters
    ----------
    name : str
        The name of the area.
    mean : float
        The mean of its share over the video, in [0, 1]; frames count with the time for which they are shown, and the share is 0
        while the area is hidden.
    while_visible : float, optional
        The same over the time in which the area is visible; None if it never is.
    highest, highest_at : float, optional
        Its highest share, and the time in seconds of the first frame with it; None if it never is visible.
    visible : float
        For how long it is visible, in seconds.
    dwell : float
        For how long a person is expected to look at it, in seconds: the sum of share times duration over the frames.
    per_surface : float, optional
        Attention divided by surface, both over the time in which the area is visible: 1 for a uniform density; None if it
        never is visible.
    """

    name: str
    mean: float
    while_visible: float | None
    highest: float | None
    highest_at: float | None
    visible: float
    dwell: float
    per_surface: float | None


@dataclass(frozen=True)
class VideoShares:
    """The numbers of a video: T frames and K areas, whose maps are not kept.

    Parameters
    ----------
    name : str
        The name of the file.
    names : sequence of str
        The names of the areas.
    times, durations : array
        ``(T,)``: when each frame is shown, from the start of the video, and for how long, in seconds.
    attention, surface : array
        ``(T, K)``: shares in [0, 1]; 0 while an area is hidden.
    boxes : array
        ``(T, K, 4)``: x, y, width and height in pixels of the upright rectangle around the part of the area on the frame; NaN
        while it is hidden.
    damage : str
        What is wrong with the file, and where; empty if it is sound.
    """

    name: str
    names: Sequence[str]
    times: NDArray[np.float64]
    durations: NDArray[np.float64]
    attention: NDArray[np.float64]
    surface: NDArray[np.float64]
    boxes: NDArray[np.float64]
    damage: str = ""

    @property
    def visible(self) -> NDArray[np.bool_]:
        """``(T, K)``: whether a part of the area is in the frame."""
        return self.surface > 0

    @property
    def seconds(self) -> float:
        """The length of the video, or of what can be decoded."""
        return float(self.durations.sum())

    def summaries(self) -> list[AreaSummary]:
        """The summary of each area, in their order."""
        return [self._summary(k) for k in range(len(self.names))]

    def _summary(self, k: int) -> AreaSummary:
        shares, visible = self.attention[:, k], self.visible[:, k]
        time = float(self.durations[visible].sum())
        total = float((shares * self.durations).sum())
        surface = float((self.surface[:, k] * self.durations).sum())
        best = int(np.argmax(np.where(visible, shares, -1)))
        return AreaSummary(
            name=self.names[k],
            mean=total / self.seconds,
            while_visible=total / time if time > 0 else None,
            highest=float(shares[best]) if visible.any() else None,
            highest_at=float(self.times[best]) if visible.any() else None,
            visible=time,
            dwell=total,
            per_surface=total / surface if surface > 0 else None,
        )


class Collected:
    """Collects the numbers of frames, about 50 bytes for each area of each frame."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._rows: list[NDArray[np.float64]] = []
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._times)

    def add(self, frame: Frame, shares: Sequence[FrameShare]) -> None:
        """Add the shares in a frame."""
        self._times.append(frame.time)
        self._last = frame.seconds
        height, width, _ = frame.image.shape
        boxes = [_box(share.area, width, height) for share in shares]
        self._rows.append(np.array([(s.attention, s.surface, *box) for s, box in zip(shares, boxes, strict=True)]))

    def result(self, name: str, names: Sequence[str], damage: str) -> VideoShares:
        """The numbers of all frames."""
        times = np.array(self._times)
        rows = np.array(self._rows)  # (T, K, 6)
        durations = np.append(np.diff(times), self._last)
        return VideoShares(name, names, times, durations, rows[..., 0], rows[..., 1], rows[..., 2:], damage)


def _box(area: Area | None, width: int, height: int) -> tuple[float, ...]:
    """The rectangle around the part of an area on a frame; NaN if it is hidden."""
    if area is None:
        return (math.nan,) * 4
    x0, y0, x1, y1 = area.bounds
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    return x0, y0, x1 - x0, y1 - y0
