"""Stimuli and fixations as pysaliency keeps them in HDF5: read every version of its layout, write what all of them read.

A file that pysaliency wrote flows in and names, shapes and :class:`Fixations` flow out, or the other way round. Needs h5py,
the extra ``mrsal[hdf5]``; pysaliency itself is not needed. The layouts are
those of ``to_hdf5`` in pysaliency 0.2.22 and in its development version, which calls fixation trains ``ScanpathFixations``.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal._extras import optional
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path
from mrsal.images import image_size, read_image

SUFFIXES = (".hdf5", ".h5")

_READABLE = {  # the versions of each type that pysaliency has written
    "FileStimuli": ("1.0", "2.0", "2.1"),
    "Stimuli": ("1.0", "1.1"),
    "Fixations": ("1.0", "1.1", "1.2"),
    "FixationTrains": ("1.0", "1.1", "1.2", "1.3"),
    "ScanpathFixations": ("1.0",),
    "Scanpaths": ("1.0",),
}


@dataclass(frozen=True)
class StoredStimuli:
    """The stimuli of a pysaliency file.

    Parameters
    ----------
    names : tuple of str
        The shortest paths that tell them apart (:func:`minimal_unique_names`), by which maps are stored; the numbers 0, 1, ...
        for pictures without file names.
    shapes : tuple of (int, int)
        Height and width in pixels.
    paths : tuple of Path, or None
        The image files; None where the pictures are in the HDF5 file itself.
    source : Path
        The HDF5 file.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    paths: tuple[Path, ...] | None
    source: Path

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """A picture as it is stored: ``(H, W, 3)`` or ``(H, W)``, mostly uint8."""
        if self.paths is not None:
            return read_image(self.paths[index])
        with reading(self.source) as file:
            return np.asarray(file[str(index)])


def minimal_unique_names(paths: Sequence[str | Path]) -> list[str]:
    """What is left of paths without the leading folders that all share: the keys of a benchmark submission.

    >>> minimal_unique_names(["data/Action/001.jpg", "data/Art/001.jpg"])
    ['Action/001.jpg', 'Art/001.jpg']
    >>> minimal_unique_names(["data/Action/001.jpg"])
    ['001.jpg']
    """
    parts = [PurePosixPath(Path(path).as_posix()).parts for path in paths]
    shared = 0
    while parts and all(names[shared : shared + 1] == parts[0][shared : shared + 1] for names in parts):
        if any(len(names) == shared + 1 for names in parts):
            break
        shared += 1
    return ["/".join(names[shared:]) for names in parts]


def load_h5py() -> Any:
    """The module h5py; :class:`InputError` says how to install it."""
    return optional("h5py", extra="hdf5", purpose="HDF5 files")


@contextmanager
def reading(path: str | Path) -> Iterator[Any]:
    """An HDF5 file open for reading; whatever is wrong with its content becomes a :class:`DataError`."""
    h5py, path = load_h5py(), Path(path)
    if not path.is_file():
        raise FileError(f"no file at {path}; check the path")
    if not h5py.is_hdf5(path):
        raise DataError(f"{path} is no HDF5 file, or is cut off; write it again")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (KeyError, ValueError, TypeError, IndexError, OSError, RuntimeError, AttributeError) as error:
        if isinstance(error, DataError | FileError | InputError):
            raise
        raise DataError(f"{path} does not hold what its type promises ({error}); write it again") from error


def read_stimuli(path: str | Path) -> StoredStimuli:
    """Read a ``FileStimuli`` or ``Stimuli`` file.

    Raises
    ------
    FileError, DataError
        If it is missing, or holds something else.
    """
    path = Path(path)
    with reading(path) as file:
        type_, version = _type_and_version(file, path, ("FileStimuli", "Stimuli"))
        if type_ == "FileStimuli":
            files = [_text(name) for name in file["filenames"][...]]
            # since 2.0 they are relative to the HDF5 file
            paths = tuple(
                Path(name) if version == "1.0" else Path(os.path.normpath(path.parent / name)) for name in files
            )
            shapes = tuple((int(shape[0]), int(shape[1])) for shape in file["shapes"][...])
            if len(shapes) != len(paths):
                raise DataError(f"{path}: {len(paths)} file names but {len(shapes)} shapes; write it again")
            return StoredStimuli(tuple(minimal_unique_names(paths)), shapes, paths, path)
        count = int(file.attrs["size"])
        shapes = tuple((int(file[str(n)].shape[0]), int(file[str(n)].shape[1])) for n in range(count))
        named = version != "1.0" and "filenames" in json.loads(_text(file.attrs["__attributes__"]))
        names = (
            minimal_unique_names([_text(name) for name in file["filenames"][...]]) if named else map(str, range(count))
        )
        return StoredStimuli(tuple(names), shapes, None, path)


