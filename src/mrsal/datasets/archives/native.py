"""Write and read the native archive, which is small and opens fast at any size, since its arrays are memory-mapped.

It is a folder with these files:

    archive.json       format, version, data set, names and sizes of the stimuli, splits, channel statistics
    level_400.npy      (M, 400, 400, 3) uint8, and level_250.npy, level_150.npy: the scaled stimuli
    samples.npy        (N, 4) int32: stimulus, x, y, label of each training sample
    fixations.npz      the columns of Fixations
    originals.bin      the unchanged files of the stimuli and of the published maps, one after the other
    originals.npy      (M + K, 2) int64: start and length of each file in originals.bin, in bytes

Nothing in it is ever unpickled.

Letters: M stimuli, K published maps, N samples, B samples of a batch, S = 3 scales, C = 3 channels, P = 42 pixels, the side of
a crop.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.datasets.archives.example import ArchiveImage, Example
from mrsal.datasets.archives.sampling import check_map, image_samples, left_out_text
from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.fixations import Fixations, fixation_density
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_folder, decoding
from mrsal.images import read_grey, read_image
from mrsal.model import RGB, SCALES, Grid, Pyramid, as_rgb, crop, scaled_centre

log = logging.getLogger("mrsal")

INDEX = "archive.json"
FORMAT_VERSION = 1
_REMEDY = "prepare the archive again"

_ARRAYS = {"samples.npy", "originals.npy", *(f"level_{scale}.npy" for scale in SCALES)}
_FILES = {INDEX, "fixations.npz", "originals.bin", *_ARRAYS}


@dataclass(frozen=True)
class NativeSamples:
    """The training samples. The crops of a batch are cut from the scaled stimuli only when the batch is needed.

    Parameters
    ----------
    levels : tuple of 3 Tensors
        The scaled stimuli: ``(M, s, s, C)`` uint8 for each scale s, memory-mapped unless they are on a device.
    stimulus : Tensor
        The index of the stimulus of each sample: ``(N,)`` int64.
    centres : Tensor
        The row and column of the centre of each sample, at each scale: ``(S, 2, N)`` int64.
    labels : Tensor
        The labels: ``(N,)`` float32, 1 for fixated and 0 for unfixated.
    mean, std : tuple of 3 floats
        The mean and deviation of each channel of the training stimuli, for values in [0, 1].
    value_range : (float, float)
        The smallest and the largest possible value of the crops, always (0, 1).
    """

    levels: tuple[Tensor, ...]
    stimulus: Tensor
    centres: Tensor
    labels: Tensor
    mean: RGB
    std: RGB
    value_range: tuple[float, float] = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """The size of the samples on a device in bytes, without the few bytes of each index and label."""
        return sum(level.nbytes for level in self.levels)

    def to(self, device: torch.device) -> "NativeSamples":
        """Copy the samples to a device, with only the stimuli that they need."""
        used, stimulus = torch.unique(self.stimulus, return_inverse=True)
        return replace(
            self,
            levels=tuple(level[used].to(device) for level in self.levels),
            stimulus=stimulus.to(device),
            centres=self.centres.to(device),
            labels=self.labels.to(device),
        )

    def batch(self, index: NDArray) -> tuple[Tensor, Tensor]:
        """Return the crops ``(B, S, C, P, P)`` uint8 and labels ``(B,)`` float32 of a batch."""
        chosen = torch.from_numpy(index).to(self.labels.device, non_blocking=True)
        by_scale = [
            crop(level, self.stimulus[chosen], rows[chosen], columns[chosen])
            for level, (rows, columns) in zip(self.levels, self.centres, strict=True)
        ]
        return torch.stack(by_scale, dim=1).permute(0, 1, 4, 2, 3), self.labels[chosen]


class NativeArchive:
    """A native archive, opened for reading.

    Parameters
    ----------
    path : str or Path
        The folder of the archive.

    Raises
    ------
    FileError, DataError
        If the folder is not an archive, or a file in it is missing, truncated or has another shape than the index says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        index = self._read_index()
        with decoding(self.path / INDEX, "the index of an archive", remedy=_REMEDY):
            self.name = str(index["dataset"])
            self.pixels_per_degree = float(index["pixels_per_degree"])
            self.names = [str(name) for name in index["names"]]
            # only in archives of stimuli whose degrees differ
            self.degrees = np.array(index.get("degrees", [self.pixels_per_degree] * len(self.names)), np.float64)
            self.shapes = np.array(index["shapes"], np.int64).reshape(len(self.names), 2)
            self.splits = {split: np.array(members, np.int64).ravel() for split, members in index["splits"].items()}
            self.maps = {name: int(place) for name, place in index["maps"].items()}
            self.mean = as_rgb(index["mean"])
            self.std = as_rgb(index["std"])
        M = len(self.names)
        self.levels = tuple(self._array(f"level_{scale}.npy", (M, scale, scale, 3), np.uint8) for scale in SCALES)
        self.table = self._array("samples.npy", (None, 4), np.int32)
        self.places = self._array("originals.npy", (M + len(self.maps), 2), np.int64)
        self._check()

    @property
    def samples(self) -> NativeSamples:
        """The training samples."""
        if not len(self.table):
            raise DataError(
                f"expected training samples in {self.path}, got none; prepare a data set with a training split"
            )
        stimulus, x, y, label = self.table.T.astype(np.int64)
        height, width = self.shapes[stimulus].T
        centres = [(scaled_centre(y, height, scale), scaled_centre(x, width, scale)) for scale in SCALES]
        return NativeSamples(
            levels=tuple(torch.from_numpy(level) for level in self.levels),
            stimulus=torch.from_numpy(stimulus),
            centres=torch.from_numpy(np.array(centres)),
            labels=torch.from_numpy(label.astype(np.float32)),
            mean=self.mean,
            std=self.std,
        )

    @cached_property
    def fixations(self) -> Fixations:
        """The fixations on all stimuli."""
        path = self.path / "fixations.npz"
        # given a path, np.load does not close a file that is not a zip file
        with (
            decoding(path, "the columns of the fixations", remedy=_REMEDY),
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as columns,
        ):
            fixations = Fixations.create(**{name: columns[name] for name in columns.files})
        known = _within(fixations.n, 0, len(self.names)) and _within(fixations.order, 0, np.iinfo(np.int64).max)
        if not (known and fixations.inside(*self.shapes[fixations.n].T).all()):
            raise DataError(f"{path} has fixations that are not on a stimulus of the archive; {_REMEDY}")
        return fixations

    def members(self, split: str) -> NDArray[np.int64]:
        """Return the indices of the stimuli of a split; ``"all"`` gives every stimulus."""
        if split == "all":
            return np.arange(len(self.names))
        if split not in self.splits:
            raise InputError(f"{self.path} has no split {split!r}; choose one of {', '.join([*self.splits, 'all'])}")
        return self.splits[split]

    def fixations_of(self, i: int) -> Fixations:
        """Return the fixations on a stimulus, by its index."""
        first, last = np.searchsorted(self._n_in_order, [i, i + 1])
        return self.fixations.where(np.sort(self._order_by_n[first:last]))

    @cached_property
    def _order_by_n(self) -> NDArray[np.int64]:
        return np.argsort(self.fixations.n, kind="stable")

    @cached_property
    def _n_in_order(self) -> NDArray[np.int64]:
        return self.fixations.n[self._order_by_n]

    def has_ground_truth(self, i: int) -> bool:
        """Return whether there are fixations on a stimulus, or a published map, by its index."""
        return bool(len(self.fixations_of(i))) or self.names[i] in self.maps

    def ground_truth(self, i: int) -> NDArray[np.float64]:
        """Return the density of the fixations on a stimulus, ``(H, W)``; without fixations it is the published map."""
        return self._example(i, skip_first=False).ground_truth()

    def read(self, i: int) -> NDArray[np.uint8]:
        """Read the pixels of a stimulus by its index: ``(H, W, 3)`` uint8."""
        return read_image(self._original(i))

    def identity(self) -> bytes:
        """Bytes that change with the stimuli, so that what was computed from them is not used for others."""
        return (self.path / INDEX).read_bytes() + self.places.tobytes()

    def examples(self, split: str = "test", *, skip_first: bool = False) -> Iterator[Example]:
        """Read the examples of a split; ``skip_first`` leaves out the first fixation of each trial.

        Stimuli without fixations are left out, and the log says how many. If none of the split has fixations, those with a
        published map remain.
        """
        members = self.members(split)
        counts = np.bincount(self.fixations.n[self.fixations.order >= int(skip_first)], minlength=len(self.names))
        scored = counts[members] > 0
        if not scored.any():
            scored = np.array([self.names[i] in self.maps for i in members], bool)
        if not scored.all():
            missing = [self.names[i] for i in members[~scored]]
            what = "fixations after the first" if skip_first else "fixations"
            log.warning("%s", left_out_text(missing, len(members), f"of {split} have no {what}"))
        return (self._example(int(i), skip_first) for i in members[scored])

    def _example(self, i: int, skip_first: bool) -> Example:
        (height, width), degree = (int(side) for side in self.shapes[i]), float(self.degrees[i])
        fixations = self.fixations_of(i)
        fixations = fixations.where(fixations.order >= int(skip_first))

        def ground_truth() -> NDArray[np.float64]:
            if len(fixations):
                return fixation_density(fixations.x, fixations.y, (height, width), sigma=degree)
            if self.names[i] not in self.maps:
                raise DataError(
                    f"{self.path}: expected fixations on {self.names[i]} or a map, got neither; leave this image out"
                )
            published = read_grey(self._original(self.maps[self.names[i]]))
            return check_map(published, (height, width), self.path / self.names[i]).astype(np.float64)

        return Example(
            name=self.names[i],
            image=ArchiveImage(
                shape=(height, width),
                read=lambda: self.read(i),
                pyramid=Pyramid(tuple(level[i] for level in self.levels), (height, width)),
                grid=Grid.cells((height, width)),
            ),
            ground_truth=ground_truth,
            fixations=fixations if len(fixations) else None,
            dataset=self.name,
            pixels_per_degree=degree,
        )

    def _original(self, place: int) -> bytes:
        start, length = (int(value) for value in self.places[place])
        try:
            with (self.path / "originals.bin").open("rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise FileError(f"cannot read {self.path / 'originals.bin'}: {error.strerror}") from error

    def _read_index(self) -> dict[str, Any]:
        with decoding(self.path / INDEX, "the index of an archive", remedy="make one with: mrsal prepare"):
            index = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
        if not isinstance(index, dict) or index.get("format") != "mrsal-archive":
            raise DataError(
                f"expected the index of an archive in {self.path / INDEX}, got other data; prepare the archive again"
            )
        if index.get("version") not in range(1, FORMAT_VERSION + 1):
            raise DataError(
                f"expected format version 1 to {FORMAT_VERSION} in {self.path}, got {index.get('version')!r}; "
                "if a newer mrsal wrote it, upgrade with: pip install -U mrsal"
            )
        return index

    def _check(self) -> None:
        """Check that the files fit together, so that a run does not fail later."""
        for name in ("fixations.npz", "originals.bin"):
            if not (self.path / name).is_file():
                raise FileError(f"{self.path / name} is missing; prepare the archive again")
        M, K = len(self.names), len(self.maps)
        members, maps = np.concatenate([[], *self.splits.values()]), np.array(list(self.maps.values()))
        fits = (self.shapes > 0).all() and _within(members, 0, M) and _within(maps, M, M + K)
        fits = fits and self.degrees.shape == (M,) and ((self.degrees > 0) & (self.degrees < np.inf)).all()
        if not (fits and 0 < self.pixels_per_degree < np.inf):
            raise DataError(f"{self.path / INDEX} has values that do not fit together; prepare the archive again")
        table = self.path / "samples.npy"
        stimulus, x, y, label = self.table.T
        if not (_within(stimulus, 0, M) and _within(label, 0, 2)):
            raise DataError(f"{table} refers to stimuli or labels that do not exist; prepare the archive again")
        height, width = self.shapes[stimulus].T
        if not (_within(x, 0, width) and _within(y, 0, height)):
            raise DataError(f"{table} has samples outside their stimulus; prepare the archive again")
        originals = self.path / "originals.bin"
        size = originals.stat().st_size
        if not (_within(self.places, 0, size + 1) and _within(self.places.sum(axis=1), 0, size + 1)):
            raise DataError(f"{originals} is truncated at {size} bytes; prepare the archive again")

    def _array(self, name: str, shape: tuple[int | None, ...], dtype: type) -> NDArray:
        path = self.path / name
        with decoding(path, "an array of numbers", remedy=_REMEDY):
            # nothing is written to it, but torch warns of arrays that are read-only, mode "r"
            array = np.lib.format.open_memmap(path, mode="c")
        fits = array.ndim == len(shape) and all(a in (None, b) for a, b in zip(shape, array.shape, strict=True))
        if not fits or array.dtype != dtype:
            raise DataError(
                f"{path}: expected {np.dtype(dtype)} of shape {shape}, got {array.dtype} of shape {array.shape}; "
                "prepare the archive again"
            )
        return array


def _within(values: NDArray, low: int, high: int | NDArray) -> bool:
    return bool(((values >= low) & (values < high)).all())


def write_native(
    dataset: FixationDataset, out: str | Path, *, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Path:
    """Write a data set as a native archive.

    Parameters
    ----------
    dataset : FixationDataset
        The data set to write. Stimuli without fixations and without a published map are stored, but there are no training
        samples of them, and they are not among the examples.
    out : str or Path
        The folder for the archive. An older archive there is replaced when the new one is complete.
    seed : int
        The seed of the sampled locations.
    progress : callable, optional
        A function that is called with 1 after each image.

    Returns
    -------
    Path
        The folder.
    """
    out = Path(out)
    if out.is_dir() and not {path.name for path in out.iterdir()} <= _FILES:
        raise FileError(f"expected an empty folder or an archive at {out}, got other files; choose another folder")
    M, known = len(dataset), dataset.has_ground_truth()
    training = {i for i in dataset.splits.get("train", np.array([], np.int64)).tolist() if known[i]}
    samples: list[NDArray] = [np.empty((0, 4), np.int32)]
    places: list[tuple[int, int]] = []
    moments = np.zeros(
        (2, 3)
    )  # sums over the training stimuli: of the mean values and of the mean squares, per channel
    with atomic_folder(out) as folder:
        with ExitStack() as stack:
            originals = stack.enter_context((folder / "originals.bin").open("wb"))
            # written in order: writing to a memory map on a full disk ends the process with a bus error
            scaled = [stack.enter_context((folder / f"level_{s}.npy").open("wb")) for s in SCALES]
            for file, s in zip(scaled, SCALES, strict=True):
                header = {"descr": "|u1", "fortran_order": False, "shape": (M, s, s, 3)}
                np.lib.format.write_array_header_1_0(file, header)
            for i, stimulus in enumerate(dataset.stimuli):
                encoded = _read_bytes(stimulus.path)
                pyramid = Pyramid.from_image(stimulus.read())
                for file, level in zip(scaled, pyramid.levels, strict=True):
                    file.write(level.tobytes())
                if i in training:
                    x, y, label = image_samples(dataset, i, seed)
                    samples.append(np.column_stack([np.full(len(x), i), x, y, label]).astype(np.int32))
                    unit = pyramid.levels[0].reshape(-1, 3) / 255
                    moments += unit.mean(axis=0), np.square(unit).mean(axis=0)
                places.append((originals.tell(), originals.write(encoded)))
                if progress:
                    progress(1)
            published = [s for s in dataset.stimuli if s.density_path is not None]
            for stimulus in published:
                places.append((originals.tell(), originals.write(_read_bytes(stimulus.density_path))))  # type: ignore[arg-type]
        degrees = [dataset.degree_of(i) for i in range(M)]
        first, second = moments / max(1, len(training))
        spread = np.sqrt(np.maximum(second - first**2, 1e-12)) if training else np.ones(3)
        np.save(folder / "samples.npy", np.concatenate(samples))
        np.save(folder / "originals.npy", np.array(places, np.int64))
        np.savez(folder / "fixations.npz", **asdict(dataset.fixations))
        index = {
            "format": "mrsal-archive",
            "version": FORMAT_VERSION,
            "dataset": dataset.name,
            "pixels_per_degree": dataset.pixels_per_degree,
            **({} if set(degrees) <= {dataset.pixels_per_degree} else {"degrees": degrees}),
            "seed": seed,
            "names": [stimulus.name for stimulus in dataset.stimuli],
            "shapes": [list(stimulus.shape) for stimulus in dataset.stimuli],
            "splits": {name: members.tolist() for name, members in dataset.splits.items()},
            "maps": {stimulus.name: M + k for k, stimulus in enumerate(published)},
            "mean": first.tolist(),
            "std": spread.tolist(),
        }
        (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    return out


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
