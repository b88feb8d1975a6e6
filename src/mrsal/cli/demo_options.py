"""Options of ``mrsal demo``. Apart from the job, which is slow to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.options import Option, check


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of ``mrsal demo``."""

    out: Annotated[Path, Option("Folder for everything the demo makes.")] = Path("mrsal-demo")
    seed: Annotated[int, Option("Of the scenes, the observers and the training.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)
