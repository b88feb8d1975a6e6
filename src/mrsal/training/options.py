"""The options of ``mrsal train``. This file imports no torch, so that the command line starts quickly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.datasets import DataDir
from mrsal.errors import InputError
from mrsal.model import DeviceOptions
from mrsal.options import Option

MOST_GPUS = 2  # if the user does not say how many


@dataclass(frozen=True, kw_only=True)
class Recipe(DeviceOptions):
    """The settings of training; the defaults are those of the paper."""

    epochs: Annotated[int, Option("Number of passes over the training samples.", minimum=1)] = 20
    devices: Annotated[
        int | None,
        Option(
            "Number of GPUs to use, if there are so many; each has a process. torchrun and Slurm set it themselves. "
            f"Default: all GPUs, but at most {MOST_GPUS}.",
            flag="num_gpus",
            minimum=1,
        ),
    ] = None
    batch_size: Annotated[int, Option("Number of samples per step and process.", minimum=1)] = 256
    learning_rate: Annotated[float, Option("Learning rate of SGD.", above=0)] = 0.002
    start_momentum: Annotated[float, Option("Momentum at the first step.", minimum=0, below=1)] = 0.9
    end_momentum: Annotated[
        float,
        Option("Momentum at the last step; it changes linearly from the first to the last step.", minimum=0, below=1),
    ] = 0.99
    weight_decay: Annotated[float, Option("L2 penalty on the weights.", flag="lr_weight_decay", minimum=0)] = 2e-4
    conv1_limit: Annotated[
        float,
        Option(
            "Largest L2 norm of a filter of the first layer; 0 for no limit.", flag="conv1_weight_constraint", minimum=0
        ),
    ] = 0.1
    patience: Annotated[
        int,
        Option(
            "Stop after this many epochs without a better score; -1: never stop early.",
            flag="early_stopping_patience",
            minimum=-1,
        ),
    ] = -1
    average: Annotated[
        int, Option("Number of last epochs whose mean weights are saved as cnn_average.pth; 1: save none.", minimum=1)
    ] = 3
    watch: Annotated[str, Option("Metric that selects the best epoch, with --use_val.", flag="val_metric")] = "CC"
    seed: Annotated[int, Option("Random seed.", minimum=0)] = 0
    timeout: Annotated[float, Option("Seconds to wait for another process before giving up.", above=0)] = 600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience == 0:
            raise InputError("patience (--early_stopping_patience) must be -1, or at least 1, got 0")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Recipe):
    """The options of ``mrsal train``."""

    data_dir: DataDir
    out_dir: Annotated[Path, Option("Folder for the run, which is written to OUT_DIR/trained/<time>/.")] = Path()
    use_val: Annotated[
        bool, Option("1: score the validation images after each epoch, and save the best checkpoint.", switch=True)
    ] = False
    improvements: Annotated[
        int, Option("1: train the variant with a learned blur before each stream.", minimum=0, maximum=1)
    ] = 0
    resume: Annotated[
        str | None,
        Option("Folder of a run to continue; last: the newest run in OUT_DIR, or a new run if there is none."),
    ] = None
    using_windows: Annotated[bool, Option("Accepted for old command lines; has no effect.", switch=True)] = False
