"""The maps, pictures, tables and files that the page of ``mrsal serve`` shows."""

import csv
import hashlib
import io
import math
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
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
    points,
    ranked,
    strongest_spots,
    with_areas,
    with_contours,
    with_spots,
    write_areas,
)
from mrsal.errors import InputError
from mrsal.images import first_page_note, resize, save_jpeg
from mrsal.inference import BASELINES, SaliencyMap, SaliencyModel, ShareCalibration, colour_map, open_model
from mrsal.model import BUNDLED, DEFAULT_MODEL
from mrsal.web.options import UploadLimits
from mrsal.web.session import read_upload

SHOWN = ("overlay", "heatmap", "image")
SHARE_HEADINGS = ("area", "rank", "attention %", "95 % from", "to", "surface %", "per surface")
DIFFERENCE_HEADINGS = ("area", "A %", "B %", "difference", "95 % from", "to", "clearly different")

_PIXELS = 2_000_000  # of a picture on the page, at most; files have the full size
_SHARP = 1000  # pixels of the longer side, at least, so that contours and spots are sharp on small images, too
_MAPS = 6  # maps in memory
_HOUR = 3600  # seconds


@dataclass(frozen=True)
class Display:
    """What a picture shows.

    Parameters
    ----------
    show : str
        One of :data:`SHOWN`: the heatmap over the image, the heatmap alone, or the image alone.
    opacity : float
        The opacity of the heatmap over the image, in [0, 1].
    levels : tuple of float
        Shares of the attention in (0, 1). The smallest region with each share is outlined.
    spots : int
        The number of strongest spots to mark.
    """

    show: str = "overlay"
    opacity: float = 0.6
    levels: tuple[float, ...] = ()
    spots: int = 0


@dataclass(frozen=True)
class Prediction:
    """The map of an image.

    Parameters
    ----------
    name : str
        The name of the file.
    full : SaliencyMap
        The map at the size of the image.
    shown : SaliencyMap
        The map at the size of the picture on the page.
    factor : float
        The size of ``shown`` divided by that of ``full``.
    calibration : ShareCalibration, optional
        The calibration of the model, if it has one.
    notes : tuple of str
        What the visitor should know about the map, such as that only the first page of a document was used.
    mode : str, optional
        The mode in which the network predicted, if it has several.
    measured : dict of Area to AreaShare
        The shares of the latest areas. An edit changes one of many, and only this one is measured again.
    """

    name: str
    full: SaliencyMap
    shown: SaliencyMap
    factor: float
    calibration: ShareCalibration | None = None
    notes: tuple[str, ...] = ()
    mode: str | None = None
    measured: dict[Area, AreaShare] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        height, width = self.full.values.shape
        return height, width


class Studio:
    """The models that a page offers, and the latest maps.

    Parameters
    ----------
    model : str, optional
        Another model, as for :func:`mrsal.inference.open_model`. The page offers it first.
    adjustment : str or Path, optional
        An adjustment of this model, or of the default model. The page then offers the adjusted model first.
    device, precision : str
        As for :func:`mrsal.load_model`.
    limits : UploadLimits
        What the page accepts.

    Attributes
    ----------
    models : tuple of str
        The names of the models that the page offers.
    folder : Path
        A temporary folder for results and, in ``mrsal serve``, uploads. A studio is a context manager, which removes the
        folder at the end.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        adjustment: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        limits: UploadLimits | None = None,
    ) -> None:
        self.limits = limits or UploadLimits()
        names = {name: name for name in [*([model] if model else []), *BUNDLED, *BASELINES]}
        if adjustment is not None:
            adjusted = f"{model or DEFAULT_MODEL}, adjusted"
            names = {adjusted: model or DEFAULT_MODEL, **names}
        self.models = tuple(names)
        self._lock = threading.Lock()  # one network at a time, and each map once

        @cache
        def opened(name: str) -> SaliencyModel:
            used = adjustment if name != names[name] else None
            return open_model(names[name], device=device, precision=precision, adjustment=used)

        self._open = opened
        self._predict = lru_cache(maxsize=_MAPS)(self._predicted)
        if model or adjustment is not None:
            self._open(self.models[0])  # a wrong path is an error at the start and not at the first image
        self._folder = tempfile.TemporaryDirectory(prefix="mrsal-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder with all uploads."""
        self._folder.cleanup()

    def new_folder(self) -> Path:
        """Make an empty folder for results, and remove those that are older than an hour."""
        self._remove_old()
        return Path(tempfile.mkdtemp(prefix="files-", dir=self.folder))

    def picture(self, path: Path, model: str, mode: str, display: Display) -> Path:
        """The file of the picture on the page, without areas; the same picture is drawn once in an hour."""
        name = hashlib.sha256(repr((path, model, mode, display)).encode()).hexdigest()[:32]
        file = self.folder / f"files-{int(time.time()) // _HOUR}" / f"{name}.jpg"
        if not file.exists():
            self._remove_old()
            save_jpeg(view(self.predict(path, model, mode), display), file)
        return file

    def _remove_old(self) -> None:
        for folder in self.folder.glob("files-*"):
            with suppress(FileNotFoundError):  # another request has just removed it
                if time.time() - folder.stat().st_mtime > _HOUR:
                    shutil.rmtree(folder, ignore_errors=True)

    def predict(self, path: Path, model: str, mode: str) -> Prediction:
        """Predict an uploaded image, or return the map from memory.

        Raises
        ------
        InputError, DataError
            If the file is refused (see :func:`read_upload`), or the page does not offer the model.
        """
        if model not in self.models:
            raise InputError(f"expected one of the models {', '.join(self.models)}, got {model!r}")
        with self._lock:
            return self._predict(path, model, mode)

    def _predicted(self, path: Path, model: str, mode: str) -> Prediction:
        pixels = read_upload(path, self.limits)
        opened = self._open(model)
        used = mode if mode in opened.modes else None
        predicted = opened.with_mode(used).predict(pixels, name=path.name)
        full = SaliencyMap(predicted.unit_values, pixels, log_density=predicted.log_density)
        calibration = opened.calibration
        _ = full.density  # here and once, so that the first area is measured as quickly as the others
        if calibration is not None:
            calibration.difference_interval(0.5, 0.5, 1, 0.5)  # with slow imports
        notes = tuple(filter(None, (first_page_note(path), predicted.note())))
        shown, factor = _resized(full)
        return Prediction(path.name, full, shown, factor, calibration, notes, used)


