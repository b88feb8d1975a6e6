"""The experiment on one data set, as steps that are skipped if their result is there.

A fold is one split of the data set: the images that networks learn from, and those on which they are scored. Without
cross-validation there is one fold, which is the split of the data set. Its folder holds::

    archive/, prepared.json                            the archive, and what is in it
    seed-<s>/trained/<time>/, seed-<s>/scores.csv      the training run, and the scores of its network

With K folds they are ``fold-1/`` to ``fold-<K>/`` in the folder of the data set. Beside them is ``limits/``.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mrsal.datasets import Example, FixationDataset, open_archive, write_native
from mrsal.datasets.archives.historical import write_pth
from mrsal.datasets.dataset import split_in_tenths
from mrsal.datasets.options import SPLITS
from mrsal.errors import DataError, FileError, InputError
from mrsal.evaluation import Scores, read_history
from mrsal.evaluation.evaluator import collect_scores, image_scorer
from mrsal.evaluation.job import versions
from mrsal.evaluation.limits import CEILING, limits_of
from mrsal.files import make_folder, write_text
from mrsal.inference import SaliencyModel, load_model
from mrsal.model import load_safely, resolve_device, resolve_precision
from mrsal.progress import progress_bar
from mrsal.training.job import LAST, train_job
from mrsal.training.options import TrainOptions
from mrsal.training.reproduction.options import ReproduceOptions
from mrsal.training.reproduction.published import METRIC, PROTOCOL

log = logging.getLogger("mrsal")

FLOOR = "centre bias"
_SPLIT_TABLES = {
    "splits.csv": "as in {}",
    "coursework_test_split.txt": "test images as in {}, the rest drawn at random",
}


@dataclass(frozen=True)
class Fold:
    """A split of a data set.

    Parameters
    ----------
    number : int
        The number of the fold, from 1; 0 for the split of the data set.
    dataset : FixationDataset
        The data set with this split.
    folder : Path
        The folder of the fold.
    """

    number: int
    dataset: FixationDataset
    folder: Path

    @property
    def archive(self) -> Path:
        """The folder of the archive."""
        return self.folder / "archive"

    def identity(self) -> str:
        """A text that changes with the stimuli, the fixations and the split."""
        digest = hashlib.sha256()
        for stimulus in self.dataset.stimuli:
            digest.update(f"{stimulus.name} {stimulus.shape}\n".encode())
        for column in asdict(self.dataset.fixations).values():
            digest.update(np.ascontiguousarray(column).tobytes())
        for split in SPLITS:
            digest.update(f"{split} {self.dataset.splits.get(split, np.empty(0)).tolist()}\n".encode())
        return digest.hexdigest()


def folds_of(dataset: FixationDataset, folder: Path, count: int | None) -> tuple[Fold, ...]:
    """The folds of a cross-validation, or with ``count=None`` the split of the data set.

    In a cross-validation, each image with fixations is a test image of one fold, and a training image of all others. A data set
    whose split has no test images is split at random into 80 % for training, 10 % for validation and 10 % for testing.

    Raises
    ------
    DataError
        If the data set has no fixations.
    InputError
        If there are fewer images than folds.
    """
    fixated = np.unique(dataset.fixations.n)
    if not len(fixated):
        raise DataError(
            f"{dataset.name} has no fixations, without which there is no shuffled AUC; get them (see mrsal datasets info "
            f"{dataset.name}), or choose other data sets with --only"
        )
    if count is None:
        own = dataset
        if not np.isin(dataset.splits.get("test", np.empty(0)), fixated).any():
            splits = {split: fixated[members] for split, members in split_in_tenths(len(fixated), 0).items()}
            own = replace(dataset, splits=splits)
        if (tested := np.isin(own.split("test"), fixated).sum()) < 2:
            raise InputError(
                f"{dataset.name} has {tested} test image with fixations, and a shuffled AUC needs two; use its other images, "
                "too, with --folds, or choose other data sets with --only"
            )
        return (Fold(0, own, folder),)
    if len(fixated) < count:
        raise InputError(f"{dataset.name} has {len(fixated)} images with fixations; give --folds of at most as many")
    parts = np.array_split(np.random.default_rng(0).permutation(fixated), count)
    folds = []
    for k, part in enumerate(parts, start=1):
        splits = {"train": np.setdiff1d(fixated, part), "val": np.empty(0, np.int64), "test": np.sort(part)}
        folds.append(Fold(k, replace(dataset, splits=splits), folder / f"fold-{k}"))
    return tuple(folds)


@dataclass(frozen=True)
class Training:
    """A training run and its scores.

    Parameters
    ----------
    fold, seed : int
        The number of the fold, and the random seed.
    scores : Scores
        The scores on the test images of the fold.
    seconds : float
        The time that training took.
    """

    fold: int
    seed: int
    scores: Scores
    seconds: float


@dataclass(frozen=True)
class Experiment:
    """The experiment on one data set.

    Parameters
    ----------
    name : str
        The name of the data set.
    dataset : FixationDataset
        The data set.
    folds : tuple of Fold
        Its folds.
    options : ReproduceOptions
        The options of the command.
    """

    name: str
    dataset: FixationDataset
    folds: tuple[Fold, ...]
    options: ReproduceOptions

    @property
    def folder(self) -> Path:
        """The folder of the data set."""
        return self.options.out_dir / self.name

    def how_split(self) -> str:
        """How the images are split, in words."""
        if self.options.folds:
            return f"cross-validation with {self.options.folds} folds, drawn at random"
        if self.folds[0].dataset is not self.dataset:
            return "drawn at random, since the split of the data set has no test images"
        root = self.options.data / self.name
        listed = (text.format(table) for table, text in _SPLIT_TABLES.items() if (root / table).is_file())
        return next(listed, "mrsal's usual split of this data set")

    def is_complete(self) -> bool:
        """Whether all networks have been trained and scored, so that :meth:`run` only reads the results."""
        return all((self._folder(fold, seed) / "scores.csv").is_file() for fold, seed in self._pairs())

    def run(self, console: Console) -> list[Training]:
        """Do every step whose result is not there."""
        for fold in self.folds:
            self._prepare(fold, console)
        for fold, seed in self._pairs():
            self._train(fold, seed, console)
        trainings = []
        for fold, seed in self._pairs():
            seconds = sum(row["seconds"] for row in read_history(self._checkpoint(fold, seed).parent))
            trainings.append(Training(fold.number, seed, self._score(fold, seed, console), seconds))
        return trainings

    def limits(self, console: Console) -> dict[str, Scores]:
        """The scores of the centre bias of the other images and, if the data allow it, of the other observers."""
        limits = limits_of(self.examples)
        return {name: self._limit(name, limits[name], console) for name in (FLOOR, CEILING) if name in limits}

    def prepared(self, fold: Fold) -> dict[str, Any] | None:
        """What is in the archive of a fold: the numbers of samples and of images by split; None if it is not complete."""
        path = fold.folder / "prepared.json"
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{path} is damaged: {error}; delete it") from error

    @cached_property
    def examples(self) -> list[Example]:
        """The images that are scored, those of all folds, with the fixations on them."""
        return [example for fold in self.folds for example in self._examples_of(fold)]

    def _pairs(self) -> Iterator[tuple[Fold, int]]:
        return ((fold, seed) for fold in self.folds for seed in range(self.options.seeds))

    def _title(self, fold: Fold, seed: int) -> str:
        return f"{self.name}{f', fold {fold.number} of {len(self.folds)}' if fold.number else ''}, seed {seed}"

    def _prepare(self, fold: Fold, console: Console) -> None:
        identity = fold.identity()
        if there := self.prepared(fold):
            if there["identity"] != identity:
                raise InputError(
                    f"{self.name} or its split is not what it was when {fold.folder} was made; move that folder away, or "
                    "choose another --out_dir"
                )
            return
        native = self.options.format == "native"
        log.info("%s: writing the archive %s", self.name, fold.archive)
        with progress_bar(console) as bar:
            task = bar.add_task(f"preparing {self.name}", total=len(fold.dataset), note="")
            write: Callable[..., Path] = write_native if native else write_pth
            write(fold.dataset, fold.archive, progress=lambda n: bar.update(task, advance=n))
        train = fold.archive / "train_data.pth.tar"
        samples = len(open_archive(fold.archive).samples) if native else len(load_safely(train, mmap=True))
        counts = {split: len(members) for split, members in fold.dataset.splits.items()}
        about = {"identity": identity, "samples": samples, "images": counts}
        write_text(fold.folder / "prepared.json", json.dumps(about, indent=1) + "\n")

    def _train(self, fold: Fold, seed: int, console: Console) -> None:
        options, folder = self.options, self._folder(fold, seed)
        if self._is_trained(folder):
            return
        log.info("%s: training, epochs: %d", self._title(fold, seed), options.all_epochs)
        settings = TrainOptions(
            data_dir=fold.archive,
            out_dir=make_folder(folder),
            improvements=options.improvements,
            epochs=options.all_epochs,
            seed=seed,
            device=options.device,
            precision=options.precision,
            devices=1,  # the paper's batch of 256 is that of one process
            resume=LAST,
        )
        train_job(settings, console=console)
        shutil.rmtree(folder / "features", ignore_errors=True)  # of the improved network, and large

    def _score(self, fold: Fold, seed: int, console: Console) -> Scores:
        path = self._folder(fold, seed) / "scores.csv"
        if path.is_file():
            return Scores.load(path)
        options, title = self.options, self._title(fold, seed)
        checkpoint = self._checkpoint(fold, seed)
        log.info("%s: scoring %s", title, checkpoint.name)
        model = load_model(checkpoint, device=options.device, precision=options.precision, mode=options.mode)
        names = {fold.dataset.stimuli[i].name for i in fold.dataset.split("test")}
        device = resolve_device(options.device)
        precision = resolve_precision(options.precision, device)
        about = {
            "mode": getattr(model, "mode", None) or "whole images",
            "device": device,
            "precision": {"32-true": "float32", "bf16-mixed": "bf16"}[precision],
        }
        return self._scored(model, names, path, title, console, about)

    def _limit(self, name: str, fit: Callable[[], SaliencyModel], console: Console) -> Scores:
        path = self.folder / "limits" / f"{name}.csv"
        if path.is_file():
            return Scores.load(path)
        log.info("%s: scoring %s", self.name, name)
        return self._scored(fit(), {example.name for example in self.examples}, path, f"{self.name}, {name}", console)

    def _scored(
        self,
        model: SaliencyModel,
        names: set[str],
        path: Path,
        title: str,
        console: Console,
        about: Mapping[str, Any] = {},
    ) -> Scores:
        """Score the images of these names and write the scores.

        The shuffled negatives are the fixations on all other images that are scored, those of other folds included, so that
        they do not depend on the number of folds.
        """
        chosen = [i for i, example in enumerate(self.examples) if example.name in names]
        row_of = image_scorer(model, self.examples, PROTOCOL, optimal=False)
        began, rows = time.monotonic(), []
        with progress_bar(console) as bar:
            task = bar.add_task(f"scoring {title}", total=len(chosen), note="")
            for i in chosen:
                rows.append(row_of(i))
                bar.update(task, advance=1, note=self.examples[i].name)
        seconds = round(time.monotonic() - began, 2)
        scored = [self.examples[i] for i in chosen]
        scores = collect_scores(rows, scored, protocol=PROTOCOL, optimal=False, agreement=False, name=title)
        if METRIC not in scores.values:
            raise DataError(
                f"{self.name} has only {len(scored)} image to score, and a shuffled AUC needs two; add images"
            )
        scores = replace(scores, about={**about, "seconds": seconds, **versions()})
        scores.save(path)
        return scores

    def _examples_of(self, fold: Fold) -> Sequence[Example]:
        """The test images of a fold. Fixations are added to those of ``*.pth.tar`` files, which have none."""
        archive = open_archive(fold.archive)
        if self.options.format == "native":
            return list(archive.examples("test"))
        dataset = fold.dataset
        index = {stimulus.name: i for i, stimulus in enumerate(dataset.stimuli)}
        examples = [
            replace(
                example,
                fixations=dataset.fixations_of(index[example.name]),
                dataset=dataset.name,
                pixels_per_degree=dataset.degree_of(index[example.name]),
            )
            for example in archive.examples("test")
        ]
        return [example for example in examples if len(example.fixations or ())]

    def _folder(self, fold: Fold, seed: int) -> Path:
        return fold.folder / f"seed-{seed}"

    def _is_trained(self, folder: Path) -> bool:
        return any(self._complete_runs(folder))

    def _complete_runs(self, folder: Path) -> Iterator[Path]:
        last = f"cnn_epoch_{self.options.all_epochs}.pth"
        return (path.parent for path in sorted(folder.glob(f"trained/*/{last}")))

    def _checkpoint(self, fold: Fold, seed: int) -> Path:
        """The network after the last epoch."""
        folder = self._folder(fold, seed)
        run = next(self._complete_runs(folder), None)
        if run is None:
            raise FileError(f"expected a complete training run in {folder}, found none; run the command again")
        return run / f"cnn_epoch_{self.options.all_epochs}.pth"
