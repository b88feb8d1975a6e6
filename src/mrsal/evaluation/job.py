"""The job of ``mrsal evaluate``: scores a model, the floor and the ceiling, and writes tables, pictures and a report."""

import logging
import platform
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from mrsal._version import __version__
from mrsal.datasets import Example, NativeArchive, open_archive
from mrsal.errors import DataError, InputError, MrsalError
from mrsal.evaluation.adjusting import fit_adjustment, fitting_images
from mrsal.evaluation.evaluator import NEEDS_NO_FIXATIONS, collect_scores, predict_example
from mrsal.evaluation.limits import CEILING, FLOOR, limits_of, why_no_ceiling
from mrsal.evaluation.options import EvaluateOptions
from mrsal.evaluation.report.curves import read_history
from mrsal.evaluation.report.html import write_report
from mrsal.evaluation.report.panels import Panel, pick
from mrsal.evaluation.report.tables import table_lines
from mrsal.evaluation.scores import Scores
from mrsal.evaluation.task import ScoringTask
from mrsal.files import new_folder
from mrsal.inference import Adjustment, Execute, SaliencyModel, execute_here
from mrsal.metrics.protocols import protocol as protocol_called
from mrsal.model import shipped_name
from mrsal.progress import log_file, progress_bar

log = logging.getLogger("mrsal")

_FEW = 20  # images for an adjustment
_FEW_SCORED = 10


def evaluate_job(
    options: EvaluateOptions, *, execute: Execute = execute_here, console: Console
) -> tuple[Path, dict[str, Scores]]:
    """Score a model on an archive.

    Parameters
    ----------
    options : EvaluateOptions
        The options of ``mrsal evaluate``.
    execute : callable
        Where images are scored: :func:`mrsal.inference.execute_here`, or a function from :func:`mrsal.inference.on_ray`.
    console : Console
        The console for the progress bar.

    Returns
    -------
    run : Path
        The folder ``out_dir/eval/<time>`` with ``report.html``, ``log.txt``, ``scores.csv``, ``limits/<name>.csv`` and
        ``Comparison images/``, and ``adjustment.json`` if maps are adjusted.
    results : dict of str to Scores
        The scores of floor, model and ceiling, in this order. A model whose maps are adjusted is called
        ``<name> adjusted``.
    """
    protocol = protocol_called(options.protocol)
    task = ScoringTask.of(options)
    task.model.require(example.name for example in task.examples)
    no_ceiling = why_no_ceiling(task.examples)
    if options.limits and no_ceiling:
        raise DataError(f"--limits: {no_ceiling}; leave --limits out to score the other limits only")
    validation = _validation(options, task.examples) if options.adjust else []
    is_file = shipped_name(options.model_path) is None and Path(options.model_path).exists()
    name = Path(options.model_path).stem if is_file else options.model_path
    name += " adjusted" if options.adjust or options.adjustment else ""
    about = _about(options, task.model)
    run = new_folder(options.out_dir / "eval")
    with log_file(run / "log.txt"), progress_bar(console) as bar:
        images = len(task.examples)
        log.info("model %s on %d images (%s) of %s", options.model_path, images, options.split, options.data_dir)
        log.info("first fixation of each trial %s", about["first fixation of each trial"])
        if images < _FEW_SCORED and images < (there := _images_in(options)):
            log.info(
                "a mean over so few says little; for a model that was not trained on this data set, --split all scores all %d",
                there,
            )
        if options.adjust:
            if len(validation) < _FEW:
                log.warning(
                    "an adjustment is fitted to %d images; some 50 show better how people look", len(validation)
                )
            task = task.with_adjustment(_fit_adjustment(task.model, validation, options, bar))
            about |= task.model.about()
        if task.adjustment:
            task.adjustment.save(run / "adjustment.json")
            log.info("maps are adjusted: %s", task.adjustment)
        scored = partial(_scored, about=about, execute=execute, bar=bar)
        began = time.monotonic()
        scores = scored(name, task.with_pictures(run.absolute() / "Comparison images"))
        seconds = time.monotonic() - began
        scores.save(run / "scores.csv")
        if options.parquet:
            scores.save(run / "scores.parquet")
        wanted = options.limits is not False
        limits = [limit for limit in limits_of(task.examples) if limit != name] if wanted else []
        if wanted and no_ceiling:
            log.warning("%s", no_ceiling)
        results = {}
        for limit in limits:
            results[limit] = scored(limit, task.for_limit(limit))
            results[limit].save(run / "limits" / f"{limit}.csv")
        results[name] = scores  # between floor and ceiling
        if CEILING in limits:
            results[CEILING] = results.pop(CEILING)
        for line in table_lines(results):
            log.debug(line)
        for reason in scores.not_defined().values():
            log.warning("%s", reason)
        history = Path(options.model_path).parent / "metrics.csv"
        write_report(
            run / "report.html",
            {name: scores, **results},  # the report is about the first model
            title=f"{name} on {scores.dataset or options.data_dir.name}, {options.split}",
            protocol_description=protocol.description,
            panels=_panels(task, scores, bar),
            history=read_history(history.parent) if history.is_file() else (),
            floor=FLOOR if FLOOR in limits else None,
            ceiling=CEILING if CEILING in limits else None,
            notes=[f"These are scores of adjusted maps: {task.adjustment}."] if task.adjustment else (),
        )
        log.info("protocol %s. %s", scores.protocol, protocol.description)
        if all(metric in NEEDS_NO_FIXATIONS for metric in scores.values):
            log.info(
                "the archive has maps but no fixations; AUC, sAUC, NSS and IG need a native archive with fixations"
            )
        log.info("%.1f s, %.2f s per image; the results are in %s", seconds, seconds / images, run)
    return run, results


