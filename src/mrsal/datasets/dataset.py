"""The data set classes, and what the loaders of data sets share: random splits, and pixels per degree."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.fixations import Fixations, fixation_density
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.options import SPLITS as SPLITS
from mrsal.datasets.table_files import read_text
from mrsal.errors import DataError, InputError
from mrsal.images import image_size, read_image

log = logging.getLogger("mrsal")

DEGREE_FILE = "pixels_per_degree.txt"


@dataclass(frozen=True)
class Stimulus:
    """An image of a data set, which was shown to observers.

    Parameters
    ----------
    name : str
        The file name, such as ``"1001.jpg"``. It is unique in the data set.
    path : Path
        The path of the file.
    shape : (int, int)
        The height and width in pixels.
    density_path : Path or None
        The path of the authors' 8-bit density map, if they published one.
    pixels_per_degree : float or None
        The number of its pixels per degree of visual angle; None if it is that of the data set.
    """

    name: str
    path: Path
    shape: tuple[int, int]
    density_path: Path | None = None
    pixels_per_degree: float | None = None

    @classmethod
    def from_file(cls, path: Path, density_path: Path | None = None) -> "Stimulus":
        """Describe an image file; its height and width are read from the header."""
        return cls(path.name, path, image_size(path), density_path)

    def read(self) -> NDArray[np.uint8]:
        """Read the image as ``(H, W, 3)`` uint8 RGB."""
        return read_image(self.path)


@dataclass(frozen=True)
class FixationDataset:
    """Stimuli and the fixations on them.

    Parameters
    ----------
    name : str
        The short name, such as ``"osie"``.
    stimuli : tuple of Stimulus
        The images.
    fixations : Fixations
        The fixations on all stimuli. ``fixations.n`` is an index into ``stimuli``; every fixation lies inside its stimulus.
    pixels_per_degree : float
        The number of pixels per degree of visual angle, for stimuli that have none of their own.
    splits : mapping of str to int array
        The indices into ``stimuli`` for ``"train"``, ``"val"`` and ``"test"``.
    info : DatasetInfo, optional
        The citation, terms of use and home page, if it is a published data set.
    left_out : mapping of str to int
        The number of rows of the table of fixations that are not in ``fixations``, by the reason.
    """

    name: str
    stimuli: tuple[Stimulus, ...]
    fixations: Fixations
    pixels_per_degree: float
    splits: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    info: DatasetInfo | None = None

    def __len__(self) -> int:
        return len(self.stimuli)

    def fixations_of(self, index: int) -> Fixations:
        """Return the fixations of all observers on one stimulus."""
        return self.fixations.where(self.fixations.n == index)

    def degree_of(self, index: int) -> float:
        """Return the pixels per degree of a stimulus, which is the standard deviation of the Gaussian for its density."""
        own = self.stimuli[index].pixels_per_degree
        return self.pixels_per_degree if own is None else own

    def density(self, index: int) -> NDArray[np.float64]:
        """Compute the fixation density of a stimulus: ``(H, W)`` float64 that sums to 1, with a Gaussian of one degree."""
        fixations, stimulus = self.fixations_of(index), self.stimuli[index]
        if not len(fixations):
            raise DataError(f"{self.name}: expected fixations on {stimulus.name}, got none; leave this stimulus out")
        return fixation_density(fixations.x, fixations.y, stimulus.shape, sigma=self.degree_of(index))

    def has_ground_truth(self) -> NDArray[np.bool_]:
        """Tell for each stimulus whether there are fixations on it, or a published map; without, nothing can be scored."""
        counts = np.bincount(self.fixations.n, minlength=len(self))
        return (counts > 0) | np.array([stimulus.density_path is not None for stimulus in self.stimuli], bool)

    def split(self, name: str) -> NDArray[np.int64]:
        """Return the indices of the stimuli of a split; ``"all"`` gives every stimulus."""
        if name == "all":
            return np.arange(len(self))
        if name not in self.splits:
            raise InputError(f"{self.name} has no split {name!r}; choose one of {', '.join([*self.splits, 'all'])}")
        return self.splits[name]

    def without_first_fixations(self) -> "FixationDataset":
        """Return the data set without the first fixation of each trial, which is usually on the start marker."""
        return replace(self, fixations=self.fixations.where(self.fixations.order > 0))


def random_split(count: int, *, val: int, test: int, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Split ``count`` stimuli at random into sorted arrays of indices."""
    order = np.random.default_rng(seed).permutation(count)
    parts = {"test": order[:test], "val": order[test : test + val], "train": order[test + val :]}
    return {name: np.sort(parts[name]).astype(np.int64) for name in SPLITS}


def split_in_tenths(count: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """Split ``count`` stimuli at random into 80 % for training, 10 % for validation and 10 % for testing.

    Fewer than three are all for testing.
    """
    if count < 3:
        return random_split(count, val=0, test=count)
    tenth = max(1, count // 10)
    return random_split(count, val=tenth, test=tenth, seed=seed)


def read_pixels_per_degree(folder: Path, default: float) -> float:
    """Read the pixels per degree from ``pixels_per_degree.txt`` in a folder, or return the default if there is no such file."""
    path, value = folder / DEGREE_FILE, default
    if path.is_file():
        text = read_text(path).strip()
        try:
            value = float(text.replace(",", "."))
        except ValueError as error:
            raise DataError(f"expected one number in {path}, got {text[:40]!r}; correct it") from error
    if not 0 < value < np.inf:
        raise InputError(f"expected pixels per degree above 0, got {value}; correct it in {path}")
    return value


def keep_inside(fixations: Fixations, stimuli: Iterable[Stimulus]) -> Fixations:
    """Remove the fixations outside their stimulus, since eye trackers report some, and say in the log how many there are."""
    shapes = np.array([stimulus.shape for stimulus in stimuli]).reshape(-1, 2)
    height, width = shapes[fixations.n].T if len(fixations) else np.zeros((2, 0), np.int64)
    inside = fixations.inside(height, width)
    if outside := int((~inside).sum()):
        log.info("left out %d of %d fixations, which lie outside their stimulus", outside, len(fixations))
    return fixations.where(inside)
