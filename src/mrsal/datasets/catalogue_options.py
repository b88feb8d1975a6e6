"""The options of ``mrsal datasets list``, ``info`` and ``download``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.options import Option, check

_Name = Annotated[str, Option("Data set, such as osie.", argument=True, complete=("published_sets",))]


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """Options of ``mrsal datasets list``; there are none."""


@dataclass(frozen=True, kw_only=True)
class InfoOptions:
    """Options of ``mrsal datasets info``."""

    name: _Name

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class DownloadOptions:
    """Options of ``mrsal datasets download``."""

    name: _Name
    root: Annotated[Path, Option("Folder for the data set, new or empty.")]

    def __post_init__(self) -> None:
        check(self)
