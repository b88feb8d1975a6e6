"""Maps that another model wrote to a folder or an HDF5 file, as a model: the map of an image is found by its name."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch.nn import functional as F

from mrsal.datasets import SUFFIXES, array_of, reading
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import decoding
from mrsal.images import EXTENSIONS, read_grey_values
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage, SaliencyModel

KINDS = ("saliency", "log_density", "density")
NORMALISED = 0.01  # the largest |logsumexp| of a log-density, as in pysaliency

_ARRAYS = (".npy", ".mat")


class StoredMaps(SaliencyModel):
    """Maps on disk as a model: the map of an image is the map with its name.

    Parameters
    ----------
    source : Path
        The folder or HDF5 file.
    keys : iterable of str
        The names of the maps in it, such as ``"Action/001.jpg"``.
    read : callable
        A function from a key to the array and, if the map was stored smaller, its original size, or else None.
    named : callable
        A function from a key to the name of its image: the suffix of a file is its format and not part of a name, while the
        name of an HDF5 dataset is used whole.
    kind : str
        ``"saliency"``: any values; ``"density"``: values that sum to 1; ``"log_density"``: their natural logarithms;
        ``"auto"``: log-densities if exp of the first map sums to 1, densities if its values do, or else saliency.
    resize : bool
        Whether to resize maps of another size to that of the image (bilinear) instead of raising an error.

    Notes
    -----
    The map of an image is the map with exactly its name, or else with its name without suffix, or else with the most last parts
    of its path (``Action/001`` for ``stimuli/Action/001.jpg``). It is an error if two maps fit equally well, or if two images
    have the same map.
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
            raise InputError(f"expected one of the kinds {', '.join((*KINDS, 'auto'))}, got {kind!r}")
        self.source = source
        self.keys = tuple(sorted(keys))
        self.resize = resize
        self._read = read
        self._kind = None if kind == "auto" else kind
        self._is_guessed = kind == "auto"
        self._named = named
        self._stems: dict[str, list[str]] = {}  # by the last part of the path without suffix
        for key in self.keys:
            self._stems.setdefault(PurePosixPath(_stem(named(key))).name, []).append(key)
        self._taken: dict[str, str] = {}  # the image of each map that was found

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def kind(self) -> str:
        """What the values are, one of :data:`KINDS`; guessed from the first map unless it was given."""
        if self._kind is None:
            self._kind = _guess_kind(self._values(self.keys[0])[0])
        return self._kind

    def require(self, names: Iterable[str]) -> None:
        """Check that every image has a map; the :class:`DataError` says how many have none, and names the first of them."""
        names = list(names)
        missing = [name for name in names if self._find(name) is None]
        if missing:
            examples = ", ".join(self.keys[:3])
            raise DataError(
                f"{self.source} has no map for {len(missing)} of {len(names)} images: {', '.join(missing[:3])}"
                f"{', ...' if len(missing) > 3 else ''}. It has {len(self.keys)} maps, such as {examples}; "
                "give each map the name of its image"
            )

    @property
    def gives_density(self) -> bool:  # type: ignore[override]
        """Whether the maps are densities or log-densities."""
        return self.kind != "saliency"

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        if not name and not isinstance(image, str | Path):
            raise InputError(
                f"expected an image with a name, by which its map in {self.source} is found; give a path or name=..."
            )
        return super().prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        return [image.map(self.map_of(image.name, image.shape)) for image in images]

    def map_of(self, name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
        """The map of an image: saliency values as they are stored, or a density that sums to 1.

        Parameters
        ----------
        name : str
            The name of the image.
        shape : (int, int)
            The height and width of the image in pixels.

        Returns
        -------
        array
            ``(H, W)`` float64.

        Raises
        ------
        DataError
            If there is no such map, it has another size (without ``resize``), it has values that are not finite, or it is of
            another kind than the first map.
        """
        self.require([name])
        key = str(self._find(name))
        values, full = self._values(key)
        if self._is_guessed and self.kind != "log_density" and _guess_kind(values) == "log_density":
            raise DataError(
                f"{key} in {self.source} is a log-density, whose exp sums to 1, but the first map, {self.keys[0]}, is not; "
                "keep maps of one kind in a folder, or give kind='saliency'"
            )
        if self.kind == "log_density":
            total = float(logsumexp(values))
            if abs(total) > NORMALISED:
                raise DataError(
                    f"{key} in {self.source}: expected a log-density, whose exp sums to 1, like the first map; got a logsumexp "
                    f"of {total:.3g}. Subtract it from the map, or give kind='saliency'"
                )
            values = np.exp(values)
        if (values.shape != shape and self.resize) or (full is not None and full == shape):
            values = _resized(values, shape)
        if values.shape != shape:
            raise DataError(
                f"{key} in {self.source}: expected the size of its image, {shape} as (height, width), got {values.shape}; "
                "to resize maps, give resize=True (--resize_maps)"
            )
        if self.kind == "saliency":
            return values
        if values.min() < 0 or not values.sum() > 0:
            raise DataError(f"{key} in {self.source}: expected a density, got negative values, or 0 everywhere")
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
                f"{key} in {self.source} has {bad} values that are NaN or infinite; correct the model that wrote them. "
                "(-inf in a log-density is a probability of 0: add a small number before the logarithm)"
            )
        return values, full

    def _find(self, name: str) -> str | None:
        """The key of the map of an image, or None."""
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
                f"{self.source} has one map, {best[0]}, for two images, {self._taken[best[0]]} and {name}; "
                "put the maps into the same subfolders as the images"
            )
        return best[0]


