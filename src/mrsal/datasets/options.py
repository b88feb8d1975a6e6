"""The options of ``mrsal prepare``, and the option ``--data_dir`` of several commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mrsal.options import Option, check

DataDir = Annotated[Path, Option("Folder with the *.pth.tar files or a native archive.")]


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """Options of ``mrsal prepare``."""

    name: Annotated[
        str,
        Option(
            "osie, mit1003, folder (your own data), or pysaliency (its HDF5 files).",
            argument=True,
            complete=("data_sets",),
        ),
    ]
    root: Annotated[Path, Option("Folder into which the data set was extracted.")]
    out: Annotated[Path, Option("Folder for the archive.")]
    format: Annotated[Literal["native", "pth"], Option("native: small and fast; pth: the *.pth.tar files.")] = "native"
    seed: Annotated[int, Option("Random seed for the sampled locations.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)
