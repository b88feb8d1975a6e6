"""The jobs of ``mrsal aoi`` and ``mrsal check``: measuring the areas of an image, tables, pictures and files of results."""

import csv
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.markup import escape
from rich.table import Table

from mrsal.aoi.area_files import read_areas
from mrsal.aoi.areas import AreaDifference, AreaShare, attention_shares
from mrsal.aoi.drawing import side_by_side, with_areas
from mrsal.aoi.measured import Looks, Measured, MeasuredShare, measured_shares
from mrsal.aoi.options import StudySize
from mrsal.aoi.overlaps import Overlaps, overlaps
from mrsal.aoi.shapes import Area
from mrsal.errors import InputError
from mrsal.files import atomic_path, write_text
from mrsal.images import read_image
from mrsal.inference import SaliencyMap, SaliencyModel

PICTURES = (".png", ".jpg", ".jpeg")
MEASURED_COLUMNS = ("measured", "measured_low", "measured_high", "looked", "first_fixation", "dwell_time")
_SHOWN_SHARE = 0.0005  # in common; less is 0.0 %
_PAIRS = 5  # of overlapping areas that a table names
COLUMNS = ("area", "kind", "x", "y", "width", "height", "attention", "low", "high", "surface", "per_surface", "rank")


@dataclass(frozen=True)
class Attention:
    """The map of an image, the shares of its areas, and what was measured in them if there are fixations."""

    name: str
    saliency: SaliencyMap
    shares: list[AreaShare]
    measured: Measured | None = None

    def picture(self) -> NDArray[np.uint8]:
        """The heatmap over the image with labelled areas: ``(H, W, 3)`` uint8."""
        labels = [f"{share.area.name} {100 * share.attention:.1f}%" for share in self.shares]
        return with_areas(self.saliency.overlay(), [share.area for share in self.shares], labels)

    @cached_property
    def overlaps(self) -> Overlaps:
        """The areas that overlap."""
        return overlaps(self.saliency, [share.area for share in self.shares])

    def rows(self) -> list[dict[str, Any]]:
        """A dict with the :data:`COLUMNS` for each area: shares in [0, 1]; low and high may be None.

        ``x``, ``y``, ``width`` and ``height`` are the upright rectangle around the part of the area on the image, in pixels.
        With fixations there are also the :data:`MEASURED_COLUMNS`, with times in seconds.
        """
        measured = (
            [_measured_row(share) for share in self.measured.shares] if self.measured else [{} for _ in self.shares]
        )
        return [
            {
                "area": share.area.name,
                "kind": share.area.kind,
                **_box(share.area, self.saliency.values.shape),
                "attention": share.attention,
                **_ends(share.interval),
                "surface": share.surface,
                "per_surface": share.per_surface,
                "rank": share.rank,
                **more,
            }
            for share, more in zip(self.shares, measured, strict=True)
        ]


def measure(
    image: Path,
    boxes: Path | Sequence[Area],
    model: SaliencyModel,
    *,
    study: StudySize | None = None,
    looks: Looks | None = None,
) -> Attention:
    """Predict an image and measure the shares of its areas.

    Parameters
    ----------
    image : Path
        The file of the image.
    boxes : Path or sequence of Area
        A file or folder that :func:`read_areas` reads, or the areas.
    model : SaliencyModel
        The model. If it is calibrated, the shares have intervals.
    study : StudySize, optional
        The size of the study for the intervals.
    looks : Looks, optional
        Measured fixations on the image, from :func:`read_looks`.
    """
    pixels = read_image(image)
    areas = read_areas(boxes, image=image, shape=pixels.shape[:2]) if isinstance(boxes, Path) else boxes
    with warnings.catch_warnings():  # the same warnings come from the real shares
        warnings.simplefilter("ignore")
        attention_shares(np.ones(pixels.shape[:2]), areas)  # finds mistakes in the areas before the network runs
    saliency = model.predict(pixels, name=image.name)
    size = study or StudySize()
    shares = attention_shares(
        saliency,
        areas,
        calibration=model.calibration,
        observers=size.observers,
        per_observer=size.per_observer,
        level=size.level,
    )
    measured = measured_shares(looks, shares, saliency.density.shape, level=size.level) if looks else None
    return Attention(image.name, saliency, shares, measured)


def share_table(attention: Attention, *, level: float) -> Table:
    """A table of the shares, largest first, with a column for the intervals if there are any, and the overlaps below."""
    caption = escape(overlap_text(attention.overlaps))
    table = Table(title=escape(attention.name), title_justify="left", caption=caption or None, caption_justify="left")
    table.add_column("area")
    spans = [f"{100 * level:g} %"] if any(share.interval for share in attention.shares) else []
    for heading in ("rank", "attention", *spans, "surface", "attention per surface"):
        table.add_column(heading, justify="right")
    for share in sorted(attention.shares, key=lambda share: share.rank):
        table.add_row(
            escape(share.area.name),
            str(share.rank),
            f"{100 * share.attention:.1f} %",
            *([_span(share.interval)] if share.interval else []),
            f"{100 * share.surface:.1f} %",
            f"{share.per_surface:.2f}",
        )
    return table


def measured_table(attention: Attention, *, level: float) -> Table | None:
    """A table of predicted and measured shares, largest measured share first; None if there are no fixations."""
    measured = attention.measured
    if measured is None:
        return None
    title = f"{attention.name}: {measured.fixations} fixations of {measured.observers} observers"
    table = Table(
        title=escape(title), title_justify="left", caption=_agreement(measured, level), caption_justify="left"
    )
    table.add_column("area")
    for heading in ("predicted", "measured", f"{100 * level:g} %", "looked", "first at", "dwell"):
        table.add_column(heading, justify="right")
    rows = zip(attention.shares, measured.shares, strict=True)
    for predicted, found in sorted(rows, key=lambda row: -row[1].share):
        table.add_row(
            escape(found.area),
            f"{100 * predicted.attention:.1f} %",
            f"{100 * found.share:.1f} %",
            _span(found.interval) if found.interval else "–",
            f"{100 * found.looked:.0f} %",
            *("–" if time is None else f"{time:.2f} s" for time in (found.first_fixation, found.dwell_time)),
        )
    return table


def _agreement(measured: Measured, level: float) -> str:
    count = len(measured.shares)
    if measured.rank_correlation is None:
        return f"The order of {count} areas has no rank correlation: it needs 3 areas with different shares."
    low, high = measured.interval or (None, None)
    over = "" if low is None else f" ({100 * level:g} % over observers: {low:.2f} to {high:.2f})"
    return (
        f"Rank correlation of predicted and measured shares over {count} areas: {measured.rank_correlation:.2f}{over}."
    )


def overlap_text(found: Overlaps) -> str:
    """Say which areas overlap, and what is counted twice; empty if none overlap."""
    if found.pairs is None:
        parts = ["there are too many areas to compare them by pairs"]
    else:
        pairs = [pair for pair in found.pairs if pair.attention >= _SHOWN_SHARE]
        parts = [f"{pair.a} and {pair.b} have {100 * pair.attention:.1f} % in common" for pair in pairs[:_PAIRS]]
        if len(pairs) > _PAIRS:
            parts.append(f"{len(pairs) - _PAIRS} more pairs overlap")
    if not parts:
        return ""
    total = found.together + found.twice
    sums = f"together the areas get {100 * found.together:.1f} %, and their shares sum to {100 * total:.1f} %"
    return f"Overlaps: {'; '.join(parts)}. Counted once, {sums}."


def difference_table(a: Attention, b: Attention, differences: Sequence[AreaDifference], *, level: float) -> Table:
    """A table of the shares in two designs, in the order of the boxes, with a column for the intervals if there are any."""
    table = Table()
    table.add_column("area")
    spans = [f"{100 * level:g} %"] if any(pair.interval for pair in differences) else []
    for heading in (a.name, b.name, "difference", *spans):
        table.add_column(escape(heading), justify="right")
    for pair in differences:
        table.add_row(
            escape(pair.a.area.name),
            f"{100 * pair.a.attention:.1f} %",
            f"{100 * pair.b.attention:.1f} %",
            f"{100 * pair.difference:+.1f}",
            *([_span(pair.interval, sign="+")] if pair.interval else []),
        )
    return table


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
            _rounded({"area": pair.a.area.name, "difference": pair.difference, **_ends(pair.interval)})
            for pair in differences
        ]
    return result


def check_out(paths: Sequence[Path], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse unknown file endings and files that are inputs, before anything is computed."""
    for path in paths:
        if path.resolve() in [file.resolve() for file in inputs]:
            raise InputError(f"--out {path} would overwrite an input; choose another name")
        if path.suffix.lower() not in (*PICTURES, ".csv"):
            raise InputError(f"--out must end in one of {', '.join((*PICTURES, '.csv'))}, got {path.name!r}")


def write_out(path: Path, attentions: Sequence[Attention]) -> None:
    """Write a picture, with two designs side by side, or a table; the ending of ``path`` decides."""
    check_out([path])
    suffix = path.suffix.lower()
    if suffix == ".csv":
        write_text(path, csv_text(attentions))
        return
    with atomic_path(path) as temporary:
        pictures = [attention.picture() for attention in attentions]
        picture = pictures[0] if len(pictures) == 1 else side_by_side(*pictures)
        Image.fromarray(picture).save(temporary, format="PNG" if suffix == ".png" else "JPEG", quality=92)


def _box(area: Area, shape: tuple[int, ...]) -> dict[str, float]:
    """The rectangle around the part of an area on an image."""
    x0, y0, x1, y1 = area.bounds
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
    return {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}


def _measured_row(share: MeasuredShare) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    values = (share.share, low, high, share.looked, share.first_fixation, share.dwell_time)
    return dict(zip(MEASURED_COLUMNS, values, strict=True))


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


def _span(interval: tuple[float, float], *, sign: str = "") -> str:
    low, high = (100 * value for value in interval)
    return f"{low:{sign}.1f} to {high:{sign}.1f}"


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
