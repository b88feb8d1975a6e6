"""Training as a job: an archive's folder flows in; a folder ``trained/<time>/`` with checkpoints, logs and curves flows out."""

import logging
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from mrsal import training
from mrsal.archive import Example
from mrsal.errors import InputError
from mrsal.evaluation import HIGHER_IS_BETTER, evaluate
from mrsal.files import new_folder
from mrsal.inference import Predictor
from mrsal.model import MrCNN
from mrsal.native import open_archive
from mrsal.plots import save_curves
from mrsal.progress import log_file, progress_bar
from mrsal.runs import read_history

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
    run = resume or new_folder(out_dir / "trained")
    with log_file(run / "log.txt"), progress_bar(console) as bar:
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
        save_curves(read_history(run), run / "curves.png")
        log.info("done: %s", best)
    return run


def _validator(examples: list[Example], config: training.TrainConfig) -> training.Validate:
    def validate(network: MrCNN) -> dict[str, float]:
        predictor = Predictor(network, device=config.device, precision=config.precision, mode="fast")
        return evaluate(predictor, examples).mean()

    return validate


def _available_devices(config: training.TrainConfig) -> training.TrainConfig:
    there = torch.cuda.device_count() if config.device != "cpu" else 0
    if config.devices > max(there, 1):
        used = "one" if there else "the CPU"
        log.warning("%d GPUs were asked for and %d are there; using %s", config.devices, there, used)
    elif config.devices > 1:
        log.warning("%d GPUs were asked for; this version trains on one", config.devices)
    return replace(config, devices=1)
