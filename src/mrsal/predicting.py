"""The job behind ``mrsal predict``: whatever paths users name flow in, maps in a folder flow out.

What cannot be read is reported and left out; the rest is done.
"""

import glob
import logging
import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from mrsal import images, video
from mrsal.errors import DataError, FileError, InputError, MrsalError
from mrsal.files import make_folder
from mrsal.plots import save_jpeg
from mrsal.progress import progress_bar
from mrsal.runtime import OnnxPredictor
from mrsal.saliency_map import SaliencyMap

if TYPE_CHECKING:
    from mrsal.inference import Predictor

log = logging.getLogger("mrsal")

_HEIC = (".heic", ".heif")  # not read, but people have them: say so rather than pass over them
_KNOWN = (*images.EXTENSIONS, *video.EXTENSIONS, *_HEIC)
_AHEAD = 4  # images read while the network runs
_ENDINGS = {"npy": ".npy", "png": ".png", "overlay": "_overlay.jpg"}
_VIDEO_ENDINGS = {"npy": ".npy", "png": "", "overlay": "_overlay.mp4"}


@dataclass(frozen=True)
class Source:
    """A file to predict, and the name of its results: a path below the output folder, without suffix."""

    path: Path
    name: Path

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in video.EXTENSIONS

    def results(self, out: Path, formats: Iterable[str]) -> dict[str, Path]:
        """Where each format of this file goes."""
        endings = _VIDEO_ENDINGS if self.is_video else _ENDINGS
        return {one: out / self.name.with_name(self.name.name + endings[one]) for one in formats}


