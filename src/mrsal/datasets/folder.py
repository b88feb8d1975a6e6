"""Load your own data: a folder with ``stimuli/`` and ``fixations.csv``."""

from pathlib import Path

from mrsal.datasets.dataset import (
    FixationDataset,
    Stimulus,
    keep_inside,
    read_fixations_csv,
    read_pixels_per_degree,
    split_in_tenths,
)
from mrsal.errors import DataError, FileError
from mrsal.images import find_images


def load(root: Path, *, pixels_per_degree: float = 35.0, seed: int = 0) -> FixationDataset:
    """Load a folder with your own data.

    Parameters
    ----------
    root : Path
        The folder. It has ``stimuli/`` with image files, ``fixations.csv`` (:func:`mrsal.datasets.dataset.read_fixations_csv`)
        and, if one degree is not 35 pixels, ``pixels_per_degree.txt`` with the number of pixels.
    pixels_per_degree : float
        The pixels per degree of visual angle if there is no ``pixels_per_degree.txt``.
    seed : int
        The seed of the random split into 80 % training, 10 % validation and 10 % test images.
    """
    stimuli = [Stimulus.from_file(path) for path in find_images(root / "stimuli")]
    if not stimuli:
        raise FileError(f"expected images in {root / 'stimuli'}, found none; put the stimuli there")
    if len(stimuli) < 3:
        raise DataError(f"expected at least 3 images in {root / 'stimuli'} to split, got {len(stimuli)}; add more")
    stems = [stimulus.path.stem for stimulus in stimuli]
    if len(set(stems)) < len(stems):
        raise DataError(f"two stimuli in {root / 'stimuli'} differ only in their extension; rename one of them")
    fixations = keep_inside(read_fixations_csv(root / "fixations.csv", stems), stimuli)
    return FixationDataset(
        root.resolve().name,
        tuple(stimuli),
        fixations,
        read_pixels_per_degree(root, pixels_per_degree),
        split_in_tenths(len(stimuli), seed),
    )
