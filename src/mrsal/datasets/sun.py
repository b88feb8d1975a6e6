"""SUN scenes: 500 pictures of SUN2012 with the fixations of 12 observers.

Liang, Hu, Zhao and others, "Scene saliency" (NUS VIP, 2015). MIT licence.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.base import FixationDataset, Stimulus, keep_inside, read_fixations_csv
from mrsal.errors import FileError
from mrsal.images import find_images

SIGMA_SHARE = 0.035  # standard deviation of a density as a share of a picture's longer side
PIXELS_PER_DEGREE = SIGMA_SHARE * 256  # more than half of the pictures are 256 x 256


def load(root: Path) -> FixationDataset:
    """Load ``stimuli/*.jpg`` and ``fixations.csv`` (stimulus, subject, x, y, start_s; 0-based pixels) under ``root``.

    A part of the stimuli is enough.

    Notes
    -----
    Pictures have many sizes, from 256 x 256 up, and were shown equally large, so one degree is 3.5 % of each picture's longer
    side and not one number of pixels. ``pixels_per_degree`` is right for 256 x 256; :data:`SIGMA_SHARE` is right for all.
    Split: ``val`` where the number in the file's name is a multiple of 8, ``train`` otherwise; there is no ``test``.
    """
    stimuli = tuple(Stimulus.from_file(path) for path in find_images(root / "stimuli"))
    if not stimuli:
        raise FileError(f"no images in {root / 'stimuli'}; unpack the stimuli of the SUN scenes there")
    stems = [stimulus.path.stem for stimulus in stimuli]
    fixations = keep_inside(read_fixations_csv(root / "fixations.csv", stems), stimuli)
    return FixationDataset("sun", stimuli, fixations, PIXELS_PER_DEGREE, every_eighth(stems))


def every_eighth(stems: list[str]) -> dict[str, NDArray[np.int64]]:
    """Split by the number in the file's name: multiples of 8 for validation, the others for training."""
    chosen = np.array([stem.isdecimal() and int(stem) % 8 == 0 for stem in stems], bool)
    return {"train": np.flatnonzero(~chosen), "val": np.flatnonzero(chosen), "test": np.array([], np.int64)}
