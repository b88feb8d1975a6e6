"""A data set that pysaliency wrote: a folder with ``stimuli.hdf5`` and ``fixations.hdf5``.

pysaliency can fetch many published data sets (MIT1003, CAT2000, COCO-Freeview, ...) and leaves them in this form.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mrsal.datasets.dataset import FixationDataset, Stimulus, keep_inside, random_split
from mrsal.datasets.pysaliency_hdf5 import StoredStimuli, read_fixations, read_stimuli, write_fixations, write_stimuli
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path, make_folder

STIMULI, FIXATIONS, DEGREE = "stimuli.hdf5", "fixations.hdf5", "pixels_per_degree.txt"


def load(root: Path, *, pixels_per_degree: float = 35.0, seed: int = 0) -> FixationDataset:
    """Load what pysaliency wrote.

    Parameters
    ----------
    root : Path
        Holds ``stimuli.hdf5`` (the image files of ``FileStimuli`` lie where it says), ``fixations.hdf5`` and, if one degree
        is not 35 pixels, ``pixels_per_degree.txt`` with that number, which pysaliency does not keep.
    pixels_per_degree : float
        Used where that file is absent.
    seed : int
        Of the random split into 80 % training, 10 % validation and 10 % test images.

    Notes
    -----
    A stimulus is named by the shortest path that tells it from the others, such as ``Action/001.jpg``. Pictures that are in
    ``stimuli.hdf5`` itself are unpacked once into ``images/`` beside it, as PNG.
    """
    stored = read_stimuli(root / STIMULI)
    if len(stored) < 3:
        raise DataError(f"{root / STIMULI} holds {len(stored)} image(s); 3 are the fewest that can be split")
    stimuli = _files(stored, root) if stored.paths else _unpacked(stored, root / "images")
    fixations = read_fixations(root / FIXATIONS)
    if len(fixations) and not (fixations.n.min() >= 0 and fixations.n.max() < len(stimuli)):
        raise DataError(
            f"{root / FIXATIONS} speaks of stimulus {fixations.n.max()}, but {STIMULI} holds {len(stimuli)}; "
            "take both from the same data set"
        )
    note = root / DEGREE
    if note.is_file():
        try:
            pixels_per_degree = float(note.read_text())
        except ValueError as error:
            raise DataError(f"{note} must hold one number: {error}") from error
    if not pixels_per_degree > 0:
        raise InputError(f"pixels per degree must be positive, got {pixels_per_degree}")
    tenth = max(1, len(stimuli) // 10)
    splits = random_split(len(stimuli), val=tenth, test=tenth, seed=seed)
    return FixationDataset(root.resolve().name, stimuli, keep_inside(fixations, stimuli), pixels_per_degree, splits)


def save(dataset: FixationDataset, root: str | Path, *, embed: bool = False) -> Path:
    """Write a data set for pysaliency, so that :func:`load` and ``pysaliency.read_hdf5`` both read it.

    Parameters
    ----------
    dataset : FixationDataset
    root : str or Path
        Folder for ``stimuli.hdf5``, ``fixations.hdf5`` and ``pixels_per_degree.txt``.
    embed : bool
        Store the pictures too; otherwise ``stimuli.hdf5`` refers to the files where they are.
    """
    root = make_folder(root)
    write_stimuli(root / STIMULI, [stimulus.path for stimulus in dataset.stimuli], embed=embed)
    write_fixations(root / FIXATIONS, dataset.fixations)
    with atomic_path(root / DEGREE) as temporary:
        temporary.write_text(f"{dataset.pixels_per_degree}\n")
    return root


def _files(stored: StoredStimuli, root: Path) -> tuple[Stimulus, ...]:
    paths: Sequence[Path] = stored.paths or ()
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileError(
            f"{len(missing)} of {len(paths)} stimuli of {root / STIMULI} are not where it says, such as {missing[0]}; "
            "put the images there"
        )
    stimuli = tuple(Stimulus(n, path, s) for n, path, s in zip(stored.names, paths, stored.shapes, strict=True))
    for stimulus in stimuli:
        if (actual := Stimulus.from_file(stimulus.path).shape) != stimulus.shape:
            raise DataError(f"{stimulus.path} is {actual}, but {root / STIMULI} says {stimulus.shape} (height, width)")
    return stimuli


def _unpacked(stored: StoredStimuli, folder: Path) -> tuple[Stimulus, ...]:
    stimuli = []
    for i, (name, shape) in enumerate(zip(stored.names, stored.shapes, strict=True)):
        name = f"{i:04d}" if name == str(i) else name
        path = folder / f"{name}.png"
        if folder.resolve() not in path.resolve().parents:
            raise DataError(f"{stored.source} names a stimulus {name!r}, which lies outside its folder; rename it")
        if not path.is_file():
            picture = stored.picture(i)
            if picture.dtype != np.uint8:
                raise DataError(
                    f"{stored.source}, stimulus {i}: expected uint8 pixels, got {picture.dtype}; convert them"
                )
            with atomic_path(path) as temporary:
                Image.fromarray(picture.squeeze()).save(temporary, format="PNG")
        stimuli.append(Stimulus(name, path, shape))
    return tuple(stimuli)
