"""SALICON: 10,000 training and 5,000 validation images of MS COCO, 640x480 pixels, viewed with the mouse for 5 s.

Jiang, Huang, Duan and Zhao, "SALICON: saliency in context", CVPR 2015. Observers moved the mouse over a blurred image that is
sharp at its pointer; there was no eye tracker.
"""

from pathlib import Path

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.matlab import as_list, read_mat
from mrsal.datasets.trials import Trials, expecting, first_that_exists, log
from mrsal.errors import FileError
from mrsal.images import find_images

INFO = DatasetInfo(
    name="salicon",
    title="SALICON",
    citation="Jiang, Huang, Duan and Zhao, SALICON: saliency in context, CVPR 2015",
    terms="See the home page. The images are from MS COCO; each has the licence of its owner on Flickr.",
    home="http://salicon.net/challenge-2017/",
    stimuli=15000,
    observers=60,
    task="free viewing with the mouse, 5 s",
    pixels_per_degree=19,
    megabytes=4400,
    steps=(  # addresses and checksums: pysaliency, external_datasets/salicon.py
        "Open http://salicon.net/challenge-2017/ and download Images (3.0 GB) and Fixations (1.4 GB) from Google Drive, which "
        "wants a person to confirm files of this size. The MD5 checksums are eb2a1bb706633d1b31fc2e01422c5757 for the images "
        "and 462b70f4f9e8ea446ac628e46cea8d3d for the fixations (those of the edition of 2015: "
        "9a22db9d718200fb90252e5010c004c4).",
        "Unpack the images, which gives images/train, images/val and images/test.",
        "Unpack the fixations into a folder fixations beside images, which gives fixations/train and fixations/val.",
    ),
)


def load(root: Path) -> FixationDataset:
    """Load ``images/train``, ``images/val``, ``fixations/train`` and ``fixations/val`` under ``root``; one part is enough.

    The images are ``*.jpg``. For each there is a ``*.mat`` file of the same name, with a struct array ``gaze``: for each
    observer ``location`` (samples of the mouse), ``timestamp`` and ``fixations``, which the authors derived from the samples.

    Notes
    -----
    - ``fixations`` are used and not the samples. They are 1-based in the file, x before y, and 0-based here. The editions of
      2015 and 2017 derived them differently; the layout is the same, so say which one you used.
    - Observers are not named. ``subject`` is the place in the file, and means another person on another stimulus.
    - Split: the authors' training part is ``train`` and their validation part is ``val``. They keep the fixations on their
      test images to themselves, so these images are not loaded, and there is no ``test``.
    - Nobody looked with their eyes from a known distance, so a degree has no size. 19 pixels is the standard deviation of the
      authors' own maps, as far as we know; ``pixels_per_degree.txt`` under ``root`` replaces it.
    """
    stimuli: list[Stimulus] = []
    tables: list[Path] = []
    parts: list[str] = []
    fixations = first_that_exists(root, ("fixations",), what="SALICON's folder of fixations")
    for part in ("train", "val"):
        if not (fixations / part).is_dir() and not (root / "images" / part).is_dir():
            continue
        for path in find_images(root / "images" / part):
            stimuli.append(Stimulus.from_file(path))
            tables.append(fixations / part / f"{path.stem}.mat")
            parts.append(part)
    if not stimuli:
        raise FileError(f"expected images in {root / 'images' / 'train'}, found none; extract SALICON's images there")
    if missing := [table for table in tables if not table.is_file()]:
        raise FileError(
            f"expected a file of fixations for each of {len(tables)} images, but {len(missing)} are missing, such as "
            f"{missing[0]}; extract SALICON's fixations there"
        )
    if len(tables) > 1000:
        log.info("reading %d files of fixations, which takes about a minute", len(tables))
    trials = Trials()
    for n, table in enumerate(tables):
        observers = as_list(read_mat(table, "gaze", what="SALICON's fixations"))
        with expecting("SALICON's fixations", table):
            for subject, gaze in enumerate(observers):
                positions = gaze["fixations"] - 1.0 if len(gaze["fixations"]) else np.empty((0, 2))
                trials.add(n, subject, positions[:, 0], positions[:, 1])
    splits = {part: np.flatnonzero(np.array(parts) == part) for part in ("train", "val", "test")}
    degree = read_pixels_per_degree(root, INFO.pixels_per_degree)
    return FixationDataset("salicon", tuple(stimuli), keep_inside(trials.fixations(), stimuli), degree, splits)
