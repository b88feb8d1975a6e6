"""Options of ``mrsal aoi`` and ``mrsal check``. Imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from mrsal.datasets import TableOptions
from mrsal.errors import InputError
from mrsal.evaluation import ModelOptions
from mrsal.options import Option, check

REPORTS = (".html", ".pdf")
Boxes = Annotated[
    Path,
    Option(
        'File with the areas: JSON {"name": [x, y, width, height]} in pixels, CSV, COCO, Label Studio, LabelMe, CVAT, VIA, '
        "or a PNG mask; or a folder with a mask for each area. Those of a video may have key frames."
    ),
]
ImageOrVideo = Annotated[Path, Option("Image file, or video.", argument=True)]
Every = Annotated[int, Option("Videos: predict every n-th frame and interpolate the others.", minimum=1)]
Smoothing = Annotated[float, Option("Videos: time constant of the smoothing in seconds; 0: no smoothing.", minimum=0)]


@dataclass(frozen=True, kw_only=True)
class StudySize:
    """The size of a study; an interval says which shares such a study would measure."""

    observers: Annotated[int, Option("Number of observers in a study that would measure the shares.", minimum=1)] = 15
    per_observer: Annotated[
        int, Option("Number of fixations of each observer on the image in that study.", minimum=1)
    ] = 6
    level: Annotated[float, Option("Level of the interval, for example 0.95.", above=0, below=1)] = 0.95

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class AoiOptions(StudySize, ModelOptions, TableOptions):
    """Options of ``mrsal aoi``."""

    image: ImageOrVideo
    boxes: Boxes
    compare: Annotated[Path | None, Option("Image of a second design to compare with.")] = None
    compare_boxes: Annotated[
        Path | None, Option("Areas of the second design. Default: the areas of the first, pixel for pixel.")
    ] = None
    fixations: Annotated[
        Path | None,
        Option("Table of measured fixations; each area then gets its measured share beside the predicted one."),
    ] = None
    out: Annotated[
        Sequence[Path],
        Option(
            "Report (.html, .pdf), picture (.png, .jpg) or table (.csv) to write; for a video, a curve (.png, .svg, .pdf), a "
            "table (.csv), or the video with its areas (.mp4). May be repeated."
        ),
    ] = ()
    title: Annotated[str | None, Option("Title of the report. Default: the names of the images.")] = None
    every: Every = 1
    smoothing: Smoothing = 0.0

    def __post_init__(self) -> None:
        TableOptions.__post_init__(self)
        if (changes := self.changes()) and not self.fixations:
            raise InputError(
                f"{', '.join(changes)} would have no effect without a table of fixations; give --fixations"
            )
        if self.fixations and str(self.fixations).isdigit():
            raise InputError(
                "--fixations is the table of measured fixations; for the number of each observer, give "
                f"--per_observer {self.fixations}"
            )
        if self.compare_boxes and not self.compare:
            raise InputError("--compare_boxes needs a second design; give its image with --compare")
        if self.title is not None and not any(path.suffix.lower() in REPORTS for path in self.out):
            raise InputError("--title is for a report; write one with --out report.html or --out report.pdf")

    @property
    def table(self) -> TableOptions:
        """How the table of fixations is read, without the other options."""
        return TableOptions(**{item.name: getattr(self, item.name) for item in fields(TableOptions)})

    @property
    def study(self) -> StudySize:
        """The size of the study alone, without the other options."""
        return StudySize(observers=self.observers, per_observer=self.per_observer, level=self.level)


@dataclass(frozen=True, kw_only=True)
class CheckOptions(ModelOptions):
    """Options of ``mrsal check``."""

    image: ImageOrVideo
    boxes: Boxes
    rule: Annotated[
        Sequence[str],
        Option("Rule with >=, >, <= or <, such as 'cta>=0.15', 'cta>=15%' or 'cta>logo'. May be repeated."),
    ]
    every: Every = 1
    smoothing: Smoothing = 0.0
