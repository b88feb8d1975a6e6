"""The options of ``mrsal train``, and the settings of both kinds of training. This file imports no torch, so that the command
line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from mrsal.datasets import DataDir
from mrsal.errors import InputError
from mrsal.model import DeviceOptions
from mrsal.options import Option, settings_of

MOST_GPUS = 2  # if the user does not say how many
FINE_TUNING = 0.25  # of the learning rates of the improved network, where training starts from trained weights
FEW_IMAGES = 300  # with fewer, a new improved network leaves the pretrained stream as it is

_EPOCHS = Option("Number of passes over the training samples.", minimum=1)
_BATCH = Option("Number of samples per step and process.", minimum=1)
_RATE = Option("Learning rate, of SGD for Mr-CNN and of AdamW for the improved network.", above=0)
_DECAY = Option("Penalty on the weights.", flag="lr_weight_decay", minimum=0)
_AVERAGE = Option("Number of last epochs whose mean weights are saved as cnn_average.pth; 1: save none.", minimum=1)
_WATCH = Option("Metric that selects the best epoch, with --use_val.", flag="val_metric")


@dataclass(frozen=True, kw_only=True)
class RunOptions(DeviceOptions):
    """What every training run has, whatever network it trains."""

    devices: Annotated[
        int | None,
        Option(
            "Number of GPUs to use, if there are so many; each has a process. torchrun and Slurm set it themselves. "
            f"Default: all GPUs, but at most {MOST_GPUS}.",
            flag="num_gpus",
            minimum=1,
        ),
    ] = None
    patience: Annotated[
        int,
        Option(
            "Stop after this many epochs without a better score; -1: never stop early.",
            flag="early_stopping_patience",
            minimum=-1,
        ),
    ] = -1
    seed: Annotated[int, Option("Random seed.", minimum=0)] = 0
    timeout: Annotated[float, Option("Seconds to wait for another process before giving up.", above=0)] = 600.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience == 0:
            raise InputError("patience (--early_stopping_patience) must be -1, or at least 1, got 0")


@dataclass(frozen=True, kw_only=True)
class Recipe(RunOptions):
    """The settings of training Mr-CNN; the defaults are those of the paper. A sample is a location in an image."""

    epochs: Annotated[int, _EPOCHS] = 20
    batch_size: Annotated[int, _BATCH] = 256
    learning_rate: Annotated[float, _RATE] = 0.002
    start_momentum: Annotated[float, Option("Momentum at the first step.", minimum=0, below=1)] = 0.9
    end_momentum: Annotated[
        float,
        Option("Momentum at the last step; it changes linearly from the first to the last step.", minimum=0, below=1),
    ] = 0.99
    weight_decay: Annotated[float, _DECAY] = 2e-4
    conv1_limit: Annotated[
        float,
        Option(
            "Largest L2 norm of a filter of the first layer; 0 for no limit.", flag="conv1_weight_constraint", minimum=0
        ),
    ] = 0.1
    average: Annotated[int, _AVERAGE] = 3
    watch: Annotated[str, _WATCH] = "CC"


@dataclass(frozen=True, kw_only=True)
class ImprovedRecipe(RunOptions):
    """The settings of training the improved network. A sample is a whole image."""

    epochs: Annotated[int, _EPOCHS] = 8
    batch_size: Annotated[int, _BATCH] = 8
    learning_rate: Annotated[float, _RATE] = 2e-3
    stream_rate: Annotated[
        float,
        Option(
            "Learning rate of the pretrained stream, relative to the size of each of its weight tensors; 0 leaves the stream "
            f"as it is, as a new network does by default with fewer than {FEW_IMAGES} images.",
            minimum=0,
        ),
    ] = 1e-3
    weight_decay: Annotated[float, _DECAY] = 1e-2
    average: Annotated[int, _AVERAGE] = 1
    watch: Annotated[str, _WATCH] = "IG"


def _optional(name: str) -> Option:
    """The option of a setting of the recipes, whose help says its default in each."""
    paper, improved = ({s.name: s for s in settings_of(recipe)} for recipe in (Recipe, ImprovedRecipe))
    option = (paper.get(name) or improved[name]).option
    if name not in improved:
        return replace(option, help=f"{option.help} Only for Mr-CNN. Default: {paper[name].default}.")
    default = f"{improved[name].default}"
    if name in ("learning_rate", "stream_rate"):
        default += f", or {FINE_TUNING:g} times that with --init"
    if name not in paper:
        return replace(option, help=f"{option.help} Only for the improved network. Default: {default}.")
    if improved[name].default != paper[name].default or "," in default:
        default = f"{paper[name].default}; with --improvements 2: {default}"
    return replace(option, help=f"{option.help} Default: {default}.")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(RunOptions):
    """The options of ``mrsal train``. Settings that are None have the default of the recipe of the network."""

    data_dir: DataDir
    more_data: Annotated[
        Sequence[Path],
        Option("Another native archive to train on as well, with --improvements 2; can be given several times."),
    ] = ()
    out_dir: Annotated[Path, Option("Folder for the run, which is written to OUT_DIR/trained/<time>/.")] = Path()
    use_val: Annotated[
        bool, Option("1: score the validation images after each epoch, and save the best checkpoint.", switch=True)
    ] = False
    improvements: Annotated[
        int | None,
        Option(
            "0: Mr-CNN; 1: with a learned blur before each stream; 2: the improved network, with a pretrained stream. "
            "Default: that of --init, or 0.",
            minimum=0,
            maximum=2,
        ),
    ] = None
    init: Annotated[
        str | None,
        Option(
            "Continue from trained weights: mrsal or mrcnn, a checkpoint, a folder, or hf://owner/name. "
            "Default: start anew, the improved network with a stream that was trained on ImageNet.",
            complete=("networks",),
        ),
    ] = None
    resume: Annotated[
        str | None,
        Option("Folder of a run to continue; last: the newest run in OUT_DIR, or a new run if there is none."),
    ] = None
    using_windows: Annotated[bool, Option("Accepted for old command lines; has no effect.", switch=True)] = False
    epochs: Annotated[int | None, _optional("epochs")] = None
    batch_size: Annotated[int | None, _optional("batch_size")] = None
    learning_rate: Annotated[float | None, _optional("learning_rate")] = None
    stream_rate: Annotated[float | None, _optional("stream_rate")] = None
    start_momentum: Annotated[float | None, _optional("start_momentum")] = None
    end_momentum: Annotated[float | None, _optional("end_momentum")] = None
    weight_decay: Annotated[float | None, _optional("weight_decay")] = None
    conv1_limit: Annotated[float | None, _optional("conv1_limit")] = None
    average: Annotated[int | None, _optional("average")] = None
    watch: Annotated[str | None, _optional("watch")] = None
