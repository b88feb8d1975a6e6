"""The scoring of the images of an archive as a task that other processes, or other machines, can do a part of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import Example, open_archive
from mrsal.errors import InputError, MrsalError
from mrsal.evaluation.evaluator import OnImage, image_scorer
from mrsal.evaluation.limits import limits_of
from mrsal.evaluation.options import EvaluateOptions, PictureFormat
from mrsal.evaluation.report.comparison_figure import comparison_figure
from mrsal.evaluation.report.pictures import comparison_picture
from mrsal.figures import save_figure
from mrsal.images import save_jpeg
from mrsal.inference import BASELINES, TRIES, Adjustment, SaliencyModel, open_model
from mrsal.model import everywhere


@dataclass(frozen=True)
class ScoringTask:
    """A function from the index of an image to its scores, which works in any process.

    A process that receives a task opens the archive and the model itself, when it needs them.

    Parameters
    ----------
    options : EvaluateOptions
        The options of ``mrsal evaluate``; :meth:`of` makes their paths independent of the current folder.
    limit : str
        The name of the limit that is scored instead of the model, a key of :func:`limits_of`; empty: the model.
    adjustment : Adjustment, optional
        The adjustment of the model's maps.
    pictures : Path, optional
        The folder for comparisons with the ground truth, of the first ``options.num_saved_images`` images.
    """

    options: EvaluateOptions
    limit: str = ""
    adjustment: Adjustment | None = None
    pictures: Path | None = None

    @classmethod
    def of(cls, options: EvaluateOptions) -> "ScoringTask":
        """The task of ``mrsal evaluate``, for processes with any current folder."""
        name = options.model_path
        model_path = name if name in BASELINES else everywhere(name)
        adjustment = Adjustment.load(options.adjustment) if options.adjustment else None
        own = replace(options, data_dir=options.data_dir.absolute(), model_path=model_path, adjustment=None)
        return cls(own, adjustment=adjustment)

    @cached_property
    def examples(self) -> list[Example]:
        """The images."""
        options = self.options
        examples = list(open_archive(options.data_dir).examples(options.split, skip_first=options.skip_first))
        if not examples:
            raise InputError(
                f"expected images to score in {options.data_dir} ({options.split}), got none; choose another --split, or "
                "prepare the data with one, such as mrsal prepare --split test=1"
            )
        return examples

    @cached_property
    def model(self) -> SaliencyModel:
        """The model, with its adjustment, or the limit."""
        if self.limit:
            return limits_of(self.examples)[self.limit]()
        options = self.options
        return open_model(
            options.model_path,
            improvements=options.improvements,
            device=options.device,
            precision=options.precision,
            mode=options.mode,
            resize=options.resize_maps,
            adjustment=self.adjustment,
        )

    def with_pictures(self, folder: Path) -> "ScoringTask":
        """This task, which also draws comparisons with the ground truth into a folder."""
        return self._sharing("examples", "model", pictures=folder)

    def with_adjustment(self, adjustment: Adjustment) -> "ScoringTask":
        """This task, with adjusted maps."""
        return self._sharing("examples", adjustment=adjustment)

    def for_limit(self, name: str) -> "ScoringTask":
        """The task that scores a limit on the same images, without an adjustment and without pictures."""
        return self._sharing("examples", limit=name, adjustment=None, pictures=None)

    def __call__(self, image: int) -> dict[str, float]:
        return self._score(image)

    def give_up(self, image: int) -> dict[str, float]:
        """Raise an error, since a mean over the other images would be the score of another data set."""
        name = self.examples[image].name
        raise MrsalError(f"expected scores of {name}, but the worker died {TRIES} times; it may need more memory")

    def _sharing(self, *properties: str, **changes: Any) -> "ScoringTask":
        """This task with changes; cached properties that do not change are shared."""
        other = replace(self, **changes)
        for name in properties:
            other.__dict__[name] = getattr(self, name)
        return other

    @cached_property
    def _score(self) -> Callable[[int], dict[str, float]]:
        options = self.options
        return image_scorer(
            self.model, self.examples, options.protocol, options.optimal, options.agreement, self._drawing()
        )

    def _drawing(self) -> OnImage | None:
        if self.pictures is None:
            return None
        count = len(self.examples) if self.options.num_saved_images < 0 else self.options.num_saved_images
        names = frozenset(example.name for example in self.examples[:count])
        return partial(_draw, self.pictures, names, self.options.picture_format)

    def __getstate__(self) -> dict[str, Any]:
        """The fields only: each process opens the archive and the model for itself."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _draw(
    folder: Path,
    names: frozenset[str],
    formats: Sequence[PictureFormat],
    example: Example,
    map_: NDArray,
    row: dict[str, float],
) -> None:
    """Draw stimulus, prediction and ground truth side by side, if the example is one of ``names``."""
    if example.name not in names:
        return
    shown = {metric: row[metric] for metric in ("sAUC", "NSS", "CC") if np.isfinite(row.get(metric, np.nan))}
    caption = "  ".join(f"{metric} {score:.2f}" for metric, score in shown.items())
    stimulus, ground_truth = example.stimulus(), example.ground_truth()
    for format_ in formats:
        path = folder / f"{Path(example.name).with_suffix('').as_posix()}_comparison.{format_}"
        if format_ == "jpg":
            save_jpeg(comparison_picture(stimulus, map_, ground_truth, caption=caption), path)
            continue
        fixations, degree = example.fixations, example.pixels_per_degree
        draw = partial(
            comparison_figure,
            stimulus,
            map_,
            ground_truth,
            x=np.empty(0) if fixations is None else fixations.x,
            y=np.empty(0) if fixations is None else fixations.y,
            pixels_per_degree=degree if np.isfinite(degree) else None,
            caption=caption,
        )
        save_figure(draw, path, title=example.name, description=caption)
