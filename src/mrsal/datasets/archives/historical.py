"""Write and read the historical archive: ``<split>_data.pth.tar`` files and the folder ``ALLFIXATIONMAPS``.

Every file is read with ``weights_only=True``, so that a malicious file cannot run code. The native archive is in ``native.py``.

Letters: B samples of a batch, S = 3 scales, C = 3 channels, P = 42 pixels, the side of a crop.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mrsal.datasets.archives.example import ArchiveImage, Example
from mrsal.datasets.archives.sampling import check_map, ground_truth, image_samples
from mrsal.datasets.dataset import FixationDataset
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path, make_folder
from mrsal.images import min_max_scaled, read_grey
from mrsal.model import (
    PATCH,
    RGB,
    SCALES,
    Grid,
    Pyramid,
    as_rgb,
    crop,
    has_all_values,
    is_unit,
    load_safely,
    save_safely,
    scaled_centre,
    to_unit,
)

MAPS = "ALLFIXATIONMAPS"


@dataclass(frozen=True)
class PthSamples:
    """The training samples of ``train_data.pth.tar``, all in memory.

    Parameters
    ----------
    crops : Tensor
        The crops: ``(N, S, C, P, P)`` float32 in [0, 1].
    labels : Tensor
        The labels: ``(N,)`` float32, 1 for fixated and 0 for unfixated.
    mean, std : tuple of 3 floats
        The mean and deviation of each channel with which the network standardises its input. They are the statistics of the
        crops. If the values in the file are already standardised, they are chosen so that the network gets these values.
    value_range : (float, float)
        The smallest and the largest value in the file.
    """

    crops: Tensor
    labels: Tensor
    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)
    value_range: tuple[float, float] = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """The size of the samples in memory, in bytes."""
        return self.crops.nbytes + self.labels.nbytes

    def to(self, device: torch.device) -> "PthSamples":
        """Copy the samples to a device."""
        return replace(self, crops=self.crops.to(device), labels=self.labels.to(device))

    def batch(self, index: NDArray) -> tuple[Tensor, Tensor]:
        """Return the crops ``(B, S, C, P, P)`` and labels ``(B,)`` of a batch, in float32."""
        chosen = torch.from_numpy(index).to(self.labels.device, non_blocking=True)
        return self.crops[chosen], self.labels[chosen]


class PthArchive:
    """The historical files in a folder, with the interface of :class:`mrsal.datasets.archives.native.NativeArchive`."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)

    @cached_property
    def samples(self) -> PthSamples:
        """The training samples."""
        return read_train(self.path / "train_data.pth.tar")

    def examples(self, split: str = "test", *, skip_first: bool = False) -> Iterator[Example]:
        """Read the examples of a split. ``skip_first`` is not possible, since these files have no fixations."""
        if skip_first:
            raise InputError(
                "expected an archive with fixations to skip the first ones, got *.pth.tar files; prepare a native archive"
            )
        return read_examples(self.path / f"{split}_data.pth.tar")


def write_pth(
    dataset: FixationDataset, out: str | Path, *, seed: int = 0, progress: Callable[[int], None] | None = None
) -> Path:
    """Write the historical files for a data set.

    Parameters
    ----------
    dataset : FixationDataset
        The data set to write, without its stimuli that have neither fixations nor a published map.
    out : str or Path
        The folder for ``<split>_data.pth.tar`` and ``ALLFIXATIONMAPS/<stem>_fixMap.jpg``.
    seed : int
        The seed of the sampled locations.
    progress : callable, optional
        A function that is called with 1 after each image.

    Returns
    -------
    Path
        The folder.
    """
    out, known = make_folder(out), dataset.has_ground_truth()
    for split in dataset.splits:
        entries: list[dict[str, Any]] = []
        for i in dataset.split(split)[known[dataset.split(split)]].tolist():
            stimulus = dataset.stimuli[i]
            image = stimulus.read()
            pyramid = Pyramid.from_image(image)
            if split == "train":
                entries.extend(_train_entries(dataset, i, pyramid, seed))
            else:
                entries.append(_eval_entry(stimulus.name, image, pyramid))
            _write_map(dataset, i, out / MAPS)
            if progress:
                progress(1)
        if entries:
            with atomic_path(out / f"{split}_data.pth.tar") as temporary:
                save_safely(entries, temporary)
    return out


