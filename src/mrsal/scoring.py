"""Evaluation and comparison as jobs: archives, models and score files flow in; tables, charts and a report flow out."""

import logging
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

import mrsal
from mrsal.adjustment import Adjustment, fit_adjustment
from mrsal.archive import Example
from mrsal.charts import save_distributions, save_pairwise, save_score_plot
from mrsal.comparison import Comparison, compare
from mrsal.errors import InputError
from mrsal.evaluation import (
    HIGHER_IS_BETTER,
    NEEDS_NO_FIXATIONS,
    Model,
    evaluate,
    predict_example,
)
from mrsal.files import atomic_path, make_folder, new_folder
from mrsal.inference import Predictor
from mrsal.maps import StoredMaps
from mrsal.metrics.protocols import protocol as protocol_called
from mrsal.native import open_archive
from mrsal.progress import log_file, progress_bar
from mrsal.report import Panel, pick, write_report
from mrsal.runs import read_history
from mrsal.runtime import OnnxPredictor
from mrsal.scores import RESAMPLES, Scores
from mrsal.tasks import CEILING, FLOOR, ScoringTask, ShareOut, everywhere, limits_of, open_model

__all__ = ["compare_job", "evaluate_job", "limits_of", "open_model", "score_table", "table_lines", "versions"]

log = logging.getLogger("mrsal")

_METRIC_WIDTH, _SPAN_WIDTH = 15, len("│ -0.000 -0.00 to -0.00 ")  # of the columns of a table


def evaluate_job(
    data_dir: Path,
    out_dir: Path,
    model_path: str,
    *,
    improvements: int | None = None,
    num_saved_images: int = -1,
    split: str = "test",
    mode: str | None = None,
    skip_first: bool = False,
    protocol: str = "tuebingen",
    optimal: bool = False,
    agreement: bool = False,
    adjust: bool = False,
    limits: bool = True,
    parquet: bool = False,
    resize_maps: bool = False,
    device: str = "auto",
    precision: str = "auto",
    share_out: ShareOut | None = None,
    console: Console,
) -> tuple[Path, dict[str, Scores]]:
    """Score a model, anything that :func:`open_model` opens, on the archive in ``data_dir``.

    Parameters
    ----------
    protocol, optimal, agreement
        As for :func:`mrsal.evaluate`.
    adjust : bool
        Fit a blur and a centre bias on the validation images and apply them to the model's maps.
    limits : bool
        Also score the uniform map, the centre bias of the other images, and the inter-observer limit, where the data allow.
    parquet : bool
        Write ``scores.parquet`` beside ``scores.csv``.
    share_out : callable, optional
        Takes a :class:`ScoringTask` to a function that has its images scored elsewhere, by their indices, and gives their
        scores in this order: :func:`mrsal.cluster.scoring_on_ray`. None: they are scored here.

    Returns
    -------
    run : Path
        The folder ``out_dir/eval/<time>`` with ``report.html``, ``log.txt``, ``scores.csv``, ``limits/<name>.csv`` and
        ``Comparison images/``.
    results : dict of str to Scores
        Of floor, model and ceiling, in this order.
    """
    opening = {
        "improvements": improvements,
        "device": device,
        "precision": precision,
        "mode": mode,
        "resize": resize_maps,
    }
    protocol_about = protocol_called(protocol).about
    task = ScoringTask(
        data_dir.absolute(), split, skip_first, everywhere(model_path), opening, protocol, optimal, agreement
    )
    examples = task.examples()
    model = task.open_model(examples)
    if isinstance(model, StoredMaps):
        model.require(example.name for example in examples)
    validation = list(open_archive(data_dir).examples("val", skip_first=skip_first)) if adjust else []
    if adjust and not validation:
        raise InputError("--adjust fits on validation images, and the data have none")
    name = Path(model_path).stem if Path(model_path).exists() else model_path
    about = {
        "command": " ".join(sys.argv),
        "model": model_path,
        "data": str(data_dir),
        "split": split,
        "first fixation of each trial": "left out" if skip_first else "kept",
        **({"mode": model.mode} if isinstance(model, Predictor) else {}),
        **({"mode": f"{model.mode}, exported"} if isinstance(model, OnnxPredictor) else {}),
        **versions(),
    }
    run = new_folder(out_dir / "eval")
    with log_file(run / "log.txt"), progress_bar(console) as bar:
        log.info("model %s on %d images (%s) of %s", model_path, len(examples), split, data_dir)
        log.info("first fixation of each trial %s", about["first fixation of each trial"])
        if adjust:
            task = replace(task, adjustment=_adjustment(model, validation, bar))
            model = task.open_model(examples)
            about["adjustment"] = str(task.adjustment)
            log.info("maps are adjusted: %s", about["adjustment"])
        drawn = replace(task, pictures=run.absolute() / "Comparison images", num_saved_images=num_saved_images)
        score = partial(_scored, examples=examples, about=about, share_out=share_out, bar=bar)
        began = time.monotonic()
        results = {name: score(name, model, drawn)}
        seconds = time.monotonic() - began
        results[name].save(run / "scores.csv")
        if parquet:
            results[name].save(run / "scores.parquet")
        if limits:
            for label, limit in limits_of(examples).items():
                if label == name:  # the floor itself is what is scored
                    continue
                results[label] = score(label, limit(), replace(task, model=label, is_limit=True, adjustment=None))
                results[label].save(run / "limits" / f"{label}.csv")
            results[name] = results.pop(name)  # between floor and ceiling
            if CEILING in results:
                results[CEILING] = results.pop(CEILING)
        for line in table_lines(results):
            log.debug(line)
        history = Path(model_path).parent / "metrics.csv"
        write_report(
            run / "report.html",
            {name: results[name], **results},  # the report is about the first one
            title=f"{name} on {results[name].dataset or data_dir.name}, {split}",
            protocol_about=protocol_about,
            panels=_panels(model, examples, results[name], bar),
            history=read_history(history.parent) if history.is_file() else (),
            floor=FLOOR if FLOOR in results and name != FLOOR else None,
            ceiling=CEILING if CEILING in results else None,
            notes=[f"Maps are adjusted: {about['adjustment']}."] if adjust else (),
        )
        log.info("protocol %s. %s", results[name].protocol, protocol_about)
        if all(metric in NEEDS_NO_FIXATIONS for metric in results[name].values):
            log.info("the data hold no fixations, only maps: AUC, sAUC, NSS and IG need a native archive")
        log.info("%.1f s, %.2f s per image; written to %s", seconds, seconds / len(examples), run)
    return run, results


