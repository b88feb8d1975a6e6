"""Load your own data: a folder with ``stimuli/`` and ``fixations.csv``."""

from pathlib import Path

from mrsal.datasets.dataset import FixationDataset, Stimulus, read_pixels_per_degree, split_in_tenths
from mrsal.datasets.options import TableOptions
from mrsal.datasets.tables import read_fixations
from mrsal.errors import DataError, FileError
from mrsal.images import find_images


def load(
    root: Path, *, table: TableOptions | None = None, pixels_per_degree: float = 35.0, seed: int = 0
) -> FixationDataset:
    """Load a folder with your own data.

    Parameters
    ----------
    root : Path
        The folder. It has ``stimuli/`` with image files, ``fixations.csv`` (:func:`mrsal.datasets.tables.read_fixations`)
        and, if one degree is not 35 pixels, ``pixels_per_degree.txt`` with the number of pixels.
    table : TableOptions, optional
        How ``fixations.csv`` is read.
    pixels_per_degree : float
        The pixels per degree of visual angle if there is no ``pixels_per_degree.txt``.
    seed : int
        The seed of the random split into 80 % training, 10 % validation and 10 % test images.
    """
    stimuli = [Stimulus.from_file(path) for path in find_images(root / "stimuli")]
    if not stimuli:
        raise FileError(f"expected images in {root / 'stimuli'}, found none; put the stimuli there")
    stems = [stimulus.path.stem for stimulus in stimuli]
    if len(set(stems)) < len(stems):
        raise DataError(f"two stimuli in {root / 'stimuli'} differ only in their extension; rename one of them")
    read = read_fixations(root, stimuli, table)
    return FixationDataset(
        root.resolve().name,
        tuple(stimuli),
        read.fixations,
        read_pixels_per_degree(root, pixels_per_degree),
        split_in_tenths(len(stimuli), seed),
        read.left_out,
    )
