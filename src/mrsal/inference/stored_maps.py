"""Maps that someone else's model wrote, and models that are any Python function: scored as ours are.

A folder or an HDF5 file of maps flows in, found by the stimulus's name; a map at the stimulus's size flows out.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch.nn import functional as F

from mrsal.datasets import SUFFIXES, reading
from mrsal.errors import DataError, FileError, InputError
from mrsal.images import EXTENSIONS, read_grey_values
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage, SaliencyModel

KINDS = ("saliency", "log_density", "density")
NORMALISED = 0.01  # largest |logsumexp| of what is taken for a log-density; pysaliency's own tolerance

_ARRAYS = (".npy", ".mat")


class StoredMaps(SaliencyModel):
    """Maps on disk as a model: the map of an image is the one with its name.

    Parameters
    ----------
    source : Path
        Folder or HDF5 file.
    keys : iterable of str
        What the maps are called there, such as ``"Action/001.jpg"``.
    read : callable
        Key to array, and the size the map had before it was stored smaller, or None.
    named : callable
        Key to the stimulus it says it is for: a file's ending is its format and no part of a name, a dataset's name is whole.
    kind : str
        ``"saliency"``: any values; ``"density"``: they sum to 1; ``"log_density"``: natural logarithms of such; ``"auto"``:
        log-densities where exp of the first map sums to 1, densities where its values do, else saliency.
    resize : bool
        Bring maps of another size to the stimulus's, bilinear, instead of refusing them.

    Notes
    -----
    A stimulus's map is the one of its exact name, else of its name without ending, else of the longest path that ends alike
    (``Action/001`` for ``stimuli/Action/001.jpg``). Two candidates are an error, and so is one map for two stimuli.
    """

    def __init__(
        self,
        source: Path,
        keys: Iterable[str],
        read: Callable[[str], tuple[NDArray, tuple[int, int] | None]],
        *,
        named: Callable[[str], str] = str,
        kind: str = "auto",
        resize: bool = False,
    ) -> None:
        if kind not in (*KINDS, "auto"):
            raise InputError(f"expected kind as one of {', '.join((*KINDS, 'auto'))}, got {kind!r}")
        self.source = source
        self.keys = tuple(sorted(keys))
        self.resize = resize
        self._read = read
        self._kind = None if kind == "auto" else kind
        self._named = named
        self._stems: dict[str, list[str]] = {}  # by the last part of the path without ending
        for key in self.keys:
            self._stems.setdefault(PurePosixPath(_stem(named(key))).name, []).append(key)
        self._taken: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def kind(self) -> str:
        """What the values are, one of :data:`KINDS`; looked up in the first map where nobody said it."""
        if self._kind is None:
            self._kind = _guess_kind(self._values(self.keys[0])[0])
        return self._kind

    def require(self, names: Iterable[str]) -> None:
        """Check that every stimulus has a map; :class:`DataError` says how many have none and names the first."""
        names = list(names)
        missing = [name for name in names if self._find(name) is None]
        if missing:
            there = ", ".join(self.keys[:3])
            raise DataError(
                f"{self.source} lacks the maps of {len(missing)} of {len(names)} stimuli: {', '.join(missing[:3])}"
                f"{', ...' if len(missing) > 3 else ''}. It holds {len(self.keys)}, such as {there}; "
                "name each map as its stimulus"
            )

    @property
    def gives_density(self) -> bool:  # type: ignore[override]
        """Whether the maps are densities or log-densities."""
        return self.kind != "saliency"

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        if not name and not isinstance(image, str | Path):
            raise InputError(f"a map in {self.source} is found by the name of the image, and this image has none")
        return super().prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        return [image.map(self.map_of(image.name, image.shape)) for image in images]

    def map_of(self, name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
        """The map of a stimulus: saliency values as they are stored, or a density that sums to 1.

        Parameters
        ----------
        name : str
            Of the stimulus.
        shape : (int, int)
            Its height and width in pixels.

        Returns
        -------
        array
            ``(H, W)`` float64.

        Raises
        ------
        DataError
            If there is no such map, it has another size (without ``resize``), it holds values that are not finite, or it is
            of another kind than the first.
        """
        self.require([name])
        key = str(self._find(name))
        values, full = self._values(key)
        if self.kind == "log_density":
            total = float(logsumexp(values))
            if abs(total) > NORMALISED:
                raise DataError(
                    f"{key} in {self.source}: expected a log-density, exp of which sums to 1, as the first map is; its "
                    f"logsumexp is {total:.3g}. Subtract that from it, or give kind='saliency'"
                )
            values = np.exp(values)
        if (values.shape != shape and self.resize) or (full is not None and full == shape):
            values = _resized(values, shape)
        if values.shape != shape:
            raise DataError(
                f"{key} in {self.source}: expected {shape} as its stimulus, (height, width), got {values.shape}; "
                "give resize=True (--resize_maps) to have it resized, bilinear"
            )
        if self.kind == "saliency":
            return values
        if values.min() < 0 or not values.sum() > 0:
            raise DataError(f"{key} in {self.source}: a density has no negative values and is not zero everywhere")
        return values / values.sum()

    def _values(self, key: str) -> tuple[NDArray[np.float64], tuple[int, int] | None]:
        array, full = self._read(key)
        array = np.asarray(array).squeeze() if np.ndim(array) > 2 else np.asarray(array)
        if array.dtype.kind not in "biuf" or array.ndim != 2 or 0 in array.shape:
            raise DataError(
                f"{key} in {self.source}: expected numbers of shape (H, W), got {array.dtype} {array.shape}"
            )
        values = array.astype(np.float64)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise DataError(
                f"{key} in {self.source} holds {bad} values that are NaN or infinite; mend the model that wrote them. "
                "(-inf in a log-density is a probability of 0: add a small floor before the logarithm)"
            )
        return values, full

    def _find(self, name: str) -> str | None:
        ranked: dict[int, set[str]] = {}
        for key in self._stems.get(PurePosixPath(_stem(name)).name, []):
            ranked.setdefault(_likeness(name, self._named(key)), set()).add(key)
        ranked.pop(0, None)
        if not ranked:
            return None
        best = sorted(ranked[max(ranked)])
        if len(best) > 1:
            raise DataError(f"{self.source} has {len(best)} maps for {name}: {', '.join(best[:3])}; keep one of them")
        if self._taken.setdefault(best[0], name) != name:
            raise DataError(
                f"{self.source} has one map, {best[0]}, for two stimuli, {self._taken[best[0]]} and {name}; "
                "put maps into subfolders as the stimuli are"
            )
        return best[0]


def open_maps(path: str | Path, *, kind: str = "auto", resize: bool = False) -> StoredMaps:
    """Open a folder or an HDF5 file of maps.

    Parameters
    ----------
    path : str or Path
        A folder with one file per stimulus, in subfolders if need be: ``.npy`` (any numbers), ``.mat`` (one variable), or a
        grey picture of 8 or 16 bits. Or an HDF5 file as pysaliency exports a model: one dataset per stimulus.
    kind, resize
        As for :class:`StoredMaps`.

    Raises
    ------
    FileError, DataError
        If there is nothing at ``path``, or no map in it.
    """
    path = Path(path)
    if path.is_dir():
        endings = (*_ARRAYS, *EXTENSIONS)
        files = [p for p in path.rglob("*") if p.suffix.lower() in endings and p.is_file() and p.name[0] != "."]
        keys = [p.relative_to(path).as_posix() for p in files]
        maps = StoredMaps(path, keys, _folder_reader(path), named=_stem, kind=kind, resize=resize)
    elif path.suffix.lower() in SUFFIXES or path.is_file():
        maps = StoredMaps(path, _hdf5_keys(path), _hdf5_reader(path), kind=kind, resize=resize)
    else:
        raise FileError(f"no folder and no file of maps at {path}; check the path")
    if not len(maps):
        raise FileError(
            f"no maps in {path}; expected one {', '.join((*_ARRAYS, '.png'))} file, or one dataset, per stimulus"
        )
    return maps


def _stem(name: str) -> str:
    """Without the ending of a picture or an array; other dots belong to the name."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in (*_ARRAYS, *EXTENSIONS) else path.as_posix()