def write_stimuli(path: str | Path, files: Sequence[str | Path], *, embed: bool = False) -> Path:
    """Write a list of image files as pysaliency's ``FileStimuli`` 2.1, or with the pictures in it as ``Stimuli`` 1.1.

    Parameters
    ----------
    path : str or Path
        Ends in ``.hdf5``.
    files : sequence of paths
        They are kept relative to ``path``, so move both together.
    embed : bool
        Store the pixels too, so that the file stands alone.

    Raises
    ------
    InputError
        If there are no files.
    DataError
        If an image is turned by its EXIF orientation, which pysaliency does not apply: save it upright.
    """
    h5py, path = load_h5py(), Path(path)
    if not files:
        raise InputError("expected at least one image file to write, got none")
    text = h5py.string_dtype()
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        attributes = []
        if embed:
            for n, source in enumerate(files):
                file.create_dataset(str(n), data=read_image(source), compression="gzip")
            file.create_dataset("filenames", data=[Path(source).as_posix() for source in files], dtype=text)
            attributes = ["filenames"]
        else:
            folder = path.resolve().parent
            relative = [Path(os.path.relpath(Path(source).resolve(), folder)).as_posix() for source in files]
            file.create_dataset("filenames", data=relative, dtype=text)
            shapes = file.create_dataset("shapes", (len(files),), dtype=h5py.vlen_dtype(np.dtype("int64")))
            for n, source in enumerate(files):
                shapes[n] = np.array(_stored_shape(Path(source)), np.int64)
        file.attrs["type"] = np.bytes_("Stimuli" if embed else "FileStimuli")
        file.attrs["version"] = np.bytes_("1.1" if embed else "2.1")
        file.attrs["__attributes__"] = np.bytes_(json.dumps(attributes))
        file.attrs["size"] = len(files)
    return path


def read_fixations(path: str | Path) -> Fixations:
    """Read a ``Fixations``, ``FixationTrains`` or ``ScanpathFixations`` file.

    Returns
    -------
    Fixations
        ``order`` is the place in the scanpath; ``duration`` is the attribute ``durations`` where there is one, taken as
        seconds, else NaN.
    """
    path = Path(path)
    with reading(path) as file:
        type_, version = _type_and_version(file, path, ("Fixations", "FixationTrains", "ScanpathFixations"))
        if type_ == "Fixations":
            subject = next((file[name][...] for name in ("subject", "subjects") if name in file), np.array(0))
            history = (~np.isnan(file["x_hist"][...])).sum(axis=-1) if version == "1.0" else file["lengths"][...]
            names = [name for name in ("duration", "durations") if name in file]
            return Fixations.create(
                x=file["x"][...],
                y=file["y"][...],
                n=file["n"][...],
                subject=_numbers(subject),
                order=file["order"][...] if "order" in file else history,
                duration=file[names[0]][...] if names else np.nan,
            )
        if type_ == "FixationTrains":
            xs, ys, n, subject = (file[f"train_{name}"][...] for name in ("xs", "ys", "ns", "subjects"))
            lengths = file["train_lengths"][...] if version == "1.3" else _lengths(xs)
            per_fixation = file.get("scanpath_fixation_attributes", {})
        else:
            paths = file["scanpaths"]
            _type_and_version(paths, path, ("Scanpaths",))
            xs, ys, n = (paths[name][...] for name in ("xs", "ys", "n"))
            lengths = paths["lengths" if "lengths" in paths else "length"][...]
            subject = paths["scanpath_attributes/subject"][...]
            per_fixation = paths["fixation_attributes"]
        place = np.broadcast_to(np.arange(xs.shape[1]), xs.shape)
        real = place < np.asarray(lengths)[:, None]  # (scanpaths, longest); the rest is padding
        names = [name for name in ("durations", "duration") if name in per_fixation]
        return Fixations.create(
            x=xs[real],
            y=ys[real],
            n=np.repeat(n, lengths),
            subject=np.repeat(_numbers(subject), lengths),
            order=(per_fixation["order"][...] if "order" in per_fixation else place)[real],
            duration=per_fixation[names[0]][...][real] if names else np.nan,
        )


