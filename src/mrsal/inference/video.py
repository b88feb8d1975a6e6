"""Predict each frame of a video, and write the video with a heatmap, or the maps.

Frames are predicted one by one, since the networks know no motion; the maps can be smoothed over time. Time stamps are kept.
Needs PyAV: ``pip install 'mrsal[video]'``.
"""

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_folder, atomic_path
from mrsal.inference.options import Look, PredictOptions
from mrsal.inference.overlay import Heat
from mrsal.inference.saliency_map import SaliencyMap, write_png
from mrsal.inference.saliency_model import SaliencyModel
from mrsal.model import GRID, Grid

log = logging.getLogger("mrsal")

VIDEO_EXTENSIONS: tuple[str, ...] = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")

_RELEASE = 2.0  # time constant, in seconds, with which the range of colours narrows
_WHOLE = 0.9  # fewer frames than this share of the announced number are damage; the number may be estimated from the duration
_HD = 720  # with at least so many rows, players assume BT.709 if the colours have no tag
_UNTAGGED, _BT709, _LIMITED = 2, 1, 1  # values of AVColorSpace and AVColorRange in FFmpeg


@dataclass(frozen=True)
class VideoResult:
    """What became of a video.

    Parameters
    ----------
    frames : int
        The number of frames written.
    seconds : float
        The time stamp of the last frame, from the start of the video.
    damage : str
        What is wrong with the file, and where; empty if it is sound.
    """

    frames: int
    seconds: float
    damage: str = ""


Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Parameters
    ----------
    image : array
        ``(H, W, 3)`` uint8 RGB, upright.
    pts, duration : int
        When it is shown, from the start of the video, and for how long, in units of the stream's time base. The next frame may
        come earlier or later.
    time, seconds : float
        The same in seconds.
    """

    image: NDArray[np.uint8]
    pts: int
    duration: int
    time: float
    seconds: float


_Write = Callable[[Frame, NDArray[np.float32]], None]


def predict_video(
    path: str | Path,
    out: str | Path | Sequence[str | Path],
    model: SaliencyModel,
    *,
    smoothing: float = PredictOptions.smoothing,
    every: int = PredictOptions.every,
    opacity: float = Look.opacity,
    colormap: str = Look.colormap,
    on_frame: Callable[[int, int | None], None] | None = None,
) -> VideoResult:
    """Predict where people look in each frame of a video.

    Parameters
    ----------
    path : str or Path
        Any video that FFmpeg can read. It is turned or mirrored as its display matrix says, and a variable frame rate is kept.
    out : path, or several
        The results, whose suffixes decide the format. ``.mp4``: the video with a heatmap (H.264, 4:2:0, with the time stamps of
        the frames, the sound if MP4 supports it, and sizes padded to even numbers). ``.npy``: the maps, ``(T, 50, 50)`` float16
        in [0, 1] on the grid on which they are computed, and beside them ``<stem>_times.npy``, ``(T,)`` float64 in seconds. No
        suffix: a folder with the same maps as 16-bit ``000000.png`` and so on. Results appear complete at the end, or not at
        all.
    model : SaliencyModel
        The model, which is used in its own mode; ``model.with_mode(model.video_mode)`` has the default mode for videos.
    smoothing : float
        The time constant in seconds of an exponential average over past frames: this long after a sudden change, the map has
        changed by 63 %. 0: no smoothing.
    every : int
        Predict only every n-th frame and the last one; the maps in between are interpolated in time.
    opacity : float
        The opacity of the heatmap where it is highest, from 0 to 1.
    colormap : str
        The name of a colormap of matplotlib.
    on_frame : callable
        A function that is called with the number of frames done and the number of all frames, or None if it is unknown.

    Returns
    -------
    VideoResult
        If the file is damaged, the frames that can be decoded are written, and ``damage`` explains the damage.

    Raises
    ------
    InputError
        If PyAV is missing or an option is out of range.
    FileError, DataError
        If the file cannot be opened, no frame can be decoded, or the result cannot be written.

    Notes
    -----
    The colours range from the lowest to the highest value of the last seconds, not of each frame. With a separate range for
    each frame the heatmap would flicker, and a frame without anything salient would look like any other.
    """
    outs = [Path(path) for path in ([out] if isinstance(out, str | Path) else out)]
    average = Average(smoothing)
    if every < 1:
        raise InputError(f"expected every to be at least 1, got {every}")
    heat = MovingHeat(opacity, colormap, root=model.gives_density)
    count, last = 0, None
    with Video(Path(path), sound=any(file.suffix.lower() == ".mp4" for file in outs)) as source, ExitStack() as stack:
        writers = [stack.enter_context(_writer(file, source, heat)) for file in outs]
        maps = predicted(source.frames(), model, on_grid, every=every)
        for frame, before, after, share in maps:
            values = average(frame.time, before + np.float32(share) * (after - before))
            for write in writers:
                write(frame, values)
            count, last = count + 1, frame
            if on_frame is not None:
                on_frame(count, source.total)
        source.check_end(count, last)
        assert last is not None
    return VideoResult(count, last.time, source.damage)


def predicted(
    frames: Iterator[Frame], model: SaliencyModel, keep: Callable[[SaliencyMap], Kept], *, every: int
) -> Iterator[tuple[Frame, Kept, Kept, float]]:
    """Predict every n-th frame of a video and the last one.

    Parameters
    ----------
    frames : iterator of Frame
        The frames.
    model : SaliencyModel
        The model.
    keep : callable
        A function from a map to what is needed of it; only this is kept in memory.
    every : int
        The n.

    Yields
    ------
    frame : Frame
        Each frame.
    before, after : any
        What is kept of the predicted frame before it and of the one after it; of the frame itself twice, if it was predicted.
    share : float
        How far the frame is, in time, on the way from one to the other: in [0, 1], and 1 for predicted frames.
    """
    # a group consists of the frames after a predicted frame, up to and with the next one
    groups: deque[list[Frame]] = deque()

    def images() -> Iterator[NDArray[np.uint8]]:
        group: list[Frame] = []
        for index, frame in enumerate(frames):
            group.append(frame)
            if index % every == 0:
                groups.append(group)
                yield frame.image
                group = []
        if group:
            groups.append(group)
            yield group[-1].image

    # predict_many reads ahead, and with groups of many frames that would take too much memory
    maps = model.predict_many(images()) if every == 1 else (model.predict(image) for image in images())
    before: Kept | None = None
    start = 0.0  # the time of the previous predicted frame
    for map_ in maps:
        group, after = groups.popleft(), keep(map_)
        end = group[-1].time
        for frame in group[:-1]:
            assert before is not None  # the first group is the first frame alone
            yield frame, before, after, (frame.time - start) / (end - start)
        yield group[-1], after, after, 1.0
        before, start = after, end


def on_grid(map_: SaliencyMap) -> NDArray[np.float32]:
    """Sample a map in the size of the frame on the grid of the network: ``(H, W)`` to ``(50, 50)``."""
    values = map_.values
    cells = Grid.cells((values.shape[0], values.shape[1]), GRID)
    centres = np.meshgrid(cells.rows - 0.5, cells.columns - 0.5, indexing="ij")
    return ndimage.map_coordinates(values, centres, order=1, mode="nearest").astype(np.float32)


class Average:
    """An exponential average over past frames, which depends on the time between them and not on their number.

    Parameters
    ----------
    seconds : float
        The time constant; 0: no smoothing.

    Raises
    ------
    InputError
        If it is not a number of at least 0.
    """

    def __init__(self, seconds: float) -> None:
        if not (math.isfinite(seconds) and seconds >= 0):
            raise InputError(f"expected a smoothing of at least 0 seconds, got {seconds}")
        self._seconds = seconds
        self._state: NDArray | None = None
        self._last = 0.0

    def __call__(self, time: float, values: NDArray) -> NDArray:
        """The average up to a frame with this time in seconds and these values."""
        if self._state is None or self._seconds == 0:
            self._state = values
        else:
            weight = values.dtype.type(-math.expm1((self._last - time) / self._seconds))
            self._state = self._state + weight * (values - self._state)
        self._last = time
        return self._state


class MovingHeat:
    """Lays maps over frames, with a range of colours that widens at once and narrows slowly."""

    def __init__(self, opacity: float = Look.opacity, colormap: str = Look.colormap, *, root: bool) -> None:
        self._heat = Heat(opacity, colormap)
        self._root = root  # show the square roots of the values, as SaliencyMap.overlay does for a density
        self._range: tuple[float, float] | None = None
        self._time = 0.0

    def __call__(self, frame: Frame, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        low, high = self._follow(float(values.min()), float(values.max()), frame.time)
        scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
        scaled = np.sqrt(scaled) if self._root else scaled
        height, width, _ = frame.image.shape
        large = np.asarray(Image.fromarray(scaled).resize((width, height), Image.Resampling.BICUBIC))
        return self._heat.over(frame.image, large)

    def _follow(self, low: float, high: float, time: float) -> tuple[float, float]:
        if self._range is not None:
            share = math.exp((self._time - time) / _RELEASE)
            low = min(low, low + share * (self._range[0] - low))
            high = max(high, high + share * (self._range[1] - high))
        self._range, self._time = (low, high), time
        return low, high


class Video(AbstractContextManager["Video"]):
    """An open video. Reading its frames also collects its packets of sound."""

    def __init__(self, path: Path, *, sound: bool) -> None:
        self.av = _import_av()
        self.path, self.damage = path, ""
        self.sound: deque[Any] = deque()  # packets that are not written yet
        if not path.is_file():
            raise FileError(f"no video at {path}; check the path")
        try:
            self.container = self.av.open(str(path), metadata_errors="replace")
        except self.av.FFmpegError as error:
            if isinstance(error, PermissionError):
                raise FileError(f"cannot open {path}: {error.strerror}") from error
            raise DataError(
                f"{path} is not a video that can be read ({error.strerror}); check that it is complete"
            ) from error
        self.video = self.container.streams.best("video")
        self.audio = self.container.streams.best("audio") if sound else None
        if self.video is None:
            self.container.close()
            raise DataError(f"{path} contains no video; give a file with frames")
        self.video.thread_type = "AUTO"
        self.time_base: Fraction = self.video.time_base
        self.rate: Fraction = self.video.average_rate or self.video.guessed_rate or Fraction(25)
        self.start = Fraction(max(self.container.start_time or 0, 0), self.av.time_base)  # seconds
        duration = self.video.duration and self.video.duration * self.time_base
        self.duration: Fraction = duration or Fraction(self.container.duration or 0, self.av.time_base)
        self.total: int | None = self.video.frames or round(self.duration * self.rate) or None

    def __exit__(self, *_: object) -> None:
        self.container.close()

    def frames(self) -> Iterator[Frame]:
        """The frames, in order."""
        shape: tuple[int, int] | None = None
        offset, last = round(self.start / self.time_base), None
        step = max(round(1 / (self.rate * self.time_base)), 1)
        for raw in self._decoded():
            shape = shape or (raw.height, raw.width)
            pts = raw.pts - offset if raw.pts is not None else (0 if last is None else last + step)
            if last is not None and pts <= last:  # two frames must not have the same time
                pts = last + 1
            last = pts
            if raw.is_corrupt:
                self.note(float(pts * self.time_base), "frames are corrupt")
            untagged_hd = raw.colorspace == _UNTAGGED and raw.height >= _HD
            image = raw.reformat(
                shape[1], shape[0], "rgb24", src_colorspace="ITU709" if untagged_hd else None
            ).to_ndarray()
            image = np.ascontiguousarray(_upright(image, raw.side_data.get("DISPLAYMATRIX")))
            duration = raw.duration or step
            yield Frame(image, pts, duration, float(pts * self.time_base), float(duration * self.time_base))

    def _decoded(self) -> Iterator[Any]:
        time = 0.0
        packets = self.container.demux([stream for stream in (self.video, self.audio) if stream is not None])
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self.av.FFmpegError as error:
                self.note(time, error.strerror)
                break
            if packet.stream is not self.video:
                self.sound.append(packet)
                continue
            if packet.pts is not None:
                time = float(packet.pts * self.time_base - self.start)
            try:
                yield from packet.decode()
            except self.av.FFmpegError as error:  # the next packets may be intact, or sound
                self.note(time, error.strerror)
        yield from self.video.decode(None)

    def check_end(self, count: int, last: Frame | None) -> None:
        """Note it as damage if there were too few frames, and raise an error if there was none."""
        total = self.total or 0
        end = last.time + last.seconds if last else 0.0
        # an estimated number of frames says nothing about a video with a variable frame rate
        is_long_enough = not self.video.frames and end >= _WHOLE * self.duration
        if count < _WHOLE * total - 1 and not is_long_enough:
            self.note(last.time if last else 0.0, f"it ends after {count} of about {total} frames")
        if not count:
            raise DataError(f"{self.path} is damaged: no frame can be decoded; {self.damage or 'it is empty'}")

    def note(self, time: float, what: str) -> None:
        """Remember the first damage."""
        self.damage = self.damage or f"damaged at {time:.1f} s: {what}"


def _upright(image: NDArray[np.uint8], matrix: Any) -> NDArray[np.uint8]:
    """Turn or mirror a frame by its display matrix, 36 bytes, to the nearest multiple of 90 degrees.

    The matrix takes column p and row q to column ``a p + c q`` and row ``b p + d q``, up to a shift. A mirrored frame is not
    a rotated one, but FFmpeg's angle of rotation, which PyAV gives, is 180 degrees for both.
    """
    if matrix is None:
        return image
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).tolist()
    if abs(a) < abs(b):
        image, a, d = image.swapaxes(0, 1), c, b
    return image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _writer(path: Path, source: Video, heat: MovingHeat) -> AbstractContextManager[_Write]:
    if path.resolve() == source.path.resolve():
        raise InputError(f"the result would overwrite {source.path}; choose another folder or name")
    if path.suffix.lower() == ".mp4":
        return _heat_mp4(path, source, heat)
    if path.suffix == ".npy":
        return _npy(path)
    if not path.suffix:
        return _folder(path)
    raise InputError(f"expected a name that ends in .mp4 or .npy, or a folder name without suffix, got {path.name!r}")


@contextmanager
def _heat_mp4(path: Path, source: Video, heat: MovingHeat) -> Iterator[_Write]:
    with mp4_writer(path, source) as write:
        yield lambda frame, values: write(frame, heat(frame, values))


@contextmanager
def mp4_writer(path: Path, source: Video) -> Iterator[Callable[[Frame, NDArray[np.uint8]], None]]:
    """In the block, a function writes a picture for each frame of a video, with its time stamps and sound, as MP4."""
    av = source.av
    options = {"movflags": "+faststart"}
    try:
        with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4", options=options) as container:
            video = container.add_stream("libx264", rate=source.rate, options={"preset": "veryfast", "crf": "20"})
            audio = None
            if source.audio is not None and source.audio.codec_context.name in container.supported_codecs:
                audio = container.add_stream_from_template(source.audio)
            elif source.audio is not None:
                codec = source.audio.codec_context.name
                log.warning("the sound of %s is left out: MP4 does not support %s", source.path, codec)

            def write(frame: Frame, picture: NDArray[np.uint8]) -> None:
                height, width, _ = picture.shape
                picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
                if not video.codec_context.is_open:
                    _set_up(video.codec_context, picture.shape, source)
                raw = av.VideoFrame.from_ndarray(picture, format="rgb24")
                raw = raw.reformat(format="yuv420p", dst_colorspace="ITU709")
                raw.pts, raw.time_base, raw.duration = frame.pts, source.time_base, frame.duration
                container.mux(video.encode(raw))
                pass_on_sound()

            def pass_on_sound() -> None:
                while source.sound:
                    packet = source.sound.popleft()
                    if audio is None or packet.dts is None:
                        continue
                    offset = round(source.start / packet.time_base)
                    packet.dts -= offset
                    packet.pts = packet.dts if packet.pts is None else packet.pts - offset
                    packet.stream = audio
                    container.mux(packet)

            yield write
            container.mux(video.encode(None))
            pass_on_sound()
    except av.FFmpegError as error:
        raise FileError(f"cannot write {path}: {error.strerror}") from error


def _set_up(context: Any, shape: tuple[int, ...], source: Video) -> None:
    context.height, context.width, _ = shape
    context.pix_fmt, context.time_base = "yuv420p", source.time_base
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    aspect = source.video.sample_aspect_ratio
    if aspect:
        turned = (source.video.width > source.video.height) != (context.width > context.height)
        context.sample_aspect_ratio = 1 / aspect if turned else aspect


def times_path(maps: Path) -> Path:
    """The file with the times of the frames whose maps are in this ``.npy``."""
    return maps.with_name(f"{maps.stem}_times.npy")


@contextmanager
def _npy(path: Path) -> Iterator[_Write]:
    times: list[float] = []
    with atomic_path(path) as temporary, temporary.open("wb") as file:

        def head() -> None:
            shape = (len(times), GRID, GRID)
            layout = {"descr": "<f2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, layout)  # leaves room for the first axis to grow

        def write(frame: Frame, values: NDArray[np.float32]) -> None:
            times.append(frame.time)
            file.write(values.astype("<f2").tobytes())

        head()
        yield write
        file.seek(0)
        head()
    with atomic_path(times_path(path)) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(times))


@contextmanager
def _folder(path: Path) -> Iterator[_Write]:
    count = 0
    with atomic_folder(path) as temporary:

        def write(_: Frame, values: NDArray[np.float32]) -> None:
            nonlocal count
            if values.min() < 0 or values.max() > 1:
                raise InputError(
                    f"expected maps in [0, 1] to write the maps of a video as PNG, got values from {values.min():.3g} to "
                    f"{values.max():.3g}; write them as .npy"
                )
            write_png(values, temporary / f"{count:06}.png")
            count += 1

        yield write


def _import_av() -> Any:
    return optional("av", extra="video", purpose="videos")
