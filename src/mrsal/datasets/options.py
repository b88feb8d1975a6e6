"""The options of ``mrsal prepare``, and the option ``--data_dir`` of several commands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from mrsal.errors import InputError
from mrsal.options import Option, check

DataDir = Annotated[Path, Option("Folder of the archive, native or with *.pth.tar files.")]

SPLITS = ("train", "val", "test")
COLUMNS = ("stimulus", "subject", "x", "y", "trial", "start", "end", "duration", "fixation", "eye")


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How a table of fixations is read; see :func:`mrsal.datasets.tables.read_fixations`."""

    columns: Annotated[
        Sequence[str],
        Option("Name of a column in your table of fixations, such as x=FixX; can be repeated."),
    ] = ()
    coordinates: Annotated[
        Literal["pixels", "relative"], Option("relative: x and y from 0 to 1, of the image or of the --screen.")
    ] = "pixels"
    screen: Annotated[
        str, Option("Size of the screen, such as 1920x1080, if x and y are on it and images were in its centre.")
    ] = ""
    offset: Annotated[
        str, Option("Position X,Y that the image's upper left corner has in the table; 1,1 if pixels start at 1.")
    ] = ""
    scale: Annotated[float, Option("Pixels of the screen per pixel of the image file.", above=0)] = 1.0

    def __post_init__(self) -> None:
        check(self)
        self.chosen_columns()
        position, size = self.corner(), self.screen_size()
        if position and size:
            raise InputError(
                "--offset and --screen both say where the image was; give --screen if it was in the centre, or else --offset"
            )
        if self.coordinates == "relative" and not size and (position or self.scale != 1):
            raise InputError(
                "--offset and --scale have no effect on coordinates that are relative to the image; leave them out, "
                "or give --screen"
            )

    def changes(self) -> list[str]:
        """The options of a table that do not have their defaults, as on the command line."""
        return [f"--{item.name}" for item in fields(TableOptions) if getattr(self, item.name) != item.default]

    def chosen_columns(self) -> dict[str, str]:
        """The columns of the table by what they mean, as in ``columns``."""
        chosen: dict[str, str] = {}
        for text in self.columns:
            meaning, equals, name = (part.strip() for part in text.partition("="))
            if not (equals and name and meaning in COLUMNS) or meaning in chosen:
                raise InputError(
                    f"columns must be like x=FixX, once for each of {', '.join(COLUMNS)}, got {text!r}; correct it"
                )
            chosen[meaning] = name
        return chosen

    def corner(self) -> tuple[float, float] | None:
        """The position of the image's upper left corner, as in ``offset``; None if it is not given."""
        if not self.offset:
            return None
        number = r"\s*([-+]?\d+(?:\.\d+)?)\s*"
        if not (match := re.fullmatch(f"{number},{number}", self.offset)):
            raise InputError(f"offset must be two numbers X,Y, such as 320,180, got {self.offset!r}")
        return float(match[1]), float(match[2])

    def screen_size(self) -> tuple[int, int] | None:
        """The width and height of the screen, as in ``screen``; None if it is not given."""
        if not self.screen:
            return None
        if not (match := re.fullmatch(r"\s*([1-9]\d*)\s*[xX]\s*([1-9]\d*)\s*", self.screen)):
            raise InputError(f"screen must be WIDTHxHEIGHT, such as 1920x1080, got {self.screen!r}")
        return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(TableOptions):
    """Options of ``mrsal prepare``."""

    name: Annotated[
        str,
        Option(
            "Data set: osie, mit1003, folder (your own data) or pysaliency (HDF5 files).",
            argument=True,
            complete=("data_sets",),
        ),
    ]
    root: Annotated[Path, Option("Folder of the unpacked data set.")]
    out: Annotated[Path, Option("Folder for the archive.")]
    format: Annotated[Literal["native", "pth"], Option("native: small and fast; pth: *.pth.tar files.")] = "native"
    split: Annotated[
        str, Option("Shares of the images, such as train=0.8,val=0.1,test=0.1; test=1: for evaluation alone.")
    ] = ""
    skip_first: Annotated[
        bool, Option("Leave out the first fixation of each trial, where a marker was before the image.")
    ] = False
    seed: Annotated[int, Option("Random seed for the sampled locations.", minimum=0)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shares()

    def shares(self) -> dict[str, float] | None:
        """The share of the images in each split, as in ``split``; None if it is not given."""
        if not self.split:
            return None
        shares: dict[str, float] = {}
        for text in self.split.split(","):
            name, _, number = (part.strip() for part in text.partition("="))
            if name not in SPLITS or name in shares or not re.fullmatch(r"\d*\.?\d+", number):
                raise InputError(
                    f"split must be shares of {', '.join(SPLITS)}, such as train=0.8,val=0.1,test=0.1, got {self.split!r}"
                )
            shares[name] = float(number)
        if abs(sum(shares.values()) - 1) > 1e-6:
            raise InputError(
                f"split must have shares that sum to 1, got {self.split!r}, which sum to {sum(shares.values()):g}"
            )
        return shares
