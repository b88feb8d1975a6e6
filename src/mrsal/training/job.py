"""The job of ``mrsal train``: it trains on an archive and leaves a run in ``trained/<time>/``.

With several processes, all of them run this code. The first one makes the folder, writes the log and shows the progress.
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.progress import Progress

from mrsal.datasets import Example, NativeArchive, PthArchive, open_archive
from mrsal.errors import FileError, InputError, Stopped
from mrsal.evaluation import evaluate, read_history, save_curves
from mrsal.files import new_folder
from mrsal.inference import predictor_of
from mrsal.metrics import HIGHER_IS_BETTER
from mrsal.model import (
    ImprovedNetwork,
    MrCNN,
    Network,
    Stream,
    check_improvements,
    improvements_of,
    load_network,
    resolve_precision,
)
from mrsal.progress import log_file, progress_bar
from mrsal.training import loop
from mrsal.training.config import (
    AnyConfig,
    ImprovedTrainConfig,
    Samples,
    TrainConfig,
    config_of,
    fit_input,
)
from mrsal.training.distributed import catch_signals, is_started_by_another, launch, on_first, shared_map
from mrsal.training.features import TrainingImages
from mrsal.training.options import FEW_IMAGES, FINE_TUNING, MOST_GPUS, TrainOptions
from mrsal.training.run_folder import last_run

log = logging.getLogger("mrsal")

_WITHOUT_GAIN = "CC"  # the metric that selects the best epoch where the information gain is not defined
LAST = "last"  # a value of resume: continue the newest run, or start a new one


def train_job(options: TrainOptions, *, console: Console) -> Path:
    """Train on the archive in ``data_dir``, and return the folder of the run, ``out_dir/trained/<time>``.

    With ``use_val``, the images of the validation split are predicted after every epoch (by Mr-CNN in ``fast`` mode), shared
    among the processes. ``init`` names the network whose weights training starts from. ``resume`` is the folder of a run, or
    ``"last"``: the newest run in ``out_dir/trained``, or a new one if there is none. A signal to stop (Ctrl-C, SIGTERM,
    SIGUSR1) ends the run after the current step, and the run is saved.

    The improved network is trained on ``more_data``, too. What the first stages of its stream give for each image is stored
    in ``out_dir/features``, for this run and later ones.
    """
    start = load_network(options.init)[0] if options.init else None
    if start is not None:
        check_improvements(start, options.improvements, str(options.init))
    improvements = improvements_of(start) if start is not None else options.improvements or 0
    archives = _archives(options, improvements)
    devices = _available_devices(options)
    config = replace(config_of(options, improvements=improvements), devices=devices)
    config, samples = _fitted(config, options, archives, start)
    stream = _frozen_stream(config, start)
    fabric = launch(device=config.device, precision=config.precision, devices=devices, timeout=config.timeout)
    is_first = fabric.is_global_zero
    if not is_first:
        log.setLevel(logging.ERROR)
        console = Console(quiet=True)
    if fabric.device.type == "cpu":
        loop.keep_freed_memory()  # the process is the command's own
    validate = None
    if options.use_val:
        sets = _validation_sets(options, archives)
        if options.watch is None and not _has_gain(sets):
            config = replace(config, watch=_WITHOUT_GAIN)
        validate = _validation(sets, config, fabric)
    run, resume = on_first(fabric, lambda: _run_folder(options.out_dir, options.resume))
    with log_file(run / "log.txt") if is_first else contextlib.nullcontext(), progress_bar(console) as bar:
        data = ", ".join(map(str, [options.data_dir, *options.more_data]))
        log.info("%s training samples from %s, %s", len(samples), data, _network_line(config, options))
        log.info("%s %s", "resuming" if resume else "writing to", run)
        log.info("%s", _batch_line(config, fabric.world_size))
        log.debug("settings: %s", config)
        if start is not None and validate is None:
            log.info("add --use_val to be told whether the weights become better than those of %s", options.init)
        with catch_signals() as asked_to_stop:
            if isinstance(config, ImprovedTrainConfig) and isinstance(samples, TrainingImages) and stream is not None:
                _store_features(samples, config, stream, fabric, bar, asked_to_stop)
            best = loop.train(
                samples,
                run,
                config,
                start=start,
                validate=validate,
                resume=resume,
                fabric=fabric,
                should_stop=asked_to_stop,
                on_progress=_shown_on(bar, config),
                on_epoch=_log_epoch,
            )
        on_first(fabric, lambda: save_curves(read_history(run), run / "curves.png"))
        log.info("finished: %s; predict with it: mrsal predict IMAGE --model %s --out maps", best, best)
    return run


def _archives(options: TrainOptions, improvements: int) -> list[NativeArchive | PthArchive]:
    """The archives to train on; those of the improved network are native."""
    archives = [open_archive(folder) for folder in (options.data_dir, *options.more_data)]
    if improvements < 2 and options.more_data:
        raise InputError("--more_data is only for the improved network; add --improvements 2")
    if improvements == 2:
        for folder, archive in zip((options.data_dir, *options.more_data), archives, strict=True):
            if not isinstance(archive, NativeArchive):
                raise InputError(
                    f"{folder} has *.pth.tar files, which hold crops, but the improved network needs whole images; "
                    "make a native archive with: mrsal prepare NAME --root DIR --out DIR"
                )
    return archives


def _fitted(
    config: AnyConfig, options: TrainOptions, archives: Sequence[NativeArchive | PthArchive], start: Network | None
) -> tuple[AnyConfig, Samples | TrainingImages]:
    """The settings with what depends on the data and on the weights that training starts from, and the samples."""
    if isinstance(config, ImprovedTrainConfig):
        images = TrainingImages([a for a in archives if isinstance(a, NativeArchive)], options.out_dir / "features")
        if images.without:
            log.warning("left out %d training images without fixations", images.without)
        if isinstance(start, ImprovedNetwork):
            rates = {
                name: getattr(config, name) * FINE_TUNING
                for name in ("learning_rate", "stream_rate")
                if getattr(options, name) is None
            }
            return replace(config, model=start.config, **rates), images
        if options.stream_rate is None and len(images) < FEW_IMAGES:
            config = replace(config, stream_rate=0.0)
        return config, images
    samples = archives[0].samples
    return (replace(config, model=start.config) if isinstance(start, MrCNN) else fit_input(config, samples)), samples


def _frozen_stream(config: AnyConfig, start: Network | None) -> Stream | None:
    """The stream whose first stages are not trained; None for Mr-CNN. Read early, so that a missing one leaves no folder."""
    from mrsal.training.improved import frozen_stream

    if isinstance(config, TrainConfig):
        return None
    return frozen_stream(start if isinstance(start, ImprovedNetwork) else None)


def _store_features(
    images: TrainingImages,
    config: ImprovedTrainConfig,
    stream: Stream,
    fabric: Fabric,
    bar: Progress,
    asked_to_stop: Callable[[], int],
) -> None:
    """Compute what the first stages of the stream give for the images that have not been seen before."""
    from mrsal.training.improved import sides_of

    def progress(images: int) -> None:
        bar.update(task, advance=images)
        if number := asked_to_stop():
            raise Stopped("stopped while computing features, which are kept; the same command continues", number)

    task = bar.add_task("features", total=-(-len(images) // fabric.world_size), note=f"stored in {images.folder}")
    log.info("features: %.1f GB in %s, computed once", images.nbytes(sides_of(config)) / 1e9, images.folder)
    images.store_features(
        stream.to(fabric.device),
        sides_of(config),
        device=fabric.device,
        bf16=resolve_precision(config.precision, config.device) == "bf16-mixed",
        map_over=shared_map(fabric),
        progress=progress,
    )
    bar.remove_task(task)


def _available_devices(options: TrainOptions) -> int:
    """The number of GPUs to use. Without GPUs it is one process; on CPUs only torchrun starts several."""
    there = torch.cuda.device_count() if options.device != "cpu" else 0
    wanted = options.devices or MOST_GPUS
    is_short = options.devices is not None and wanted > max(there, 1)
    if is_short and not is_started_by_another():  # torchrun and Slurm set the number of processes themselves
        used = f"{there} GPU{'s' * (there > 1)}" if there else "the CPU"
        log.warning("--num_gpus %d asks for more GPUs than can be used; using %s", wanted, used)
    return min(wanted, max(there, 1))


def _validation_sets(options: TrainOptions, archives: Sequence[NativeArchive | PthArchive]) -> list[list[Example]]:
    """The validation images of each archive that has some."""
    sets = [examples for archive in archives if (examples := list(archive.examples("val")))]
    if not sets:
        raise InputError(f"{options.data_dir} has no validation images; train without --use_val")
    return sets


def _has_gain(sets: list[list[Example]]) -> bool:
    """Whether the information gain is defined: it needs fixations, and other images for the centre bias."""
    return all(len(examples) > 1 and all(e.fixations is not None for e in examples) for examples in sets)


def _validation(sets: list[list[Example]], config: AnyConfig, fabric: Fabric) -> loop.Validate:
    """A function that scores a network on the validation images, which the processes share; the mean over the archives."""
    if config.watch not in HIGHER_IS_BETTER:
        raise InputError(f"the metric must be one of {', '.join(HIGHER_IS_BETTER)}, got {config.watch!r}")

    def validate(network: Network) -> dict[str, float]:
        mode = "fast" if isinstance(network, MrCNN) else None
        predictor = predictor_of(network, device=config.device, precision=config.precision, mode=mode)
        with_agreement = config.watch == "agreement"
        map_over = shared_map(fabric)
        means = [evaluate(predictor, examples, agreement=with_agreement, map_over=map_over).mean() for examples in sets]
        return {name: float(np.mean([m[name] for m in means])) for name in means[0] if all(name in m for m in means)}

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


def _network_line(config: AnyConfig, options: TrainOptions) -> str:
    """What is trained, and what it starts from."""
    origin = f" from {options.init}" if options.init else ""
    if isinstance(config, TrainConfig):
        return f"variant {config.model.variant}{origin}"
    stream = "trained, too" if config.stream_rate else "left as it is"
    return f"the improved network{origin}, its pretrained stream {stream}"


def _batch_line(config: AnyConfig, world: int) -> str:
    each = f": {config.batch_size} on each of {world} processes" if world > 1 else ""
    return f"batch {config.batch_size * world}{each}"


def _shown_on(bar: Progress, config: AnyConfig) -> Callable[[loop.TrainingProgress], None]:
    """A function that shows the progress of training on a bar."""
    task = bar.add_task("training", total=None, note="starting")

    def on_progress(state: loop.TrainingProgress) -> None:
        bar.update(
            task,
            total=config.epochs * state.steps,
            completed=(state.epoch - 1) * state.steps + state.step,
            description=f"epoch {state.epoch}/{config.epochs}",
            note=f"loss {state.loss:.4f}  {state.measure[0]} {state.measure[1]:.3f}  {state.samples_per_second:.0f} samples/s",
        )

    return on_progress


def _log_epoch(row: dict[str, float]) -> None:
    """Log an epoch's row of ``metrics.csv``."""
    trained = {
        name: value for name, value in row.items() if not name.startswith("val_") and name not in ("epoch", "seconds")
    }
    training = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in trained.items())
    scores = "".join(f"  {name.removeprefix('val_')} {row[name]:.3f}" for name in row if name.startswith("val_"))
    log.info("epoch %d: %s%s", row["epoch"], training or "the start", f"  validation{scores}" if scores else "")
