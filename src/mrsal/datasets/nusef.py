"""NUSEF: photographs of everyday and of moving scenes, about 25 observers each, 5 s of free viewing.

Ramanathan, Katti, Sebe, Kankanhalli and Chua, "An eye fixation database for saliency detection in images", ECCV 2010.
"""

import re
from pathlib import Path

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree, split_in_tenths
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.trials import Trials, first_that_exists, keep_viewed, log
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

INFO = DatasetInfo(
    name="nusef",
    title="NUSEF (the part with public images)",
    citation=(
        "Ramanathan, Katti, Sebe, Kankanhalli and Chua, An eye fixation database for saliency detection in images, ECCV 2010"
    ),
    terms="For research only, under fair use. The stimuli from the IAPS are not among the public images.",
    home="https://ncript.comp.nus.edu.sg/site/mmas/NUSEF.html",
    stimuli=444,
    observers=25,
    task="free viewing, 5 s",
    pixels_per_degree=30,
    megabytes=60.9,
    files=(  # addresses and checksum: pysaliency, external_datasets/nusef.py; size and terms: qualinet.github.io/databases
        RemoteFile(
            urls=(
                "https://ncript.comp.nus.edu.sg/site/mmas/NUSEF_database.zip",
                "http://mmas.comp.nus.edu.sg/NUSEF_database.zip",
            ),
            checksum="md5:429a78ad92184e8a4b37419988d98953",
            is_zip=True,
        ),
    ),
)

_SCREEN = (1024, 768)  # width and height in pixels
_TRACKER = (260, 280)  # width and height of the screen in units of the eye tracker
_COLUMNS = 15
_DURATION, _HORIZONTAL, _VERTICAL = 5, 8, 9  # places of the columns that are used
_NAME = re.compile(r"[^+]*?(\d\d)\+.*\.fix", re.IGNORECASE)


def load(root: Path) -> FixationDataset:
    """Load ``NUSEF_database/`` under ``root``: ``stimuli/*.jpg`` and ``fix_data/<stem of the stimulus>/*.fix``.

    A ``.fix`` file is the report of the eye tracker on a trial, as text: a header that ends with a line ``COLS=...``, a line
    with 15 columns for each fixation, and a summary that begins with ``[Fix Segment Summary``. The two digits before the first
    ``+`` of its name are the number of the observer.

    Notes
    -----
    - Positions are in units of the eye tracker, 260 by 280 on the screen. A stimulus was shown in the centre of the screen of
      1024x768 pixels, as large as possible. mrsal computes the position in the stimulus from that. These facts are those that
      pysaliency uses; it computes other positions on stimuli that are wider than 4:3, since it does not shrink them.
    - The number of an observer may mean different people on different stimuli.
    - A report of another form is refused. Reports on stimuli that are not public are left out, and the log says how many.
    - Trials did not begin with a fixation on a marker.
    - The authors do not state the size of a degree. 30 pixels is a value in use; ``pixels_per_degree.txt`` under ``root``
      replaces it.
    - There is no official split. The stimuli are split at random: 80, 10 and 10 %.
    """
    folder = first_that_exists(root, ("NUSEF_database/fix_data", "fix_data"), what="NUSEF's fixations").parent
    images = find_images(folder / "stimuli")
    if not images:
        raise FileError(f"expected images in {folder / 'stimuli'}, found none; extract NUSEF's stimuli there")
    stimuli = [Stimulus.from_file(path) for path in images]
    index = {stimulus.path.stem: n for n, stimulus in enumerate(stimuli)}
    trials, not_public = Trials(), 0
    for reports in sorted(path for path in (folder / "fix_data").iterdir() if path.is_dir()):
        if reports.name not in index:
            not_public += 1
            continue
        n = index[reports.name]
        for report in sorted(path for path in reports.iterdir() if path.suffix.lower() == ".fix"):
            name = _NAME.fullmatch(report.name)
            if not name:
                raise DataError(
                    f"expected two digits, the number of the observer, before the first + in the name of {report}, got none; "
                    "this layout is not known to mrsal"
                )
            values = _read_report(report)
            x, y = _in_stimulus(values[:, 0], values[:, 1], stimuli[n].shape)
            trials.add(n, int(name[1]), x, y, duration=values[:, 2])
    if not_public:
        log.info("left out the fixations on %d stimuli, whose images are not in %s", not_public, folder / "stimuli")
    viewed, fixations = keep_viewed(stimuli, keep_inside(trials.fixations(), stimuli))
    degree = read_pixels_per_degree(root, INFO.pixels_per_degree)
    return FixationDataset("nusef", viewed, fixations, degree, split_in_tenths(len(viewed), 0))


def _read_report(path: Path) -> np.ndarray:
    """The horizontal and vertical position in units of the eye tracker, and the duration in seconds: ``(N, 3)``."""
    text = path.read_text(encoding="latin-1")
    _, mark, table = text.partition("COLS=")
    if not mark:
        raise DataError(f"expected a line that begins with COLS= in {path}, got none; download NUSEF again")
    rows = [line.split() for line in table.partition("[Fix Segment Summary")[0].splitlines()[1:] if line.strip()]
    try:
        if wrong := [row for row in rows if len(row) != _COLUMNS]:
            raise ValueError(f"{len(wrong[0])} columns")
        values = [[float(row[i]) for i in (_HORIZONTAL, _VERTICAL, _DURATION)] for row in rows]
    except ValueError as error:
        raise DataError(f"expected {_COLUMNS} columns of NUSEF in {path}, got something else ({error})") from error
    return np.array(values).reshape(-1, 3)


def _in_stimulus(horizontal: np.ndarray, vertical: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """From units of the eye tracker to pixels of a stimulus that fills the screen in one direction and is centred."""
    height, width = shape
    scale = min(_SCREEN[0] / width, _SCREEN[1] / height)  # pixels of the screen per pixel of the stimulus
    x = (horizontal * _SCREEN[0] / _TRACKER[0] - (_SCREEN[0] - width * scale) / 2) / scale
    y = (vertical * _SCREEN[1] / _TRACKER[1] - (_SCREEN[1] - height * scale) / 2) / scale
    return x, y
