"""What the tab with two designs says about their difference, and the report that it makes."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi import (
    MOVED,
    Area,
    Attention,
    Report,
    clear_text,
    compare_shares,
    legend_html,
    moved_text,
    write_out,
)
from mrsal.web.studio import Prediction, shares_on


def comparison_report(
    predictions: Sequence[Prediction | None], areas: Sequence[Sequence[Area]], model: str
) -> Report | None:
    """The report on the designs A and B with their areas; None while one of them is missing."""
    a, b = predictions
    if a is None or b is None:
        return None
    shares = [shares_on(each, own) for each, own in zip((a, b), areas, strict=True)]
    in_both = {share.area.name for share in shares[0]} & {share.area.name for share in shares[1]}
    # one model predicts both, so its calibration is the same
    differences = compare_shares(*shares, calibration=a.calibration) if in_both else []
    attentions = [Attention(each.name, each.full, own) for each, own in zip((a, b), shares, strict=True)]
    notes = [f"{letter}: {note}" for letter, each in zip("AB", (a, b), strict=True) for note in each.notes]
    is_calibrated = a.calibration is not None
    return Report(attentions, differences, model=model, mode=a.mode, is_calibrated=is_calibrated, notes=notes)


def comparison_view(report: Report | None) -> tuple[str, NDArray[np.uint8] | None, str]:
    """The summary as HTML, the picture that shows where attention moved, and its legend as HTML, or why there is none."""
    moved = report.moved if report else None
    if report is None or moved is None:
        return "", None, ""
    summary = f"<p><b>{escape(report.summary)}</b></p>" if report.differences else ""
    if report.differences and report.is_calibrated:
        summary += f"<p>{clear_text(report.study.level, len(report.differences))}</p>"
    if isinstance(moved, str):
        return summary, None, f"<p>{escape(moved)}</p>"
    picture, legend = moved
    return summary, picture, f"<b>{MOVED}</b>{legend_html(legend)}<p>{moved_text(report.differences)}</p>"


def write_reports(folder: Path, report: Report) -> list[Path]:
    """Write the report as HTML and as PDF."""
    files = [folder / f"report{ending}" for ending in (".html", ".pdf")]
    for file in files:
        write_out(file, report)
    return files
