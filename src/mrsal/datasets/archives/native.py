"""The compact native archive: every stimulus once, uint8, memory-mapped; opens at once whatever its size.

A folder with

    archive.json       format, version, data set, names and sizes of the stimuli, splits, channel statistics
    level_400.npy      (M, 400, 400, 3) uint8, and level_250.npy, level_150.npy: the scaled stimuli
    samples.npy        (N, 4) int32: stimulus, x, y, label of each training sample
    fixations.npz      the columns of Fixations
    originals.bin      the stimulus files as they were, and published maps, one after the other
    originals.npy      (M + K, 2) int64: where each begins and how long it is

Nothing in it is ever unpickled. Letters: M stimuli, N samples, B of a batch, S = 3 scales, C = 3 channels, P = 42.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.datasets.archives.example import ArchiveImage, Example
from mrsal.datasets.archives.sampling import check_map, image_samples
from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.fixations import Fixations, fixation_density
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_folder
from mrsal.images import read_grey, read_image
from mrsal.model import RGB, SCALES, Grid, Pyramid, as_rgb, crop, scaled_centre

INDEX = "archive.json"
FORMAT_VERSION = 1

_ARRAYS = {"samples.npy", "originals.npy", *(f"level_{scale}.npy" for scale in SCALES)}
_FILES = {INDEX, "fixations.npz", "originals.bin", *_ARRAYS}


@dataclass(frozen=True)
class NativeSamples:
    """Training samples, cut from the scaled stimuli when a batch is asked for, on the device where these are.

    Parameters
    ----------
    levels : tuple of 3 Tensors
        ``(M, s, s, C)`` uint8; memory-mapped, unless moved to a device.
    stimulus : Tensor
        ``(N,)`` int64, which stimulus each sample is from.
    centres : Tensor
        ``(S, 2, N)`` int64, row and column of its centre at each scale.
    labels : Tensor
        ``(N,)`` float32, 1 for fixated and 0 for not.
    mean, std : tuple of 3 floats
        Channel statistics of the training stimuli, of values in [0, 1].
    value_range : (float, float)
        Always that of pixels.
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
        """Memory that the samples would take on a device, beside a few bytes for each."""
        return sum(level.nbytes for level in self.levels)

    def to(self, device: torch.device) -> "NativeSamples":
        """The same samples with the stimuli they are from on a device."""
        used, stimulus = torch.unique(self.stimulus, return_inverse=True)
        return replace(
            self,
            levels=tuple(level[used].to(device) for level in self.levels),
            stimulus=stimulus.to(device),
            centres=self.centres.to(device),
            labels=self.labels.to(device),
        )

    def batch(self, index: NDArray) -> tuple[Tensor, Tensor]:
        """Crops ``(B, S, C, P, P)`` uint8 and labels ``(B,)`` float32."""
        at = torch.from_numpy(index).to(self.labels.device, non_blocking=True)
        cut = [
            crop(level, self.stimulus[at], rows[at], columns[at])
            for level, (rows, columns) in zip(self.levels, self.centres, strict=True)
        ]
        return torch.stack(cut, dim=1).permute(0, 1, 4, 2, 3), self.labels[at]


