"""Options of ``mrsal aoi`` and ``mrsal check``. Imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.errors import InputError
from mrsal.evaluation import ModelOptions
from mrsal.options import Option, check

Boxes = Annotated[Path, Option('Areas: {"name": [x, y, width, height]} in pixels, COCO, or an export of Label Studio.')]
Picture = Annotated[Path, Option("The picture.", argument=True)]


@dataclass(frozen=True, kw_only=True)
class Study:
    """The size of the study that an interval is about."""

    observers: Annotated[int, Option("Of the study that the interval is about.", minimum=1)] = 15
    fixations: Annotated[int, Option("Of each observer on the picture, in that study.", minimum=1)] = 6
    level: Annotated[float, Option("Of the interval.", above=0, below=1)] = 0.95

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class AoiOptions(Study, ModelOptions):
    """Options of ``mrsal aoi``."""

    image: Picture
    boxes: Boxes
    compare: Annotated[Path | None, Option("Another design, to compare with.")] = None
    compare_boxes: Annotated[Path | None, Option("Its areas; by default those of the first, pixel for pixel.")] = None
    out: Annotated[Sequence[Path], Option("Write a picture (.png, .jpg) or table (.csv). May be repeated.")] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compare_boxes and not self.compare:
            raise InputError("--compare_boxes are the areas of another design; give that one with --compare")

    @property
    def study(self) -> Study:
        """The study alone."""
        return Study(observers=self.observers, fixations=self.fixations, level=self.level)


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ModelOptions):
    """Options of ``mrsal check``."""

    image: Picture
    boxes: Boxes
    rule: Annotated[
        Sequence[str], Option("Such as 'cta>=0.15', 'cta>=15%', 'cta>logo'; with >=, >, <= or <. May be repeated.")
    ]
