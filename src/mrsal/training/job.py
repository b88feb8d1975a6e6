"""The job of ``mrsal train``: it trains on an archive and leaves a run in ``trained/<time>/``.

With several processes, all of them run this code. The first one makes the folder, writes the log and shows the progress.
"""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import Progress

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

LAST = "last"  # a value of resume: continue the newest run, or start a new one


def train_job(options: TrainOptions, *, console: Console) -> Path:
    """Train on the archive in ``data_dir``, and return the folder of the run, ``out_dir/trained/<time>``.

    With ``use_val``, the images of the validation split are predicted in ``fast`` mode after every epoch, shared among the
    processes. ``resume`` is the folder of a run, or ``"last"``: the newest run in ``out_dir/trained``, or a new one if there is
    none. A signal to stop (Ctrl-C, SIGTERM, SIGUSR1) ends the run after the current step, and the run is saved.
    """
    archive = open_archive(options.data_dir)
    samples = archive.samples
    devices = _available_devices(options)
    config = fit_input(replace(config_of(options), devices=devices), samples)
    fabric = launch(device=config.device, precision=config.precision, devices=devices, timeout=config.timeout)
    is_first = fabric.is_global_zero
    if not is_first:
        log.setLevel(logging.ERROR)
        console = Console(quiet=True)
    if fabric.device.type == "cpu":
        loop.keep_freed_memory()  # the process is the command's own
    examples = list(archive.examples("val")) if options.use_val else []
    if options.use_val and not examples:
        raise InputError(f"{options.data_dir} has no validation images; train without --use_val")
    validate = _validation(examples, config, fabric) if options.use_val else None
    run, resume = on_first(fabric, lambda: _run_folder(options.out_dir, options.resume))
    with log_file(run / "log.txt") if is_first else contextlib.nullcontext(), progress_bar(console) as bar:
        log.info("%s training samples from %s, variant %s", len(samples), options.data_dir, config.model.variant)
        log.info("%s %s", "resuming" if resume else "writing to", run)
        log.info("%s", _batch_line(config, fabric.world_size))
        log.debug("settings: %s", config)
        with catch_signals() as asked_to_stop:
            best = loop.train(
                samples,
                run,
                config,
                validate=validate,
                resume=resume,
                fabric=fabric,
                should_stop=asked_to_stop,
                on_progress=_shown_on(bar, config),
                on_epoch=_log_epoch,
            )
        on_first(fabric, lambda: save_curves(read_history(run), run / "curves.png"))
        log.info("finished: %s", best)
    return run


def _available_devices(options: TrainOptions) -> int:
    """The number of GPUs to use. Without GPUs it is one process; on CPUs only torchrun starts several."""
    there = torch.cuda.device_count() if options.device != "cpu" else 0
    wanted = options.devices or MOST_GPUS
    is_short = options.devices is not None and wanted > max(there, 1)
    if is_short and not is_started_by_another():  # torchrun and Slurm set the number of processes themselves
        used = f"{there} GPU{'s' * (there > 1)}" if there else "the CPU"
        log.warning("--num_gpus %d asks for more GPUs than can be used; using %s", wanted, used)
    return min(wanted, max(there, 1))


def _validation(examples: list[Example], config: TrainConfig, fabric: Fabric) -> loop.Validate:
    """A function that scores a network on the validation images, which the processes share."""
    if config.watch not in HIGHER_IS_BETTER:
        raise InputError(f"the metric must be one of {', '.join(HIGHER_IS_BETTER)}, got {config.watch!r}")

    def validate(network: MrCNN) -> dict[str, float]:
        predictor = Predictor(network, device=config.device, precision=config.precision, mode="fast")
        with_agreement = config.watch == "agreement"
        return evaluate(predictor, examples, agreement=with_agreement, map_over=shared_map(fabric)).mean()

    return validate


def _run_folder(out_dir: Path, resume: str | None) -> tuple[Path, bool]:
    """The folder of the run, and whether it holds a run that is resumed."""
    if resume is None:
        return new_folder(out_dir / "trained"), False
    if resume != LAST:
        if not (Path(resume) / "state.pt").is_file():
            raise FileError(
                f"cannot resume the run: {resume} has no state.pt; give the folder of a run, or start without --resume"
            )
        return Path(resume), True
    last = last_run(out_dir / "trained")
    return (last, True) if last else (new_folder(out_dir / "trained"), False)


def _batch_line(config: TrainConfig, world: int) -> str:
    each = f": {config.batch_size} on each of {world} processes" if world > 1 else ""
    return f"batch {config.batch_size * world}{each}"


def _shown_on(bar: Progress, config: TrainConfig) -> Callable[[loop.TrainingProgress], None]:
    """A function that shows the progress of training on a bar."""
    task = bar.add_task("training", total=None, note="starting")

    def on_progress(state: loop.TrainingProgress) -> None:
        bar.update(
            task,
            total=config.epochs * state.steps,
            completed=(state.epoch - 1) * state.steps + state.step,
            description=f"epoch {state.epoch}/{config.epochs}",
            note=f"loss {state.loss:.4f}  accuracy {state.accuracy:.3f}  {state.samples_per_second:.0f} samples/s",
        )

    return on_progress


def _log_epoch(row: dict[str, float]) -> None:
    """Log an epoch's row of ``metrics.csv``."""
    scores = "".join(f"  {name.removeprefix('val_')} {row[name]:.3f}" for name in row if name.startswith("val_"))
    log.info(
        "epoch %d: loss %.4f  accuracy %.3f  %.0f samples/s%s",
        *(row[name] for name in ("epoch", "loss", "accuracy", "samples_per_second")),
        f"  validation{scores}" if scores else "",
    )
