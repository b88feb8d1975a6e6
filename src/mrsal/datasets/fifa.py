"""FIFA, "fixations in faces": photographs of 1024x768 pixels with and without faces, 8 observers, 2 s of free viewing.

Cerf, Frady and Koch, "Faces and text attract gaze independent of the task", Journal of Vision 2009.
"""

from pathlib import Path

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree, split_in_tenths
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.matlab import as_list, read_mat
from mrsal.datasets.trials import Trials, expecting, first_that_exists, keep_viewed, log
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

_HOME = "http://www.klab.caltech.edu/~moran/fifadb/"

INFO = DatasetInfo(
    name="fifa",
    title="FIFA (Fixations in Faces, also called Cerf)",
    citation=(
        "Cerf, Frady and Koch, Faces and text attract gaze independent of the task: experimental data and computer model, "
        "Journal of Vision 9(12):10, 2009; for the stimuli: Cerf, Harel, Einhäuser and Koch, Predicting human gaze using "
        "low-level saliency combined with face detection, NIPS 2007"
    ),
    terms="The authors state no licence that we know of, and ask that both publications are cited.",
    home=_HOME,
    stimuli=200,
    observers=8,
    task="free viewing, 2 s",
    pixels_per_degree=36.57,
    steps=(  # addresses: qualinet.github.io/databases; no checksum of these files is known to us
        f"Download fixations.mat and imgList.mat from {_HOME}.",
        "Download the images, http://www.klab.caltech.edu/~moran/db/faces/faces-tif.tgz, and unpack them.",
        "Put both files and a folder faces/ with the *.tif files into a folder of their own.",
        "If these addresses no longer exist, see https://www.morancerf.com/publications or ask the authors.",
    ),
)


def load(root: Path) -> FixationDataset:
    """Load ``fixations.mat``, ``imgList.mat`` and ``faces/*.tif`` (or ``*.jpg``) under ``root``.

    ``imgList`` has the names of the images. ``sbj`` in ``fixations.mat`` has a struct for each observer, whose field ``scan``
    has a struct for each entry of ``imgList``: ``fix_x``, ``fix_y``, and ``fix_duration`` in ms.

    Notes
    -----
    - Positions are taken as they are, because the authors' eye tracker (EyeLink) counts pixels from 0. The authors do not say
      whether MATLAB shifted them.
    - Trials began with a cross in the centre of the screen, so the first fixation is near the centre.
    - An image that is several times in ``imgList`` was viewed several times; each viewing has its own first fixation.
    - Images that are in ``imgList`` but not in the folder are left out with their fixations, and the log says how many.
    - The other layout of this data set, with ``general.mat`` and a folder ``subjects/``, is not read.
    - The images covered 28 by 21 degrees. There is no official split. The stimuli are split at random: 80, 10 and 10 %.
    """
    if (root / "general.mat").is_file() and not (root / "fixations.mat").is_file():
        raise DataError(
            f"expected fixations.mat and imgList.mat in {root}, got general.mat, which belongs to another layout that mrsal "
            f"does not read; download the files from {_HOME}"
        )
    folder = first_that_exists(root, ("faces", "faces-tif", "faces-jpg"), what="FIFA's images")
    paths = {path.stem: path for path in find_images(folder)}
    if not paths:
        raise FileError(f"expected images in {folder}, found none; extract FIFA's images there")
    listed = [
        Path(name).stem for name in as_list(read_mat(root / "imgList.mat", "imgList", what="FIFA's list of images"))
    ]
    here = [stem for stem in dict.fromkeys(listed) if stem in paths]
    if missing := len(set(listed)) - len(here):
        log.info("left out %d of %d stimuli, whose images are not in %s", missing, len(set(listed)), folder)
    stimuli = [Stimulus.from_file(paths[stem]) for stem in here]
    index = {stem: n for n, stem in enumerate(here)}
    trials, table = Trials(), root / "fixations.mat"
    observers = as_list(read_mat(table, "sbj", what="FIFA's fixations"))
    with expecting("FIFA's fixations", table):
        for subject, observer in enumerate(observers):
            scans = as_list(observer["scan"])
            if len(scans) != len(listed):
                raise DataError(
                    f"expected {len(listed)} scans of observer {subject + 1} in {table}, one for each name in imgList.mat, "
                    f"got {len(scans)}; download both again"
                )
            for stem, scan in zip(listed, scans, strict=True):
                if stem in index:
                    trials.add(index[stem], subject, scan["fix_x"], scan["fix_y"], duration=scan["fix_duration"] / 1000)
    viewed, fixations = keep_viewed(stimuli, keep_inside(trials.fixations(), stimuli))
    degree = read_pixels_per_degree(root, INFO.pixels_per_degree)
    return FixationDataset("fifa", viewed, fixations, degree, split_in_tenths(len(viewed), 0))
