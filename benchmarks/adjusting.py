"""Adapting without training: what a handful of numbers, fitted to 50 images of a data set, change on its other images.

    python benchmarks/adjusting.py                       # the table of docs/results.md, some ten minutes
    python benchmarks/adjusting.py --models mrsal centre --seeds 0

On MIT1003, without first fixations: an adjustment is fitted to 50 images drawn at random from the 903 without a published map,
once for each seed, and scored on the 100 with one, by the protocol "tuebingen". The data are found through MRSAL_DATA, or at
../shared/data beside the checkout. MIT1003 is otherwise a test set: nothing that ships was chosen by these numbers, and the
form of the adjustment was chosen on validation images of OSIE, SUN and EyeCrowd.
"""

import argparse
import time

import numpy as np
from improved import data_root
from numpy.typing import NDArray

from mrsal.datasets import ArchiveImage, Example, FixationDataset, load
from mrsal.evaluation import evaluate, fit_adjustment
from mrsal.inference import Adjusted, FunctionModel, SaliencyModel, open_model
from mrsal.model import Grid, Pyramid

METRICS = ("IG", "sAUC", "NSS", "CC", "KL")
IMAGES = 50  # to which an adjustment is fitted


def example_of(data: FixationDataset, index: int) -> Example:
    stimulus = data.stimuli[index]
    image = ArchiveImage(stimulus.shape, stimulus.read, Pyramid.from_image(stimulus.read()), Grid.cells(stimulus.shape))
    return Example(
        stimulus.name,
        image,
        lambda: data.density(index),
        data.fixations_of(index),
        data.name,
        data.degree_of(index),
    )


def scores_of(model: SaliencyModel, examples: list[Example]) -> NDArray[np.float64]:
    """``(images, metrics)``"""
    values = evaluate(model, examples, protocol="tuebingen").values
    return np.stack([values[metric] for metric in METRICS], axis=1)


def half_width(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the 95 % interval of the mean over images, for each metric."""
    return 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))


def cells(values: NDArray[np.float64], half: NDArray[np.float64] | None = None, sign: str = "") -> str:
    if half is None:
        return " | ".join(f"{value:{sign}.3f}" for value in values)
    return " | ".join(f"{value:{sign}.3f} ±{width:.3f}" for value, width in zip(values, half, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["mrsal", "mrcnn", "centre"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="each draws 50 images")
    options = parser.parse_args()
    data = load("mit1003", data_root() / "mit1003").without_first_fixations()
    has_map = np.array([stimulus.density_path is not None for stimulus in data.stimuli])
    scored = [example_of(data, int(i)) for i in np.flatnonzero(has_map)]
    others = np.flatnonzero(~has_map)
    drawn = {
        seed: [example_of(data, int(i)) for i in np.random.default_rng(seed).choice(others, IMAGES, replace=False)]
        for seed in options.seeds
    }
    print(
        f"fitted to {IMAGES} of {len(others)} images, scored on {len(scored)} others; seeds {options.seeds}", flush=True
    )
    print(f"| model | maps | {' | '.join(METRICS)} |", flush=True)
    for name in options.models:
        model = open_model(name, mode="fast" if name == "mrcnn" else None)
        before = scores_of(model, scored)
        print(f"| {name} | as they are | {cells(before.mean(axis=0), half_width(before))} |", flush=True)
        after = []
        for seed, examples in drawn.items():
            maps = {example.name: model.predict(example.image, name=example.name) for example in examples}
            began = time.process_time()
            adjustment = fit_adjustment(Known(maps, model), examples, name=name, data=f"mit1003, 50 by seed {seed}")
            seconds = time.process_time() - began
            after.append(scores_of(Adjusted(model, adjustment), scored))
            print(f"| {name} | adjusted, seed {seed} | {cells(after[-1].mean(axis=0))} |", flush=True)
            print(f"    {seconds:.1f} s of processor time beside prediction; {adjustment}", flush=True)
        mean = np.mean(after, axis=0)  # over the draws: (images, metrics)
        difference = mean - before
        print(f"| {name} | adjusted, mean | {cells(mean.mean(axis=0), half_width(mean))} |", flush=True)
        print(f"| {name} | difference | {cells(difference.mean(axis=0), half_width(difference), '+')} |", flush=True)


class Known(FunctionModel):
    """A model whose maps are computed already, so that a fit can be timed alone."""

    def __init__(self, maps: dict, model: SaliencyModel) -> None:
        super().__init__(lambda image: image)
        self.maps, self.gives_density = maps, model.gives_density

    def predict(self, image: object, *, name: str = ""):
        return self.maps[name]


if __name__ == "__main__":
    main()
