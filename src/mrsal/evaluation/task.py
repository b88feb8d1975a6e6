"""What is scored, in plain values, so that another process, or another machine, can do a part of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import Example, open_archive
from mrsal.evaluation.adjustment import Adjusted, Adjustment
from mrsal.evaluation.evaluator import Model, OnImage, image_scorer, predict_example
from mrsal.evaluation.open_model import limits_of, open_model
from mrsal.evaluation.report.pictures import comparison
from mrsal.images import save_jpeg


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
    protocol, optimal
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
            self.open_model(examples), examples, self.protocol, self.optimal, on_image=self.drawing(examples)
        )


ShareOut = Callable[[ScoringTask], Callable[[Sequence[int]], Iterable[dict[str, float]]]]


def _draw(folder: Path, names: frozenset[str], example: Example, map_: NDArray, row: dict[str, float]) -> None:
    """Save stimulus, prediction and ground truth side by side."""
    if example.name in names:
        shown = {name: row[name] for name in ("sAUC", "NSS", "CC") if np.isfinite(row.get(name, np.nan))}
        caption = "  ".join(f"{name} {value:.2f}" for name, value in shown.items())
        picture = comparison(example.stimulus(), map_, example.target(), caption=caption)
        save_jpeg(picture, folder / f"{Path(example.name).stem}_comparison.jpg")
