"""``mrsal prepare``, ``train`` and ``demo``."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import (
    DataDir,
    Device,
    DeviceOption,
    JsonOption,
    Precision,
    PrecisionOption,
    QuietOption,
    console,
    data_sets,
    log,
    one_of,
    print_json,
    switch,
)


class Format(StrEnum):
    """What ``mrsal prepare`` writes."""

    native = "native"
    pth = "pth"


def prepare(
    name: Annotated[
        str,
        typer.Argument(
            help="osie, mit1003, folder (your own data), or pysaliency (its HDF5 files).",
            autocompletion=one_of(data_sets),
        ),
    ],
    root: Annotated[Path, typer.Option(help="Where the data set was unpacked.")],
    out: Annotated[Path, typer.Option(help="Folder for the archive.")],
    format: Annotated[Format, typer.Option(help="native: small and fast; pth: the *.pth.tar files.")] = Format.native,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampled locations.")] = 0,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Turn raw eye-tracking data into an archive for training and evaluation."""
    from mrsal import datasets
    from mrsal.datasets import write_native, write_pth
    from mrsal.progress import progress_bar

    dataset = datasets.load(name, root)
    counts = ", ".join(f"{len(members)} {split}" for split, members in dataset.splits.items())
    log.info("%s: %d stimuli (%s), %d fixations", dataset.name, len(dataset), counts, len(dataset.fixations))
    with progress_bar(console) as bar:
        task = bar.add_task("preparing", total=len(dataset), note="")
        write: Callable[..., Path] = write_native if format is Format.native else write_pth
        write(dataset, out, seed=seed, progress=lambda n: bar.update(task, advance=n))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    log.info("wrote %s, %.0f MB", out, size / 1e6)
    if json:
        splits = {split: len(members) for split, members in dataset.splits.items()}
        counts_ = {"stimuli": len(dataset), "splits": splits, "fixations": len(dataset.fixations)}
        print_json({"folder": out, "dataset": dataset.name, "format": format.value, "bytes": size, **counts_})


def train(
    data_dir: DataDir,
    out_dir: Annotated[Path, typer.Option("--out_dir", help="The run goes to OUT_DIR/trained/<time>/.")] = Path(),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the samples.")] = 20,
    num_gpus: Annotated[
        int, typer.Option("--num_gpus", min=1, help="GPUs to use, a process each, as far as there are any.")
    ] = 2,
    use_val: Annotated[
        int, switch("--use_val", help="1: score the validation images after each epoch and keep the best checkpoint.")
    ] = 0,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Samples per step and process.")] = 256,
    learning_rate: Annotated[float, typer.Option("--learning_rate", help="Of SGD.")] = 0.002,
    start_momentum: Annotated[float, typer.Option("--start_momentum", help="At the first step.")] = 0.9,
    end_momentum: Annotated[float, typer.Option("--end_momentum", help="At the last step; linear between.")] = 0.99,
    lr_weight_decay: Annotated[float, typer.Option("--lr_weight_decay", help="L2 penalty on the weights.")] = 2e-4,
    conv1_weight_constraint: Annotated[
        float,
        typer.Option("--conv1_weight_constraint", help="Largest norm of a first-layer filter; 0: none."),
    ] = 0.1,
    using_windows: Annotated[
        int, switch("--using_windows", help="Accepted because old command lines have it; it changes nothing.")
    ] = 0,
    improvements: Annotated[int, typer.Option(min=0, max=1, help="1: learned blur in front of each stream.")] = 0,
    early_stopping_patience: Annotated[
        int,
        typer.Option("--early_stopping_patience", help="Epochs without a better score before stopping; -1: never."),
    ] = -1,
    average: Annotated[
        int, typer.Option(min=1, help="Epochs at the end whose mean weights are kept as cnn_average.pth; 1: none.")
    ] = 3,
    val_metric: Annotated[
        str, typer.Option("--val_metric", help="Decides which epoch is best, with --use_val.")
    ] = "CC",
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")] = 0,
    resume: Annotated[
        str | None,
        typer.Option(help="A run's folder, to go on where it stopped; last: the newest one in OUT_DIR, or a new one."),
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for another process before giving up.")] = 600.0,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train Mr-CNN and keep a checkpoint per epoch."""
    from mrsal.evaluation import read_history
    from mrsal.model import ModelConfig
    from mrsal.training import TrainConfig, first_only, train_job

    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        start_momentum=start_momentum,
        end_momentum=end_momentum,
        weight_decay=lr_weight_decay,
        conv1_limit=conv1_weight_constraint,
        patience=early_stopping_patience,
        watch=val_metric,
        average=average,
        precision=precision.value,
        devices=num_gpus,
        device=device.value,
        seed=seed,
        timeout=timeout,
        model=ModelConfig(variant="blur" if improvements else "base"),
    )
    run = train_job(data_dir, out_dir, config, use_val=bool(use_val), resume=resume, console=console)
    if json:
        first_only(print_json)({"folder": run, "epochs": read_history(run)})


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("mrsal-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of the scenes, the observers and the training.")] = 0,
    quiet: QuietOption = False,
) -> None:
    """Make a small data set, train on it, evaluate and draw: the whole way in under 3 minutes, offline."""
    from mrsal.cli.demo_job import run_demo

    run_demo(out, seed=seed, console=console)