def read_train(path: str | Path) -> PthSamples:
    """Read ``train_data.pth.tar``; a :class:`DataError` names the entry that is wrong."""
    entries = _read_entries(Path(path))
    crops = torch.empty(len(entries), len(SCALES), 3, PATCH, PATCH)
    labels = torch.empty(len(entries))
    for i, entry in enumerate(entries):
        x = _tensor(path, i, entry, "X", (len(SCALES), 3, PATCH, PATCH))
        y = entry.get("y")
        if isinstance(y, Tensor) and y.numel() == 1 and has_all_values(y):
            y = y.item()
        if isinstance(y, Tensor) or y not in (0, 1):
            raise DataError(f"{path}, entry {i}: expected y to be 1 or 0, got {y!r}; prepare it again")
        _check_finite(path, i, "X", x)
        crops[i], labels[i] = x, float(y)
    low, high = crops.amin(dim=(0, 1, 3, 4)), crops.amax(dim=(0, 1, 3, 4))  # (C,)
    value_range = low.min().item(), high.max().item()
    if is_unit(*value_range):
        mean, std = crops.mean(dim=(0, 1, 3, 4)), crops.std(dim=(0, 1, 3, 4)).clamp_min(1e-3)
    else:
        span = (high - low).clamp_min(1e-3)
        crops.sub_(low.view(3, 1, 1)).div_(span.view(3, 1, 1))
        mean, std = -low / span, 1 / span
    if not (torch.isfinite(mean).all() and torch.isfinite(std).all() and (std > 0).all()):
        raise DataError(
            f"{path}: expected values of a usual range in X, got {value_range[0]:g} to {value_range[1]:g}; prepare it again"
        )
    return PthSamples(crops, labels, as_rgb(mean), as_rgb(std), value_range)


def read_examples(path: str | Path) -> Iterator[Example]:
    """Read the examples of ``val_data.pth.tar`` or ``test_data.pth.tar``, with the maps in ``ALLFIXATIONMAPS`` beside it.

    Before the first example is yielded, all entries are checked and every map must be there.
    """
    path = Path(path)
    maps = path.parent / MAPS
    entries = _read_entries(path)
    if not maps.is_dir():
        raise FileError(
            f"expected a folder {MAPS} beside {path}, found none; put the ground-truth maps <name>_fixMap.jpg there"
        )
    for i, entry in enumerate(entries):
        _tensor(path, i, entry, "X", (3, None, None))
        for scale in SCALES:
            _check_finite(path, i, f"X_{scale}", _tensor(path, i, entry, f"X_{scale}", (3, scale, scale)))
        _tensor(path, i, entry, "spatial_coords", (None, 2), torch.int64)
        if not isinstance(entry.get("file"), str):
            raise DataError(
                f"{path}, entry {i}: expected the name of the stimulus as 'file', got {entry.get('file')!r}; prepare it again"
            )
        map_path = _map_path(maps, entry["file"])
        if not os.path.isfile(map_path):  # noqa: PTH113 - no error if the name is too long
            raise FileError(f"expected the ground-truth map of {entry['file']} at {map_path}, found none; put it there")
        _axes(entry["spatial_coords"].numpy(), entry["file"])
    return (_example(entry, maps) for entry in entries)


def _example(entry: dict[str, Any], maps: Path) -> Example:
    _, H, W = entry["X"].shape
    map_path = _map_path(maps, entry["file"])
    levels = tuple(entry[f"X_{scale}"].permute(1, 2, 0).numpy() for scale in SCALES)
    rows, columns = _axes(entry["spatial_coords"].numpy(), entry["file"])

    def stimulus() -> NDArray[np.uint8]:
        pixels = entry["X"].permute(1, 2, 0).numpy()
        if not is_unit(float(pixels.min()), float(pixels.max())):  # standardised values are scaled to full contrast
            pixels = min_max_scaled(pixels, dtype=np.float32)
        return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

    return Example(
        name=entry["file"],
        image=ArchiveImage(
            shape=(H, W),
            read=stimulus,
            pyramid=Pyramid(levels, (H, W)),
            grid=Grid(rows, columns, (H, W), corners=True),
        ),
        ground_truth=lambda: check_map(read_grey(map_path), (H, W), map_path).astype(np.float64),
    )


