"""EyeCrowd: 500 pictures of crowds, from one face to very many, with the fixations of 16 observers.

Jiang, Xu and Zhao, "Saliency in crowd", ECCV 2014. MIT licence.
"""

from pathlib import Path

from mrsal.datasets.base import FixationDataset, Stimulus, keep_inside, read_fixations_csv
from mrsal.datasets.sun import every_eighth
from mrsal.errors import FileError
from mrsal.images import find_images

DEGREE_SHARE = 13 / 512  # one degree of visual angle as a share of a picture's longer side


def load(root: Path) -> FixationDataset:
    """Load ``stimuli/*.jpg`` and ``fixations.csv`` (stimulus, subject, x, y; in order of time, 0-based) under ``root``.

    A part of the stimuli is enough, and so are smaller copies, with the fixations scaled with them.

    Notes
    -----
    Split: ``val`` where the number in the file's name is a multiple of 8, ``train`` otherwise; there is no ``test``.
    """
    stimuli = tuple(Stimulus.from_file(path) for path in find_images(root / "stimuli"))
    if not stimuli:
        raise FileError(f"no images in {root / 'stimuli'}; unpack EyeCrowd's stimuli there")
    stems = [stimulus.path.stem for stimulus in stimuli]
    fixations = keep_inside(read_fixations_csv(root / "fixations.csv", stems), stimuli)
    pixels_per_degree = DEGREE_SHARE * max(stimuli[0].shape)
    return FixationDataset("crowd", stimuli, fixations, pixels_per_degree, every_eighth(stems))