def write_fixations(path: str | Path, fixations: Fixations) -> Path:
    """Write pysaliency's ``FixationTrains`` 1.2, which 0.2.22 and every later version reads.

    Notes
    -----
    A train is the fixations of one subject on one stimulus, for as long as their order rises. Where fixations were dropped
    the train closes up in pysaliency; the original ``order`` is kept beside it. Times (``train_ts``), which mrsal does not
    keep, are the order too; durations are written where all are known.
    """
    h5py, path = load_h5py(), Path(path)
    if not len(fixations):
        raise InputError("expected at least one fixation to write, got none")
    points = fixations.where(np.lexsort((fixations.subject, fixations.n)))  # stable, so trials keep their order
    same = (np.diff(points.n) == 0) & (np.diff(points.subject) == 0) & (np.diff(points.order) > 0)
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    lengths = np.diff([*starts, len(points)])
    order = points.order.astype(np.float64)
    columns = {"xs": points.x, "ys": points.y, "ts": order}
    extra, mapping = {"order": order}, {}
    if not np.isnan(points.duration).any():
        extra["durations"], mapping["durations"] = points.duration, "duration"
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in columns.items():
            file.create_dataset(f"train_{name}", data=_padded(values, lengths))
        file.create_dataset("train_ns", data=points.n[starts])
        file.create_dataset("train_subjects", data=points.subject[starts])
        _write_group(file, "scanpath_attributes", {})
        _write_group(file, "scanpath_fixation_attributes", {k: _padded(v, lengths) for k, v in extra.items()})
        file.attrs["type"] = np.bytes_("FixationTrains")
        file.attrs["version"] = np.bytes_("1.2")
        file.attrs["__attributes__"] = np.bytes_(json.dumps([]))
        file.attrs["scanpath_attribute_mapping"] = np.bytes_(json.dumps(mapping))
    return path


def _write_group(parent: Any, name: str, columns: dict[str, NDArray]) -> None:
    group = parent.create_group(name)
    for key, values in columns.items():
        group.create_dataset(key, data=values)
    group.attrs["__attributes__"] = np.bytes_(json.dumps(sorted(columns)))


def _type_and_version(group: Any, path: Path, types: tuple[str, ...]) -> tuple[str, str]:
    wanted = " or ".join(types)
    if "type" not in group.attrs:
        raise DataError(f"{path}: expected {wanted} as pysaliency writes them, but the file names no type")
    type_, version = _text(group.attrs["type"]), _text(group.attrs.get("version", b""))
    if type_ not in types:
        raise DataError(f"{path}: expected {wanted}, got {type_}; give the file that holds them")
    if version not in _READABLE[type_]:
        known = ", ".join(_READABLE[type_])
        raise DataError(
            f"{path}: {type_} of version {version!r}, known are {known}; upgrade with: pip install -U mrsal"
        )
    return type_, version


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _numbers(subject: NDArray) -> NDArray[np.int64]:
    """Observers as numbers, also where they have names."""
    return subject.astype(np.int64) if subject.dtype.kind in "iuf" else np.unique(subject, return_inverse=True)[1]


def _lengths(xs: NDArray) -> NDArray[np.int64]:
    """Entries before the trailing NaN of each row."""
    known = ~np.isnan(xs)
    return np.where(known.any(axis=1), xs.shape[1] - np.argmax(known[:, ::-1], axis=1), 0)


def _padded(values: NDArray, lengths: NDArray) -> NDArray[np.float64]:
    """One row per scanpath, NaN behind its end."""
    table = np.full((len(lengths), lengths.max()), np.nan)
    table[np.arange(lengths.max()) < lengths[:, None]] = values
    return table


def _stored_shape(path: Path) -> tuple[int, ...]:
    upright = image_size(path)
    with Image.open(path) as image:
        width, height = image.size
        channels = len(image.getbands())
    if (height, width) != upright:
        raise DataError(f"{path} is turned by its EXIF orientation, which pysaliency ignores; save it upright first")
    return (height, width) if channels == 1 else (height, width, channels)
