"""What is scored, in plain values, so that another process, or another machine, can do a part of it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import Example, open_archive
from mrsal.errors import MrsalError
from mrsal.evaluation.adjustment import Adjusted, Adjustment
from mrsal.evaluation.evaluator import OnImage, image_scorer
from mrsal.evaluation.limits import limits_of
from mrsal.evaluation.options import EvaluateOptions
from mrsal.evaluation.report.pictures import comparison_picture
from mrsal.images import save_jpeg
from mrsal.inference import BASELINES, TRIES, SaliencyModel, open_model
from mrsal.model import everywhere


@dataclass(frozen=True)
class ScoringTask:
    """Scores images, one at a time, in whatever process it is: a function from an image's index to its scores.

    Archive and model are opened when they are first needed.

    Parameters
    ----------
    data_dir, split, skip_first
        The archive, and which part of it.
    model : str
        A model for :func:`mrsal.inference.open_model`, with the options in ``opening``; or, with ``is_limit``, a key of
        :func:`limits_of`.
    adjustment : Adjustment, optional
        Applied to the model's maps.
    protocol, optimal, agreement
        As for :func:`mrsal.evaluate`.
    pictures : Path, optional
        Folder for comparisons with the ground truth.
    num_saved_images : int
        The number of images, from the first on, whose comparisons are drawn; -1: all.
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

    @classmethod
    def of(cls, options: EvaluateOptions) -> "ScoringTask":
        """The task of ``mrsal evaluate``, which can be done in any folder."""
        model = options.model_path
        opening = {
            "improvements": options.improvements,
            "device": options.device,
            "precision": options.precision,
            "mode": options.mode,
            "resize": options.resize_maps,
        }
        return cls(
            options.data_dir.absolute(),
            options.split,
            options.skip_first,
            model if model in BASELINES else everywhere(model),
            opening,
            options.protocol,
            options.optimal,
            options.agreement,
        )

    @cached_property
    def examples(self) -> list[Example]:
        """The images."""
        return list(open_archive(self.data_dir).examples(self.split, skip_first=self.skip_first))

    @cached_property
    def opened(self) -> SaliencyModel:
        """The model, with its adjustment, or the limit."""
        if self.is_limit:
            return limits_of(self.examples)[self.model]()
        model = open_model(self.model, **self.opening)
        return Adjusted(model, self.adjustment) if self.adjustment else model

    def but(self, **changes: Any) -> "ScoringTask":
        """The same task with changes, on the same images."""
        other = replace(self, **changes)
        if {"data_dir", "split", "skip_first"}.isdisjoint(changes):
            other.__dict__["examples"] = self.examples
        if {"model", "opening", "is_limit", "adjustment"}.isdisjoint(changes):
            other.__dict__["opened"] = self.opened
        return other

    def __call__(self, image: int) -> dict[str, float]:
        return self._score(image)

    def give_up(self, image: int) -> dict[str, float]:
        """Raises an error, since a mean over the other images would be the score of another data set."""
        name = self.examples[image].name
        raise MrsalError(f"the worker died {TRIES} times with {name}, which may need more memory")

    @cached_property
    def _score(self) -> Callable[[int], dict[str, float]]:
        return image_scorer(self.opened, self.examples, self.protocol, self.optimal, self.agreement, self._drawing())

    def _drawing(self) -> OnImage | None:
        """What draws the comparisons."""
        if self.pictures is None:
            return None
        count = len(self.examples) if self.num_saved_images < 0 else self.num_saved_images
        return partial(_draw, self.pictures, frozenset(example.name for example in self.examples[:count]))

    def __getstate__(self) -> dict[str, Any]:
        """Without what was opened, which each process opens for itself."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _draw(folder: Path, names: frozenset[str], example: Example, map_: NDArray, row: dict[str, float]) -> None:
    """Save stimulus, prediction and ground truth side by side."""
    if example.name in names:
        shown = {name: row[name] for name in ("sAUC", "NSS", "CC") if np.isfinite(row.get(name, np.nan))}
        caption = "  ".join(f"{name} {value:.2f}" for name, value in shown.items())
        picture = comparison_picture(example.stimulus(), map_, example.ground_truth(), caption=caption)
        save_jpeg(picture, folder / f"{Path(example.name).stem}_comparison.jpg")
