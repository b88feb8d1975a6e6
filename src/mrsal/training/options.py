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

    epochs: Annotated[int, Option("Number of passes over the samples.", minimum=1)] = 20
    devices: Annotated[
        int | None,
        Option(
            "Number of GPUs to use, with one process for each. torchrun and Slurm set this number themselves. "
            f"Default: all GPUs of the machine, but at most {MOST_GPUS}.",
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
            "Stop after this many epochs without a better validation score; -1 for never.",
            flag="early_stopping_patience",
            minimum=-1,
        ),
    ] = -1
    average: Annotated[
        int, Option("Save the mean weights of this many last epochs as cnn_average.pth; 1 to save none.", minimum=1)
    ] = 3
    watch: Annotated[
        str, Option("Validation metric that decides which epoch is best; needs --use_val.", flag="val_metric")
    ] = "CC"
    seed: Annotated[int, Option("Random seed; the same seed gives the same run.", minimum=0)] = 0
    timeout: Annotated[
        float, Option("Number of seconds to wait for another process before the run fails.", above=0)
    ] = 600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience == 0:
            raise InputError("patience (--early_stopping_patience) must be -1, or at least 1, got 0")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Recipe):
    """The options of ``mrsal train``."""

    data_dir: DataDir
    out_dir: Annotated[Path, Option("Folder for the results; the run is saved in OUT_DIR/trained/<time>/.")] = Path()
    use_val: Annotated[
        bool, Option("1 to score the validation images after each epoch and keep the best checkpoint.", switch=True)
    ] = False
    improvements: Annotated[
        int, Option("1 to train the variant with a learned blur in front of each stream.", minimum=0, maximum=1)
    ] = 0
    resume: Annotated[
        str | None,
        Option(
            "Folder of a run to continue, or last for the newest run in OUT_DIR; if there is none, a new run starts."
        ),
    ] = None
    using_windows: Annotated[
        bool, Option("Has no effect; accepted because old command lines contain it.", switch=True)
    ] = False
