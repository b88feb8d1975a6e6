"""EyeCrowd: 500 pictures of crowds, from a few faces to very many, with the fixations of 16 observers.

Jiang, Xu and Zhao, "Saliency in crowd", ECCV 2014. MIT licence.
"""

from pathlib import Path

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.options import TableOptions
from mrsal.datasets.osie import _read_mat
from mrsal.datasets.sun import every_eighth
from mrsal.datasets.table_files import has_table
from mrsal.datasets.tables import FixationTable, read_fixations
from mrsal.errors import FileError
from mrsal.images import find_images

INFO = DatasetInfo(
    name="crowd",
    title="EyeCrowd",
    citation="Jiang, Xu and Zhao, Saliency in crowd, ECCV 2014",
    terms="MIT licence",
    home="https://github.com/NUS-VIP/saliency-in-crowd",
    stimuli=500,
    observers=16,
    task="free viewing, 5 s",
    pixels_per_degree=26,
    steps=(  # no checksum of these files is known to us
        "Run: git clone https://github.com/NUS-VIP/saliency-in-crowd (or download a zip file of it from there).",
        "Only its folder data/ is needed: data/stimuli/*.jpg and data/eye/fixations.mat. --root is the folder that has data/.",
    ),
)

DEGREE_SHARE = 13 / 512  # one degree of visual angle as a share of a picture's longer side


def load(root: Path, *, table: TableOptions | None = None) -> FixationDataset:
    """Load the authors' layout, or a table, under ``root``; a part of the pictures is enough.

    The authors', which is OSIE's: ``data/stimuli/*.jpg`` and ``data/eye/fixations.mat``. The other: ``stimuli/*.jpg`` and
    ``fixations.csv`` (stimulus, subject, x, y; in order of time, 0-based pixels), of which ``table`` says how it is read, and
    where the pictures may be smaller copies.

    Notes
    -----
    Split: ``val`` where the number in the file's name is a multiple of 8, ``train`` otherwise; there is no ``test``.
    """
    folder = root / "stimuli"
    theirs = root / "data" / "eye" / "fixations.mat"
    is_theirs = not has_table(root, "fixations") and theirs.is_file()
    if is_theirs:
        folder = root / "data" / "stimuli"
    stimuli = tuple(Stimulus.from_file(path) for path in find_images(folder))
    if not stimuli:
        raise FileError(f"no images in {folder}; unpack EyeCrowd's stimuli there")
    if is_theirs:
        read = FixationTable(keep_inside(_read_mat(theirs, [stimulus.name for stimulus in stimuli]), stimuli), {})
    else:
        read = read_fixations(root, stimuli, table)
    pixels_per_degree = DEGREE_SHARE * max(stimuli[0].shape)
    splits = every_eighth([stimulus.path.stem for stimulus in stimuli])
    return FixationDataset("crowd", stimuli, read.fixations, pixels_per_degree, splits, read.left_out)