def _scored(
    name: str,
    model: Model,
    task: ScoringTask,
    *,
    examples: list[Example],
    about: dict[str, str],
    share_out: ShareOut | None,
    bar: Progress,
) -> Scores:
    shown = bar.add_task(f"evaluating {name}", total=len(examples), note="")

    def each(row_of: Callable[[int], dict[str, float]], images: Sequence[int]) -> Iterator[dict[str, float]]:
        for i, row in zip(images, share_out(task)(images) if share_out else map(row_of, images), strict=True):
            bar.update(shown, advance=1, note=examples[i].name)
            yield row

    how: dict[str, Any] = {name: getattr(task, name) for name in ("protocol", "optimal", "agreement")}
    how["on_image"] = task.drawing(examples)
    scores = evaluate(model, examples, name=name, map_over=each, **how)
    return replace(scores, about=about)


def _adjustment(model: Model, validation: list[Example], bar: Progress) -> Adjustment:
    task = bar.add_task("adjusting on validation images", total=len(validation), note="")

    def maps() -> Iterator[NDArray]:
        for example in validation:
            yield predict_example(model, example)
            bar.update(task, advance=1)

    return fit_adjustment(maps(), validation)


def _panels(model: Model, examples: list[Example], scores: Scores, bar: Progress) -> dict[str, list[Panel]]:
    """The best, median and worst images by the protocol's first metric, predicted once more, for the report."""
    metric = next(metric for metric, count in scores.counts().items() if count)
    by_name = {example.name: i for i, example in enumerate(examples)}
    chosen = pick(scores, metric)
    task = bar.add_task("writing the report", total=sum(map(len, chosen.values())), note="")

    def panel(name: str) -> Panel:
        example, i = examples[by_name[name]], by_name[name]
        points = example.fixations
        bar.update(task, advance=1, note=name)
        return Panel(
            name=name,
            stimulus=example.stimulus(),
            prediction=predict_example(model, example),
            target=example.target(),
            x=points.x if points is not None else np.empty(0),
            y=points.y if points is not None else np.empty(0),
            scores={column: float(values[i]) for column, values in scores.values.items()},
        )

    return {which: [panel(name) for name in names] for which, names in chosen.items()}


