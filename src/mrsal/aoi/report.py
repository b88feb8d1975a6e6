"""The report of ``mrsal aoi`` to hand on: what it says, and its HTML page. ``report_pdf.py`` makes the PDF.

The page contains everything that it shows. It has no scripts and loads nothing from a network, and its security policy forbids
both.
"""

import io
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal._version import __version__
from mrsal.aoi.areas import AreaDifference
from mrsal.aoi.difference import change_elsewhere
from mrsal.aoi.legends import Legend, difference_picture, heat_pictures
from mrsal.aoi.options import StudySize
from mrsal.aoi.sentences import MOVED, clear_text, interval_text, moved_text, share_summary, summary
from mrsal.aoi.study import Attention
from mrsal.aoi.tables import TextTable, difference_table, measured_table, share_table
from mrsal.errors import InputError
from mrsal.evaluation.report.html import template
from mrsal.files import write_text

_WIDE, _HALF = 1100, 760  # largest width of a picture in pixels: alone, and one of two
_QUALITY = 85


@dataclass(frozen=True)
class Report:
    """What is handed on about one image or two designs.

    Parameters
    ----------
    attentions : sequence of Attention
        The image, or the designs A and B.
    differences : sequence of AreaDifference
        The differences between A and B, from :func:`mrsal.aoi.compare_shares`.
    study : StudySize
        The size of the study for the intervals.
    model : str
        The name of the model.
    mode : str, optional
        The mode in which it predicted.
    is_calibrated : bool
        Whether the shares have intervals.
    notes : sequence of str
        What the reader should know about the maps, such as that only the first page of a document was used.
    title : str
        The title. Empty: the names of the images.
    """

    attentions: Sequence[Attention]
    differences: Sequence[AreaDifference] = ()
    study: StudySize = field(default_factory=StudySize)
    model: str = ""
    mode: str | None = None
    is_calibrated: bool = True
    notes: Sequence[str] = ()
    title: str = ""

    @property
    def is_comparison(self) -> bool:
        """Whether there are two designs."""
        return len(self.attentions) == 2

    @property
    def heading(self) -> str:
        """What stands above the report."""
        if self.title:
            return self.title
        names = [attention.name for attention in self.attentions]
        return (
            f"Attention on two designs: {names[0]} and {names[1]}" if self.is_comparison else f"Attention on {names[0]}"
        )

    @cached_property
    def summary(self) -> str:
        """The result in a sentence or two; see :func:`mrsal.aoi.summary`."""
        level = self.study.level
        if not self.is_comparison:
            return share_summary(self.attentions[0].shares, level=level)
        a, b = self.attentions
        elsewhere = change_elsewhere(a, b, self.differences) if self.differences else None
        return summary(self.differences, level=level, elsewhere=elsewhere)

    def captions(self) -> list[str]:
        """A caption for each image."""
        names = [attention.name for attention in self.attentions]
        return [f"{letter}: {name}" for letter, name in zip("AB", names, strict=True)] if self.is_comparison else names

    @cached_property
    def heat(self) -> tuple[list[NDArray[np.uint8]], Legend]:
        """The heatmaps with areas, and their legend."""
        return heat_pictures(self.attentions, width=_HALF if self.is_comparison else _WIDE)

    @cached_property
    def moved(self) -> tuple[NDArray[np.uint8], Legend] | str | None:
        """Where attention moved, with the legend; a text if this cannot be shown; None for one image."""
        if not self.is_comparison:
            return None
        a, b = self.attentions
        try:
            return difference_picture(a, b, self.differences, width=_WIDE)
        except InputError as error:
            return str(error)

    def tables(self) -> list[TextTable]:
        """The tables, the most important one first."""
        level = self.study.level
        a, b = self.attentions[0], self.attentions[-1]
        tables = [difference_table(a, b, self.differences, level=level)] if self.differences else []
        letters = ("A: ", "B: ") if self.is_comparison else ("",)
        for make in (share_table, measured_table):
            made = [make(each, level=level) if each.shares else None for each in self.attentions]
            pairs = zip(letters, made, strict=True)
            tables += [replace(table, title=f"{letter}{table.title}") for letter, table in pairs if table]
        return tables

    def explanations(self) -> list[str]:
        """How the numbers were computed, what they mean, and their limits, in paragraphs."""
        mode = f" in the mode {self.mode}" if self.mode else ""
        texts = [
            f'The model "{self.model}"{mode} predicts how the fixations of observers are distributed over an image. The '
            "attention of an area is the share of all fixations that the model expects there. Attention per surface is this "
            "share divided by the area's share of the surface: 1 is the average of the image.",
            f"{interval_text(self.study, is_comparison=self.is_comparison)}."
            if self.is_calibrated
            else "No intervals: this model is not calibrated.",
        ]
        if self.differences:
            texts.append(
                "The difference is B minus A in percentage points, from shares that are not rounded yet. The rank says which "
                "place the area has by its share in A and in B; 1 is the largest."
            )
        if self.differences and self.is_calibrated:
            texts.append(
                f"{clear_text(self.study.level, len(self.differences))} The interval of a difference assumes that different "
                "observers see each design, and that the errors of the model on the two designs are independent. On two "
                "versions of one page these errors are similar, and the interval is wider than necessary."
            )
        if any(attention.measured for attention in self.attentions):
            texts.append(
                "Measured shares are those of the fixations of a study. Their intervals are over its observers, from bootstrap "
                "resamples. Looked: the share of the observers with a fixation in the area. First at: the mean time to the "
                "first fixation in it. Dwell: the mean time that fixations in it lasted."
            )
        texts.append(
            "This is a prediction and does not replace a study. The model sees the image only: it does not know the task of a "
            "visitor, and does not understand texts. "
            + ("The intervals were calibrated on photographs. " if self.is_calibrated else "")
            + "How reliable the shares are on pages, screens and advertisements has not been measured. Rely on the order of "
            "the areas more than on the exact shares."
        )
        return texts

    def origin(self) -> str:
        """Which program made the report, and when."""
        return f"Made by mrsal {__version__} on {datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z')}"


def write_html(path: Path, report: Report) -> None:
    """Write the report as one HTML file."""
    pictures, heat_legend = report.heat
    moved = report.moved
    page = template("areas.html", "mrsal.aoi").render(
        report=report,
        pictures=list(zip(report.captions(), map(address, pictures), [p.shape for p in pictures], strict=True)),
        heat_legend=heat_legend,
        moved_title=MOVED,
        moved_text=moved_text(report.differences),
        moved=None if moved is None or isinstance(moved, str) else (address(moved[0]), moved[0].shape, moved[1]),
        moved_missing=moved if isinstance(moved, str) else "",
        version=__version__,
    )
    write_text(path, page)


def legend_html(legend: Legend) -> str:
    """A legend as part of a page in HTML."""
    return str(template("legend.html", "mrsal.aoi").module.legend(legend))


def address(picture: NDArray[np.uint8]) -> str:
    """The address of a picture, which contains all of it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(file.getvalue()).decode()
