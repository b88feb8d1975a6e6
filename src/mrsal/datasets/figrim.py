"""FIGRIM: 630 target and 2163 filler images of 21 categories of scenes, 1000x1000 pixels, viewed to be remembered.

Bylinskii, Isola, Bainbridge, Torralba and Oliva, "Intrinsic and extrinsic effects on image memorability", Vision Research 2015.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, read_pixels_per_degree, split_in_tenths
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.matlab import as_list, read_mat
from mrsal.datasets.trials import Trials, expecting, keep_viewed, log
from mrsal.errors import FileError

_GITHUB = "https://github.com/cvzoya/figrim/raw/master"

INFO = DatasetInfo(
    name="figrim",
    title="FIGRIM",
    citation=(
        "Bylinskii, Isola, Bainbridge, Torralba and Oliva, Intrinsic and extrinsic effects on image memorability, "
        "Vision Research 116:165-178, 2015"
    ),
    terms="The authors state no licence that we know of, and ask to be cited. The images are from the SUN database.",
    home="http://figrim.mit.edu/index_eyetracking.html",
    stimuli=2793,
    observers=16,
    task="a memory task",
    pixels_per_degree=33,
    files=(  # addresses and checksums: pysaliency, external_datasets/figrim.py
        RemoteFile(
            urls=("http://figrim.mit.edu/Targets.zip",),
            checksum="md5:2ad3a42ebc377efe4b39064405568201",
            is_zip=True,
        ),
        RemoteFile(
            urls=("http://figrim.mit.edu/Fillers.zip",),
            checksum="md5:dc0bc9561b5bc90e158ec32074dd1060",
            is_zip=True,
        ),
        RemoteFile(
            urls=(f"{_GITHUB}/targetData/allImages_release.mat",),
            checksum="md5:c72843b05e95ab27594c1d11c849c897",
            path="allImages_release.mat",
        ),
        RemoteFile(
            urls=(f"{_GITHUB}/fillerData/allImages_fillers.mat",),
            checksum="md5:ce4f8b4961005d62f7a21191a64cab5e",
            path="allImages_fillers.mat",
        ),
    ),
)

_PARTS = {"Targets": "allImages_release.mat", "Fillers": "allImages_fillers.mat"}
_FIRST, _LATER = "enc", ("rec", "rec2")  # the first viewing of an image, and its repetitions


def load(root: Path) -> FixationDataset:
    """Load ``Targets/<category>/*.jpg`` with ``allImages_release.mat``, and ``Fillers/`` with ``allImages_fillers.mat``.

    Both are directly under ``root``; one of them is enough. ``allImages`` is a struct array with ``filename``, ``category`` and
    ``userdata``, which has a struct for each observer. Its field ``fixations`` is empty, or has rows of x, y in ``enc``,
    ``rec`` and ``rec2``: the first viewing of the image, and its repetitions.

    Notes
    -----
    - Only the first viewing is used, as in the authors' own maps. The log says how many fixations of repetitions are left out.
    - The authors round a position to the nearest 1-based pixel. A position in the file less 0.5 is in the same pixel here.
    - Observer ``j`` is the same person on all targets. That it is the same person on the fillers, too, is an assumption.
    - Observers had to remember the images, so this is not free viewing. Durations are not published.
    - There is no official split. The stimuli are split at random: 80, 10 and 10 %. The authors list six pairs of targets that
      show the same image; both images of a pair may be in different parts.
    """
    stimuli: list[Stimulus] = []
    trials, later = Trials(), 0
    for part, file in _PARTS.items():
        if not (root / part).is_dir():
            continue
        records = as_list(read_mat(root / file, "allImages", what=f"FIGRIM's fixations on {part}"))
        with expecting(f"FIGRIM's fixations on {part}", root / file):
            for record in records:
                name = f"{part}/{record['category']}/{record['filename']}"
                if not (root / name).is_file():
                    raise FileError(
                        f"expected the image {root / name}, as in {file}, found none; extract FIGRIM's {part} there"
                    )
                described = Stimulus.from_file(root / name)
                for subject, viewed in enumerate(as_list(record["userdata"])):
                    rows = _fixations_of(viewed)
                    later += sum(len(rows[time]) for time in _LATER)
                    trials.add(len(stimuli), subject, rows[_FIRST][:, 0] - 0.5, rows[_FIRST][:, 1] - 0.5)
                stimuli.append(Stimulus(name, described.path, described.shape))
    if not stimuli:
        raise FileError(f"expected Targets or Fillers in {root}, found neither; extract FIGRIM's images there")
    if later:
        log.info("left out %d fixations from the repetitions of images", later)
    kept, fixations = keep_viewed(stimuli, keep_inside(trials.fixations(), stimuli))
    degree = read_pixels_per_degree(root, INFO.pixels_per_degree)
    return FixationDataset("figrim", kept, fixations, degree, split_in_tenths(len(kept), 0))


def _fixations_of(viewed: dict[str, Any]) -> dict[str, np.ndarray]:
    """Rows of x, y of an observer for each time that the image was shown; empty where there are none."""
    fixations = viewed["fixations"]
    found = fixations if isinstance(fixations, dict) else {}  # an observer who did not see the image has an empty array
    return {time: np.asarray(found.get(time, []), np.float64).reshape(-1, 2) for time in (_FIRST, *_LATER)}