def _resized(full: SaliencyMap) -> tuple[SaliencyMap, float]:
    """The map at the size of the picture on the page, and this size divided by that of the image."""
    height, width = full.values.shape
    factor = min(max(1.0, _SHARP / max(height, width)), math.sqrt(_PIXELS / (height * width)))
    if factor == 1:
        return full, factor
    size = max(1, round(width * factor)), max(1, round(height * factor))
    method = Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    values = np.asarray(Image.fromarray(full.values).resize(size, method))
    log_density = None if full.log_density is None else np.log(values / values.sum())
    return SaliencyMap(values, resize(full.image, size[1], size[0]), log_density=log_density), factor


def share_rows(shares: Iterable[AreaShare]) -> list[list[str]]:
    """The rows of the table with :data:`SHARE_HEADINGS`, largest share first."""
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
    """The rows of the table with :data:`DIFFERENCE_HEADINGS`."""
    return [
        [
            pair.a.area.name,
            *(f"{100 * value:.1f}" for value in (pair.a.attention, pair.b.attention)),
            points(pair.difference),
            *_interval_cells(pair.interval, sign="+"),
            {True: "yes", False: "no", None: "–"}[pair.is_clear],
        ]
        for pair in differences
    ]


def _interval_cells(interval: tuple[float, float] | None, *, sign: str = "") -> list[str]:
    return [f"{100 * value:{sign}.1f}" for value in interval] if interval else ["–", "–"]


def view(prediction: Prediction, display: Display) -> NDArray[np.uint8]:
    """The picture on the page, on which the page itself draws the areas: ``(H, W, 3)`` uint8."""
    return _drawn(prediction.shown, display)


def write_files(folder: Path, prediction: Prediction, shares: Sequence[AreaShare], display: Display) -> list[Path]:
    """Write the map (``.npy``, 16-bit ``.png``), the picture at full size (``.jpg``), the spots, and any areas."""
    stem = folder / Path(prediction.name).stem
    files = [stem.with_name(stem.name + ending) for ending in (".npy", ".png", "_overlay.jpg", "_spots.csv")]
    for file in files[:2]:
        prediction.full.save(file)
    labels = [f"{share.area.name} {100 * share.attention:.1f}%" for share in shares]
    save_jpeg(with_areas(_drawn(prediction.full, display), [share.area for share in shares], labels), files[2])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["order", "x", "y", "strength"])
    for order, spot in enumerate(strongest_spots(prediction.shown.values, count=display.spots), start=1):
        writer.writerow([order, *(round(v / prediction.factor, 1) for v in (spot.x, spot.y)), round(spot.strength, 4)])
    files[3].write_text(text.getvalue(), encoding="utf-8")
    if shares:
        files += [stem.with_name(f"{stem.name}_areas.csv"), stem.with_name(f"{stem.name}_boxes.json")]
        files[4].write_text(csv_text([Attention(prediction.name, prediction.full, list(shares))]), encoding="utf-8")
        write_areas([share.area for share in shares], files[5])
    return files


def shares_on(prediction: Prediction, areas: Sequence[Area]) -> list[AreaShare]:
    """The shares of areas, of which the part on the image counts."""
    shares = {}
    with warnings.catch_warnings(action="ignore"):  # that a part lies beyond the border, each time
        for area in areas:
            clipped = area.clipped(prediction.shape)
            shares[clipped] = prediction.measured.get(clipped) or _share(prediction, clipped)
    prediction.measured.clear()
    prediction.measured.update(shares)
    return ranked(list(shares.values()))


def _share(prediction: Prediction, area: Area) -> AreaShare:
    [share] = attention_shares(prediction.full, [area], calibration=prediction.calibration)
    return share


def _drawn(saliency: SaliencyMap, display: Display) -> NDArray[np.uint8]:
    if display.show not in SHOWN:
        raise InputError(f"expected one of {', '.join(SHOWN)}, got {display.show!r}")
    if display.show == "overlay":
        picture = saliency.overlay(opacity=display.opacity)
    else:
        picture = colour_map(saliency.values) if display.show == "heatmap" else saliency.image
    if display.levels:
        picture = with_contours(picture, saliency.density, display.levels)
    if display.spots:
        picture = with_spots(picture, strongest_spots(saliency.values, count=display.spots))
    return picture
