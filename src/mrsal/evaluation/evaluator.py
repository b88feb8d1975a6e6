"""Score any model on any examples.

A model is a :class:`mrsal.inference.SaliencyModel`, or a function from an ``(H, W, 3)`` uint8 image to ``(H, W)`` numbers.
Baselines and networks are scored in the same way.
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
NEEDS_NO_FIXATIONS = ("CC", "KL", "SIM", "EMD", "agreement")  # these metrics only need a map of the ground truth
_AGREEMENT = "agreement"  # the historical score, which can be added to the metrics of any protocol


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
        A :class:`mrsal.Predictor`, any model that :func:`mrsal.inference.open_model` opens, a baseline, or a function from an
        image to a map of its size. A model with a method ``leave_one_out``, such as :class:`mrsal.evaluation.InterObserver`,
        is scored observer by observer: the fixations of each observer with the density of the others.
    examples : iterable of Example
        The images of an archive, from :meth:`mrsal.datasets.NativeArchive.examples`.
    protocol : str
        The name of a protocol in :data:`mrsal.metrics.protocols.PROTOCOLS`.
    optimal : bool
        Take the maps as densities and score each metric on the map that is best for it (Kümmerer et al., ECCV 2018).
    agreement : bool
        Add the historical agreement score to the metrics of any protocol, for comparison with older numbers.
    name : str
        The name of the model, which is written into files of scores.
    on_image : callable, optional
        Called with each example, its map and its scores, for example to draw them or to report progress.
    map_over : callable
        Applies a function to all images: the built-in ``map``, or a similar function that uses several processes.

    Returns
    -------
    Scores
        The metrics of the protocol that the data allow. Without fixations there are only the metrics that compare two maps, and
        with a single image there are none that need other images. A metric that is not defined for an image is NaN.

    Raises
    ------
    InputError
        If there are no examples, or the model gives a map of another size or with values that are not finite.
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
    """Make scores of the rows of :func:`image_scorer`, one for each example in order; parameters as for :func:`evaluate`."""
    chosen = protocol_of(protocol)
    columns = dict.fromkeys((*chosen.metrics, *([_AGREEMENT] if agreement else [])))
    metrics = [metric for metric in columns if any(metric in row for row in rows)]
    return Scores(
        tuple(example.name for example in examples),
        {metric: np.array([row.get(metric, np.nan) for row in rows]) for metric in metrics},
        protocol=f"{chosen.name}, metric-optimal maps" if optimal else chosen.name,
        model=name,
        dataset=", ".join(sorted({example.dataset for example in examples})),
    )


def image_scorer(
    model: SaliencyModel,
    examples: Sequence[Example],
    protocol: str,
    optimal: bool,
    agreement: bool = False,
    on_image: OnImage | None = None,
) -> Callable[[int], dict[str, float]]:
    """The part of :func:`evaluate` that several processes can do: a function from an image's index to its scores."""
    context = _Context.of(examples, protocol_of(protocol), optimal=optimal, agreement=agreement)

    def row_of(index: int) -> dict[str, float]:
        example = examples[index]
        map_ = predict_example(model, example)
        if isinstance(model, LeavesOneOut):
            row = _score_observers(model, example, index, context)
        else:
            row = _score(map_, example, index, context)
        if on_image:
            on_image(example, map_, row)
        return row

    return row_of


def predict_example(model: SaliencyModel, example: Example) -> NDArray:
    """The map that a model predicts for an example: ``(H, W)``."""
    return model.predict(example.image, name=example.name).values


@runtime_checkable
class LeavesOneOut(Protocol):
    """A model that predicts each observer of an image from the others."""

    def leave_one_out(self, example: Example) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
        """For each observer: the observer, the density of the others, and a mask of this observer's fixations."""


@dataclass(frozen=True)
class _Context:
    """What the scores of one image need: the settings, and what is computed from the other images."""

    protocol: MetricProtocol
    optimal: bool
    agreement: bool
    others: "_Relative | None"
    centre_bias: CentreBias | None

    @classmethod
    def of(cls, examples: Sequence[Example], protocol: MetricProtocol, *, optimal: bool, agreement: bool) -> "_Context":
        with_fixations = [example.fixations is not None and len(example.fixations) > 0 for example in examples]
        if any(with_fixations) and not all(with_fixations):
            name = examples[with_fixations.index(False)].name
            raise DataError(f"expected fixations on all images or on none, got none on {name}; leave it out")
        several = all(with_fixations) and len({example.name for example in examples}) > 1
        return cls(
            protocol,
            optimal,
            agreement,
            _relative_fixations(examples) if several else None,
            CentreBias(examples) if several and (optimal or "IG" in protocol.metrics) else None,
        )


def _score(map_: NDArray, example: Example, index: int, context: _Context) -> dict[str, float]:
    protocol, fixations = context.protocol, example.fixations
    density = np.clip(map_, 0, None)  # metrics of densities get the map without its negative part
    density = density if density.any() else np.ones_like(density)
    data: dict[str, Any] = {"protocol": protocol, "target": _ground_truth(example, protocol)}
    if fixations is not None:
        data |= {"x": fixations.x, "y": fixations.y}
    if fixations is not None and context.others is not None:
        data["other_x"], data["other_y"] = context.others.on(index, map_.shape, images=protocol.other_images)
    if context.centre_bias is not None:
        data["baseline"] = context.centre_bias.density(example.shape, leave_out=example.name)
    if context.optimal:
        sigma = protocol.sigma(example.dataset, example.pixels_per_degree)
        row = score_optimal(density, sigma=sigma, shuffled_density=data.get("baseline"), **data)
    else:
        row = score(map_, density=density, **data)
    if context.agreement or protocol.name == "historical":  # it compares the model's own map with the published one
        row |= score(map_, protocol="historical", target=example.ground_truth())
    return row


def _score_observers(model: LeavesOneOut, example: Example, index: int, context: _Context) -> dict[str, float]:
    """Means over fixations, without the metrics that compare maps, since one observer's map is another ground truth."""
    assert example.fixations is not None
    means: dict[str, float] = {}
    for _, map_, mask in model.leave_one_out(example):
        one_observer = replace(example, fixations=example.fixations.where(mask))
        for metric, score_ in _score(map_, one_observer, index, context).items():
            if metric not in NEEDS_NO_FIXATIONS:
                means[metric] = means.get(metric, 0.0) + score_ * float(mask.mean())
    return means


def _ground_truth(example: Example, protocol: MetricProtocol) -> NDArray[np.float64]:
    """The ground truth with the protocol's sigma, or the published map if the fixations or the size of a degree are unknown."""
    fixations = example.fixations
    if fixations is None or not np.isfinite(example.pixels_per_degree):
        return example.ground_truth()
    sigma = protocol.sigma(example.dataset, example.pixels_per_degree)
    return fixation_density(fixations.x, fixations.y, example.shape, sigma=sigma)


@dataclass(frozen=True)
class _Relative:
    """All fixations, in units of the sides of their image, with the index ``n`` of their example."""

    x: NDArray
    y: NDArray
    n: NDArray

    def on(self, index: int, shape: Sequence[int], *, images: int | None = None) -> tuple[NDArray, NDArray]:
        """The fixations on the other images, or on ``images`` of them, scaled to this image; repeated ones stay."""
        chosen = self.n != index
        others = np.unique(self.n[chosen])
        if images is not None and images < len(others):
            chosen = np.isin(self.n, np.random.default_rng(index).choice(others, images, replace=False))
        return self.x[chosen] * shape[1], self.y[chosen] * shape[0]


def _relative_fixations(examples: Sequence[Example]) -> _Relative:
    located = [(example.fixations, example.shape) for example in examples if example.fixations is not None]
    return _Relative(
        np.concatenate([fixations.x / width for fixations, (_, width) in located]),
        np.concatenate([fixations.y / height for fixations, (height, _) in located]),
        np.repeat(np.arange(len(located)), [len(fixations) for fixations, _ in located]),
    )
