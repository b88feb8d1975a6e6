"""Load OSIE: 700 everyday scenes of 800x600 pixels, 15 observers, 3 s of free viewing.

Xu, Jiang, Wang, Kankanhalli and Zhao, "Predicting human gaze beyond pixels", Journal of Vision 2014. MIT licence.
"""

from pathlib import Path

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

PIXELS_PER_DEGREE = 24.0


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
    from scipy.io import loadmat  # a slow import

    if not path.is_file():
        raise FileError(f"expected OSIE's fixations at {path}, found none; set --root to the folder with data/")
    index = {name: n for n, name in enumerate(names)}
    columns: dict[str, list] = {name: [] for name in ("x", "y", "n", "subject", "order", "duration")}
    try:
        records = loadmat(path, squeeze_me=True, struct_as_record=False)["fixations"]
        for record in np.atleast_1d(records):
            if record.img not in index:
                continue
            for subject, trial in enumerate(record.subjects):
                x = np.atleast_1d(trial.fix_x)
                columns["x"].append(x - 1.0)
                columns["y"].append(np.atleast_1d(trial.fix_y) - 1.0)
                columns["n"].append(np.full(len(x), index[record.img]))
                columns["subject"].append(np.full(len(x), subject))
                columns["order"].append(np.arange(len(x)))
                columns["duration"].append(np.atleast_1d(trial.fix_duration) / 1000.0)
        return Fixations.create(**{name: np.concatenate(parts) for name, parts in columns.items()})
    except Exception as error:  # loadmat raises many types of errors for damaged files, even zlib.error
        raise DataError(
            f"expected OSIE's fixations in {path}, got something else ({error}); download it again"
        ) from error
