"""The files and the JSON that ``mrsal aoi`` writes."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from mrsal.aoi.areas import AreaDifference
from mrsal.aoi.drawing import side_by_side
from mrsal.aoi.measured import Measured
from mrsal.aoi.options import REPORTS
from mrsal.aoi.overlaps import Overlaps
from mrsal.aoi.report import Report, write_html
from mrsal.aoi.report_pdf import write_pdf
from mrsal.aoi.study import COLUMNS, MEASURED_COLUMNS, Attention
from mrsal.errors import InputError
from mrsal.files import atomic_path, write_text

ENDINGS = (*REPORTS, ".png", ".jpg", ".jpeg", ".csv")


def csv_text(attentions: Sequence[Attention]) -> str:
    """The areas of one or more images as CSV, with a first column for the image."""
    text = io.StringIO()
    columns = (*COLUMNS, *MEASURED_COLUMNS) if any(attention.measured for attention in attentions) else COLUMNS
    writer = csv.DictWriter(text, ("image", *columns), lineterminator="\n")
    writer.writeheader()
    for attention in attentions:
        writer.writerows({"image": attention.name, **_rounded(row)} for row in attention.rows())
    return text.getvalue()


def json_dict(attentions: Sequence[Attention], differences: Sequence[AreaDifference] = ()) -> dict[str, Any]:
    """The areas of one or more images, and the differences between two designs, for ``--json``."""
    images = [
        {
            "image": each.name,
            "areas": [_rounded(row) for row in each.rows()],
            "overlaps": _overlap_dict(each.overlaps),
            **({"measured": _measured_dict(each.measured)} if each.measured else {}),
        }
        for each in attentions
    ]
    result: dict[str, Any] = {"images": images}
    if differences:
        result["differences"] = [
            _rounded(
                {
                    "area": pair.a.area.name,
                    "difference": pair.difference,
                    **_ends(pair.interval),
                    "clear": pair.is_clear,
                }
            )
            for pair in differences
        ]
    return result


def check_out(paths: Sequence[Path], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse unknown file endings and files that are inputs, before anything is computed."""
    for path in paths:
        if path.resolve() in [file.resolve() for file in inputs]:
            raise InputError(f"--out {path} would overwrite an input; choose another name")
        if path.suffix.lower() not in ENDINGS:
            raise InputError(f"--out must end in one of {', '.join(ENDINGS)}, got {path.name!r}")


def write_out(path: Path, report: Report) -> None:
    """Write a report (``.html``, ``.pdf``), a picture, with two designs side by side, or a table; the ending decides."""
    check_out([path])
    suffix = path.suffix.lower()
    if suffix == ".csv":
        write_text(path, csv_text(report.attentions))
    elif suffix == ".html":
        write_html(path, report)
    elif suffix == ".pdf":
        write_pdf(path, report)
    else:
        with atomic_path(path) as temporary:
            pictures = [attention.picture() for attention in report.attentions]
            picture = pictures[0] if len(pictures) == 1 else side_by_side(*pictures)
            Image.fromarray(picture).save(temporary, format="PNG" if suffix == ".png" else "JPEG", quality=92)


def _measured_dict(measured: Measured) -> dict[str, Any]:
    low, high = measured.interval or (None, None)
    return _rounded(
        {
            "observers": measured.observers,
            "fixations": measured.fixations,
            "rank_correlation": measured.rank_correlation,
            "rank_correlation_low": low,
            "rank_correlation_high": high,
        }
    )


def _overlap_dict(found: Overlaps) -> dict[str, Any]:
    pairs = (
        None
        if found.pairs is None
        else [
            _rounded({"areas": [pair.a, pair.b], "attention": pair.attention, "surface": pair.surface})
            for pair in found.pairs
        ]
    )
    return {"pairs": pairs, **_rounded({"together": found.together, "twice": found.twice})}


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