def open_maps(path: str | Path, *, kind: str = "auto", resize: bool = False) -> StoredMaps:
    """Open a folder or an HDF5 file of maps.

    Parameters
    ----------
    path : str or Path
        A folder with one file per image, also in subfolders: ``.npy`` (any numbers), ``.mat`` (one variable), or a grey image
        file with 8 or 16 bits. Or an HDF5 file as pysaliency exports a model, with one dataset per image.
    kind, resize
        Options as for :class:`StoredMaps`.

    Raises
    ------
    FileError, DataError
        If ``path`` does not exist or contains no map.
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
        raise FileError(f"no folder or file of maps at {path}; check the path")
    if not len(maps):
        raise FileError(
            f"no maps in {path}; expected one file per image ({', '.join((*_ARRAYS, '.png'))}), or one dataset in HDF5"
        )
    return maps


def _stem(name: str) -> str:
    """The name without the suffix of an image or array file; other dots are part of the name."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in (*_ARRAYS, *EXTENSIONS) else path.as_posix()


def _likeness(name: str, other: str) -> int:
    """How well another name fits that of an image.

    0: not at all. Otherwise, the number of last parts that the paths share counts first, then whether they share all parts,
    then whether they have the same suffix.
    """
    parts, other_parts = PurePosixPath(_stem(name)).parts, PurePosixPath(_stem(other)).parts
    shared = min(len(parts), len(other_parts))
    if parts[-shared:] != other_parts[-shared:]:
        return 0
    return 4 * shared + 2 * (parts == other_parts) + (PurePosixPath(other).name == PurePosixPath(name).name)


def _guess_kind(values: NDArray[np.float64]) -> str:
    if abs(float(logsumexp(values))) <= NORMALISED:  # impossible for values >= 0, except for a single pixel
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
    with decoding(path, "an array of numbers", remedy="save it again with numpy.save"):
        return np.load(path, allow_pickle=False)


def _read_mat(path: Path) -> NDArray:
    from scipy.io import loadmat  # a slow import

    try:
        variables = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    except Exception as error:  # a damaged file can raise any error in loadmat, even zlib.error
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
            size = file[key].attrs.get("original_shape")  # pysaliency adds it to a map that is stored smaller
            return array_of(file[key]), None if size is None else (int(size[0]), int(size[1]))

    return read
