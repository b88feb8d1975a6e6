"""Score any model on any examples: one row of metrics per image.

A model is a :class:`mrsal.inference.SaliencyModel`, or a function from an ``(H, W, 3)`` uint8 image to ``(H, W)`` numbers, so a
baseline is scored exactly as a network is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import Example, fixation_density
from mrsal.errors import DataError, InputError
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.options import EvaluateOptions
from mrsal.evaluation.scores import Scores
from mrsal.inference import SaliencyModel, as_model
from mrsal.metrics import HIGHER_IS_BETTER, Protocol as MetricProtocol, protocol as protocol_of, score, score_optimal

__all__ = ["HIGHER_IS_BETTER", "Model", "Scores", "evaluate", "predict_example"]

Model = SaliencyModel | Callable[[NDArray[np.uint8]], Any]
OnImage = Callable[[Example, NDArray, dict[str, float]], None]
MapOver = Callable[[Callable[[int], dict[str, float]], Sequence[int]], Iterable[dict[str, float]]]
NEEDS_NO_FIXATIONS = ("CC", "KL", "SIM", "EMD", "agreement")  # a map of the ground truth is enough
_AGREEMENT = "agreement"  # the historical score, which eval.py prints beside the metrics of any protocol


def evaluate(
    model: Model,
    examples: Iterable[Example],
    *,
    protocol: str = EvaluateOptions.protocol,
    optimal: bool = False,
    agreement: bool = False,
    name: str = "",
    on_image: OnImage | None = None,
    map_over: MapOver = map,
) -> Scores:
    """Predict every example and score it.

    Parameters
    ----------
    model : SaliencyModel or callable
        A :class:`mrsal.Predictor`, anything that :func:`mrsal.inference.open_model` opens, a baseline, or a function from an
        image to a map of its size. A model that has ``leave_one_out``, as :class:`mrsal.evaluation.InterObserver` has, is
        scored observer by observer: each one's fixations on the density of the others.
    examples : iterable of Example
        The images of an archive, as :meth:`mrsal.datasets.NativeArchive.examples` gives them.
    protocol : str
        A name out of :data:`mrsal.metrics.protocols.PROTOCOLS`.
    optimal : bool
        Take the maps as densities and score each metric on the map that is best for it (Kümmerer et al., ECCV 2018).
    agreement : bool
        Add the historical agreement score to the metrics of any protocol, for comparison with older numbers.
    name : str
        Of the model, for the files.
    on_image : callable, optional
        Called with each example, its map and its scores, for pictures and progress.
    map_over : callable
        What goes over the images: :class:`map`, or one like it that shares them out between processes.

    Returns
    -------
    Scores
        The protocol's metrics as far as the data allow: without fixations, those against a map; for one image, none that needs
        the others. Where a metric is not defined for an image it is NaN.

    Raises
    ------
    InputError
        If there is nothing to score, or the model gives a map of another size or with values that are not finite.
    """
    examples = list(examples)
    if not examples:
        raise InputError("expected at least one image to evaluate, got none")
    score_image = image_scorer(as_model(model), examples, protocol, optimal, agreement, on_image)
    rows = list(map_over(score_image, range(len(examples))))
    return collect_scores(rows, examples, protocol=protocol, optimal=optimal, agreement=agreement, name=name)


def collect_scores(
    rows: Sequence[Mapping[str, float]],
    examples: Sequence[Example],
    *,
    protocol: str,
    optimal: bool,
    agreement: bool,
    name: str,
) -> Scores:
    """The rows of :func:`image_scorer`, one for each example in their order, as scores; parameters as for :func:`evaluate`."""
    chosen = protocol_of(protocol)
    columns = dict.fromkeys((*chosen.metrics, *([_AGREEMENT] if agreement else [])))
    names = [metric for metric in columns if any(metric in row for row in rows)]
    values = {metric: np.array([row.get(metric, np.nan) for row in rows]) for metric in names}
    datasets = {example.dataset for example in examples}
    label = f"{chosen.name}, metric-optimal maps" if optimal else chosen.name
    return Scores(
        tuple(e.name for e in examples), values, protocol=label, model=name, dataset=", ".join(sorted(datasets))
    )


def image_scorer(
    model: SaliencyModel,
    examples: Sequence[Example],
    protocol: str,
    optimal: bool,
    agreement: bool = False,
    on_image: OnImage | None = None,
) -> Callable[[int], dict[str, float]]:
    """The part of :func:`evaluate` that can be shared out: a function from an image's index to its scores."""
    context = _Context.of(examples, protocol_of(protocol), optimal=optimal, agreement=agreement)

    def row_of(i: int) -> dict[str, float]:
        example = examples[i]
        map_ = predict_example(model, example)
        if isinstance(model, LeavesOneOut):
            row = _score_observers(model, example, i, context)
        else:
            row = _score(map_, example, i, context)
        if on_image:
            on_image(example, map_, row)
        return row

    return row_of


