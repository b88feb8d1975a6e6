"""The options of ``mrsal prepare``, and the option ``--data_dir`` of several commands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mrsal.options import Option, check

DataDir = Annotated[Path, Option("Folder of the archive, native or with *.pth.tar files.")]


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
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
    seed: Annotated[int, Option("Random seed for the sampled locations.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)
