"""Load OSIE: 700 everyday scenes of 800x600 pixels, 15 observers, 3 s of free viewing.

Xu, Jiang, Wang, Kankanhalli and Zhao, "Predicting human gaze beyond pixels", Journal of Vision 2014. MIT licence.
"""

from pathlib import Path

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.matlab import as_list, read_mat
from mrsal.datasets.trials import Trials, expecting
from mrsal.errors import FileError
from mrsal.images import find_images

PIXELS_PER_DEGREE = 24.0
_AUTHORS = "NUS-VIP/predicting-human-gaze-beyond-pixels"

INFO = DatasetInfo(
    name="osie",
    title="OSIE",
    citation="Xu, Jiang, Wang, Kankanhalli and Zhao, Predicting human gaze beyond pixels, Journal of Vision 14(1):28, 2014",
    terms="MIT licence",
    home=f"https://github.com/{_AUTHORS}",
    stimuli=700,
    observers=15,
    task="free viewing, 3 s",
    pixels_per_degree=PIXELS_PER_DEGREE,
    megabytes=50,
    files=tuple(  # the file has a line for each file of the authors: its path and its SHA-256
        RemoteFile(
            urls=(
                f"https://raw.githubusercontent.com/{_AUTHORS}/master/{path}",
                f"https://github.com/{_AUTHORS}/raw/master/{path}",
            ),
            checksum=f"sha256:{checksum}",
            path=path,
        )
        for path, checksum in map(str.split, Path(__file__).with_name("osie_checksums.txt").read_text().splitlines())
    ),
)


def load(root: Path) -> FixationDataset:
    """Load ``data/stimuli/*.jpg`` and ``data/eye/fixations.mat`` under ``root``, the layout of the authors.

    Notes
    -----
    Positions are 1-based in the file and 0-based here. The split depends on the place in the sorted list of files: every
    seventh image, beginning with the first, is in ``test``, every seventh, beginning with the second, in ``val``, the others in
    ``train``.
    """
    table = root / "data" / "eye" / "fixations.mat"
    stimuli = tuple(Stimulus.from_file(path) for path in find_images(root / "data" / "stimuli"))
    if not stimuli:
        raise FileError(f"expected images in {root / 'data' / 'stimuli'}, found none; extract OSIE's stimuli there")
    fixations = keep_inside(_read_mat(table, [stimulus.name for stimulus in stimuli]), stimuli)
    i = np.arange(len(stimuli))
    splits = {"train": i[i % 7 > 1], "val": i[i % 7 == 1], "test": i[i % 7 == 0]}
    return FixationDataset("osie", stimuli, fixations, PIXELS_PER_DEGREE, splits)


def _read_mat(path: Path, names: list[str]) -> Fixations:
    """The fixations on the stimuli of these names, also of data sets in the same layout."""
    index, trials = {name: n for n, name in enumerate(names)}, Trials()
    records = as_list(read_mat(path, "fixations", what="the authors' fixations"))
    with expecting("the authors' fixations", path):
        for record in records:
            if record["img"] not in index:
                continue
            for subject, trial in enumerate(as_list(record["subjects"])):
                x, y = trial["fix_x"] - 1.0, trial["fix_y"] - 1.0
                trials.add(index[record["img"]], subject, x, y, duration=trial["fix_duration"] / 1000.0)
    return trials.fixations()