def _validation(options: EvaluateOptions, scored: list[Example]) -> list[Example]:
    """The images to which an adjustment is fitted, none of which is scored."""
    try:
        examples = list(open_archive(options.data_dir).examples("val", skip_first=options.skip_first))
    except MrsalError as error:
        raise InputError(f"--adjust needs validation images with fixations: {error}") from error
    if not examples:
        raise InputError(f"expected validation images for --adjust in {options.data_dir}, got none; leave --adjust out")
    both = {example.name for example in examples} & {example.name for example in scored}
    if both:
        raise InputError(
            f"--adjust fits to the validation images, so they cannot be scored, but {len(both)} of them would be; "
            "choose --split test"
        )
    return fitting_images(examples)


def _images_in(options: EvaluateOptions) -> int:
    """The number of images in the archive that can be scored; 0 for ``*.pth.tar`` files, which have no others."""
    archive = open_archive(options.data_dir)
    if not isinstance(archive, NativeArchive):
        return 0
    return sum(archive.has_ground_truth(i) for i in range(len(archive.names)))


def _about(options: EvaluateOptions, model: SaliencyModel) -> dict[str, str]:
    """The facts about an evaluation that are stored with its scores."""
    return {
        "command": " ".join(sys.argv),
        "model": options.model_path,
        "data": str(options.data_dir),
        "split": options.split,
        "first fixation of each trial": "left out" if options.skip_first else "kept",
        **model.about(),
        **versions(),
    }


def _scored(name: str, task: ScoringTask, *, about: dict[str, str], execute: Execute, bar: Progress) -> Scores:
    """The scores of a task; ``name`` is that of the model or the limit."""
    examples, options = task.examples, task.options
    progress = bar.add_task(f"evaluating {name}", total=len(examples), note="")
    rows: dict[int, dict[str, float]] = {}
    for image, row in execute(task, range(len(examples))):
        rows[image] = row
        bar.update(progress, advance=1, note=examples[image].name)
    scores = collect_scores(
        [rows[image] for image in range(len(examples))],
        examples,
        protocol=options.protocol,
        optimal=options.optimal,
        agreement=options.agreement,
        name=name,
    )
    return replace(scores, about=about)


def _fit_adjustment(
    model: SaliencyModel, validation: list[Example], options: EvaluateOptions, bar: Progress
) -> Adjustment:
    progress = bar.add_task("adjusting on validation images", total=len(validation), note="")
    dataset = ", ".join(sorted({example.dataset for example in validation if example.dataset}))
    first = ", first fixations left out" if options.skip_first else ""
    return fit_adjustment(
        model,
        validation,
        name=options.model_path,
        data=f"{dataset or options.data_dir.name}, val{first}",
        on_image=lambda example: bar.update(progress, advance=1, note=example.name),
    )


def _panels(task: ScoringTask, scores: Scores, bar: Progress) -> dict[str, list[Panel]]:
    """The best, median and worst images by the protocol's first metric, predicted again, for the report."""
    counts, undefined = scores.counts(), scores.not_defined()
    metric = next((metric for metric, count in counts.items() if count and metric not in undefined), next(iter(counts)))
    index = {example.name: i for i, example in enumerate(task.examples)}
    chosen = pick(scores, metric)
    progress = bar.add_task("writing the report", total=sum(map(len, chosen.values())), note="")

    def panel(name: str) -> Panel:
        example = task.examples[index[name]]
        row = {metric: float(column[index[name]]) for metric, column in scores.values.items()}
        bar.update(progress, advance=1, note=name)
        return Panel.of(example, predict_example(task.model, example), row)

    return {group: [panel(name) for name in names] for group, names in chosen.items()}


def versions() -> dict[str, str]:
    """The versions of mrsal and of the libraries that scores may depend on, and the date."""
    return {
        "mrsal": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }
