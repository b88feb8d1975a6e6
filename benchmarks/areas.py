"""Measure how close predicted shares of attention are to measured ones, and how often their intervals contain these.

    python benchmarks/areas.py --fit        # fit the calibration of a network that ships, and write it into its manifest
    python benchmarks/areas.py              # measure it on images that were not used for the fit, as Markdown tables

``--fit`` uses validation images only: OSIE's 100 and, if these data sets are there, 50 of SUN and 50 of EyeCrowd; each data set
has the same weight. The tables are of OSIE's 100 test images and the 100 images of MIT1003 that have a published map. The first
fixation of each trial is always left out.

Each image gets boxes of three sizes (sides of 5 to 15, 15 to 30 and 30 to 60 % of the image's) at four places: anywhere, near
the centre, at the border, and around a random fixation, whose observer is then left out. Users draw areas around things, and
such boxes get more attention than boxes anywhere.
"""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, spearmanr

import mrsal
from mrsal import datasets
from mrsal.aoi.areas import attention_shares
from mrsal.aoi.options import StudySize
from mrsal.aoi.shapes import Rectangle
from mrsal.datasets import Fixations
from mrsal.datasets.dataset import FixationDataset, Stimulus
from mrsal.datasets.tables import read_fixations
from mrsal.images import find_images
from mrsal.inference import SaliencyModel, ShareCalibration
from mrsal.inference.simple_models import centre, uniform
from mrsal.model.pretrained import DEFAULT_MODEL, WEIGHTS

SIZES = {"small": (0.05, 0.15), "medium": (0.15, 0.3), "large": (0.3, 0.6)}
PLACES = ("anywhere", "centre", "border", "looked at")
FIT_ON, TEST_ON = ("osie val", "sun val", "crowd val"), ("osie test", "mit1003")
LEVEL = 0.95  # confidence level of the intervals
FEW = 5  # number of observers in a small study


@dataclass(frozen=True)
class Box:
    """An area of a stimulus, and the number of fixations in it, of all observers and of a few."""

    stimulus: int
    size: str
    place: str
    area: Rectangle
    hits: int
    fixations: int
    few_hits: int
    few_fixations: int
    share: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a network that ships with mrsal")
    parser.add_argument("--mode", default="fast", help="for a network that has modes")
    parser.add_argument("--fit", action="store_true", help="write the calibration into the network's manifest")
    parser.add_argument("--root", type=Path, default=os.environ.get("MRSAL_DATA"), help="folder of the data sets")
    arguments = parser.parse_args()
    if arguments.root is None:
        parser.error("give --root, or set MRSAL_DATA to the folder of the data sets")
    predictor = mrsal.load_model(arguments.model)
    predictor = predictor.with_mode(arguments.mode) if predictor.modes else predictor
    if arguments.fit:
        fit(arguments.model, predictor, Path(arguments.root))
    elif predictor.calibration is None:
        parser.error(f"{arguments.model} is not calibrated; run with --fit first")
    else:
        report(arguments.model, predictor, Path(arguments.root))


def fit(name: str, predictor: SaliencyModel, root: Path) -> None:
    """Fit on the validation images of the data sets that are there, and write the result into the network's manifest."""
    parts = {part: boxes_of(data, predictor.predict) for part in FIT_ON if (data := read(part, root))}
    boxes = [box for part in parts.values() for box in part]
    calibration = ShareCalibration.fit(
        [box.share for box in boxes],
        [box.hits for box in boxes],
        [box.fixations for box in boxes],
        weights=np.concatenate([np.full(len(part), 1 / len(part)) for part in parts.values()]),
    )
    manifest = WEIGHTS / f"{name}.json"
    about = json.loads(manifest.read_text(encoding="utf-8"))
    about["calibration"] = {
        **{key: round(value, 4) for key, value in asdict(calibration).items()},
        "fitted on": {part: f"{len({box.stimulus for box in boxes})} images" for part, boxes in parts.items()},
        **({"mode": predictor.mode} if predictor.mode else {}),
        "command": f"python benchmarks/areas.py --fit --model {name}"
        + (f" --mode {predictor.mode}" if predictor.mode else ""),
    }
    manifest.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{manifest.name}: {about['calibration']}")