def _train_entries(dataset: FixationDataset, index: int, pyramid: Pyramid, seed: int) -> Iterator[dict[str, Any]]:
    x, y, labels = image_samples(dataset, index, seed)
    height, width = pyramid.shape
    by_scale = []
    for level, scale in zip(pyramid.levels, SCALES, strict=True):
        rows, columns = scaled_centre(y, height, scale), scaled_centre(x, width, scale)
        zeros = torch.zeros(len(x), dtype=torch.int64)
        by_scale.append(crop(torch.tensor(level[None]), zeros, torch.from_numpy(rows), torch.from_numpy(columns)))
    crops = torch.stack(by_scale, dim=1).permute(0, 1, 4, 2, 3)  # (B, S, C, P, P)
    for pixels, label in zip(crops, labels, strict=True):
        yield {"X": to_unit(pixels.contiguous()), "y": int(label), "file": dataset.stimuli[index].name}


def _eval_entry(name: str, image: NDArray[np.uint8], pyramid: Pyramid) -> dict[str, Any]:
    unit = torch.from_numpy(image.astype(np.float32) / 255).permute(2, 0, 1).contiguous()
    scaled = {f"X_{s}": x.contiguous() for s, x in zip(SCALES, pyramid.tensors(), strict=True)}
    coordinates = torch.from_numpy(Grid.historical(pyramid.shape).points)
    return {"X": unit, "y": -1, "file": name, **scaled, "spatial_coords": coordinates}


def _write_map(dataset: FixationDataset, index: int, folder: Path) -> None:
    density = ground_truth(dataset, index)
    pixels = np.round(density / density.max() * 255).astype(np.uint8)
    with atomic_path(_map_path(folder, dataset.stimuli[index].name)) as temporary:
        Image.fromarray(pixels).save(temporary, format="JPEG", quality=95)


def _map_path(folder: Path, name: str) -> Path:
    return folder / f"{Path(name).stem}_fixMap.jpg"


def _read_entries(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise FileError(f"expected {path.name} in {path.parent}, found none; make it with: mrsal prepare --format pth")
    entries = load_safely(path, mmap=_is_zip(path))
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path}: expected a non-empty list of dicts, got {type(entries).__name__}; prepare it again")
    return entries


def _tensor(
    path: str | Path,
    i: int,
    entry: dict[str, Any],
    key: str,
    shape: tuple[int | None, ...],
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    value = entry.get(key)
    if not isinstance(value, Tensor):
        keys = sorted(map(str, entry))
        raise DataError(
            f"{path}, entry {i}: expected a tensor {key!r}, got an entry with the keys {keys}; prepare it again"
        )
    fits = value.ndim == len(shape) and all(a in (None, b) for a, b in zip(shape, value.shape, strict=True))
    if not fits or value.dtype != dtype or not has_all_values(value) or 0 in value.shape:
        expected = " x ".join("any" if side is None else str(side) for side in shape)
        raise DataError(
            f"{path}, entry {i}: expected {key!r} as {dtype} of shape {expected}, "
            f"got {value.dtype} of shape {' x '.join(map(str, value.shape))}; prepare it again"
        )
    return value


def _check_finite(path: str | Path, i: int, key: str, value: Tensor) -> None:
    if not torch.isfinite(value).all():
        raise DataError(f"{path}, entry {i}: expected finite values in {key!r}, got NaN or infinity; prepare it again")


def _axes(centres: NDArray, name: str) -> tuple[NDArray, NDArray]:
    """Return the rows and the columns of a grid of centres, ``(n * n, 2)``."""
    side = round(len(centres) ** 0.5)  # the grid has as many rows as columns; in tiny images, some are the same
    rows, columns = centres[::side, 0], centres[:side, 1]
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
    if not np.array_equal(grid, centres):
        raise DataError(
            f"expected the spatial_coords of {name} as a row-major grid of (y, x) centres, got others; prepare it again"
        )
    return rows, columns


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"
