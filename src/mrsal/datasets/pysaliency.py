"""Load and save data sets in the form of pysaliency: a folder with ``stimuli.hdf5`` and ``fixations.hdf5``.

pysaliency can download many published data sets (MIT1003, CAT2000, COCO-Freeview, ...) and stores them in this form.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mrsal.datasets.dataset import (
    DEGREE_FILE,
    FixationDataset,
    Stimulus,
    keep_inside,
    read_pixels_per_degree,
    split_in_tenths,
)
from mrsal.datasets.pysaliency_hdf5 import StoredStimuli, read_fixations, read_stimuli, write_fixations, write_stimuli
from mrsal.errors import DataError, FileError
from mrsal.files import atomic_path, decoding, make_folder, write_text

STIMULI, FIXATIONS = "stimuli.hdf5", "fixations.hdf5"

log = logging.getLogger("mrsal")


def load(root: Path, *, pixels_per_degree: float = 35.0, seed: int = 0) -> FixationDataset:
    """Load a data set that pysaliency wrote.

    Parameters
    ----------
    root : Path
        The folder. It has ``stimuli.hdf5`` (with the paths of the image files, if its type is ``FileStimuli``),
        ``fixations.hdf5`` and, if one degree is not 35 pixels, ``pixels_per_degree.txt`` with the number of pixels, which
        pysaliency does not store.
    pixels_per_degree : float
        The pixels per degree of visual angle if there is no ``pixels_per_degree.txt``.
    seed : int
        The seed of the random split into 80 % training, 10 % validation and 10 % test images.

    Notes
    -----
    The name of a stimulus is the shortest path that is unique, such as ``Action/001.jpg``. Images inside ``stimuli.hdf5`` are
    extracted once to PNG files in ``images/`` beside it.
    """
    stored = read_stimuli(root / STIMULI)
    stimuli = _files(stored, root) if stored.paths else _unpacked(stored, root / "images")
    fixations = read_fixations(root / FIXATIONS)
    if len(fixations) and not (fixations.n.min() >= 0 and fixations.n.max() < len(stimuli)):
        raise DataError(
            f"expected stimuli 0 to {len(stimuli) - 1} in {root / FIXATIONS}, since {STIMULI} has {len(stimuli)}, "
            f"got {fixations.n.min()} to {fixations.n.max()}; take both files from the same data set"
        )
    return FixationDataset(
        root.resolve().name,
        stimuli,
        keep_inside(fixations, stimuli),
        read_pixels_per_degree(root, pixels_per_degree),
        split_in_tenths(len(stimuli), seed),
    )


def save(dataset: FixationDataset, root: str | Path, *, embed: bool = False) -> Path:
    """Write a data set so that both :func:`load` and ``pysaliency.read_hdf5`` can read it.

    Parameters
    ----------
    dataset : FixationDataset
        The data set to write.
    root : str or Path
        The folder for ``stimuli.hdf5``, ``fixations.hdf5`` and ``pixels_per_degree.txt``.
    embed : bool
        Whether to store the images in ``stimuli.hdf5``. By default it has the paths of the image files.

    Notes
    -----
    The file holds one number of pixels per degree for all stimuli. If some have one of their own, a warning says so.
    """
    if any(stimulus.pixels_per_degree is not None for stimulus in dataset.stimuli):
        log.warning(
            "%s: the size of a degree differs between stimuli, which this format cannot hold; %s has %g pixels for all",
            dataset.name,
            DEGREE_FILE,
            dataset.pixels_per_degree,
        )
    root = make_folder(root)
    write_stimuli(root / STIMULI, [stimulus.path for stimulus in dataset.stimuli], embed=embed)
    write_fixations(root / FIXATIONS, dataset.fixations)
    write_text(root / DEGREE_FILE, f"{dataset.pixels_per_degree}\n")
    return root


def _files(stored: StoredStimuli, root: Path) -> tuple[Stimulus, ...]:
    paths: Sequence[Path] = stored.paths or ()
    missing = [path for path in paths if not os.path.isfile(path)]  # noqa: PTH113 - no error if the name is too long
    if missing:
        raise FileError(
            f"expected {len(paths)} images at the paths in {root / STIMULI}, but {len(missing)} are missing, such as "
            f"{missing[0]}; put them there"
        )
    stimuli = tuple(Stimulus(n, path, s) for n, path, s in zip(stored.names, paths, stored.shapes, strict=True))
    for stimulus in stimuli:
        if (actual := Stimulus.from_file(stimulus.path).shape) != stimulus.shape:
            raise DataError(
                f"expected height and width {stimulus.shape} of {stimulus.path}, as in {root / STIMULI}, got {actual}; "
                "replace the image"
            )
    return stimuli


def _unpacked(stored: StoredStimuli, folder: Path) -> tuple[Stimulus, ...]:
    stimuli = []
    for i, (name, shape) in enumerate(zip(stored.names, stored.shapes, strict=True)):
        name = f"{i:04d}" if name == str(i) else name
        path = folder / f"{name}.png"
        with decoding(stored.source, "names of files", remedy="rename the stimuli"):
            is_inside, is_there = folder.resolve() in path.resolve().parents, path.is_file()
        if not is_inside:
            raise DataError(
                f"expected names of files inside {folder} in {stored.source}, got {name!r}; rename this stimulus"
            )
        if not is_there:
            image = stored.image(i)
            if image.dtype != np.uint8:
                raise DataError(
                    f"{stored.source}, stimulus {i}: expected uint8 pixels, got {image.dtype}; convert them"
                )
            with decoding(stored.source, f"the pixels of an image for stimulus {i}", remedy="write it again"):
                picture = Image.fromarray(image.squeeze())
            with atomic_path(path) as temporary:
                picture.save(temporary, format="PNG")
        stimuli.append(Stimulus(name, path, shape))
    return tuple(stimuli)
