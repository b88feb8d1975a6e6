"""The options of ``mrsal reproduce cvpr2015``. This file imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from mrsal.errors import InputError
from mrsal.model import MapOptions
from mrsal.options import Option
from mrsal.training.options import ImprovedRecipe, Recipe


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(MapOptions):
    """Options of ``mrsal reproduce cvpr2015``."""

    data: Annotated[Path, Option("Folder that holds each data set in a folder of its name, such as DATA/mit1003.")]
    out_dir: Annotated[
        Path, Option("Folder for archives, runs, scores and the report. The same command continues what is there.")
    ]
    only: Annotated[
        Sequence[str],
        Option("Use only this data set; can be repeated. Default: all that are there.", complete=("data_sets",)),
    ] = ()
    improvements: Annotated[
        int,
        Option("0: Mr-CNN; 1: with a learned blur before each stream; 2: the improved network.", minimum=0, maximum=2),
    ] = 0
    format: Annotated[
        Literal["native", "pth"], Option("Kind of archive to train on; pth: *.pth.tar files, as course work uses them.")
    ] = "native"
    seeds: Annotated[
        int,
        Option("Number of trainings, with the random seeds 0, 1 and so on; the report has their spread.", minimum=1),
    ] = 1
    folds: Annotated[
        int | None,
        Option(
            "Number of folds of a cross-validation, for small data sets. Default: use the split of each data set.",
            minimum=2,
        ),
    ] = None
    epochs: Annotated[
        int | None,
        Option(
            f"Number of passes over the training samples. Default: {Recipe.epochs}; "
            f"with --improvements 2: {ImprovedRecipe.epochs}.",
            minimum=1,
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.improvements == 2 and self.format == "pth":
            raise InputError(
                "the improved network learns from whole images, but *.pth.tar files hold crops; leave --format pth out"
            )

    @property
    def usual_epochs(self) -> int:
        """The number of epochs that the network is made for."""
        return ImprovedRecipe.epochs if self.improvements == 2 else Recipe.epochs

    @property
    def all_epochs(self) -> int:
        """The number of epochs of each training."""
        return self.epochs or self.usual_epochs

    def fixed(self) -> dict[str, Any]:
        """The options that all results in a folder have to share, by their names on the command line.

        Data sets and seeds can be added later, and the device makes no difference to the method.
        """
        return {
            "improvements": self.improvements,
            "format": self.format,
            "folds": self.folds,
            "epochs": self.all_epochs,
            "mode": self.mode,
            "precision": self.precision,
        }
