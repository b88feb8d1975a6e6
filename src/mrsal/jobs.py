"""The jobs behind the commands: train on an archive, evaluate a checkpoint, with logs, progress and pictures.

A folder of data flows in; a folder ``trained/<time>/`` or ``eval/<time>/`` flows out.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from mrsal import training
from mrsal.archive import Example
from mrsal.baselines import BASELINES
from mrsal.checkpoint import check_improvements, load_checkpoint
from mrsal.errors import InputError
from mrsal.evaluation import CONVENTIONS, HIGHER_IS_BETTER, NEEDS_FIXATIONS, Model, Scores, evaluate
from mrsal.files import make_folder
from mrsal.inference import Predictor, checkpoint_path
from mrsal.model import MrCNN
from mrsal.native import open_archive
from mrsal.plots import comparison, save_curves, save_jpeg
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


def train_job(
    data_dir: Path,
    out_dir: Path,
    config: training.TrainConfig,
    *,
    use_val: bool = False,
    resume: Path | None = None,
    console: Console,
) -> Path:
    """Train on the archive in ``data_dir``; returns the run's folder, ``out_dir/trained/<time>``.

    With ``use_val`` the images of the validation split are predicted after every epoch, in ``fast`` mode.
    """
    archive = open_archive(data_dir)
    samples = archive.samples
    config = training.fit_input(_available_devices(config), samples)
    validate = None
    if use_val:
        if config.watch not in HIGHER_IS_BETTER:
            raise InputError(f"no metric is called {config.watch!r}; choose one of {', '.join(HIGHER_IS_BETTER)}")
        examples = list(archive.examples("val"))
        if not examples:
            raise InputError(f"{data_dir} has no validation images; leave --use_val out")
        validate = _validator(examples, config)
    run = resume or _new_folder(out_dir / "trained")
    with _log_file(run / "log.txt"), progress_bar(console) as bar:
        log.info("%s training samples from %s, variant %s", len(samples), data_dir, config.model.variant)
        log.debug("settings: %s", config)
        task = bar.add_task("training", total=None, note="starting")
        rows: list[dict[str, float]] = []

        def on_progress(state: training.Progress) -> None:
            note = f"loss {state.loss:.4f}  accuracy {state.accuracy:.3f}  {state.samples_per_second:.0f} samples/s"
            done = (state.epoch - 1) * state.steps + state.step
            label = f"epoch {state.epoch}/{config.epochs}"
            bar.update(task, total=config.epochs * state.steps, completed=done, description=label, note=note)

        def on_epoch(row: dict[str, float]) -> None:
            rows.append(row)
            scores = "".join(f"  {name[4:]} {row[name]:.3f}" for name in row if name.startswith("val_"))
            log.info(
                "epoch %d: loss %.4f  accuracy %.3f  %.0f samples/s%s",
                *(row[name] for name in ("epoch", "loss", "accuracy", "samples_per_second")),
                f"  validation{scores}" if scores else "",
            )

        try:
            best = training.train(
                samples,
                run,
                config,
                validate=validate,
                resume=resume is not None,
                on_progress=on_progress,
                on_epoch=on_epoch,
            )
        except KeyboardInterrupt:
            kept = f"cnn_epoch_{int(rows[-1]['epoch'])}.pth is complete" if rows else "no epoch was complete"
            log.warning("interrupted; %s. Go on with: --resume %s", kept, run)
            raise
        save_curves(training.read_history(run), run / "curves.png")
        log.info("done: %s", best)
    return run


def evaluate_job(
    data_dir: Path,
    out_dir: Path,
    model_path: str,
    *,
    improvements: int | None = None,
    num_saved_images: int = -1,
    split: str = "test",
    mode: str = "exact",
    skip_first: bool = False,
    device: str = "auto",
    precision: str = "auto",
    console: Console,
) -> tuple[Path, Scores]:
    """Score a checkpoint, or a baseline by its name, on the archive in ``data_dir``.

    Returns the folder ``out_dir/eval/<time>`` with ``log.txt``, ``scores.csv`` and ``Comparison images/``, and the scores.
    """
    examples = list(open_archive(data_dir).examples(split, skip_first=skip_first))
    model = _model(model_path, improvements, device=device, precision=precision, mode=mode)
    run = _new_folder(out_dir / "eval")
    with _log_file(run / "log.txt"), progress_bar(console) as bar:
        log.info("model %s on %d images (%s) of %s", model_path, len(examples), split, data_dir)
        how = f"mode {mode}, " if isinstance(model, Predictor) else ""
        log.info("%sfirst fixation of each trial %s", how, "left out" if skip_first else "kept")
        task = bar.add_task("evaluating", total=len(examples), note="")
        saved = 0

        def on_image(example: Example, map_: NDArray, row: dict[str, float]) -> None:
            nonlocal saved
            bar.update(task, advance=1, note=example.name)
            if num_saved_images == -1 or saved < num_saved_images:
                picture = comparison(example.stimulus(), map_, example.target(), caption=_caption(row))
                save_jpeg(picture, run / "Comparison images" / f"{Path(example.name).stem}_comparison.jpg")
                saved += 1

        began = time.monotonic()
        scores = evaluate(model, examples, on_image=on_image)
        seconds = time.monotonic() - began
        scores.save(run / "scores.csv")
        for line in table_lines({model_path: scores}):
            log.debug(line)
        log.info("%s", CONVENTIONS)
        if not any(name in scores.values for name in NEEDS_FIXATIONS):
            log.info("the data hold no fixations, only maps: AUC, sAUC and NSS need a native archive")
        log.info("%.1f s, %.2f s per image; written to %s", seconds, seconds / len(examples), run)
    return run, scores


def score_table(results: dict[str, Scores], *, title: str = "") -> Table:
    """A table with a row per model and a column per metric."""
    first = next(iter(results.values()))
    table = Table(title=title or None, title_justify="left")
    table.add_column("model")
    for metric in first.values:
        table.add_column(f"{metric} {'↑' if HIGHER_IS_BETTER[metric] else '↓'}", justify="right")
    for name, scores in results.items():
        table.add_row(name, *(f"{value:.3f}" for value in scores.mean().values()))
    return table


def table_lines(results: dict[str, Scores]) -> Iterator[str]:
    """The same table in Markdown."""
    first = next(iter(results.values()))
    yield "| model | " + " | ".join(first.values) + " |"
    yield "| --- |" + " ---: |" * len(first.values)
    for name, scores in results.items():
        yield f"| {name} | " + " | ".join(f"{value:.3f}" for value in scores.mean().values()) + " |"


def _validator(examples: list[Example], config: training.TrainConfig) -> training.Validate:
    def validate(network: MrCNN) -> dict[str, float]:
        predictor = Predictor(network, device=config.device, precision=config.precision, mode="fast")
        return evaluate(predictor, examples).mean()

    return validate


def _model(path: str, improvements: int | None, *, device: str, precision: str, mode: str) -> Model:
    if path in BASELINES:
        return BASELINES[path]
    network, _ = load_checkpoint(checkpoint_path(path))
    check_improvements(network, improvements, path)
    return Predictor(network, device=device, precision=precision, mode=mode)


def _available_devices(config: training.TrainConfig) -> training.TrainConfig:
    there = torch.cuda.device_count() if config.device != "cpu" else 0
    if config.devices > max(there, 1):
        used = "one" if there else "the CPU"
        log.warning("%d GPUs were asked for and %d are there; using %s", config.devices, there, used)
    elif config.devices > 1:
        log.warning("%d GPUs were asked for; this version trains on one", config.devices)
    return replace(config, devices=1)


def _new_folder(parent: Path) -> Path:
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder, attempt = parent / stamp, 2
    while folder.exists():
        folder, attempt = parent / f"{stamp}_{attempt}", attempt + 1
    return make_folder(folder)


def _caption(row: dict[str, float]) -> str:
    return "  ".join(f"{name} {row[name]:.2f}" for name in ("sAUC", "NSS", "CC") if np.isfinite(row.get(name, np.nan)))


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Send the log of a job to a file too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s"))
    log.addHandler(handler)
    try:
        yield
    except Exception as error:
        log.debug("stopped: %s", error)
        raise
    finally:
        log.removeHandler(handler)
        handler.close()
