"""Toronto: 120 photographs of 681x511 pixels, indoors and outdoors, 20 observers, 4 s of free viewing.

Bruce and Tsotsos, "Attention based on information maximization", Journal of Vision 2007.
"""

from pathlib import Path

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree, split_in_tenths
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.matlab import as_list, read_mat
from mrsal.datasets.trials import UNKNOWN_ORDER, Trials, first_that_exists, keep_viewed
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

INFO = DatasetInfo(
    name="toronto",
    title="Toronto",
    citation=(
        "Bruce and Tsotsos, Attention based on information maximization, Journal of Vision 7(9):950, 2007 "
        "(the data: Saliency based on information maximization, NIPS 2005)"
    ),
    terms="The authors state no licence that we know of. Cite them, and ask them before you pass the data on.",
    home="http://www-sop.inria.fr/members/Neil.Bruce/",
    stimuli=120,
    observers=20,
    task="free viewing, 4 s",
    pixels_per_degree=32,
    megabytes=12.3,
    files=(  # address and checksum: pysaliency, external_datasets/toronto.py
        RemoteFile(
            urls=(
                "https://www-sop.inria.fr/members/Neil.Bruce/eyetrackingdata.zip",
                "http://www-sop.inria.fr/members/Neil.Bruce/eyetrackingdata.zip",
            ),
            checksum="md5:38d5c02217060d4d2d1a4649cc632af1",
            is_zip=True,
        ),
    ),
)


def load(root: Path) -> FixationDataset:
    """Load ``eyetrackingdata/fixdens/`` under ``root``: ``Original Image Set/1.jpg`` to ``120.jpg`` and ``origfixdata.mat``.

    The table is a cell array ``white`` with an array of the stimulus's size for each stimulus. It is not zero where somebody
    looked.

    Notes
    -----
    - Rows and columns of these arrays are pixels, so nothing has to be shifted.
    - They do not tell observers apart and have neither order nor duration. All fixations have the same ``subject``, so there
      is no ceiling of other observers. ``order`` is 1, so the option to leave out first fixations leaves out nothing. The
      authors' folder ``Raw`` has observers, but its positions are not in pixels of the stimulus and do not agree with
      ``origfixdata.mat``.
    - Two fixations on the same pixel count once.
    - The authors do not state the size of a degree. 32 pixels is a value in use; ``pixels_per_degree.txt`` under ``root``
      replaces it.
    - There is no official split. The stimuli are split at random: 80, 10 and 10 %.
    """
    folder = first_that_exists(root, ("eyetrackingdata/fixdens", "fixdens", "."), what="Toronto's data")
    images = find_images(folder / "Original Image Set")
    if not images:
        raise FileError(f"expected images in {folder / 'Original Image Set'}, found none; extract Toronto's data there")
    table = folder / "origfixdata.mat"
    maps = as_list(read_mat(table, "white", what="Toronto's fixations"))
    stimuli = [Stimulus.from_file(path) for path in sorted(images, key=lambda path: (len(path.stem), path.stem))]
    trials = Trials()
    for n, stimulus in enumerate(stimuli):
        number = stimulus.path.stem
        if not number.isdecimal() or not 0 < int(number) <= len(maps):
            raise DataError(
                f"expected names from 1.jpg to {len(maps)}.jpg, as in {table}, got {stimulus.path}; remove it"
            )
        map_ = np.asarray(maps[int(number) - 1])
        if map_.shape != stimulus.shape:
            raise DataError(
                f"expected an array of {stimulus.shape}, the size of {stimulus.name}, in {table}, got {map_.shape}; "
                "download both again"
            )
        y, x = np.nonzero(map_)
        trials.add(n, 0, x, y, order=UNKNOWN_ORDER)
    viewed, fixations = keep_viewed(stimuli, keep_inside(trials.fixations(), stimuli))
    degree = read_pixels_per_degree(root, INFO.pixels_per_degree)
    return FixationDataset("toronto", viewed, fixations, degree, split_in_tenths(len(viewed), 0))
