"""The report of ``mrsal aoi`` as PDF. Its texts can be searched and copied."""

import warnings
from pathlib import Path

from mrsal._version import __version__
from mrsal.aoi.pages import SOFT, TALLEST, Pages
from mrsal.aoi.report import Report
from mrsal.aoi.sentences import MOVED, moved_text
from mrsal.files import atomic_path

_MOVED_WIDTH = 155.0  # largest width in millimetres of the picture that shows where attention moved
_AROUND = 42.0  # height in millimetres of its heading, text and legend
_SMALLEST = 0.6  # part to which it is made smaller to fit on the page
_LACKING = "missing from font"  # in the warning of matplotlib


def write_pdf(path: Path, report: Report) -> None:
    """Write the report as a PDF file. Warns if its font lacks a letter, such as those of Chinese names."""
    from matplotlib import rc_context  # a slow import
    from matplotlib.backends.backend_pdf import PdfPages

    about = {"Title": report.heading, "Creator": f"mrsal {__version__}"}
    with (
        warnings.catch_warnings(record=True, action="always") as caught,
        rc_context({"pdf.fonttype": 42, "font.family": "DejaVu Sans"}),
        atomic_path(path) as temporary,
        PdfPages(temporary, metadata=about) as file,
    ):
        pages = Pages(file)
        _write(pages, report)
        pages.end()
    messages = [str(warning.message) for warning in caught]
    if any(_LACKING in message for message in messages):
        warnings.warn(
            f"{path}: the font of the PDF lacks letters of some names; the report as .html has them", stacklevel=2
        )
    for message in dict.fromkeys(message for message in messages if _LACKING not in message):
        warnings.warn(message, stacklevel=2)


def _write(pages: "Pages", report: Report) -> None:
    pages.text(report.heading, size=17, weight="bold")
    pages.text(report.origin(), colour=SOFT)
    pages.space(3)
    pages.text(report.summary, size=11.5)
    for note in report.notes:
        pages.text(f"Note: {note}", colour=SOFT)
    pages.space(3)
    pictures, legend = report.heat
    pages.pictures(pictures, report.captions(), legend)
    moved = report.moved
    if isinstance(moved, str):
        pages.heading(MOVED, room=20)
        pages.text(moved)
    elif moved:
        picture, legend = moved
        height = min(_MOVED_WIDTH * picture.shape[0] / picture.shape[1], TALLEST)
        smaller = pages.room() - _AROUND
        height = smaller if _SMALLEST * height < smaller < height else height  # rather than on a new page
        pages.heading(MOVED, room=height + _AROUND)
        pages.text(moved_text(report.differences))
        pages.pictures([picture], [""], legend, tallest=height)
    pages.heading("Numbers", room=30)
    for table in report.tables():
        pages.table(table)
    pages.heading("How it was computed", room=30)
    for text in report.explanations():
        pages.text(text)