def predict_example(model: SaliencyModel, example: Example) -> NDArray:
    """A model's map of an example: ``(H, W)``."""
    return model.predict(example.image, name=example.name).values


@runtime_checkable
class LeavesOneOut(Protocol):
    """A model that predicts each observer of an image from the others."""

    def leave_one_out(self, example: Example) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
        """Each observer, the density of the others, and which fixations are that observer's."""


@dataclass(frozen=True)
class _Context:
    """What the scores of one image need to know of the others."""

    protocol: MetricProtocol
    optimal: bool
    agreement: bool
    others: "_Relative | None"
    centre_bias: CentreBias | None

    @classmethod
    def of(cls, examples: Sequence[Example], protocol: MetricProtocol, *, optimal: bool, agreement: bool) -> "_Context":
        located = [example.fixations is not None and len(example.fixations) > 0 for example in examples]
        if any(located) and not all(located):
            raise DataError(f"no fixations for {examples[located.index(False)].name}, but for other images there are")
        several = all(located) and len({example.name for example in examples}) > 1
        return cls(
            protocol,
            optimal,
            agreement,
            _relative_fixations(examples) if several else None,
            CentreBias(examples) if several and (optimal or "IG" in protocol.metrics) else None,
        )


def _score(map_: NDArray, example: Example, index: int, context: _Context) -> dict[str, float]:
    protocol, points = context.protocol, example.fixations
    mass = np.clip(
        map_, 0, None
    )  # what is asked of a probability density is asked of the map without its negative part
    mass = mass if mass.any() else np.ones_like(mass)
    given: dict[str, Any] = {"protocol": protocol, "target": _target(example, protocol)}
    if points is not None:
        given |= {"x": points.x, "y": points.y}
    if points is not None and context.others is not None:
        given["other_x"], given["other_y"] = context.others.on(index, map_.shape, images=protocol.other_images)
    if context.centre_bias is not None:
        given["baseline"] = context.centre_bias.density(example.shape, leave_out=example.name)
    if context.optimal:
        sigma = protocol.sigma(example.dataset, example.pixels_per_degree)
        scores = score_optimal(mass, sigma=sigma, shuffled_density=given.get("baseline"), **given)
    else:
        scores = score(map_, density=mass, **given)
    if context.agreement or protocol.name == "historical":  # of the published map, and never of a metric-optimal one
        scores |= score(map_, protocol="historical", target=example.ground_truth())
    return scores


def _score_observers(model: LeavesOneOut, example: Example, index: int, context: _Context) -> dict[str, float]:
    """Means over fixations; the metrics against a density are left out, since that of one observer is another truth."""
    assert example.fixations is not None
    totals: dict[str, float] = {}
    for _, map_, mask in model.leave_one_out(example):
        alone = replace(example, fixations=example.fixations.where(mask))
        for metric, value in _score(map_, alone, index, context).items():
            if metric not in NEEDS_NO_FIXATIONS:
                totals[metric] = totals.get(metric, 0.0) + value * float(mask.mean())
    return totals


def _target(example: Example, protocol: MetricProtocol) -> NDArray[np.float64]:
    """The ground-truth density with the protocol's sigma, or the published map where only that is known."""
    points = example.fixations
    if points is None or not np.isfinite(example.pixels_per_degree):
        return example.ground_truth()
    sigma = protocol.sigma(example.dataset, example.pixels_per_degree)
    return fixation_density(points.x, points.y, example.shape, sigma=sigma)


@dataclass(frozen=True)
class _Relative:
    """All fixations in units of the image's sides, with the example each is from."""

    x: NDArray
    y: NDArray
    n: NDArray

    def on(self, index: int, shape: Sequence[int], *, images: int | None = None) -> tuple[NDArray, NDArray]:
        """Fixations of the other images, or of so many of them, rescaled to this one; repeats are kept."""
        keep = self.n != index
        others = np.unique(self.n[keep])
        if images is not None and images < len(others):
            keep = np.isin(self.n, np.random.default_rng(index).choice(others, images, replace=False))
        return self.x[keep] * shape[1], self.y[keep] * shape[0]


def _relative_fixations(examples: Sequence[Example]) -> _Relative:
    points = [(e.fixations, e.shape) for e in examples if e.fixations is not None]
    return _Relative(
        np.concatenate([f.x / shape[1] for f, shape in points]),
        np.concatenate([f.y / shape[0] for f, shape in points]),
        np.repeat(np.arange(len(points)), [len(f) for f, _ in points]),
    )
