"""The job behind ``mrsal predict``: whatever paths users name flow in, maps in a folder flow out.

What cannot be read is reported and left out; the rest is done.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from mrsal.errors import DataError, InputError, MrsalError
from mrsal.files import make_folder
from mrsal.images import save_jpeg
from mrsal.inference import video
from mrsal.inference.any_model import open_model
from mrsal.inference.inputs import InputFile, find_sources
from mrsal.inference.options import PredictOptions
from mrsal.inference.overlay import Heat
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import SaliencyModel, predict_stream
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


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


def predict_job(options: PredictOptions, *, console: Console) -> Summary:
    """Predict files, folders, patterns, lists and videos; names of results as in :func:`mrsal.inference.inputs.find_sources`.

    An image ``a.jpg`` becomes ``a.npy``, ``a.png`` and ``a_overlay.jpg``; a video ``b.mov`` becomes ``b.npy`` with
    ``b_times.npy``, a folder ``b`` of PNG files, and ``b_overlay.mp4``. A damaged video counts as failed, though what could be
    decoded of it is written.
    """
    out = options.out
    Heat(options.opacity, options.colormap)  # says what is wrong with them before the first image is read
    files, complaints = find_sources(options.paths, recursive=options.recursive, out=out, column=options.column)
    sources = [picture for file in files for picture in file.pictures(complaints.append)]
    for complaint in complaints:
        log.error("skipped: %s", complaint)
    summary = Summary(failed=len(complaints), failures=[str(complaint) for complaint in complaints])
    _refuse_overwriting(sources, out, options.format, resuming=options.skip_existing)
    if options.skip_existing:
        done = [source for source in sources if source.is_done(out, options.format)]
        summary = replace(summary, skipped=len(done))
        for source in done:
            summary.results[str(source)] = _as_text(source.results(out, options.format))
        sources = [source for source in sources if str(source) not in summary.results]
    if sources:
        make_folder(out)
        model = open_model(options.model, runtime=options.runtime, device=options.device, precision=options.precision)
        with progress_bar(console) as bar:
            task = bar.add_task("predicting", total=len(sources), note="")
            for source, error in predict_sources(sources, model, options, bar=bar):
                if error:
                    log.error("%s%s", "" if source.is_video else "skipped: ", error)
                    summary.failures.append(str(error))
                else:
                    summary.results[str(source)] = _as_text(source.results(out, options.format))
                summary = replace(summary, done=summary.done + (not error), failed=summary.failed + bool(error))
                bar.update(task, advance=1, note=source.path.name)
    total = summary.done + summary.skipped + summary.failed
    already = f", {summary.skipped} were there already" if summary.skipped else ""
    log.info("%d of %d inputs written to %s%s", summary.done, total, out, already)
    return summary


def predict_sources(
    sources: Sequence[InputFile], model: SaliencyModel, options: PredictOptions, *, bar: Progress
) -> Iterator[tuple[InputFile, MrsalError | None]]:
    """Predict images, then videos, into ``options.out``; yields each, and what went wrong with it."""
    stills = [source for source in sources if not source.is_video]
    for_stills = model.with_mode(options.mode)
    for source, result in predict_stream(for_stills, stills, read=InputFile.read, name=lambda source: str(source.name)):
        if isinstance(result, SaliencyMap):
            yield source, _save(source, result, options)
        else:
            yield source, result
    for film in (source for source in sources if source.is_video):
        yield film, _predict_film(film, model.with_mode(options.mode or model.video_mode), options, bar)


def _save(source: InputFile, map_: SaliencyMap, options: PredictOptions) -> MrsalError | None:
    """Write the map in all formats; returns what went wrong."""
    try:
        for format_, path in source.results(options.out, options.format).items():
            if format_ == "overlay":
                save_jpeg(map_.overlay(opacity=options.opacity, colormap=options.colormap), path)
            else:
                map_.save(path)
    except MrsalError as error:
        return error
    return None


def _predict_film(source: InputFile, model: SaliencyModel, options: PredictOptions, bar: Progress) -> MrsalError | None:
    task = bar.add_task(source.path.name, total=None, note="")

    def on_frame(done: int, total: int | None) -> None:
        bar.update(task, completed=done, total=total, note=f"frame {done}" + (f" of {total}" if total else ""))

    try:
        result = video.predict_video(
            source.path,
            list(source.results(options.out, options.format).values()),
            model,
            smoothing=options.smoothing,
            every=options.every,
            opacity=options.opacity,
            colormap=options.colormap,
            on_frame=on_frame,
        )
    except MrsalError as error:
        return error
    finally:
        bar.remove_task(task)
    kept = f"{source.path} is {result.damage}; the {result.frames} frames that can be decoded were predicted"
    return DataError(kept) if result.damage else None


def _as_text(results: dict[str, Path]) -> dict[str, str]:
    return {format_: str(path) for format_, path in results.items()}


def _refuse_overwriting(sources: list[InputFile], out: Path, formats: Iterable[str], *, resuming: bool) -> None:
    inputs = {source.path.resolve() for source in sources}
    writers: dict[Path, InputFile] = {}
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
