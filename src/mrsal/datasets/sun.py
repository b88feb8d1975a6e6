"""SUN scenes: 500 pictures of SUN2012 with the fixations of 12 to 15 observers, 5 s of free viewing.

Liang, Hu, Zhao and others, "Scene saliency" (NUS VIP, 2015). MIT licence.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.options import TableOptions
from mrsal.datasets.table_files import has_table
from mrsal.datasets.tables import FixationTable, read_fixations
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

SIGMA_SHARE = 0.035  # standard deviation of a density as a share of a picture's longer side
PIXELS_PER_DEGREE = SIGMA_SHARE * 256  # of the pictures of 256 x 256, which are more than half

INFO = DatasetInfo(
    name="sun",
    title="SUN scenes (Scene Saliency)",
    citation="Liang, Hu, Zhao and others, Scene saliency, NUS Visual Information Processing Lab, 2015, on images of SUN2012",
    terms="MIT licence",
    home="https://github.com/Yanakz/Scene",
    stimuli=500,
    observers=15,
    task="free viewing, 5 s",
    pixels_per_degree=PIXELS_PER_DEGREE,
    steps=(  # no checksum of these files is known to us; this repository has the authors' readme and licence
        "Run: git clone https://github.com/Yanakz/Scene (or download a zip file of it from there).",
        "Only its folder data/ is needed: data/stimuli/*.jpg and data/tidy/fixations.mat. --root is the folder that has data/.",
    ),
)

# where the authors put pictures and fixations: in what they publish, and in their own tools
_AUTHORS = (("Original/stimuli", "Original/fix/fixations.mat"), ("data/stimuli", "data/tidy/fixations.mat"))


def load(root: Path, *, table: TableOptions | None = None) -> FixationDataset:
    """Load the authors' layout, or a table, under ``root``; a part of the pictures is enough.

    The authors': ``Original/stimuli/*.jpg`` and ``Original/fix/fixations.mat``, a cell array with a row per picture and a
    column per observer. The other: ``stimuli/*.jpg`` and ``fixations.csv`` (stimulus, subject, x, y; 0-based pixels),
    of which ``table`` says how it is read.

    Notes
    -----
    Pictures have many sizes, from 256 x 256 up, and were shown as large as the screen allows, so one degree is a share of
    each picture's longer side, :data:`SIGMA_SHARE`, and each stimulus has its own ``pixels_per_degree``. Split: ``val``
    where the number in the file's name is a multiple of 8, ``train`` otherwise; there is no ``test``.
    """
    folder: Path = root / "stimuli"
    theirs: Path | None = None
    for stimuli_folder, file in _AUTHORS:
        if not has_table(root, "fixations") and (root / file).is_file():
            folder, theirs = root / stimuli_folder, root / file
    stimuli = tuple(_with_degree(Stimulus.from_file(path)) for path in find_images(folder))
    if not stimuli:
        raise FileError(f"no images in {folder}; unpack the stimuli of the SUN scenes there")
    stems = [stimulus.path.stem for stimulus in stimuli]
    read = (
        FixationTable(keep_inside(_read_mat(theirs, stems), stimuli), {})
        if theirs
        else read_fixations(root, stimuli, table)
    )
    return FixationDataset("sun", stimuli, read.fixations, PIXELS_PER_DEGREE, every_eighth(stems), read.left_out)


def _with_degree(stimulus: Stimulus) -> Stimulus:
    return replace(stimulus, pixels_per_degree=SIGMA_SHARE * max(stimulus.shape))


def every_eighth(stems: list[str]) -> dict[str, NDArray[np.int64]]:
    """Split by the number in the file's name: multiples of 8 for validation, the others for training."""
    chosen = np.array([stem.isdecimal() and int(stem) % 8 == 0 for stem in stems], bool)
    return {"train": np.flatnonzero(~chosen), "val": np.flatnonzero(chosen), "test": np.array([], np.int64)}


def _read_mat(path: Path, stems: list[str]) -> Fixations:
    """Row ``i`` is picture number ``i + 1``; a cell has rows of y, x, start and duration in seconds, or is empty.

    A position is a continuous one: the authors round it up to the 1-based pixel, so it needs no shift here.
    """
    from scipy.io import loadmat  # a slow import

    columns: dict[str, list] = {name: [] for name in ("x", "y", "n", "subject", "order", "duration")}
    try:
        cells = loadmat(path)["fixations"]
        for n, stem in enumerate(stems):
            for subject, cell in enumerate(cells[int(stem) - 1]):
                if not cell.size:
                    continue
                columns["x"].append(cell[:, 1])
                columns["y"].append(cell[:, 0])
                columns["duration"].append(cell[:, 3])
                columns["n"].append(np.full(len(cell), n))
                columns["subject"].append(np.full(len(cell), subject))
                columns["order"].append(np.arange(len(cell)))
        return Fixations.create(**{name: np.concatenate(parts) for name, parts in columns.items()})
    except Exception as error:  # loadmat lets through whatever a damaged file provokes, down to zlib.error
        raise DataError(f"{path} does not hold the fixations of the SUN scenes: {error}; download it again") from error
