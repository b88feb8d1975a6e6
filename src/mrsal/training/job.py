"""Training as a job: an archive's folder flows in; a folder ``trained/<time>/`` with checkpoints, logs and curves flows out.

On several processes all of them come through here. The first one makes the folder, writes the log and shows the progress.
"""

import contextlib
import logging
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console

from mrsal.datasets import Example, open_archive
from mrsal.errors import FileError, InputError
from mrsal.evaluation import evaluate, read_history, save_curves
from mrsal.files import new_folder
from mrsal.inference import Predictor
from mrsal.metrics import HIGHER_IS_BETTER
from mrsal.model import MrCNN
from mrsal.progress import log_file, progress_bar
from mrsal.training import loop
from mrsal.training.config import TrainConfig, config_of, fit_input
from mrsal.training.distributed import catch_signals, is_started_by_another, launch, on_first, shared_map
from mrsal.training.options import MOST_GPUS, TrainOptions
from mrsal.training.run_folder import last_run

log = logging.getLogger("mrsal")

LAST = "last"  # as a run to resume: the newest one there is, or a new one


def train_job(options: TrainOptions, *, console: Console) -> Path:
    """Train on the archive in ``data_dir``; returns the run's folder, ``out_dir/trained/<time>``.

    With ``use_val`` the images of the validation split are predicted after every epoch, in ``fast`` mode, each by one process.
    ``resume`` is the folder of a run, or ``"last"``: the newest one below ``out_dir/trained``, or a new one if there is none.
    A request to stop (Ctrl-C, SIGTERM, SIGUSR1) ends the run after the step under way, saved.
    """
    data_dir = options.data_dir
    archive = open_archive(data_dir)
    samples = archive.samples
    devices = _available_devices(options)
    config = fit_input(replace(config_of(options), devices=devices), samples)
    fabric = launch(device=config.device, precision=config.precision, devices=devices, timeout=config.timeout)
    first = fabric.is_global_zero
    if not first:
        log.setLevel(logging.ERROR)
    validate = None
    if options.use_val:
        if config.watch not in HIGHER_IS_BETTER:
            raise InputError(f"no metric is called {config.watch!r}; choose one of {', '.join(HIGHER_IS_BETTER)}")
        examples = list(archive.examples("val"))
        if not examples:
            raise InputError(f"{data_dir} has no validation images; leave --use_val out")
        validate = _validator(examples, config, fabric)
    run, goes_on = on_first(fabric, lambda: _folder(options.out_dir, options.resume))
    shown = console if first else Console(quiet=True)
    with log_file(run / "log.txt") if first else contextlib.nullcontext(), progress_bar(shown) as bar:
        log.info("%s training samples from %s, variant %s", len(samples), data_dir, config.model.variant)
        world = fabric.world_size
        log.info("%s %s", "going on with" if goes_on else "writing to", run)
        log.info(
            "batch %d%s", config.batch_size * world, f": {config.batch_size} on each of {world} processes" * (world > 1)
        )
        log.debug("settings: %s", config)
        task = bar.add_task("training", total=None, note="starting")

        def on_progress(state: loop.TrainingProgress) -> None:
            note = f"loss {state.loss:.4f}  accuracy {state.accuracy:.3f}  {state.samples_per_second:.0f} samples/s"
            done = (state.epoch - 1) * state.steps + state.step
            label = f"epoch {state.epoch}/{config.epochs}"
            bar.update(task, total=config.epochs * state.steps, completed=done, description=label, note=note)

        def on_epoch(row: dict[str, float]) -> None:
            scores = "".join(f"  {name[4:]} {row[name]:.3f}" for name in row if name.startswith("val_"))
            log.info(
                "epoch %d: loss %.4f  accuracy %.3f  %.0f samples/s%s",
                *(row[name] for name in ("epoch", "loss", "accuracy", "samples_per_second")),
                f"  validation{scores}" if scores else "",
            )

        with catch_signals() as asked_to_stop:
            best = loop.train(
                samples,
                run,
                config,
                validate=validate,
                resume=goes_on,
                fabric=fabric,
                should_stop=asked_to_stop,
                on_progress=on_progress,
                on_epoch=on_epoch,
            )
        on_first(fabric, lambda: save_curves(read_history(run), run / "curves.png"))
        log.info("done: %s", best)
    return run


def _folder(out_dir: Path, resume: str | None) -> tuple[Path, bool]:
    """The folder of the run, and whether there is something in it to go on with."""
    if resume is None:
        return new_folder(out_dir / "trained"), False
    if resume != LAST:
        if not (Path(resume) / "state.pt").is_file():
            raise FileError(
                f"nothing to resume: {resume} holds no state.pt; give the folder of a run, or start without --resume"
            )
        return Path(resume), True
    last = last_run(out_dir / "trained")
    return (last, True) if last else (new_folder(out_dir / "trained"), False)


def _validator(examples: list[Example], config: TrainConfig, fabric: Fabric) -> loop.Validate:
    def validate(network: MrCNN) -> dict[str, float]:
        predictor = Predictor(network, device=config.device, precision=config.precision, mode="fast")
        watched = config.watch == "agreement"
        return evaluate(predictor, examples, agreement=watched, map_over=shared_map(fabric)).mean()

    return validate


def _available_devices(options: TrainOptions) -> int:
    """As many GPUs as are there and are asked for; without GPUs, one process: on CPUs torchrun starts several."""
    there = torch.cuda.device_count() if options.device != "cpu" else 0
    asked = options.devices or MOST_GPUS
    is_short = options.devices is not None and asked > max(there, 1)
    if is_short and not is_started_by_another():  # which sets the number of processes itself
        used = f"{there} GPU{'s' * (there > 1)}" if there else "the CPU"
        log.warning("%d GPUs were asked for and %d are there; using %s", asked, there, used)
    return min(asked, max(there, 1))