def versions() -> dict[str, str]:
    """What the numbers of a run may depend on besides data and model."""
    return {
        "mrsal": mrsal.__version__,
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def score_table(
    results: Mapping[str, Scores], *, title: str = "", intervals: bool = False, width: int | None = None
) -> Table:
    """A table with a row per metric and a column per model, which a terminal has room for.

    95 % intervals stand behind the means, or below them where a terminal of ``width`` characters would break them.
    """
    apart = "\n" if width is not None and width < _METRIC_WIDTH + len(results) * _SPAN_WIDTH else " "
    table = Table(title=title or None, title_justify="left")
    table.add_column("", no_wrap=True)
    spans = {name: scores.intervals() if intervals else {} for name, scores in results.items()}
    means = {name: scores.mean() for name, scores in results.items()}
    for name in results:
        table.add_column(escape(name), justify="right")
    for metric in _columns(results):
        cells = []
        for name in results:
            low, high = spans[name].get(metric, (np.nan, np.nan))
            span = f"{apart}[dim]{low:.2f} to {high:.2f}[/dim]" if high > low else ""  # NaN where there is none
            cells.append(_number(means[name].get(metric, np.nan)) + span)
        table.add_row(f"{metric} {'↑' if HIGHER_IS_BETTER.get(metric, True) else '↓'}", *cells)
    return table


def table_lines(results: Mapping[str, Scores]) -> Iterator[str]:
    """The same table in Markdown, without intervals."""
    columns = _columns(results)
    yield "| model | " + " | ".join(columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for name, scores in results.items():
        means = scores.mean()
        cells = (_number(means.get(metric, np.nan)) for metric in columns)
        yield f"| {name} | " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _columns(results: Mapping[str, Scores]) -> list[str]:
    return list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))


def compare_job(
    paths: list[Path],
    out: Path | None = None,
    *,
    names: list[str] | None = None,
    reference: str | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Path, Comparison]:
    """Compare the scores in files, or in folders of ``mrsal evaluate``, under ``names`` or the models they name.

    Returns the folder ``out``, by default ``compare/<time>``, with ``comparison.csv``, ``comparison.md`` and the charts
    ``comparison.png``, ``scores.png`` and ``distributions.png``; and the comparison.
    """
    loaded = [Scores.load(path) for path in paths]
    names = names or [scores.model or _file_name(path) for path, scores in zip(paths, loaded, strict=True)]
    if len(names) != len(paths):
        raise InputError(f"expected a name for each of {len(paths)} score files, got {len(names)}: {', '.join(names)}")
    if len(set(names)) < len(names):
        raise InputError(
            f"expected models with different names, got {', '.join(names)}; tell them apart with --names A,B"
        )
    by_name = dict(zip(names, loaded, strict=True))
    found = compare(by_name, reference=reference, level=level, resamples=resamples, seed=seed)
    folder = make_folder(out) if out else new_folder(Path("compare"))
    found.save(folder / "comparison.csv")
    with atomic_path(folder / "comparison.md") as temporary:
        temporary.write_text("\n".join([*found.table(), ""]), encoding="utf-8")
    save_pairwise(found, folder / "comparison.png")
    save_score_plot(by_name, folder / "scores.png", level=level, resamples=resamples, seed=seed)
    save_distributions(by_name, folder / "distributions.png")
    return folder, found


def _file_name(path: Path) -> str:
    """``eval/<time>`` and ``eval/<time>/scores.csv`` are called ``<time>``, ``mine.csv`` is called ``mine``."""
    path = path.resolve()
    return path.name if path.is_dir() else path.parent.name if path.stem == "scores" else path.stem
