"""The job of ``mrsal aoi`` and ``mrsal check``: measuring the areas of an image."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.area_files import read_areas
from mrsal.aoi.areas import AreaShare, attention_shares
from mrsal.aoi.drawing import with_areas
from mrsal.aoi.measured import Looks, Measured, MeasuredShare, measured_shares
from mrsal.aoi.options import StudySize
from mrsal.aoi.overlaps import Overlaps, overlaps
from mrsal.aoi.shapes import Area
from mrsal.images import read_image
from mrsal.inference import SaliencyMap, SaliencyModel

MEASURED_COLUMNS = ("measured", "measured_low", "measured_high", "looked", "first_fixation", "dwell_time")
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
    return Attention(_printable(image.name), saliency, shares, measured)


def _printable(name: str) -> str:
    """The name of a file with a mark for what cannot be written to a table or report: a byte that is no letter, a new line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def _box(area: Area, shape: tuple[int, ...]) -> dict[str, float]:
    """The rectangle around the part of an area on an image."""
    x0, y0, x1, y1 = area.bounds
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
    return {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}


def _measured_row(share: MeasuredShare) -> dict[str, Any]:
    low, high = share.interval or (None, None)
    values = (share.share, low, high, share.looked, share.first_fixation, share.dwell_time)
    return dict(zip(MEASURED_COLUMNS, values, strict=True))


def _ends(interval: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = interval or (None, None)
    return {"low": low, "high": high}
