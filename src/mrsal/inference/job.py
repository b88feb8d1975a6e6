"""The job of ``mrsal predict``: predict the files that users name and write the results to a folder.

Files that cannot be read are reported and left out.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from mrsal.errors import InputError, MrsalError
from mrsal.files import make_folder
from mrsal.images import save_jpeg
from mrsal.inference import video
from mrsal.inference.any_model import open_model
from mrsal.inference.inputs import InputFile, find_inputs
from mrsal.inference.options import FIGURES, PredictOptions
from mrsal.inference.overlay import Heat
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import SaliencyModel, predict_stream
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Parameters
    ----------
    error : MrsalError, optional
        Why nothing was written; None if the results were.
    damage : str
        For a damaged video whose results are those of the frames that can be decoded: what is wrong with it.
    notes : tuple of str
        What the user should know about the results.
    """

    error: MrsalError | None = None
    damage: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summary:
    """How many inputs were predicted, were skipped because their results exist, and failed.

    Parameters
    ----------
    done : int
        The number of inputs whose results were written, with those that are damaged. A page of a document is an input.
    damaged : int
        The number of damaged videos, whose results are those of the frames that can be decoded.
    results : mapping
        For each input that did not fail, the path of the result in each format.
    failures : list of str
        A message for each input that failed or is damaged.
    notes : dict
        For some inputs, what the user should know about their results, such as that only the first page was predicted.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    damaged: int = 0
    results: Mapping[str, dict[str, str]] = field(default_factory=dict, compare=False)
    failures: list[str] = field(default_factory=list, compare=False)
    notes: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**values, "results": dict(self.results)}

    def log_totals(self, out: Path) -> None:
        """Log how many inputs were written."""
        already = f", {self.skipped} existed already" if self.skipped else ""
        damaged = f", {self.damaged} of them damaged and written as far as they can be decoded" if self.damaged else ""
        total = self.done + self.skipped + self.failed
        log.info("%d of %d inputs written to %s%s%s", self.done, total, out, damaged, already)


def predict_job(options: PredictOptions, *, console: Console) -> Summary:
    """Predict images and videos; :func:`mrsal.inference.inputs.find_inputs` explains the paths and the names of results.

    An image ``a.jpg`` becomes ``a.npy``, ``a.png`` and ``a_overlay.jpg``, and as a figure ``a_figure.pdf``,
    ``a_figure.svg`` or ``a_figure.png``; a video ``b.mov`` becomes ``b.npy`` with
    ``b_times.npy``, a folder ``b`` of PNG files, and ``b_overlay.mp4``. With ``pages="all"``, the second page of ``c.pdf``
    becomes ``c_page2.npy`` and so on. Of a damaged video, the frames that can be decoded are predicted and written.
    """
    out = options.out
    Heat(options.opacity, options.colormap)  # raises an error for wrong values before the first image is read
    files, errors = find_inputs(
        options.paths, recursive=options.recursive, out=out, column=options.column, pages=options.pages
    )
    inputs = [
        image for file in files for image in file.images(errors.append, pages=options.pages, formats=options.format)
    ]
    for error in errors:
        log.error("skipped: %s", error)
    results: dict[str, dict[str, str]] = {}
    summary = Summary(failed=len(errors), failures=list(map(str, errors)), results=results)
    _refuse_overwriting(inputs, out, options.format, resuming=options.skip_existing)
    if options.skip_existing:
        done = [file for file in inputs if file.is_done(out, options.format)]
        summary = replace(summary, skipped=len(done))
        for file in done:
            results[str(file)] = file.result_texts(out, options.format)
        inputs = [file for file in inputs if str(file) not in results]
    if inputs:
        make_folder(out)
        model = open_model(
            options.model,
            runtime=options.runtime,
            device=options.device,
            precision=options.precision,
            adjustment=options.adjustment,
        )
        with progress_bar(console) as bar:
            task = bar.add_task("predicting", total=len(inputs), note="")
            for file, outcome in predict_inputs(inputs, model, options, bar=bar):
                if outcome.error:
                    log.error("%s%s", "" if file.is_video else "skipped: ", outcome.error)
                    summary.failures.append(str(outcome.error))
                    summary = replace(summary, failed=summary.failed + 1)
                else:
                    results[str(file)] = file.result_texts(out, options.format)
                    summary = replace(summary, done=summary.done + 1)
                if outcome.damage:
                    log.error("%s", outcome.damage)
                    summary.failures.append(outcome.damage)
                    summary = replace(summary, damaged=summary.damaged + 1)
                if outcome.notes:
                    summary.notes[str(file)] = list(outcome.notes)
                    log_notes(str(file), outcome.notes)
                bar.update(task, advance=1, note=file.path.name)
    summary.log_totals(out)
    return summary


def log_notes(file: str, notes: Iterable[str]) -> None:
    """Log what the user should know about the results of a file."""
    log.info("%s: %s", file, "; ".join(notes))


def predict_inputs(
    inputs: Sequence[InputFile], model: SaliencyModel, options: PredictOptions, *, bar: Progress
) -> Iterator[tuple[InputFile, Outcome]]:
    """Predict images, then videos, into ``options.out``; yields each of them and what became of it."""
    images = (file for file in inputs if not file.is_video)
    mode = options.mode if model.is_network else None
    image_model = model.with_mode(mode)
    for file, result in predict_stream(image_model, images, read=InputFile.read, name=lambda file: str(file.name)):
        yield file, _save(file, result, options) if isinstance(result, SaliencyMap) else Outcome(result)
    for file in inputs:
        if file.is_video:
            yield file, _predict_video(file, model.with_mode(mode or model.video_mode), options, bar)


def _save(file: InputFile, map_: SaliencyMap, options: PredictOptions) -> Outcome:
    """Write the map in all formats."""
    try:
        for format_, path in file.results(options.out, options.format).items():
            if format_ == "overlay":
                save_jpeg(map_.overlay(opacity=options.opacity, colormap=options.colormap), path)
            elif format_ in FIGURES:
                map_.save_figure(
                    path,
                    colormap=options.colormap,
                    pixels_per_degree=options.pixels_per_degree,
                    width=options.figure_width,
                )
            else:
                map_.save(path)
    except MrsalError as error:
        return Outcome(error)
    pages = file.note() if options.pages == "first" else ""
    notes = [f"{pages}; add --pages all for the others" if pages else "", map_.note()]
    return Outcome(notes=tuple(filter(None, notes)))


def _predict_video(file: InputFile, model: SaliencyModel, options: PredictOptions, bar: Progress) -> Outcome:
    task = bar.add_task(file.path.name, total=None, note="")

    def on_frame(done: int, total: int | None) -> None:
        bar.update(task, completed=done, total=total, note=f"frame {done}" + (f" of {total}" if total else ""))

    try:
        result = video.predict_video(
            file.path,
            list(file.results(options.out, options.format).values()),
            model,
            smoothing=options.smoothing,
            every=options.every,
            opacity=options.opacity,
            colormap=options.colormap,
            on_frame=on_frame,
        )
    except MrsalError as error:
        return Outcome(error)
    finally:
        bar.remove_task(task)
    if not result.damage:
        return Outcome()
    frames = f"the {result.frames} frames that can be decoded were predicted and written"
    return Outcome(damage=f"{file.path} is {result.damage}; {frames}")


def _refuse_overwriting(inputs: list[InputFile], out: Path, formats: Iterable[str], *, resuming: bool) -> None:
    """Raise an error if a result would replace an input, another result, or a file that may not be a result."""
    input_paths = {file.path.resolve() for file in inputs}
    writers: dict[Path, InputFile] = {}
    resolved = cache(Path.resolve)  # for folders, which are few
    for file in inputs:
        for path in file.files(out, formats):
            if path.resolve() in input_paths:
                raise InputError(f"the result of {file.path} would overwrite {path}; choose another --out")
            if writers.setdefault(path, file) is not file:
                raise InputError(f"{writers[path]} and {file} would both be written to {path}; rename one of them")
            beside = resolved(path.parent) == resolved(file.path.parent)
            # os.path gives no error if the name is too long
            if beside and not resuming and path.suffix in (".npy", ".png") and os.path.isfile(path):  # noqa: PTH113
                raise InputError(
                    f"{path} exists beside {file.path.name} and may not be a map; remove it, or choose another --out"
                )
            is_folder = file.is_video and os.path.isdir(path)  # noqa: PTH112
            if is_folder and not all(map(_is_frame, path.iterdir())):
                raise InputError(f"the frames of {file.path} would replace the folder {path}; choose another --out")
    frames = {path for path, file in writers.items() if file.is_video and not path.suffix}
    for path in writers:
        if not frames.isdisjoint(path.parents):
            raise InputError(
                f"the frames of a video would replace the folder of {path}; predict videos into another --out"
            )


def _is_frame(path: Path) -> bool:
    return path.suffix == ".png" and len(path.stem) == 6 and path.stem.isdigit()
