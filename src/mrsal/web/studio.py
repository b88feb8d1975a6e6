"""What the local page of ``mrsal serve`` does, without the page: uploads and clicks flow in, pictures and tables flow out."""

import csv
import io
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.aoi import (
    Area,
    AreaDifference,
    AreaShare,
    Attention,
    attention_shares,
    csv_text,
    strongest_spots,
    with_areas,
    with_contours,
    with_spots,
    write_areas,
)
from mrsal.errors import InputError
from mrsal.images import resize, save_jpeg
from mrsal.inference import BASELINES, SaliencyMap, ShareCalibration, colour_map, open_model
from mrsal.model import BUNDLED
from mrsal.web.options import UploadLimits
from mrsal.web.session import read_upload

SHOWN = ("overlay", "heatmap", "picture")
SHARE_HEADINGS = ("area", "rank", "attention %", "95 % from", "to", "surface %", "per surface")
DIFFERENCE_HEADINGS = ("area", "A %", "B %", "difference", "95 % from", "to")

_LONGEST = 1400  # pixels of a side on the page; files have the picture's own size
_KEPT = 6  # maps in memory
_HOUR = 3600  # seconds


@dataclass(frozen=True)
class Look:
    """How a picture is shown: what, how opaque, with contours of which shares, and with how many spots."""

    show: str = "overlay"
    opacity: float = 0.6
    levels: tuple[float, ...] = ()
    spots: int = 0


@dataclass(frozen=True)
class Prediction:
    """The map of a picture at its own size, and reduced by ``factor`` to what a page has room for; its model's calibration."""

    name: str
    full: SaliencyMap
    small: SaliencyMap
    factor: float
    calibration: ShareCalibration | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture itself."""
        height, width = self.full.values.shape
        return height, width

    def point(self, x: int, y: int) -> tuple[float, float]:
        """A pixel of the reduced picture, by its centre, in pixels of the picture itself."""
        return (x + 0.5) / self.factor, (y + 0.5) / self.factor


class Studio:
    """The models that a page offers, and the latest maps.

    Parameters
    ----------
    model : str, optional
        One more, for :func:`mrsal.inference.open_model`, offered first.
    device, precision : str
        As for :func:`mrsal.load_model`.
    limits : UploadLimits

    Attributes
    ----------
    models : tuple of str
    folder : Path
        For uploads and results. Used as a context manager, a studio removes it at the end.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        device: str = "auto",
        precision: str = "auto",
        limits: UploadLimits | None = None,
    ) -> None:
        self.limits = limits or UploadLimits()
        self.models = tuple(dict.fromkeys([*([model] if model else []), *BUNDLED, *BASELINES]))
        self._lock = threading.Lock()  # one network at a time, and each map once
        self._open = lru_cache(maxsize=None)(lambda name: open_model(name, device=device, precision=precision))
        self._predict = lru_cache(maxsize=_KEPT)(self._predicted)
        if model:
            self._open(model)  # a wrong path is said at the start and not at the first picture
        self._folder = tempfile.TemporaryDirectory(prefix="mrsal-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder with all uploads."""
        self._folder.cleanup()

    def new_folder(self) -> Path:
        """An empty folder for results, which lasts an hour: it is removed when a later one is made."""
        for folder in self.folder.glob("files-*"):
            with suppress(FileNotFoundError):  # somebody else's request removes it
                if time.time() - folder.stat().st_mtime > _HOUR:
                    shutil.rmtree(folder, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix="files-", dir=self.folder))

    def predict(self, path: Path, model: str, mode: str) -> Prediction:
        """The map of an uploaded picture.

        Raises
        ------
        InputError, DataError
            If the picture is refused (see :func:`read_upload`), or there is no such model.
        """
        if model not in self.models:
            raise InputError(f"expected a model out of {', '.join(self.models)}, got {model!r}")
        with self._lock:
            return self._predict(path, model, mode)

    def _predicted(self, path: Path, model: str, mode: str) -> Prediction:
        pixels = read_upload(path, self.limits)
        opened = self._open(model)
        predicted = opened.with_mode(mode if mode in opened.modes else None).predict(pixels, name=path.name)
        full = SaliencyMap(predicted.unit_values, pixels, log_density=predicted.log_density)
        calibration = opened.calibration
        height, width = full.values.shape
        factor = min(1.0, _LONGEST / max(height, width))
        size = max(1, round(width * factor)), max(1, round(height * factor))
        if factor == 1:
            return Prediction(path.name, full, full, factor, calibration)
        values = np.asarray(Image.fromarray(full.values).resize(size, Image.Resampling.BOX))
        log_density = None if full.log_density is None else np.log(values / values.sum())
        small = SaliencyMap(values, resize(pixels, size[1], size[0]), log_density=log_density)
        return Prediction(path.name, full, small, factor, calibration)