def clearly_more(calibration: ShareCalibration, share: float) -> float:
    """The smallest whole per cent that differs clearly from a smaller share, in a study of the usual size."""
    fixations = StudySize.observers * StudySize.per_observer
    larger = (percent / 100 for percent in range(round(100 * share) + 1, 101))
    return next(
        each for each in larger if calibration.difference_interval(share, each, fixations, StudySize.level)[0] > 0
    )


def report(name: str, predictor: SaliencyModel, root: Path) -> None:
    """Print the tables."""
    calibration = predictor.calibration
    assert calibration is not None
    parts = {part: boxes_of(data, predictor.predict) for part in TEST_ON if (data := read(part, root))}
    print(f"{name}, {predictor.mode or 'no modes'}, {calibration}\n")
    print(f"The smallest share in B that is clearly more than 10 % in A: {clearly_more(calibration, 0.1):.0%}\n")
    print("Share of the boxes whose measured share is in the 95 % interval:\n")
    print(f"| boxes | {' | '.join(parts)} |\n| --- |{' ---: |' * len(parts)}")
    groups = {"all": lambda box: True}
    groups |= {size: lambda box, size=size: box.size == size for size in SIZES}
    groups |= {place: lambda box, place=place: box.place == place for place in PLACES}
    for label, belongs in groups.items():
        row([label, *(f"{covered(calibration, filter(belongs, boxes)):.1%}" for boxes in parts.values())])
    row([f"all, {FEW} observers", *(f"{covered(calibration, map(few, boxes)):.1%}" for boxes in parts.values())])
    row(["difference of two images", *(f"{pairs_covered(calibration, boxes):.1%}" for boxes in parts.values())])
    for level in (0.8, 0.5):
        row([f"all, {level:.0%} interval", *(f"{covered(calibration, boxes, level):.1%}" for boxes in parts.values())])
    row(["all, sample alone (binomial)", *(f"{covered(None, boxes):.1%}" for boxes in parts.values())])
    row(["mean width, points", *(f"{100 * width(calibration, boxes):.0f}" for boxes in parts.values())])
    print("\nPredicted against measured shares:\n")
    print("| predicted by | data | mean absolute error | rank correlation in an image |\n| --- | --- | ---: | ---: |")
    for part, boxes in parts.items():
        data = read(part, root)
        for label, model in ((name, None), ("a Gaussian in the centre", centre), ("the area's surface", uniform)):
            rated = boxes if model is None else boxes_of(data, model)
            error = np.mean([abs(box.share - box.hits / box.fixations) for box in rated])
            row([label, part, f"{100 * error:.1f} points", f"{rank_correlation(rated):.2f}"])


def row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |")


def read(part: str, root: Path) -> list[tuple[Stimulus, Fixations]]:
    """Stimuli with their fixations, without the first ones of trials; empty if the data set is not there."""
    name, _, split = part.partition(" ")
    if not (root / name).is_dir():
        return []
    if name in datasets.LOADERS:
        data = datasets.load(name, root / name)
        chosen = [i for i, stimulus in enumerate(data.stimuli) if stimulus.density_path]
        chosen = data.split(split).tolist() if split else chosen
    else:  # stimuli/101.jpg and fixations.csv; every eighth number is validation
        files = tuple(Stimulus.from_file(path) for path in find_images(root / name / "stimuli"))
        data = FixationDataset(name, files, read_fixations(root / name, files).fixations, 1.0)
        chosen = [i for i, stimulus in enumerate(files) if int(stimulus.path.stem) % 8 == 0]
    data = data.without_first_fixations()
    stimuli = [(data.stimuli[i], data.fixations_of(i)) for i in chosen]
    return [(stimulus, fixations) for stimulus, fixations in stimuli if len(np.unique(fixations.subject)) > FEW]


def boxes_of(data: list[tuple[Stimulus, Fixations]], model: object) -> list[Box]:
    """Boxes on each stimulus, the same for every model, with the shares that the model predicts for them."""
    result = []
    for i, (stimulus, fixations) in enumerate(data):
        predicted = model(stimulus.read())  # type: ignore[operator]
        boxes = list(draw_boxes(i, stimulus.shape, fixations))
        shares = attention_shares(predicted, [box.area for box in boxes])
        result += [replace(box, share=share.attention) for box, share in zip(boxes, shares, strict=True)]
    return result


