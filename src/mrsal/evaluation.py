"""Score any model on any examples: maps in, one row of metrics per image out.

A model is any callable ``image -> map``, an ``(H, W, 3)`` uint8 picture to ``(H, W)`` numbers, so that a baseline is
scored exactly as the network is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrsal import metrics
from mrsal.archive import Example
from mrsal.errors import DataError, InputError
from mrsal.inference import Predictor
from mrsal.scores import Scores

METRICS = ("AUC", "sAUC", "NSS", "CC", "SIM", "KL", "agreement")
NEEDS_FIXATIONS = ("AUC", "sAUC", "NSS")
HIGHER_IS_BETTER = {name: name != "KL" for name in METRICS}
CONVENTIONS = (
    "AUC: exact, ties one half, negatives are all pixels. sAUC: negatives are the fixations on the other images, rescaled. "
    "NSS: population deviation. CC, SIM, KL: against the density of one degree, or the published map. "
    "agreement: the historical score, not an ROC area (docs/agreement-score.md). Means over images."
)

__all__ = ["CONVENTIONS", "HIGHER_IS_BETTER", "METRICS", "NEEDS_FIXATIONS", "Model", "Scores", "evaluate"]

Model = Callable[[NDArray[np.uint8]], NDArray]


def evaluate(
    model: Model,
    examples: Iterable[Example],
    *,
    on_image: Callable[[Example, NDArray, dict[str, float]], None] | None = None,
) -> Scores:
    """Predict every example and score it.

    Parameters
    ----------
    model : callable
        A :class:`mrsal.Predictor`, or anything that turns an image into a map of its size.
    examples : iterable of Example
        Of :meth:`mrsal.native.NativeArchive.examples` or :func:`mrsal.archive.read_examples`.
    on_image : callable, optional
        Called with each example, its map and its scores, for pictures and progress.

    Returns
    -------
    Scores
        CC, SIM, KL and the agreement score; with fixations also AUC, sAUC and NSS. For sAUC the negatives are the fixations
        of all other images in ``examples``.

    Raises
    ------
    InputError
        If there is nothing to score, or the model gives a map of another size or with values that are not finite.
    """
    examples = list(examples)
    if not examples:
        raise InputError("expected at least one image to evaluate, got none")
    located = [example.fixations is not None and len(example.fixations) > 0 for example in examples]
    if any(located) and not all(located):
        raise DataError(f"no fixations for {examples[located.index(False)].name}, but for other images there are")
    others = _relative_fixations(examples) if all(located) else None
    rows = []
    for i, example in enumerate(examples):
        map_ = _predict(model, example)
        rows.append(_score(map_, example, i, others))
        if on_image:
            on_image(example, map_, rows[-1])
    names = [name for name in METRICS if name in rows[0]]
    return Scores(tuple(e.name for e in examples), {m: np.array([row[m] for row in rows]) for m in names})


def _predict(model: Model, example: Example) -> NDArray:
    if isinstance(model, Predictor):  # reuses the scaled images and the grid that the archive holds
        return model.values(example.pyramid, example.grid)
    if hasattr(model, "predict_example"):  # such as maps on disk, which are found by the stimulus's name
        map_ = np.asarray(model.predict_example(example))
    else:
        map_ = np.asarray(model(example.stimulus()))
    if map_.shape != example.pyramid.shape:
        raise InputError(f"{example.name}: expected a map of {example.pyramid.shape}, the model gave {map_.shape}")
    return map_


def _score(map_: NDArray, example: Example, index: int, others: "_Relative | None") -> dict[str, float]:
    target = example.target()
    eight_bit = target if target.max() > 1 else target * (255 / target.max())  # a density is far below 1 everywhere
    mass = np.clip(map_, 0, None)  # SIM and KL compare distributions
    mass = mass if mass.any() else np.ones_like(mass)
    scores = {
        "CC": metrics.cc(map_, target),
        "SIM": metrics.sim(mass, target),
        "KL": metrics.kl_divergence(mass, target),
        "agreement": metrics.agreement_score(map_, eight_bit),
    }
    if others is not None and example.fixations is not None:
        x, y = example.fixations.x, example.fixations.y
        scores["AUC"] = metrics.auc(map_, x, y, negatives="uniform")
        scores["NSS"] = metrics.nss(map_, x, y)
        scores["sAUC"] = np.nan
        if others.has_others(index):
            other_x, other_y = others.on(index, map_.shape)
            scores["sAUC"] = metrics.auc(map_, x, y, negatives="shuffled", other_x=other_x, other_y=other_y)
    return scores


@dataclass(frozen=True)
class _Relative:
    """All fixations in units of the image's sides, with the example each is from."""

    x: NDArray
    y: NDArray
    n: NDArray

    def has_others(self, index: int) -> bool:
        return bool((self.n != index).any())

    def on(self, index: int, shape: Sequence[int]) -> tuple[NDArray, NDArray]:
        """Fixations of all other images, rescaled to this one; repeats are kept."""
        keep = self.n != index
        return self.x[keep] * shape[1], self.y[keep] * shape[0]


def _relative_fixations(examples: Sequence[Example]) -> _Relative:
    points = [(e.fixations, e.pyramid.shape) for e in examples if e.fixations is not None]
    return _Relative(
        np.concatenate([f.x / shape[1] for f, shape in points]),
        np.concatenate([f.y / shape[0] for f, shape in points]),
        np.repeat(np.arange(len(points)), [len(f) for f, _ in points]),
    )