def share_rows(shares: Iterable[AreaShare]) -> list[list[str]]:
    """What each area gets, under :data:`SHARE_HEADINGS`, most first."""
    return [
        [
            share.area.name,
            str(share.rank),
            f"{100 * share.attention:.1f}",
            *_interval_cells(share.interval),
            f"{100 * share.surface:.1f}",
            f"{share.per_surface:.2f}",
        ]
        for share in sorted(shares, key=lambda share: share.rank)
    ]


def difference_rows(differences: Iterable[AreaDifference]) -> list[list[str]]:
    """Two designs, under :data:`DIFFERENCE_HEADINGS`."""
    return [
        [
            pair.a.area.name,
            *(f"{100 * value:.1f}" for value in (pair.a.attention, pair.b.attention)),
            f"{100 * pair.difference:+.1f}",
            *_interval_cells(pair.interval, sign="+"),
        ]
        for pair in differences
    ]


def _interval_cells(interval: tuple[float, float] | None, *, sign: str = "") -> list[str]:
    return [f"{100 * value:{sign}.1f}" for value in interval] if interval else ["–", "–"]


def view(
    prediction: Prediction, shares: Sequence[AreaShare], look: Look, *, corner: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """The picture as it is looked at, reduced: ``(H, W, 3)`` uint8."""
    return _drawn(prediction.small, prediction.factor, shares, look, corner)


def write_files(folder: Path, prediction: Prediction, shares: Sequence[AreaShare], look: Look) -> list[Path]:
    """Write the map (``.npy``, 16-bit ``.png``), the picture as it is looked at, in full size, the spots, and any areas."""
    stem = folder / Path(prediction.name).stem
    files = [stem.with_name(stem.name + ending) for ending in (".npy", ".png", "_overlay.jpg", "_spots.csv")]
    for file in files[:2]:
        prediction.full.save(file)
    save_jpeg(_drawn(prediction.full, 1.0, shares, look, None), files[2])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["order", "x", "y", "strength"])
    for order, spot in enumerate(strongest_spots(prediction.small.values, count=look.spots), start=1):
        writer.writerow([order, *(round(v / prediction.factor, 1) for v in (spot.x, spot.y)), round(spot.strength, 4)])
    files[3].write_text(text.getvalue(), encoding="utf-8")
    if shares:
        files += [stem.with_name(f"{stem.name}_areas.csv"), stem.with_name(f"{stem.name}_boxes.json")]
        files[4].write_text(csv_text([Attention(prediction.name, prediction.full, list(shares))]), encoding="utf-8")
        write_areas([share.area for share in shares], files[5])
    return files


def shares_on(prediction: Prediction, areas: Sequence[Area]) -> list[AreaShare]:
    """The shares of areas, cut to the picture."""
    if not areas:
        return []
    clipped = [area.clipped(prediction.shape) for area in areas]
    return attention_shares(prediction.full, clipped, calibration=prediction.calibration)


def _drawn(
    saliency: SaliencyMap,
    factor: float,
    shares: Sequence[AreaShare],
    look: Look,
    corner: tuple[float, float] | None,
) -> NDArray[np.uint8]:
    if look.show not in SHOWN:
        raise InputError(f"expected one of {', '.join(SHOWN)}, got {look.show!r}")
    if look.show == "overlay":
        picture = saliency.overlay(opacity=look.opacity)
    else:
        picture = colour_map(saliency.values) if look.show == "heatmap" else saliency.image
    if look.levels:
        picture = with_contours(picture, saliency.density, look.levels)
    if look.spots:
        picture = with_spots(picture, strongest_spots(saliency.values, count=look.spots))
    areas = [_scaled(share.area, factor) for share in shares]
    labels = [f"{share.area.name} {100 * share.attention:.1f}%" for share in shares]
    if corner is not None:
        areas.append(Area("corner", corner[0] * factor - 3, corner[1] * factor - 3, 7, 7))
        labels.append("first corner")
    return with_areas(picture, areas, labels) if areas else picture


def _scaled(area: Area, factor: float) -> Area:
    return Area(area.name, area.x0 * factor, area.y0 * factor, area.width * factor, area.height * factor)
