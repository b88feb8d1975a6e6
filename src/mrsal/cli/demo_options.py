"""Options of ``mrsal demo``, in a file of their own because the job is slow to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.options import Option, check


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of ``mrsal demo``."""

    out: Annotated[Path, Option("Folder for the data, the network and the results.")] = Path("mrsal-demo")
    seed: Annotated[int, Option("Random seed.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)
