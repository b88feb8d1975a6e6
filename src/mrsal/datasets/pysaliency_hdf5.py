"""Read and write the HDF5 files in which pysaliency stores stimuli and fixations.

All versions of the layout can be read, and the version that is written can be read by all versions of pysaliency. This needs
h5py, the extra ``mrsal[hdf5]``, and not pysaliency itself. The layouts are those of ``to_hdf5`` in pysaliency 0.2.22 and in its
development version, which calls fixation trains ``ScanpathFixations``.
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
from mrsal.errors import DataError, FileError, InputError, MrsalError, first_line
from mrsal.files import atomic_path
from mrsal.images import image_size, read_image

SUFFIXES = (".hdf5", ".h5")

_MOST_EXPANSION = 2_000  # the size of a dataset by what is stored of it; gzip, the usual filter, reaches 1,032
_SMALL = 100_000_000  # bytes of a dataset that may be read in any case
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
        The shortest unique paths (:func:`minimal_unique_names`), under which maps are stored; the numbers 0, 1, ... for images
        without file names.
    shapes : tuple of (int, int)
        The height and width of each stimulus in pixels.
    paths : tuple of Path, or None
        The image files; None if the images are in the HDF5 file itself.
    source : Path
        The HDF5 file.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    paths: tuple[Path, ...] | None
    source: Path

    def __len__(self) -> int:
        return len(self.names)

    def image(self, index: int) -> NDArray[np.uint8]:
        """Read a stimulus as it is stored: ``(H, W, 3)`` or ``(H, W)``, usually uint8."""
        if self.paths is not None:
            return read_image(self.paths[index])
        with reading(self.source) as file:
            return array_of(file[str(index)])


def minimal_unique_names(paths: Sequence[str | Path]) -> list[str]:
    """Remove the leading folders that all paths share; the results are the keys of a benchmark submission.

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
    """Import h5py; if it is not installed, an :class:`InputError` says how to install it."""
    return optional("h5py", extra="hdf5", purpose="HDF5 files")