@dataclass(frozen=True)
class Summary:
    """How many inputs were predicted, skipped because their results were there, and failed; and which.

    Parameters
    ----------
    results : dict
        For each input that was not a failure, the path of each format.
    failures : list of str
        What went wrong.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    results: dict[str, dict[str, str]] = field(default_factory=dict, compare=False)
    failures: list[str] = field(default_factory=list, compare=False)


def predict_job(
    paths: Sequence[str],
    out: Path,
    model: str,
    *,
    formats: Sequence[str] = ("overlay",),
    mode: str | None = None,
    recursive: bool = False,
    opacity: float = 0.6,
    colormap: str = "inferno",
    smoothing: float = 0.0,
    every: int = 1,
    skip_existing: bool = False,
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    console: Console,
) -> Summary:
    """Predict files, folders, patterns, lists and videos into ``out``; see :func:`find_sources` for names.

    An image ``a.jpg`` becomes ``a.npy``, ``a.png`` and ``a_overlay.jpg``; a video ``b.mov`` becomes ``b.npy`` with
    ``b_times.npy``, a folder ``b`` of PNG files, and ``b_overlay.mp4``. ``mode`` None is exact for images and fast for videos.
    ``model``, ``runtime``, ``device`` and ``precision`` are as for :func:`open_predictor`.
    A damaged video counts as failed, though what could be decoded of it is written.
    """
    _check_colours(opacity, colormap)
    sources, complaints = find_sources(paths, recursive=recursive, out=out)
    for complaint in complaints:
        log.error("skipped: %s", complaint)
    summary = Summary(failed=len(complaints), failures=[str(complaint) for complaint in complaints])
    _refuse_overwriting(sources, out, formats)
    make_folder(out)
    if skip_existing:
        todo = [source for source in sources if not all(p.exists() for p in source.results(out, formats).values())]
        summary = replace(summary, skipped=len(sources) - len(todo))
        for source in sources:
            summary.results[str(source.path)] = _as_text(source.results(out, formats))
        sources = todo
    if sources:
        predictor = open_predictor(model, runtime=runtime, device=device, precision=precision)
        default = "fast" if isinstance(predictor, OnnxPredictor) else "exact"
        look = {"opacity": opacity, "colormap": colormap}
        with progress_bar(console) as bar:
            task = bar.add_task("predicting", total=len(sources), note="")
            stills = [source for source in sources if not source.is_video]
            films = [source for source in sources if source.is_video]
            options = {"mode": mode or "fast", "smoothing": smoothing, "every": every, **look}
            for source, error in chain(
                _predict_images(stills, out, predictor, formats, mode=mode or default, **look),
                ((film, _predict_film(film, out, predictor, formats, bar, **options)) for film in films),
            ):
                if error:
                    log.error("%s%s", "" if source.is_video else "skipped: ", error)
                    summary.failures.append(str(error))
                    summary.results.pop(str(source.path), None)
                else:
                    summary.results[str(source.path)] = _as_text(source.results(out, formats))
                summary = replace(summary, done=summary.done + (not error), failed=summary.failed + bool(error))
                bar.update(task, advance=1, note=source.path.name)
    total = summary.done + summary.skipped + summary.failed
    already = f", {summary.skipped} were there already" if summary.skipped else ""
    log.info("%d of %d inputs written to %s%s", summary.done, total, out, already)
    return summary


def open_predictor(
    model: str, *, runtime: str = "auto", device: str = "auto", precision: str = "auto"
) -> "Predictor | OnnxPredictor":
    """Load ``model`` into torch, or with the runtime ``"onnx"`` an exported one into onnxruntime; then torch is not imported.

    ``"auto"`` goes by the suffix ``.onnx``.
    """
    if runtime == "onnx" or (runtime == "auto" and model.lower().endswith(".onnx")):
        return OnnxPredictor(model, device=device)
    from mrsal.inference import load_model

    return load_model(model, device=device, precision=precision)


def _as_text(results: dict[str, Path]) -> dict[str, str]:
    return {one: str(path) for one, path in results.items()}


def find_sources(
    paths: Iterable[str], *, recursive: bool = False, out: Path | None = None
) -> tuple[list[Source], list[MrsalError]]:
    """Turn what users type into files, each once, in the order given.

    Parameters
    ----------
    paths : iterable of str
        Files; folders (``recursive``: with all that is below them); patterns such as ``photos/**/*.jpg``; and ``@list.txt`` or
        ``list.txt``, a text file with one of those per line, relative to its own folder, ``#`` for comments.
    out : Path
        Where results go: not searched if it lies in one of the folders.

    Returns
    -------
    sources : list of Source
        A result is named after the stem of its file, below a recursive folder with its sub-folders. Where two would get
        the same name, they keep the folders that tell them apart, or else the suffix: ``a_jpg`` and ``a_png``.
    complaints : list of MrsalError
        One for each path that leads nowhere.
    """
    found: dict[Path, Source] = {}
    complaints: list[MrsalError] = []
    for text in paths:
        try:
            for source in _expand(text, Path(), recursive, out, complaints):
                found.setdefault(source.path.resolve(), source)
        except MrsalError as error:
            complaints.append(error)
    return _told_apart(list(found.values())), complaints


def _expand(
    text: str, base: Path, recursive: bool, out: Path | None, complaints: list[MrsalError], *, in_list: bool = False
) -> Iterator[Source]:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise InputError(f"{text} is an address; download it first and give the file")
    path = base / Path(text).expanduser()
    if not in_list and (text.startswith("@") or path.suffix.lower() == ".txt") and not path.is_dir():
        file = Path(text.removeprefix("@")).expanduser()
        for number, line in _lines(file):
            try:
                yield from _expand(line, file.parent, recursive, out, complaints, in_list=True)
            except MrsalError as error:
                complaints.append(InputError(f"{file}, line {number}: {error}"))
    elif path.is_dir():
        yield from _in_folder(path, recursive, out)
    elif path.exists():
        yield Source(path, Path(path.stem))
    elif glob.has_magic(text):
        files = sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - takes absolute patterns
        files = [file for file in files if file.is_file() and _is_known(file)]
        if not files:
            raise FileError(f"no image or video matches {path}; check the pattern")
        yield from (Source(file, Path(file.stem)) for file in files)
    else:
        raise FileError(f"no file or folder at {path}; check the path")


def _lines(file: Path) -> list[tuple[int, str]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FileError(f"cannot read the list {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"the list {file} is not UTF-8 text; save it as UTF-8") from error
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _in_folder(folder: Path, recursive: bool, out: Path | None) -> Iterator[Source]:
    if out is not None and out.resolve() == folder.resolve():
        raise InputError(f"{folder} holds the images and is --out as well; choose another folder for the results")
    files = sorted(folder.rglob("*") if recursive else folder.iterdir())
    known = [file for file in files if file.is_file() and _is_known(file)]
    known = [file for file in known if out is None or out.resolve() not in file.resolve().parents]
    if not known:
        deeper = "" if recursive else "; for its sub-folders add --recursive"
        raise FileError(f"{folder} holds no image or video{deeper}")
    yield from (Source(file, file.relative_to(folder).with_suffix("")) for file in known)


def _is_known(file: Path) -> bool:
    return file.suffix.lower() in _KNOWN and not file.name.startswith(".")


def _told_apart(sources: list[Source]) -> list[Source]:
    for rename in (_with_folders, _with_suffix):
        times = Counter(_key(source) for source in sources)
        clashing = [source for source in sources if times[_key(source)] > 1]
        new = {id(source): rename(source, clashing) for source in clashing}
        sources = [new.get(id(source), source) for source in sources]
    times = Counter(_key(source) for source in sources)
    for source in sources:
        if times[_key(source)] > 1:
            raise InputError(f"two inputs would both be written as {source.name}; predict {source.path} by itself")
    return sources


def _key(source: Source) -> str:
    return str(source.name).casefold()  # on some disks A and a are one file


def _with_folders(source: Source, clashing: list[Source]) -> Source:
    rivals = [rival.path.resolve().parent for rival in clashing if _key(rival) == _key(source)]
    try:
        common = os.path.commonpath(rivals)
    except ValueError:  # two drives of Windows
        return source
    return replace(source, name=source.path.resolve().relative_to(common).with_suffix(""))


def _with_suffix(source: Source, clashing: list[Source]) -> Source:
    return replace(source, name=source.name.with_name(f"{source.name.name}_{source.path.suffix[1:].lower()}"))


def _refuse_overwriting(sources: list[Source], out: Path, formats: Iterable[str]) -> None:
    inputs = {source.path.resolve() for source in sources}
    for source in sources:
        for path in source.results(out, formats).values():
            if path.resolve() in inputs:
                raise InputError(f"the result for {source.path} would overwrite {path}; choose another --out")


def _check_colours(opacity: float, colormap: str) -> None:
    """Before the first image is read, by colouring a map of one pixel."""
    one = np.zeros((1, 1), np.float32)
    SaliencyMap(one, np.zeros((1, 1, 3), np.uint8)).overlay(opacity=opacity, colormap=colormap)


def _predict_images(
    sources: list[Source],
    out: Path,
    predictor: "Predictor | OnnxPredictor",
    formats: Sequence[str],
    *,
    mode: str,
    **look: Any,
) -> Iterator[tuple[Source, MrsalError | None]]:
    """Each source and what went wrong with it."""
    read: deque[Source] = deque()
    unreadable: list[tuple[Source, MrsalError | None]] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for source, future in _read_ahead(sources):
            try:
                picture = future.result()
            except MrsalError as error:
                unreadable.append((source, error))
                continue
            read.append(source)
            yield picture

    for map_ in predictor.predict_many(pictures(), mode=mode):
        source = read.popleft()
        try:
            for one, path in source.results(out, formats).items():
                if one == "overlay":
                    save_jpeg(map_.overlay(**look), path)
                else:
                    map_.save(path)
        except MrsalError as error:
            yield source, error
        else:
            yield source, None
        yield from unreadable
        unreadable.clear()
    yield from unreadable


def _read_ahead(sources: Iterable[Source]) -> Iterator[tuple[Source, Future[NDArray[np.uint8]]]]:
    waiting: deque[tuple[Source, Future[NDArray[np.uint8]]]] = deque()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for source in sources:
            waiting.append((source, pool.submit(images.read_image, source.path)))
            if len(waiting) == _AHEAD:
                yield waiting.popleft()
        yield from waiting


def _predict_film(
    source: Source,
    out: Path,
    predictor: "Predictor | OnnxPredictor",
    formats: Sequence[str],
    bar: Progress,
    **options: Any,
) -> MrsalError | None:
    task = bar.add_task(source.path.name, total=None, note="")

    def on_frame(done: int, total: int | None) -> None:
        bar.update(task, completed=done, total=total, note=f"frame {done}" + (f" of {total}" if total else ""))

    try:
        paths = list(source.results(out, formats).values())
        result = video.predict_video(source.path, paths, predictor, on_frame=on_frame, **options)
    except MrsalError as error:
        return error
    finally:
        bar.remove_task(task)
    kept = f"{source.path} is {result.damage}; the {result.frames} frames that can be decoded were predicted"
    return DataError(kept) if result.damage else None
