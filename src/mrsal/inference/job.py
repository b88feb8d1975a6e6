"""The job behind ``mrsal predict``: whatever paths users name flow in, maps in a folder flow out.

What cannot be read is reported and left out; the rest is done.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from mrsal.errors import DataError, InputError, MrsalError
from mrsal.files import make_folder
from mrsal.images import save_jpeg
from mrsal.inference import video
from mrsal.inference.inputs import COLUMN, Source, find_sources
from mrsal.inference.onnx_predictor import OnnxPredictor
from mrsal.inference.overlay import Heat
from mrsal.progress import progress_bar

if TYPE_CHECKING:
    from mrsal.inference.predictor import Predictor

log = logging.getLogger("mrsal")

_AHEAD = 4  # images read while the network runs


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
    column: str = COLUMN,
    runtime: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    console: Console,
) -> Summary:
    """Predict files, folders, patterns, lists and videos into ``out``; names as in :func:`mrsal.inference.inputs.find_sources`.

    An image ``a.jpg`` becomes ``a.npy``, ``a.png`` and ``a_overlay.jpg``; a video ``b.mov`` becomes ``b.npy`` with
    ``b_times.npy``, a folder ``b`` of PNG files, and ``b_overlay.mp4``. ``mode`` None is exact for images and fast for videos.
    ``model``, ``runtime``, ``device`` and ``precision`` are as for :func:`open_predictor`.
    A damaged video counts as failed, though what could be decoded of it is written.
    """
    Heat(opacity, colormap)  # what is wrong with them is said before the first image is read
    files, complaints = find_sources(paths, recursive=recursive, out=out, column=column)
    sources = [picture for file in files for picture in file.pictures(complaints.append)]
    for complaint in complaints:
        log.error("skipped: %s", complaint)
    summary = Summary(failed=len(complaints), failures=[str(complaint) for complaint in complaints])
    _refuse_overwriting(sources, out, formats, resuming=skip_existing)
    if skip_existing:
        done = [source for source in sources if source.is_done(out, formats)]
        summary = replace(summary, skipped=len(done))
        for source in done:
            summary.results[str(source)] = _as_text(source.results(out, formats))
        sources = [source for source in sources if str(source) not in summary.results]
    if sources:
        make_folder(out)
        predictor = open_predictor(model, runtime=runtime, device=device, precision=precision)
        with progress_bar(console) as bar:
            task = bar.add_task("predicting", total=len(sources), note="")
            options: dict[str, Any] = {"opacity": opacity, "colormap": colormap, "smoothing": smoothing, "every": every}
            for source, error in predict_sources(sources, out, predictor, formats, mode=mode, bar=bar, **options):
                if error:
                    log.error("%s%s", "" if source.is_video else "skipped: ", error)
                    summary.failures.append(str(error))
                else:
                    summary.results[str(source)] = _as_text(source.results(out, formats))
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
        return OnnxPredictor(model, device=device, precision=precision)
    from mrsal.inference.predictor import load_model

    return load_model(model, device=device, precision=precision)


def _as_text(results: dict[str, Path]) -> dict[str, str]:
    return {one: str(path) for one, path in results.items()}


def _refuse_overwriting(sources: list[Source], out: Path, formats: Iterable[str], *, resuming: bool) -> None:
    inputs = {source.path.resolve() for source in sources}
    writers: dict[Path, Source] = {}
    resolved = cache(Path.resolve)  # of folders, which are few
    for source in sources:
        for path in source.files(out, formats):
            if path.resolve() in inputs:
                raise InputError(f"the result for {source.path} would overwrite {path}; choose another --out")
            if writers.setdefault(path, source) is not source:
                raise InputError(f"{path} would be written for {writers[path]} and for {source}; rename one of them")
            beside = resolved(path.parent) == resolved(source.path.parent)
            # os.path, which has no error if the name is too long
            if beside and not resuming and path.suffix in (".npy", ".png") and os.path.isfile(path):  # noqa: PTH113
                raise InputError(
                    f"{path} is there already, beside {source.path.name}, and may be no map; remove it, or choose another --out"
                )
            is_folder = source.is_video and os.path.isdir(path)  # noqa: PTH112
            if is_folder and any(not _is_frame(file) for file in path.iterdir()):
                raise InputError(f"the frames of {source.path} would replace the folder {path}; choose another --out")
    frames = {path for path, source in writers.items() if source.is_video and not path.suffix}
    for path in writers:
        if not frames.isdisjoint(path.parents):
            raise InputError(f"a video's frames would replace the folder of {path}; predict videos into another --out")


def _is_frame(path: Path) -> bool:
    return path.suffix == ".png" and len(path.stem) == 6 and path.stem.isdigit()


def predict_sources(
    sources: Sequence[Source],
    out: Path,
    predictor: "Predictor | OnnxPredictor",
    formats: Sequence[str],
    *,
    mode: str | None,
    smoothing: float,
    every: int,
    bar: Progress,
    **look: Any,
) -> Iterator[tuple[Source, MrsalError | None]]:
    """Predict pictures, then videos, into ``out``; yields each, and what went wrong with it.

    Options as for :func:`predict_job`; ``look`` is opacity and colormap.
    """
    stills = [source for source in sources if not source.is_video]
    default = "fast" if isinstance(predictor, OnnxPredictor) else "exact"
    yield from _predict_images(stills, out, predictor, formats, mode=mode or default, **look)
    for film in (source for source in sources if source.is_video):
        options = {"mode": mode or "fast", "smoothing": smoothing, "every": every, **look}
        yield film, _predict_film(film, out, predictor, formats, bar, **options)


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
            waiting.append((source, pool.submit(source.read)))
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
