"""Options of ``mrsal train``. Imports no torch, so that the command line starts quickly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.datasets import DataDir
from mrsal.errors import InputError
from mrsal.model import DeviceOptions
from mrsal.options import Option

MOST_GPUS = 2  # of a run that does not say how many


@dataclass(frozen=True, kw_only=True)
class Recipe(DeviceOptions):
    """How to train; the defaults are the paper's."""

    epochs: Annotated[int, Option("Passes over the samples.", minimum=1)] = 20
    devices: Annotated[
        int | None,
        Option(
            "GPUs to use, a process each, as far as there are any. torchrun and Slurm have their own say. "
            f"Default: those that are there, up to {MOST_GPUS}.",
            flag="num_gpus",
            minimum=1,
        ),
    ] = None
    batch_size: Annotated[int, Option("Samples per step and process.", minimum=1)] = 256
    learning_rate: Annotated[float, Option("Of SGD.", above=0)] = 0.002
    start_momentum: Annotated[float, Option("At the first step.", minimum=0, below=1)] = 0.9
    end_momentum: Annotated[float, Option("At the last step; linear between.", minimum=0, below=1)] = 0.99
    weight_decay: Annotated[float, Option("L2 penalty on the weights.", flag="lr_weight_decay", minimum=0)] = 2e-4
    conv1_limit: Annotated[
        float,
        Option("Largest L2 norm of a first-layer filter; 0: no limit.", flag="conv1_weight_constraint", minimum=0),
    ] = 0.1
    patience: Annotated[
        int,
        Option("Epochs without a better score before stopping; -1: never.", flag="early_stopping_patience", minimum=-1),
    ] = -1
    average: Annotated[
        int, Option("Epochs at the end whose mean weights are kept as cnn_average.pth; 1: no mean.", minimum=1)
    ] = 3
    watch: Annotated[str, Option("Decides which epoch is best, with --use_val.", flag="val_metric")] = "CC"
    seed: Annotated[int, Option("The same seed gives the same run.", minimum=0)] = 0
    timeout: Annotated[float, Option("Seconds to wait for another process before giving up.", above=0)] = 600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience == 0:
            raise InputError("patience (--early_stopping_patience) must be -1, or at least 1, got 0")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Recipe):
    """Options of ``mrsal train``."""

    data_dir: DataDir
    out_dir: Annotated[Path, Option("The run goes to OUT_DIR/trained/<time>/.")] = Path()
    use_val: Annotated[
        bool, Option("1: score the validation images after each epoch and keep the best checkpoint.", switch=True)
    ] = False
    improvements: Annotated[int, Option("1: learned blur in front of each stream.", minimum=0, maximum=1)] = 0
    resume: Annotated[
        str | None,
        Option("A run's folder, to go on where it stopped; last: the newest one in OUT_DIR, or a new one."),
    ] = None
    using_windows: Annotated[
        bool, Option("Accepted because old command lines have it; it changes nothing.", switch=True)
    ] = False
