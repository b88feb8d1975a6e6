"""Load MIT1003: 1003 photographs, 15 observers, 3 s of free viewing.

Judd, Ehinger, Durand and Torralba, "Learning to predict where humans look", ICCV 2009. For research only.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset, Stimulus
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.options import SPLITS, TableOptions
from mrsal.datasets.table_files import has_table
from mrsal.datasets.tables import FixationTable, read_fixations
from mrsal.errors import FileError
from mrsal.images import find_images

PIXELS_PER_DEGREE = 35.0
_HOME = "http://people.csail.mit.edu/tjudd/WherePeopleLook"

INFO = DatasetInfo(
    name="mit1003",
    title="MIT1003",
    citation="Judd, Ehinger, Durand and Torralba, Learning to predict where humans look, ICCV 2009",
    terms="For research only. The images are from Flickr and LabelMe; each has the licence of its owner.",
    home=f"{_HOME}/index.html",
    stimuli=1003,
    observers=15,
    task="free viewing, 3 s",
    pixels_per_degree=PIXELS_PER_DEGREE,
    files=(  # address and checksum: pysaliency, external_datasets/mit.py
        RemoteFile(
            urls=(f"{_HOME}/ALLSTIMULI.zip", f"{_HOME.replace('http:', 'https:')}/ALLSTIMULI.zip"),
            checksum="md5:0d7df8b954ecba69b6796e77b9afe4b6",
            is_zip=True,
        ),
    ),
    steps=(
        f"For the density maps, download {_HOME}/ALLFIXATIONMAPS.zip, of which no checksum is known to us, and unpack it "
        "beside ALLSTIMULI.",
        "The authors publish gaze traces and no fixations. The page on data sets in the documentation has ways to get a "
        "fixations.csv.",
    ),
)

_TEST_LIST = "coursework_test_split.txt"


def load(root: Path, *, table: TableOptions | None = None) -> FixationDataset:
    """Load ``ALLSTIMULI/*.jpeg``, ``ALLFIXATIONMAPS/*_fixMap.jpg`` and ``fixations.csv`` under ``root``.

    Some of the stimuli are enough. ``fixations.csv`` has the columns stimulus, subject, x, y, start_s and end_s, with fixations
    detected in the authors' gaze data; ``table`` says how it is read. Without it, training uses the published maps, and metrics
    of fixations are not possible.

    Notes
    -----
    The split has 100 test images, 100 validation images and 803 training images. The test images are listed in
    ``coursework_test_split.txt``, if there is such a file. Everything else is drawn at random with a fixed seed.
    """
    stimuli = []
    for path in find_images(root / "ALLSTIMULI"):
        published = root / "ALLFIXATIONMAPS" / f"{path.stem}_fixMap.jpg"
        stimuli.append(Stimulus.from_file(path, published if published.is_file() else None))
    if not stimuli:
        raise FileError(f"expected images in {root / 'ALLSTIMULI'}, found none; extract MIT1003's stimuli there")
    stems = [stimulus.path.stem for stimulus in stimuli]
    nothing = FixationTable(Fixations.create([], []), {})
    read = read_fixations(root, stimuli, table) if has_table(root, "fixations") else nothing
    return FixationDataset(
        "mit1003", tuple(stimuli), read.fixations, PIXELS_PER_DEGREE, _split(root, stems), read.left_out
    )


def _split(root: Path, stems: list[str]) -> dict[str, NDArray[np.int64]]:
    listed = root / _TEST_LIST
    rng = np.random.default_rng(0)
    test = set(listed.read_text().split()) if listed.is_file() else set(rng.permutation(stems)[:100].tolist())
    rest = [stem for stem in stems if stem not in test]
    val = set(rng.permutation(rest)[: min(100, len(rest) // 8)].tolist())
    part_of = {stem: "test" if stem in test else "val" if stem in val else "train" for stem in stems}
    return {part: np.array([i for i, s in enumerate(stems) if part_of[s] == part], np.int64) for part in SPLITS}