@contextmanager
def reading(path: str | Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; any error of its content, here and in the block, becomes a :class:`DataError`."""
    h5py, path = load_h5py(), Path(path)
    if not path.is_file():
        raise FileError(f"expected a file at {path}, found none; check the path")
    if not h5py.is_hdf5(path):
        raise DataError(f"expected an HDF5 file, but {path} has another format or is truncated; write it again")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except MrsalError:
        raise
    except Exception as error:  # h5py raises many types of errors, and NumPy others for sizes that are too large
        raise DataError(f"{path} does not have the layout of its type ({first_line(error)}); write it again") from error


def array_of(dataset: Any) -> NDArray[Any]:
    """Read a dataset of an HDF5 file.

    Its size is only a number in the file, and missing parts are filled with a constant, so that a few bytes can stand for
    terabytes. A dataset that is many times larger than what is stored of it is refused.

    Raises
    ------
    DataError
        If it is too large.
    """
    stored = dataset.id.get_storage_size()
    if dataset.nbytes > max(_SMALL, _MOST_EXPANSION * stored):
        raise DataError(
            f"{dataset.file.filename}: expected the values of {dataset.name}, which has the shape {dataset.shape}, "
            f"got {stored} bytes; write it again"
        )
    return np.asarray(dataset[...])


def read_stimuli(path: str | Path) -> StoredStimuli:
    """Read a ``FileStimuli`` or ``Stimuli`` file.

    Raises
    ------
    FileError, DataError
        If the file is missing, or holds something else.
    """
    path = Path(path)
    with reading(path) as file:
        type_, version = _type_and_version(file, path, ("FileStimuli", "Stimuli"))
        if type_ == "FileStimuli":
            files = [_text(name) for name in array_of(file["filenames"])]
            # since version 2.0, the names are relative to the HDF5 file
            paths = tuple(
                Path(name) if version == "1.0" else Path(os.path.normpath(path.parent / name)) for name in files
            )
            shapes = tuple((int(shape[0]), int(shape[1])) for shape in array_of(file["shapes"]))
            if len(shapes) != len(paths):
                raise DataError(
                    f"{path}: expected as many shapes as file names, {len(paths)}, got {len(shapes)}; write it again"
                )
            return StoredStimuli(tuple(minimal_unique_names(paths)), shapes, paths, path)
        count = int(file.attrs["size"])
        shapes = tuple((int(file[str(n)].shape[0]), int(file[str(n)].shape[1])) for n in range(count))
        named = version != "1.0" and "filenames" in json.loads(_text(file.attrs["__attributes__"]))
        names = tuple(map(str, range(count)))
        if named:
            names = tuple(minimal_unique_names([_text(name) for name in array_of(file["filenames"])]))
        if len(names) != count:
            raise DataError(
                f"{path}: expected {count} file names, as many as stimuli, got {len(names)}; write it again"
            )
        return StoredStimuli(names, shapes, None, path)


def write_stimuli(path: str | Path, files: Sequence[str | Path], *, embed: bool = False) -> Path:
    """Write a list of image files as pysaliency's ``FileStimuli`` 2.1, or the images themselves as ``Stimuli`` 1.1.

    Parameters
    ----------
    path : str or Path
        The file to write; it ends in ``.hdf5``.
    files : sequence of paths
        The image files. Their paths are stored relative to ``path``, so move them together.
    embed : bool
        Whether to store the pixels, so that the image files are not needed.

    Raises
    ------
    InputError
        If there are no files.
    DataError
        If an image has an EXIF orientation that swaps its sides, which pysaliency does not apply.
    """
    h5py, path = load_h5py(), Path(path)
    if not files:
        raise InputError("expected at least one image file to write, got none; check the paths")
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
        The fixations. ``order`` is the place in the scanpath. ``duration`` is the attribute ``durations``, in seconds, or NaN
        if there is none.
    """
    path = Path(path)
    with reading(path) as file:
        type_, version = _type_and_version(file, path, ("Fixations", "FixationTrains", "ScanpathFixations"))
        if type_ == "Fixations":
            subject = next((array_of(file[name]) for name in ("subject", "subjects") if name in file), np.array(0))
            history = (
                (~np.isnan(array_of(file["x_hist"]))).sum(axis=-1) if version == "1.0" else array_of(file["lengths"])
            )
            names = [name for name in ("duration", "durations") if name in file]
            return Fixations.create(
                x=array_of(file["x"]),
                y=array_of(file["y"]),
                n=array_of(file["n"]),
                subject=_numbers(subject),
                order=array_of(file["order"]) if "order" in file else history,
                duration=array_of(file[names[0]]) if names else np.nan,
            )
        if type_ == "FixationTrains":
            xs, ys, n, subject = (array_of(file[f"train_{name}"]) for name in ("xs", "ys", "ns", "subjects"))
            lengths = array_of(file["train_lengths"]) if version == "1.3" else _lengths(xs)
            per_fixation = file.get("scanpath_fixation_attributes", {})
        else:
            paths = file["scanpaths"]
            _type_and_version(paths, path, ("Scanpaths",))
            xs, ys, n = (array_of(paths[name]) for name in ("xs", "ys", "n"))
            lengths = array_of(paths["lengths" if "lengths" in paths else "length"])
            subject = array_of(paths["scanpath_attributes/subject"])
            per_fixation = paths["fixation_attributes"]
        if not ((lengths >= 0) & (lengths <= xs.shape[1])).all():
            raise DataError(
                f"{path}: expected lengths of scanpaths from 0 to {xs.shape[1]}, got {lengths.min()} to {lengths.max()}"
            )
        place = np.broadcast_to(np.arange(xs.shape[1]), xs.shape)
        real = place < np.asarray(lengths)[:, None]  # (scanpaths, longest scanpath); False where there is padding
        names = [name for name in ("durations", "duration") if name in per_fixation]
        return Fixations.create(
            x=xs[real],
            y=ys[real],
            n=np.repeat(n, lengths),
            subject=np.repeat(_numbers(subject), lengths),
            order=(array_of(per_fixation["order"]) if "order" in per_fixation else place)[real],
            duration=array_of(per_fixation[names[0]])[real] if names else np.nan,
        )


def write_fixations(path: str | Path, fixations: Fixations) -> Path:
    """Write fixations as ``FixationTrains`` 1.2, which pysaliency 0.2.22 and every later version reads.

    Notes
    -----
    A train has the fixations of one subject on one stimulus, as long as their order increases. If some fixations were removed,
    pysaliency numbers the others without gaps; the original ``order`` is stored as an attribute. mrsal has no times, so the
    times (``train_ts``) are the order too. Durations are written if all are known.
    """
    h5py, path = load_h5py(), Path(path)
    if not len(fixations):
        raise InputError("expected at least one fixation to write, got none; load fixations first")
    # a stable sort, so the order in a trial is unchanged
    ordered = fixations.where(np.lexsort((fixations.subject, fixations.n)))
    same = (np.diff(ordered.n) == 0) & (np.diff(ordered.subject) == 0) & (np.diff(ordered.order) > 0)
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    lengths = np.diff([*starts, len(ordered)])
    order = ordered.order.astype(np.float64)
    columns = {"xs": ordered.x, "ys": ordered.y, "ts": order}
    extra, mapping = {"order": order}, {}
    if not np.isnan(ordered.duration).any():
        extra["durations"], mapping["durations"] = ordered.duration, "duration"
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in columns.items():
            file.create_dataset(f"train_{name}", data=_padded(values, lengths))
        file.create_dataset("train_ns", data=ordered.n[starts])
        file.create_dataset("train_subjects", data=ordered.subject[starts])
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
    expected = " or ".join(types)
    if "type" not in group.attrs:
        raise DataError(
            f"{path}: expected {expected} of pysaliency, got a file without a type; write it with pysaliency"
        )
    type_, version = _text(group.attrs["type"]), _text(group.attrs.get("version", b""))
    if type_ not in types:
        raise DataError(f"{path}: expected {expected}, got {type_}; give the file with {expected}")
    if version not in _READABLE[type_]:
        known = ", ".join(_READABLE[type_])
        raise DataError(
            f"{path}: expected {type_} of version {known}, got {version!r}; upgrade with: pip install -U mrsal"
        )
    return type_, version


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _numbers(subject: NDArray) -> NDArray[np.int64]:
    """Convert observers to numbers, even if they have names."""
    return subject.astype(np.int64) if subject.dtype.kind in "iuf" else np.unique(subject, return_inverse=True)[1]


def _lengths(xs: NDArray) -> NDArray[np.int64]:
    """Count the entries before the trailing NaN of each row."""
    known = ~np.isnan(xs)
    return np.where(known.any(axis=1), xs.shape[1] - np.argmax(known[:, ::-1], axis=1), 0)


def _padded(values: NDArray, lengths: NDArray) -> NDArray[np.float64]:
    """Make a table with a row for each scanpath and NaN after its end."""
    table = np.full((len(lengths), lengths.max()), np.nan)
    table[np.arange(lengths.max()) < lengths[:, None]] = values
    return table


def _stored_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of the array that pysaliency reads from an image file."""
    upright = image_size(path)
    with Image.open(path) as image:
        width, height = image.size
        channels = len(image.getbands())
    if (height, width) != upright:
        raise DataError(
            f"expected an upright image, but {path} has an EXIF orientation, which pysaliency ignores; save it upright"
        )
    return (height, width) if channels == 1 else (height, width, channels)
