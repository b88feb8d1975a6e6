"""What is scored, in plain values, so that another process, or another machine, can do a part of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.adjustment import Adjusted, Adjustment
from mrsal.archive import Example
from mrsal.baselines import BASELINES, CentreBias, InterObserver, uniform
from mrsal.checkpoint import check_improvements
from mrsal.evaluation import Model, OnImage, image_scorer, predict_example
from mrsal.exchange import SUFFIXES
from mrsal.hub import SCHEME, WEIGHTS_FILE
from mrsal.inference import BUNDLED, Predictor, load_network, shipped_calibration
from mrsal.maps import load_callable, open_maps
from mrsal.native import open_archive
from mrsal.plots import comparison, save_jpeg
from mrsal.runtime import OnnxPredictor

FLOOR, CEILING = "uniform", "observers"


@dataclass(frozen=True)
class ScoringTask:
    """What is scored, on what and how, in plain values: any process that sees the files can do a part of it.

    Parameters
    ----------
    data_dir, split, skip_first
        The archive, and which part of it.
    model : str
        As :func:`open_model` takes it, with the options in ``opening``; or, with ``is_limit``, a key of :func:`limits_of`.
    adjustment : Adjustment, optional
        Applied to the model's maps.
    protocol, optimal, agreement
        As for :func:`mrsal.evaluate`.
    pictures : Path, optional
        Folder for comparisons with the ground truth.
    num_saved_images : int
        Of so many images, the first ones; -1: all.
    """

    data_dir: Path
    split: str
    skip_first: bool
    model: str
    opening: dict[str, Any]
    protocol: str
    optimal: bool
    agreement: bool = False
    is_limit: bool = False
    adjustment: Adjustment | None = None
    pictures: Path | None = None
    num_saved_images: int = -1

    def examples(self) -> list[Example]:
        """The images."""
        return list(open_archive(self.data_dir).examples(self.split, skip_first=self.skip_first))

    def open_model(self, examples: list[Example]) -> Model:
        """The model, with its adjustment, or the limit."""
        model = limits_of(examples)[self.model]() if self.is_limit else open_model(self.model, **self.opening)
        return Adjusted(partial(predict_example, model), self.adjustment) if self.adjustment else model

    def drawing(self, examples: list[Example]) -> OnImage | None:
        """What draws the comparisons."""
        if self.pictures is None:
            return None
        count = len(examples) if self.num_saved_images < 0 else self.num_saved_images
        return partial(_draw, self.pictures, frozenset(example.name for example in examples[:count]))

    def scorer(self) -> Callable[[int], dict[str, float]]:
        """Opens everything; a function from an image's index to its scores, which draws its comparison too."""
        examples = self.examples()
        return image_scorer(
            self.open_model(examples),
            examples,
            self.protocol,
            self.optimal,
            self.agreement,
            on_image=self.drawing(examples),
        )


ShareOut = Callable[[ScoringTask], Callable[[Sequence[int]], Iterable[dict[str, float]]]]


def limits_of(examples: list[Example]) -> dict[str, Callable[[], Model]]:
    """Floor and ceiling, as far as the data allow; fitted when they are asked for."""
    limits: dict[str, Callable[[], Model]] = {FLOOR: lambda: uniform}
    located = [example for example in examples if example.fixations is not None]
    if len(located) > 1:
        limits["centre bias"] = lambda: CentreBias(located)
    if len(located) == len(examples) > 1 and all(len(np.unique(e.fixations.subject)) > 1 for e in located):  # type: ignore[union-attr]
        limits[CEILING] = lambda: InterObserver(located)
    return limits


def open_model(
    name: str,
    *,
    improvements: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
    resize: bool = False,
) -> Any:
    """Open whatever can be scored: a baseline's name, a folder or HDF5 file of maps, ``package.module:function`` (which runs
    that code), an exported network, or a network by its name or checkpoint. ``mode`` None is exact, fast for exported ones."""
    path = Path(name)
    if name in BASELINES:
        return BASELINES[name]
    if path.suffix.lower() == ".onnx":
        return OnnxPredictor(path, device=device, precision=precision, mode=mode)
    is_maps = path.is_dir() and not (path / WEIGHTS_FILE).is_file()
    if is_maps or path.suffix.lower() in SUFFIXES:
        return open_maps(path, resize=resize)
    if ":" in name and not name.startswith(SCHEME) and not path.exists():
        return load_callable(name)
    network, _ = load_network(name)
    check_improvements(network, improvements, name)
    calibration = shipped_calibration(name)
    return Predictor(network, device=device, precision=precision, mode=mode or "exact", calibration=calibration)


def everywhere(model: str) -> str:
    """The same model for a process in another folder: a path becomes absolute, a name stays."""
    return str(Path(model).absolute()) if model not in {*BASELINES, *BUNDLED} and Path(model).exists() else model


def _draw(folder: Path, names: frozenset[str], example: Example, map_: NDArray, row: dict[str, float]) -> None:
    """Save stimulus, prediction and ground truth side by side."""
    if example.name in names:
        shown = {name: row[name] for name in ("sAUC", "NSS", "CC") if np.isfinite(row.get(name, np.nan))}
        caption = "  ".join(f"{name} {value:.2f}" for name, value in shown.items())
        picture = comparison(example.stimulus(), map_, example.target(), caption=caption)
        save_jpeg(picture, folder / f"{Path(example.name).stem}_comparison.jpg")
