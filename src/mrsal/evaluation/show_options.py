"""The options of ``mrsal datasets show``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.options import Option, check


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """Options of ``mrsal datasets show``."""

    name: Annotated[str, Option("Data set, such as osie or folder.", argument=True, complete=("data_sets",))]
    root: Annotated[Path, Option("Folder of the unpacked data set.")]
    out: Annotated[Path, Option("PNG file for the sheet.")]
    count: Annotated[int, Option("Number of stimuli on the sheet.", minimum=1, maximum=60)] = 9
    seed: Annotated[int, Option("Random seed for the choice of stimuli.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)
