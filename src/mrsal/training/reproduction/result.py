"""What is reported of a data set: our number and its uncertainty, the published number, floor, ceiling and conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mrsal.datasets import PUBLISHED, info_of
from mrsal.evaluation import Scores
from mrsal.evaluation.limits import CEILING
from mrsal.evaluation.table_text import markdown_table, write_csv
from mrsal.training.reproduction.experiment import FLOOR, Experiment, Training
from mrsal.training.reproduction.published import (
    FIRST_FIXATION_LEFT_OUT,
    METRIC,
    PROTOCOL,
    PUBLISHED_SCORES,
    PublishedScore,
)

NETWORKS = ("Mr-CNN", "Mr-CNN with a learned blur before each stream", "the improved network")
NOT_KNOWN = "not known to us"


@dataclass(frozen=True)
class Result:
    """The result on one data set.

    Parameters
    ----------
    name, title : str
        The names of the data set, in mrsal and of its authors.
    trainings : sequence of Training
        The trainings of all folds and seeds.
    limits : mapping of str to Scores
        The scores of the centre bias and, if the data allow it, of the other observers.
    conditions : mapping of str to str
        How the numbers were made, by topic.
    published : PublishedScore, optional
        The number of the paper, if we know it.
    """

    name: str
    title: str
    trainings: Sequence[Training]
    limits: Mapping[str, Scores]
    conditions: Mapping[str, str]
    published: PublishedScore | None

    @classmethod
    def of(cls, experiment: Experiment, trainings: Sequence[Training], limits: Mapping[str, Scores]) -> "Result":
        """The result of an experiment whose steps are all done."""
        name = experiment.name
        title = info_of(name).title.partition(" (")[0] if name in PUBLISHED else name
        return cls(name, title, trainings, limits, conditions_of(experiment, trainings), PUBLISHED_SCORES.get(name))

    @cached_property
    def mean_scores(self) -> Scores:
        """The score of each image, as the mean over seeds. Each image is in one fold, so it is scored once by each seed."""
        by_image: dict[str, list[float]] = {}
        for training in self.trainings:
            for image, score in zip(training.scores.names, training.scores.values[METRIC], strict=True):
                by_image.setdefault(image, []).append(float(score))
        means = np.array([np.mean(scores) for scores in by_image.values()])
        return Scores(tuple(by_image), {METRIC: means}, protocol=PROTOCOL, dataset=self.name)

    @property
    def images(self) -> int:
        """The number of images that are scored."""
        return len(self.mean_scores.names)

    @property
    def score(self) -> float:
        """Our number: the mean over images, and over seeds."""
        return self.mean_scores.mean()[METRIC]

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval over images."""
        return self.mean_scores.interval(METRIC)

    @property
    def difference(self) -> float:
        """Our number minus the published one; NaN if that is not known."""
        return self.score - self.published.value if self.published else float("nan")

    def by_seed(self) -> dict[int, float]:
        """The mean over all images for each seed."""
        return {seed: _mean([t.scores for t in self.trainings if t.seed == seed]) for seed in self._numbers("seed")}

    def by_fold(self) -> dict[int, float]:
        """The mean over the images of each fold and over seeds; empty without cross-validation."""
        folds = self._numbers("fold")
        return {fold: _mean([t.scores for t in self.trainings if t.fold == fold]) for fold in folds if fold}

    def limit(self, name: str) -> float:
        """The mean score of a limit; NaN if there is none."""
        return self.limits[name].mean()[METRIC] if name in self.limits else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """All numbers, for ``report.json``."""
        low, high = self.interval
        seeds, folds = self.by_seed(), self.by_fold()
        return {
            "dataset": self.name,
            "images": self.images,
            METRIC: self.score,
            "low": low,
            "high": high,
            "seeds": seeds,
            "seeds_deviation": deviation(seeds),
            "folds": folds,
            "folds_deviation": deviation(folds),
            "published": self.published.value if self.published else None,
            "source": self.published.source if self.published else NOT_KNOWN,
            "difference": self.difference,
            FLOOR: self.limit(FLOOR),
            CEILING: self.limit(CEILING),
            "trainings": [_facts(training) for training in self.trainings],
            "conditions": dict(self.conditions),
        }

    def _numbers(self, kind: str) -> list[int]:
        return sorted({getattr(training, kind) for training in self.trainings})


def deviation(scores: Mapping[int, float]) -> float:
    """The standard deviation of some scores, as an estimate for others (N - 1); NaN for fewer than two."""
    return float(np.std(list(scores.values()), ddof=1)) if len(scores) > 1 else float("nan")


