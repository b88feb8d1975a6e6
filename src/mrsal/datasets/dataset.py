"""What a data set of eye fixations is: stimuli, fixations, the size of a degree, and how it is split."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.fixations import Fixations, fixation_density
from mrsal.errors import DataError, FileError, InputError
from mrsal.images import image_size, read_image

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Stimulus:
    """One picture that was shown.

    Parameters
    ----------
    name : str
        File name, such as ``"1001.jpg"``; unique in its data set.
    path : Path
        Where the file is.
    shape : (int, int)
        Height and width in pixels.
    density_path : Path or None
        The authors' own 8-bit density map, where they publish one.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    density_path: Path | None = None

    @classmethod
    def from_file(cls, path: Path, density_path: Path | None = None) -> "Stimulus":
        return cls(path.name, path, image_size(path), density_path)

    def read(self) -> NDArray[np.uint8]:
        """The picture as ``(H, W, 3)`` uint8 RGB."""
        return read_image(self.path)


@dataclass(frozen=True)
class FixationDataset:
    """Stimuli and the fixations on them.

    Parameters
    ----------
    name : str
        Short name, such as ``"osie"``.
    stimuli : tuple of Stimulus
    fixations : Fixations
        ``fixations.n`` indexes ``stimuli``; all lie inside their stimulus.
    pixels_per_degree : float
        Pixels per degree of visual angle; the width of the Gaussian that makes a density.
    splits : mapping of str to int array
        Indices into ``stimuli`` for ``"train"``, ``"val"`` and ``"test"``.
    """

    name: str
    stimuli: tuple[Stimulus, ...]
    fixations: Fixations
    pixels_per_degree: float
    splits: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stimuli)

    def fixations_of(self, index: int) -> Fixations:
        """The fixations on one stimulus, of all observers."""
        return self.fixations.where(self.fixations.n == index)

    def density(self, index: int) -> NDArray[np.float64]:
        """Fixation density of one stimulus: ``(H, W)`` float64 that sums to 1, Gaussian of one degree."""
        points = self.fixations_of(index)
        if not len(points):
            raise DataError(f"{self.name}: no fixation on {self.stimuli[index].name}, so it has no density map")
        return fixation_density(points.x, points.y, self.stimuli[index].shape, sigma=self.pixels_per_degree)

    def split(self, name: str) -> NDArray[np.int64]:
        """Indices of the stimuli of a split; ``"all"`` is every stimulus."""
        if name == "all":
            return np.arange(len(self))
        if name not in self.splits:
            raise InputError(f"{self.name} has no split {name!r}; choose one of {', '.join([*self.splits, 'all'])}")
        return self.splits[name]

    def without_first_fixations(self) -> "FixationDataset":
        """The same data without the first fixation of each trial, which falls where the start marker was."""
        kept = self.fixations.where(self.fixations.order > 0)
        return FixationDataset(self.name, self.stimuli, kept, self.pixels_per_degree, self.splits)


def random_split(count: int, *, val: int, test: int, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Split ``count`` stimuli at random, each part sorted."""
    order = np.random.default_rng(seed).permutation(count)
    parts = {"test": order[:test], "val": order[test : test + val], "train": order[test + val :]}
    return {name: np.sort(parts[name]).astype(np.int64) for name in SPLITS}


def read_fixations_csv(path: Path, stems: Iterable[str]) -> Fixations:
    """Read fixations from a table with the columns stimulus, subject, x, y and, if known, start_s and end_s.

    Parameters
    ----------
    path : Path
        CSV with a header. x and y in stimulus pixels, 0-based; ``stimulus`` is a file name with or without its ending;
        the rows of a trial in order of time.
    stems : iterable of str
        File names without ending; row ``i`` of the result refers to the i-th of these, rows of other stimuli are left out.

    Raises
    ------
    FileError, DataError
        If the file is missing, a column is missing, or a value is no number (with the line number).
    """
    needed = {"stimulus", "subject", "x", "y"}
    index = {stem: i for i, stem in enumerate(stems)}
    columns: dict[str, list[float]] = {name: [] for name in ("x", "y", "n", "subject", "order", "duration")}
    subjects: dict[str, int] = {}
    trials: dict[tuple[str, str], int] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = needed - set(rows.fieldnames or ())
            if missing:
                raise DataError(f"{path} lacks the column(s) {', '.join(sorted(missing))}; found {rows.fieldnames}")
            for row in rows:
                if any(row[column] is None for column in needed):
                    raise DataError(f"{path}, line {rows.line_num}: fewer values than the header has columns")
                stem = row["stimulus"] if row["stimulus"] in index else Path(row["stimulus"]).stem
                if stem not in index:
                    continue
                trial = (stem, row["subject"])
                trials[trial] = trials.get(trial, -1) + 1
                start, end = row.get("start_s"), row.get("end_s")
                try:
                    columns["x"].append(float(row["x"]))
                    columns["y"].append(float(row["y"]))
                    columns["duration"].append(float(end) - float(start) if start and end else np.nan)
                except (TypeError, ValueError) as error:
                    raise DataError(f"{path}, line {rows.line_num}: expected numbers, {error}") from error
                columns["n"].append(index[stem])
                columns["subject"].append(subjects.setdefault(row["subject"], len(subjects)))
                columns["order"].append(trials[trial])
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV table: {error}") from error
    return Fixations.create(**columns)


def keep_inside(fixations: Fixations, stimuli: Iterable[Stimulus]) -> Fixations:
    """Drop the fixations that fall outside their stimulus, as trackers report some."""
    shapes = np.array([stimulus.shape for stimulus in stimuli]).reshape(-1, 2)
    height, width = shapes[fixations.n].T if len(fixations) else (0, 0)
    x, y = fixations.x, fixations.y
    return fixations.where((x >= 0) & (y >= 0) & (x < width) & (y < height))