def _likeness(name: str, other: str) -> int:
    """How well another name fits a stimulus's: 0 not at all; the more parts of the paths agree the better, then whether all
    do, then whether the ending does."""
    parts, wanted = PurePosixPath(_stem(other)).parts, PurePosixPath(_stem(name)).parts
    shared = min(len(parts), len(wanted))
    if parts[-shared:] != wanted[-shared:]:
        return 0
    return 4 * shared + 2 * (parts == wanted) + (PurePosixPath(other).name == PurePosixPath(name).name)


def _guess_kind(values: NDArray[np.float64]) -> str:
    if abs(float(logsumexp(values))) <= NORMALISED:  # never so for values >= 0, unless it is a single pixel
        return "log_density"
    return "density" if values.min() >= 0 and abs(values.sum() - 1) <= NORMALISED else "saliency"


def _resized(values: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    full = F.interpolate(torch.from_numpy(values)[None, None], shape, mode="bilinear", antialias=True)
    return full[0, 0].numpy()


def _folder_reader(folder: Path) -> Callable[[str], tuple[NDArray, None]]:
    def read(key: str) -> tuple[NDArray, None]:
        path = folder / key
        if path.suffix.lower() == ".npy":
            return _read_npy(path), None
        return (_read_mat(path) if path.suffix.lower() == ".mat" else read_grey_values(path)), None

    return read


def _read_npy(path: Path) -> NDArray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is damaged, or no array of numbers: {error}; save it again with numpy.save") from error


def _read_mat(path: Path) -> NDArray:
    from scipy.io import loadmat  # a slow import

    try:
        variables = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    except Exception as error:  # loadmat lets through whatever a damaged file provokes, down to zlib.error
        raise DataError(f"{path} cannot be read: {error}; save the map as .npy") from error
    if len(variables) != 1:
        raise DataError(f"{path}: expected one variable, the map, got {', '.join(variables) or 'none'}")
    return np.asarray(next(iter(variables.values())))


def _hdf5_keys(path: Path) -> list[str]:
    keys: list[str] = []
    with reading(path) as file:
        file.visititems(lambda key, item: keys.append(key) if hasattr(item, "shape") else None)
    return keys


def _hdf5_reader(path: Path) -> Callable[[str], tuple[NDArray, tuple[int, int] | None]]:
    def read(key: str) -> tuple[NDArray, tuple[int, int] | None]:
        with reading(path) as file:
            size = file[key].attrs.get("original_shape")  # where pysaliency stored a smaller map
            return file[key][...], None if size is None else (int(size[0]), int(size[1]))

    return read