def conditions_of(experiment: Experiment, trainings: Sequence[Training]) -> dict[str, str]:
    """How the numbers were made, in words."""
    options = experiment.options
    prepared = [there for fold in experiment.folds if (there := experiment.prepared(fold))]
    about = [training.scores.about for training in trainings]
    scored = sum(len(training.scores.names) for training in trainings)
    counts = {
        split: _range([there["images"].get(split, 0) for there in prepared]) for split in ("train", "val", "test")
    }
    validation = [] if counts["val"] == "0" else [f"{counts['val']} for validation, which are not used"]
    images = ", ".join([f"{counts['train']} for training", *validation, f"{counts['test']} for testing"])
    seconds = sum(training.seconds for training in trainings)
    per_image = sum(float(facts.get("seconds", 0)) for facts in about) / max(1, scored)
    return {
        "network": f"{NETWORKS[options.improvements]}, after the last epoch",
        "images": images + (" in each fold" if options.folds else ""),
        "split": experiment.how_split(),
        "training samples": _range([there["samples"] for there in prepared])
        if options.improvements < 2
        else "whole images",
        "archive": "native" if options.format == "native" else "*.pth.tar files",
        "epochs": f"{options.all_epochs}" + ("" if is_usual(experiment) else f", instead of {options.usual_epochs}"),
        "seeds": ", ".join(map(str, range(options.seeds))),
        "protocol": PROTOCOL,
        "first fixation of each trial": "left out" if experiment.name in FIRST_FIXATION_LEFT_OUT else "kept",
        "maps": _all(about, "mode"),
        "device": f"{_all(about, 'device')}, {_all(about, 'precision')}",
        "time": f"{_duration(seconds)} of training, {per_image:.2f} s to score an image",
        "versions": ", ".join(f"{name} {_all(about, name)}" for name in ("mrsal", "Python", "torch", "numpy")),
        "scored on": _all(about, "date"),
    }


def is_usual(experiment: Experiment) -> bool:
    """Whether networks are trained for as many epochs as they should be."""
    return experiment.options.all_epochs == experiment.options.usual_epochs


def markdown_lines(results: Sequence[Result]) -> Iterator[str]:
    """The table of all data sets in Markdown."""
    header, *rows = table_rows(results)
    return markdown_table(header, rows)


def table_rows(results: Sequence[Result]) -> Iterator[list[str]]:
    """The table of all data sets as text; the first row is the header. Columns for spreads are there if there is a spread."""
    seeds = any(len(result.by_seed()) > 1 for result in results)
    folds = any(result.by_fold() for result in results)
    spreads = ["± seeds"] * seeds + ["± folds"] * folds
    yield [
        "data set",
        "images",
        f"{METRIC}, ours",
        "95 % interval",
        *spreads,
        "published",
        "difference",
        FLOOR,
        CEILING,
    ]
    for result in results:
        low, high = result.interval
        yield [
            result.title,
            str(result.images),
            number(result.score),
            f"{number(low)} to {number(high)}",
            *[number(deviation(result.by_seed()))] * seeds,
            *[number(deviation(result.by_fold()))] * folds,
            number(result.published.value, 4) if result.published else NOT_KNOWN,
            signed(result.difference),
            number(result.limit(FLOOR)),
            number(result.limit(CEILING)),
        ]


def number(value: float, digits: int = 3) -> str:
    """A score as text, or a dash if there is none."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"


def signed(value: float) -> str:
    """A difference of scores as text, with its sign, or a dash if there is none."""
    return f"{value:+.3f}".replace("-", "−") if np.isfinite(value) else "–"


def write_scores(path: Path, results: Sequence[Result]) -> None:
    """Write the score of every image by every network and limit as a CSV file."""
    rows = []
    for result in results:
        models = [(f"seed {t.seed}", t.fold or "", t.scores) for t in result.trainings]
        models += [(name, "", scores) for name, scores in result.limits.items()]
        for model, fold, scores in models:
            values = scores.values[METRIC]
            rows += [
                (result.name, model, fold, image, repr(float(s))) for image, s in zip(scores.names, values, strict=True)
            ]
    write_csv(path, ("dataset", "model", "fold", "stimulus", METRIC), rows)


def _facts(training: Training) -> dict[str, Any]:
    scores = training.scores
    about = {"fold": training.fold, "seed": training.seed, "images": len(scores.names), "seconds": training.seconds}
    return {**about, METRIC: scores.mean()[METRIC]}


def _mean(scores: Sequence[Scores]) -> float:
    return float(np.nanmean(np.concatenate([each.values[METRIC] for each in scores])))


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _all(about: Sequence[Mapping[str, Any]], name: str) -> str:
    """The values of a fact of several runs, each once."""
    return ", ".join(dict.fromkeys(str(facts[name]) for facts in about if name in facts)) or "not known"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