class NativeArchive:
    """A native archive, opened for reading.

    Parameters
    ----------
    path : str or Path
        Its folder.

    Raises
    ------
    FileError, DataError
        If it is no archive, or a file in it is missing, truncated or of another shape than the index says.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        index = self._read_index()
        try:
            self.name: str = index["dataset"]
            self.pixels_per_degree = float(index["pixels_per_degree"])
            self.names = [str(name) for name in index["names"]]
            self.shapes = np.array(index["shapes"], np.int64).reshape(len(self.names), 2)
            self.splits = {split: np.array(members, np.int64).ravel() for split, members in index["splits"].items()}
            self.maps = {name: int(place) for name, place in index["maps"].items()}
            self.mean = as_rgb(index["mean"])
            self.std = as_rgb(index["std"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{self.path / INDEX} is damaged ({error!r}); prepare the archive again") from error
        M = len(self.names)
        self.levels = tuple(self._array(f"level_{scale}.npy", (M, scale, scale, 3), np.uint8) for scale in SCALES)
        self.table = self._array("samples.npy", (None, 4), np.int32)
        self.places = self._array("originals.npy", (M + len(self.maps), 2), np.int64)
        self._check()

    @property
    def samples(self) -> NativeSamples:
        """The training samples."""
        if not len(self.table):
            raise DataError(f"{self.path} holds no training samples; its data set has no training split")
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
        """All fixations."""
        try:
            # np.load would leave a file that is no zip open
            with (
                (self.path / "fixations.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as columns,
            ):
                return Fixations.create(**{name: columns[name] for name in columns.files})
        except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            raise DataError(f"{self.path / 'fixations.npz'} is damaged: {error}; prepare the archive again") from error

    def members(self, split: str) -> NDArray[np.int64]:
        """Indices of the stimuli of a split; ``"all"`` is every stimulus."""
        if split == "all":
            return np.arange(len(self.names))
        if split not in self.splits:
            raise InputError(f"{self.path} has no split {split!r}; choose one of {', '.join([*self.splits, 'all'])}")
        return self.splits[split]

    def examples(self, split: str = "test", *, skip_first: bool = False) -> Iterator[Example]:
        """The images of a split, to predict and to score; without each trial's first fixation where that is asked."""
        return (self._example(int(i), skip_first) for i in self.members(split))

    def _example(self, i: int, skip_first: bool) -> Example:
        height, width = (int(side) for side in self.shapes[i])
        points = self.fixations.where((self.fixations.n == i) & (self.fixations.order >= int(skip_first)))

        def ground_truth() -> NDArray[np.float64]:
            if len(points):
                return fixation_density(points.x, points.y, (height, width), sigma=self.pixels_per_degree)
            if self.names[i] not in self.maps:
                raise DataError(f"{self.path}: neither fixations nor a map for {self.names[i]}")
            published = read_grey(self._original(self.maps[self.names[i]]))
            return check_map(published, (height, width), self.path / self.names[i]).astype(np.float64)

        return Example(
            name=self.names[i],
            image=ArchiveImage(
                shape=(height, width),
                read=lambda: read_image(self._original(i)),
                pyramid=Pyramid(tuple(level[i] for level in self.levels), (height, width)),
                grid=Grid.cells((height, width)),
            ),
            ground_truth=ground_truth,
            fixations=points if len(points) else None,
            dataset=self.name,
            pixels_per_degree=self.pixels_per_degree,
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
        try:
            index = json.loads((self.path / INDEX).read_text(encoding="utf-8"))
        except OSError as error:
            raise FileError(f"no archive at {self.path}: {error.strerror}; make one with: mrsal prepare") from error
        except ValueError as error:
            raise DataError(f"{self.path / INDEX} is damaged: {error}; prepare the archive again") from error
        if not isinstance(index, dict) or index.get("format") != "mrsal-archive":
            raise DataError(f"{self.path / INDEX} does not describe a mrsal archive")
        if index.get("version") not in range(1, FORMAT_VERSION + 1):
            raise DataError(
                f"{self.path} has format version {index.get('version')!r}, not 1 to {FORMAT_VERSION}; "
                "if a newer mrsal wrote it, upgrade with: pip install -U mrsal"
            )
        return index

    def _check(self) -> None:
        """Refuse an archive whose parts do not fit together, rather than fail in the middle of a run."""
        for name in ("fixations.npz", "originals.bin"):
            if not (self.path / name).is_file():
                raise FileError(f"{self.path / name} is missing; prepare the archive again")
        M, K = len(self.names), len(self.maps)
        members, maps = np.concatenate([[], *self.splits.values()]), np.array(list(self.maps.values()))
        fits = (self.shapes > 0).all() and _within(members, 0, M) and _within(maps, M, M + K)
        if not (fits and self.pixels_per_degree > 0):
            raise DataError(f"{self.path / INDEX} contradicts itself; prepare the archive again")
        table = self.path / "samples.npy"
        stimulus, x, y, label = self.table.T
        if not (_within(stimulus, 0, M) and _within(label, 0, 2)):
            raise DataError(f"{table} has stimuli or labels that do not exist; prepare the archive again")
        height, width = self.shapes[stimulus].T
        if not (_within(x, 0, width) and _within(y, 0, height)):
            raise DataError(f"{table} has samples outside their stimulus; prepare the archive again")
        blob = self.path / "originals.bin"
        size = blob.stat().st_size
        if not (_within(self.places, 0, size + 1) and _within(self.places.sum(axis=1), 0, size + 1)):
            raise DataError(f"{blob} is truncated at {size} bytes; prepare the archive again")

    def _array(self, name: str, shape: tuple[int | None, ...], dtype: type) -> NDArray:
        path = self.path / name
        try:
            array = np.lib.format.open_memmap(path, mode="c")  # never written to; a tensor over "r" would warn
        except FileNotFoundError as error:
            raise FileError(f"{path} is missing; prepare the archive again") from error
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{path} is truncated or damaged ({error}); prepare the archive again") from error
        fits = array.ndim == len(shape) and all(w in (None, g) for w, g in zip(shape, array.shape, strict=True))
        if not fits or array.dtype != dtype:
            raise DataError(f"{path}: expected {np.dtype(dtype)} of shape {shape}, got {array.dtype} of {array.shape}")
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
    out : str or Path
        The archive's folder; one that stands there is replaced when the new one is complete.
    seed : int
        Of the sampled locations.
    progress : callable, optional
        Called with 1 after each image.

    Returns
    -------
    Path
        The folder.
    """
    out = Path(out)
    if out.is_dir() and not {path.name for path in out.iterdir()} <= _FILES:
        raise FileError(f"{out} holds other files; give an empty or a new folder for the archive")
    M, training = len(dataset), set(dataset.splits.get("train", np.array([], np.int64)).tolist())
    samples: list[NDArray] = [np.empty((0, 4), np.int32)]
    places: list[tuple[int, int]] = []
    moments = np.zeros((2, 3))
    with atomic_folder(out) as folder:
        with ExitStack() as stack:
            blob = stack.enter_context((folder / "originals.bin").open("wb"))
            # written in order and not through a memory map, which would end in a bus error on a full disk
            stores = [stack.enter_context((folder / f"level_{s}.npy").open("wb")) for s in SCALES]
            for store, s in zip(stores, SCALES, strict=True):
                header = {"descr": "|u1", "fortran_order": False, "shape": (M, s, s, 3)}
                np.lib.format.write_array_header_1_0(store, header)
            for i, stimulus in enumerate(dataset.stimuli):
                encoded = _read_bytes(stimulus.path)
                pyramid = Pyramid.from_image(stimulus.read())
                for store, level in zip(stores, pyramid.levels, strict=True):
                    store.write(level.tobytes())
                if i in training:
                    x, y, label = image_samples(dataset, i, seed)
                    samples.append(np.column_stack([np.full(len(x), i), x, y, label]).astype(np.int32))
                    unit = pyramid.levels[0].reshape(-1, 3) / 255
                    moments += unit.mean(axis=0), np.square(unit).mean(axis=0)
                places.append((blob.tell(), blob.write(encoded)))
                if progress:
                    progress(1)
            published = [s for s in dataset.stimuli if s.density_path is not None]
            for stimulus in published:
                places.append((blob.tell(), blob.write(_read_bytes(stimulus.density_path))))  # type: ignore[arg-type]
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