def draw_boxes(stimulus: int, shape: tuple[int, int], fixations: Fixations) -> Iterator[Box]:
    """Two boxes of each size at each place; the index of the stimulus is the random seed."""
    rng = np.random.default_rng(stimulus)
    height, width = shape
    few = np.isin(fixations.subject, rng.permutation(np.unique(fixations.subject))[:FEW])
    for number in range(2):
        for size, span in SIZES.items():
            for place in PLACES:
                w, h = rng.uniform(*span, 2)  # all in units of the sides of the stimulus
                x, y, counted = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h), np.ones(len(fixations), bool)
                if place == "centre":
                    x, y = rng.uniform(0.3, 0.7, 2) * (1 - w, 1 - h)
                elif place == "border":
                    x, y = [(0, y), (1 - w, y), (x, 0), (x, 1 - h)][rng.integers(4)]
                elif place == "looked at":
                    chosen = rng.integers(len(fixations))
                    around = np.array([fixations.x[chosen] / width, fixations.y[chosen] / height])
                    x, y = np.clip(around - rng.uniform(0.25, 0.75, 2) * (w, h), 0, (1 - w, 1 - h))
                    counted = fixations.subject != fixations.subject[chosen]
                area = Rectangle(f"{size} {place} {number}", x * width, y * height, w * width, h * height)
                inside = within(area, fixations) & counted
                counts = inside.sum(), counted.sum(), (inside & few).sum(), (counted & few).sum()
                yield Box(stimulus, size, place, area, *map(int, counts))


def within(area: Rectangle, fixations: Fixations) -> NDArray[np.bool_]:
    """A mask of the fixations in an area: ``(N,)``."""
    return (fixations.x >= area.x0) & (fixations.x < area.x1) & (fixations.y >= area.y0) & (fixations.y < area.y1)


def few(box: Box) -> Box:
    """The same box, measured by a few observers."""
    return replace(box, hits=box.few_hits, fixations=box.few_fixations)


def interval(
    calibration: ShareCalibration | None, share: float, fixations: int, level: float = LEVEL
) -> tuple[float, float]:
    """The interval of a measured share. Without a calibration, it is the interval that is right if the model has no error."""
    if calibration:
        return calibration.interval(share, fixations, level)
    low, high = binom.ppf([(1 - level) / 2, (1 + level) / 2], fixations, share) / fixations
    return float(low), float(high)


def covered(calibration: ShareCalibration | None, boxes: Iterator[Box] | list[Box], level: float = LEVEL) -> float:
    """The share of the boxes whose measured share is in its interval."""
    inside = []
    for box in boxes:
        low, high = interval(calibration, box.share, box.fixations, level)
        inside.append(low - 1e-9 <= box.hits / box.fixations <= high + 1e-9)
    return float(np.mean(inside))


def pairs_covered(calibration: ShareCalibration, boxes: list[Box]) -> float:
    """The same for the difference between a box on a stimulus and the box of the same kind on the next stimulus."""
    by_name = {(box.stimulus, box.area.name): box for box in boxes}
    inside = []
    for (stimulus, name), a in by_name.items():
        b = by_name.get((stimulus + 1, name))
        if b is None:
            continue
        n = round((a.fixations + b.fixations) / 2)
        low, high = calibration.difference_interval(a.share, b.share, n, LEVEL)
        step = 1 / n  # the numbers of fixations differ a little
        inside.append(low - step <= b.hits / b.fixations - a.hits / a.fixations <= high + step)
    return float(np.mean(inside))


def width(calibration: ShareCalibration, boxes: list[Box]) -> float:
    """The mean width of the intervals."""
    return float(np.mean([np.diff(interval(calibration, box.share, box.fixations)) for box in boxes]))


def rank_correlation(boxes: list[Box]) -> float:
    """The rank correlation between predicted and measured shares on a stimulus, averaged over stimuli."""
    correlations = []
    for stimulus in sorted({box.stimulus for box in boxes}):
        here = [box for box in boxes if box.stimulus == stimulus]
        measured = [box.hits / box.fixations for box in here]
        correlations.append(spearmanr([box.share for box in here], measured).statistic)
    return float(np.nanmean(correlations))


if __name__ == "__main__":
    main()
