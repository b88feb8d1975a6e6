"""The user's own data: a folder with ``stimuli/`` and ``fixations.csv``."""

from pathlib import Path

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, random_split, read_fixations_csv
from mrsal.errors import DataError, FileError, InputError
from mrsal.images import find_images


def load(root: Path, *, pixels_per_degree: float = 35.0, seed: int = 0) -> FixationDataset:
    """Load a folder of one's own.

    Parameters
    ----------
    root : Path
        Holds ``stimuli/`` with image files, ``fixations.csv`` (:func:`mrsal.datasets.dataset.read_fixations_csv`) and, if one
        degree is not 35 pixels, ``pixels_per_degree.txt`` with that number.
    pixels_per_degree : float
        Used where that file is absent.
    seed : int
        Of the random split into 80 % training, 10 % validation and 10 % test images.
    """
    stimuli = [Stimulus.from_file(path) for path in find_images(root / "stimuli")]
    if not stimuli:
        raise FileError(f"no images in {root / 'stimuli'}; put the stimuli there")
    if len(stimuli) < 3:
        raise DataError(f"{root / 'stimuli'} holds {len(stimuli)} image(s); 3 are the fewest that can be split")
    stems = [stimulus.path.stem for stimulus in stimuli]
    if len(set(stems)) < len(stems):
        raise DataError(f"two stimuli in {root / 'stimuli'} differ only in their ending; rename one")
    note = root / "pixels_per_degree.txt"
    if note.is_file():
        try:
            pixels_per_degree = float(note.read_text())
        except ValueError as error:
            raise DataError(f"{note} must hold one number: {error}") from error
    if not pixels_per_degree > 0:
        raise InputError(f"pixels per degree must be positive, got {pixels_per_degree}")
    fixations = keep_inside(read_fixations_csv(root / "fixations.csv", stems), stimuli)
    tenth = max(1, len(stimuli) // 10)
    splits = random_split(len(stimuli), val=tenth, test=tenth, seed=seed)
    return FixationDataset(root.resolve().name, tuple(stimuli), fixations, pixels_per_degree, splits)
