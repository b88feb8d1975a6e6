"""CAT2000, training part: 2000 images of 1920x1080 pixels in 20 categories, 18 observers each, 5 s of free viewing.

Borji and Itti, "CAT2000: a large scale fixation dataset for boosting saliency research", CVPR 2015 workshop "Future of
Datasets".
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.matlab import as_list, read_map, read_mat
from mrsal.datasets.trials import UNKNOWN_ORDER, Trials, expecting, first_that_exists, keep_viewed, log
from mrsal.errors import DataError, FileError
from mrsal.images import find_images

INFO = DatasetInfo(
    name="cat2000",
    title="CAT2000 (training part)",
    citation=(
        "Borji and Itti, CAT2000: a large scale fixation dataset for boosting saliency research, CVPR 2015 workshop "
        "Future of Datasets, arXiv:1505.03581"
    ),
    terms="The authors state no licence that we know of. Cite them; the images were collected from the web and are not theirs.",
    home="https://saliency.tuebingen.ai/datasets.html",
    stimuli=2000,
    observers=18,
    task="free viewing, 5 s",
    pixels_per_degree=38,
    files=(  # address and checksum: pysaliency, external_datasets/cat2000.py
        RemoteFile(
            urls=("http://saliency.mit.edu/trainSet.zip",),
            checksum="md5:56ad5c77e6c8f72ed9ef2901628d6e48",
            is_zip=True,
        ),
    ),
)


def load(root: Path) -> FixationDataset:
    """Load ``trainSet/`` under ``root``: ``Stimuli/<category>/*.jpg``, and ``allFixData.mat`` or else ``FIXATIONLOCS/``.

    ``allFixData.mat`` has a ``containers.Map`` from names such as ``Action/001.jpg`` to a cell with a struct for each observer:
    ``name``, such as ``24-53-ak.eye``, whose last part is the observer, and ``data`` with a row of x, y for each fixation.
    ``FIXATIONLOCS/<category>/*.mat`` has an array ``fixLocs`` for each stimulus that is not zero where somebody looked.

    Notes
    -----
    - With ``allFixData.mat``: positions are 1-based and become 0-based. A fixation at exactly the position of the one before it
      (of those inside the stimulus) is a repetition in the file and is left out, as in pysaliency's version 1.1; the log says
      how many there were. Durations are not published.
    - With ``FIXATIONLOCS`` alone: there are no observers and no order, and fixations on the same pixel count once. All have the
      same ``subject``, so there is no ceiling of other observers.
    - The folders ``Output`` inside the categories have maps and are ignored. Many stimuli have grey borders.
    - The authors give the fixations of the training part only, so there is no other part here. Split: in each category, every
      tenth stimulus, beginning with the first, is in ``test``, every tenth, beginning with the second, in ``val``, and the
      others are in ``train``.
    - 38 pixels per degree is a value in use; ``pixels_per_degree.txt`` under ``root`` replaces it.
    """
    folder = first_that_exists(root, ("trainSet/Stimuli", "Stimuli"), what="CAT2000's stimuli").parent
    categories = sorted(path for path in (folder / "Stimuli").iterdir() if path.is_dir())
    paths = [(category.name, image) for category in categories for image in find_images(category)]
    if not paths:
        raise FileError(f"expected folders with images in {folder / 'Stimuli'}, found none; extract CAT2000 there")
    stimuli = []
    for category, path in paths:
        described = Stimulus.from_file(path)
        stimuli.append(Stimulus(f"{category}/{path.name}", path, described.shape))
    if (folder / "allFixData.mat").is_file():
        fixations = _read_observers(folder / "allFixData.mat", stimuli)
    else:
        log.info("there is no allFixData.mat in %s, so the observers are not known", folder)
        fixations = _read_locations(folder / "FIXATIONLOCS", stimuli)
    viewed, fixations = keep_viewed(stimuli, keep_inside(fixations, stimuli))
    number = {name: 0 for name, _ in paths}
    place = np.zeros(len(viewed), np.int64)  # of each stimulus in its category
    for n, stimulus in enumerate(viewed):
        category = stimulus.name.partition("/")[0]
        place[n], number[category] = number[category], number[category] + 1
    splits = {"train": place % 10 > 1, "val": place % 10 == 1, "test": place % 10 == 0}
    return FixationDataset(
        "cat2000",
        viewed,
        fixations,
        read_pixels_per_degree(root, INFO.pixels_per_degree),
        {part: np.flatnonzero(members) for part, members in splits.items()},
    )


def _read_observers(path: Path, stimuli: list[Stimulus]) -> Fixations:
    """The layout is that of pysaliency's ``load_cat2000.m``, which reads the same file with MATLAB."""
    data = {str(key).replace("\\", "/"): value for key, value in read_map(path, what="CAT2000's fixations").items()}
    if missing := [stimulus.name for stimulus in stimuli if stimulus.name not in data]:
        raise DataError(
            f"expected fixations on each stimulus in {path}, got none on {len(missing)}, such as {missing[0]}; its names are "
            f"like {next(iter(data), 'none')!r}; download CAT2000 again"
        )
    trials, subjects, repeated = Trials(), dict[str, int](), 0
    with expecting("CAT2000's fixations", path):
        for n, stimulus in enumerate(stimuli):
            for record in as_list(data[stimulus.name]):
                for trial in as_list(record):  # a struct, or a cell with one
                    subject = subjects.setdefault(trial["name"].removesuffix(".eye").rpartition("-")[2], len(subjects))
                    if not trial["data"].size:
                        continue
                    x, y = trial["data"][:, 0] - 1.0, trial["data"][:, 1] - 1.0  # whole numbers may be unsigned
                    new = _is_new(x, y, stimulus.shape)
                    repeated += int((~new).sum())
                    trials.add(n, subject, x[new], y[new], order=np.flatnonzero(new))
    if repeated:
        log.info("left out %d fixations that repeat the one before them", repeated)
    return trials.fixations()


def _is_new(x: NDArray, y: NDArray, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which fixations do not have the position of the last one before them that is inside the stimulus."""
    inside = np.flatnonzero(Fixations.create(x, y).inside(*shape))
    new = np.ones(len(x), bool)
    new[inside[1:]] = (np.diff(x[inside]) != 0) | (np.diff(y[inside]) != 0)
    return new


def _read_locations(folder: Path, stimuli: list[Stimulus]) -> Fixations:
    trials = Trials()
    for n, stimulus in enumerate(stimuli):
        path = folder / Path(stimulus.name).with_suffix(".mat")
        map_ = np.asarray(read_mat(path, "fixLocs", what=f"the fixations on {stimulus.name}"))
        if map_.shape != stimulus.shape:
            raise DataError(
                f"expected an array of {stimulus.shape}, the size of {stimulus.name}, in {path}, got {map_.shape}"
            )
        y, x = np.nonzero(map_)
        trials.add(n, 0, x, y, order=UNKNOWN_ORDER)
    return trials.fixations()
