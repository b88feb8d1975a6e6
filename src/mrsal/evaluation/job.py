"""Evaluation and comparison as jobs: archives, models and score files flow in; tables, charts and a report flow out."""

import logging
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from mrsal._version import __version__
from mrsal.datasets import Example, open_archive
from mrsal.errors import InputError
from mrsal.evaluation.adjustment import Adjustment, fit_adjustment
from mrsal.evaluation.evaluator import NEEDS_NO_FIXATIONS, collect_scores, predict_example
from mrsal.evaluation.limits import CEILING, FLOOR, limits_of
from mrsal.evaluation.options import EvaluateOptions
from mrsal.evaluation.report.curves import read_history
from mrsal.evaluation.report.html import Panel, pick, write_report
from mrsal.evaluation.report.tables import table_lines
from mrsal.evaluation.scores import Scores
from mrsal.evaluation.task import ScoringTask
from mrsal.files import new_folder
from mrsal.inference import Execute, SaliencyModel, execute_here
from mrsal.metrics.protocols import protocol as protocol_called
from mrsal.progress import log_file, progress_bar

log = logging.getLogger("mrsal")


def evaluate_job(
    options: EvaluateOptions, *, execute: Execute = execute_here, console: Console
) -> tuple[Path, dict[str, Scores]]:
    """Score a model, anything that :func:`mrsal.inference.open_model` opens, on the archive in ``options.data_dir``.

    Parameters
    ----------
    options : EvaluateOptions
    execute : callable
        Where images are scored: :func:`mrsal.inference.execute_here`, or what :func:`mrsal.inference.on_ray` gives.

    Returns
    -------
    run : Path
        The folder ``out_dir/eval/<time>`` with ``report.html``, ``log.txt``, ``scores.csv``, ``limits/<name>.csv`` and
        ``Comparison images/``.
    results : dict of str to Scores
        The scores of floor, model and ceiling, in this order.
    """
    protocol_about = protocol_called(options.protocol).description
    task = ScoringTask.of(options)
    examples = task.examples
    task.opened.require(example.name for example in examples)
    archive = open_archive(options.data_dir)
    validation = list(archive.examples("val", skip_first=options.skip_first)) if options.adjust else []
    if options.adjust and not validation:
        raise InputError("--adjust fits on validation images, and the data have none")
    name = Path(options.model_path).stem if Path(options.model_path).exists() else options.model_path
    about = {
        "command": " ".join(sys.argv),
        "model": options.model_path,
        "data": str(options.data_dir),
        "split": options.split,
        "first fixation of each trial": "left out" if options.skip_first else "kept",
        **task.opened.about(),
        **versions(),
    }
    run = new_folder(options.out_dir / "eval")
    with log_file(run / "log.txt"), progress_bar(console) as bar:
        log.info("model %s on %d images (%s) of %s", options.model_path, len(examples), options.split, options.data_dir)
        log.info("first fixation of each trial %s", about["first fixation of each trial"])
        if options.adjust:
            task = task.but(adjustment=_adjustment(task.opened, validation, bar))
            about["adjustment"] = str(task.adjustment)
            log.info("maps are adjusted: %s", about["adjustment"])
        drawn = task.but(pictures=run.absolute() / "Comparison images", num_saved_images=options.num_saved_images)
        score = partial(_scored, about=about, execute=execute, bar=bar)
        began = time.monotonic()
        results = {name: score(name, drawn)}
        seconds = time.monotonic() - began
        results[name].save(run / "scores.csv")
        if options.parquet:
            results[name].save(run / "scores.parquet")
        if options.limits:
            for label in limits_of(examples):
                if label == name:  # the floor itself is what is scored
                    continue
                results[label] = score(label, task.but(model=label, is_limit=True, adjustment=None))
                results[label].save(run / "limits" / f"{label}.csv")
            results[name] = results.pop(name)  # between floor and ceiling
            if CEILING in results:
                results[CEILING] = results.pop(CEILING)
        for line in table_lines(results):
            log.debug(line)
        history = Path(options.model_path).parent / "metrics.csv"
        write_report(
            run / "report.html",
            {name: results[name], **results},  # the report is about the first one
            title=f"{name} on {results[name].dataset or options.data_dir.name}, {options.split}",
            protocol_about=protocol_about,
            panels=_panels(task, results[name], bar),
            history=read_history(history.parent) if history.is_file() else (),
            floor=FLOOR if FLOOR in results and name != FLOOR else None,
            ceiling=CEILING if CEILING in results else None,
            notes=[f"Maps are adjusted: {about['adjustment']}."] if options.adjust else (),
        )
        log.info("protocol %s. %s", results[name].protocol, protocol_about)
        if all(metric in NEEDS_NO_FIXATIONS for metric in results[name].values):
            log.info("the data hold no fixations, only maps: AUC, sAUC, NSS and IG need a native archive")
        log.info("%.1f s, %.2f s per image; written to %s", seconds, seconds / len(examples), run)
    return run, results


def _scored(name: str, task: ScoringTask, *, about: dict[str, str], execute: Execute, bar: Progress) -> Scores:
    examples = task.examples
    shown = bar.add_task(f"evaluating {name}", total=len(examples), note="")
    rows: dict[int, dict[str, float]] = {}
    for image, row in execute(task, range(len(examples))):
        rows[image] = row
        bar.update(shown, advance=1, note=examples[image].name)
    in_order = [rows[image] for image in range(len(examples))]
    scores = collect_scores(
        in_order,
        examples,
        protocol=task.protocol,
        optimal=task.optimal,
        agreement=task.agreement,
        name=name,
    )
    return replace(scores, about=about)


def _adjustment(model: SaliencyModel, validation: list[Example], bar: Progress) -> Adjustment:
    task = bar.add_task("adjusting on validation images", total=len(validation), note="")

    def maps() -> Iterator[NDArray]:
        for example in validation:
            yield predict_example(model, example)
            bar.update(task, advance=1)

    return fit_adjustment(maps(), validation)


def _panels(task: ScoringTask, scores: Scores, bar: Progress) -> dict[str, list[Panel]]:
    """The best, median and worst images by the protocol's first metric, predicted once more, for the report."""
    metric = next(metric for metric, count in scores.counts().items() if count)
    examples = task.examples
    by_name = {example.name: i for i, example in enumerate(examples)}
    chosen = pick(scores, metric)
    shown = bar.add_task("writing the report", total=sum(map(len, chosen.values())), note="")

    def panel(name: str) -> Panel:
        example, i = examples[by_name[name]], by_name[name]
        points = example.fixations
        bar.update(shown, advance=1, note=name)
        return Panel(
            name=name,
            stimulus=example.stimulus(),
            prediction=predict_example(task.opened, example),
            ground_truth=example.ground_truth(),
            x=points.x if points is not None else np.empty(0),
            y=points.y if points is not None else np.empty(0),
            scores={column: float(values[i]) for column, values in scores.values.items()},
        )

    return {which: [panel(name) for name in names] for which, names in chosen.items()}


def versions() -> dict[str, str]:
    """What the numbers of a run may depend on besides data and model."""
    return {
        "mrsal": __version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }
