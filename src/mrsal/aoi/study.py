"""The jobs behind ``mrsal aoi`` and ``mrsal check``.

An image, boxes and a model flow in; shares, tables and pictures flow out.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.markup import escape
from rich.table import Table

from mrsal.aoi.areas import Area, AreaDifference, AreaShare, attention_shares
from mrsal.aoi.box_files import read_areas
from mrsal.aoi.drawing import side_by_side, with_areas
from mrsal.aoi.options import StudySize
from mrsal.errors import InputError
from mrsal.files import atomic_path
from mrsal.images import read_image
from mrsal.inference import SaliencyMap, SaliencyModel

PICTURES = (".png", ".jpg", ".jpeg")
COLUMNS = ("area", "x", "y", "width", "height", "attention", "low", "high", "surface", "per_surface", "rank")


@dataclass(frozen=True)
class Attention:
    """An image, its map, and what its areas get."""

    name: str
    saliency: SaliencyMap
    shares: list[AreaShare]

    def picture(self) -> NDArray[np.uint8]:
        """The heatmap on the image with labelled boxes: ``(H, W, 3)`` uint8."""
        labels = [f"{share.area.name} {100 * share.attention:.1f}%" for share in self.shares]
        return with_areas(self.saliency.overlay(), [share.area for share in self.shares], labels)

    def rows(self) -> list[dict[str, Any]]:
        """A dict per area with the :data:`COLUMNS`; shares in [0, 1], boxes in pixels; low and high may be None."""
        return [
            {
                "area": share.area.name,
                "x": share.area.x0,
                "y": share.area.y0,
                "width": share.area.width,
                "height": share.area.height,
                "attention": share.attention,
                **_ends(share.interval),
                "surface": share.surface,
                "per_surface": share.per_surface,
                "rank": share.rank,
            }
            for share in self.shares
        ]


def measure(
    image: Path, boxes: Path | Sequence[Area], model: SaliencyModel, *, study: StudySize | None = None
) -> Attention:
    """Predict an image and share its attention among areas.

    Parameters
    ----------
    image : Path
    boxes : Path or sequence of Area
        A file for :func:`read_areas`, or the areas themselves.
    model : SaliencyModel
        Its calibration, if it has one, gives the intervals.
    study : StudySize, optional
        What the intervals are about.
    """
    pixels = read_image(image)
    areas = read_areas(boxes, image=image, shape=pixels.shape[:2]) if isinstance(boxes, Path) else boxes
    attention_shares(np.ones(pixels.shape[:2]), areas)  # what is wrong with the boxes is said before the network runs
    saliency = model.predict(pixels, name=image.name)
    size = study or StudySize()
    shares = attention_shares(
        saliency,
        areas,
        calibration=model.calibration,
        observers=size.observers,
        fixations=size.fixations,
        level=size.level,
    )
    return Attention(image.name, saliency, shares)


def share_table(attention: Attention, *, level: float) -> Table:
    """What each area gets, most first; with a column for the intervals if there are any."""
    table = Table(title=escape(attention.name), title_justify="left")
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


def difference_table(a: Attention, b: Attention, differences: Sequence[AreaDifference], *, level: float) -> Table:
    """The shares of two designs side by side, in the order of the boxes; with a column for the intervals if there are any."""
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
    writer = csv.DictWriter(text, ("image", *COLUMNS), lineterminator="\n")
    writer.writeheader()
    for attention in attentions:
        writer.writerows({"image": attention.name, **_rounded(row)} for row in attention.rows())
    return text.getvalue()


def json_dict(attentions: Sequence[Attention], differences: Sequence[AreaDifference] = ()) -> dict[str, Any]:
    """The same, with the differences of two designs, for ``--json``."""
    found: dict[str, Any] = {
        "images": [{"image": one.name, "areas": [_rounded(row) for row in one.rows()]} for one in attentions]
    }
    if differences:
        found["differences"] = [
            _rounded({"area": pair.a.area.name, "difference": pair.difference, **_ends(pair.interval)})
            for pair in differences
        ]
    return found


def check_out(paths: Sequence[Path], *, inputs: Sequence[Path] = ()) -> None:
    """Refuse endings that :func:`write_out` does not know, and to overwrite what is read, before anything is computed."""
    for path in paths:
        if path.resolve() in [read.resolve() for read in inputs]:
            raise InputError(f"--out {path} would overwrite what is read; choose another name")
        if path.suffix.lower() not in (*PICTURES, ".csv"):
            raise InputError(f"--out writes {', '.join((*PICTURES, '.csv'))}, by the ending; got {path.name!r}")


def write_out(path: Path, attentions: Sequence[Attention]) -> None:
    """Write a picture, two designs side by side, or a table, by the ending of ``path``."""
    check_out([path])
    suffix = path.suffix.lower()
    with atomic_path(path) as temporary:
        if suffix == ".csv":
            temporary.write_text(csv_text(attentions), encoding="utf-8")
            return
        pictures = [attention.picture() for attention in attentions]
        picture = pictures[0] if len(pictures) == 1 else side_by_side(*pictures)
        Image.fromarray(picture).save(temporary, format="PNG" if suffix == ".png" else "JPEG", quality=92)


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}


def _span(interval: tuple[float, float], *, sign: str = "") -> str:
    low, high = (100 * value for value in interval)
    return f"{low:{sign}.1f} to {high:{sign}.1f}"


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in row.items()}
