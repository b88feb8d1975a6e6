"""Submissions to the MIT/Tuebingen saliency benchmark: HDF5 files of log-densities, which are written and checked here.

pysaliency opens such a file as ``HDF5Model``. The benchmark scores models by the density that they predict (Kuemmerer, Wallis
and Bethge, "Saliency benchmarking made easy", ECCV 2018).
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from mrsal.datasets import Stimulus, load_h5py, minimal_unique_names, reading
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import make_folder
from mrsal.inference import SaliencyModel, as_model

FLOOR = 0.001
TOLERANCE = 0.001  # the largest |logsumexp| that the benchmark accepts

log = logging.getLogger("mrsal")

_UNFINISHED = "mrsal-unfinished"  # the dataset that is being written
_JOB = "mrsal-job"  # the attribute that names model and settings until the file is complete
_ADVICE_UNIFORM = (
    "mix with a uniform density before the logarithm: mrsal.evaluation.submission.log_density(map, floor=0.001)"
)


@dataclass(frozen=True)
class Problem:
    """A problem with a map of a submission.

    Parameters
    ----------
    key : str
        The key of the map; empty if the problem is with the whole file.
    expected, got : str
        What the benchmark expects, and what the file has.
    mend : str
        What to do.
    fatal : bool
        Whether the benchmark would refuse the file or score the map wrongly; otherwise the problem is a warning.
    """

    key: str
    expected: str
    got: str
    mend: str
    fatal: bool = True

    def __str__(self) -> str:
        where = f"{self.key}: " if self.key else ""
        return f"{where}expected {self.expected}, got {self.got}; {self.mend}"


def log_density(map_: ArrayLike, *, floor: float = FLOOR) -> NDArray[np.float64]:
    """Turn a saliency map into a log-density.

    The map is divided by its sum and mixed with the uniform density: ``log((1 - floor) * map / sum(map) + floor / size)``.

    Parameters
    ----------
    map_ : array
        The map: ``(H, W)``, non-negative. Zero everywhere gives the uniform density.
    floor : float
        The share of the uniform density, in [0, 1). With 0, a pixel of value 0 has the log-density -inf, and a single fixation
        on it makes the model's score -inf; 0.001 costs at most 0.0015 bit/fixation elsewhere.

    Returns
    -------
    array
        The natural logarithms of the density: ``(H, W)`` float64; logsumexp is 0.

    Notes
    -----
    A map that is only meant to rank pixels is a poor density. Fit an exponent and a blur on training data first.
    """
    map_ = np.asarray(map_, np.float64)
    if map_.ndim != 2 or 0 in map_.shape or not np.isfinite(map_).all():
        raise InputError(f"expected a finite map of shape (H, W), got {map_.shape}; replace NaN and infinity first")
    if map_.min() < 0:
        raise InputError(f"expected a map without negative values, got {map_.min():.3g}; subtract the minimum first")
    if not 0 <= floor < 1:
        raise InputError(f"expected a floor of at least 0 and below 1, got {floor}")
    total = map_.sum()
    density = map_ / total if total > 0 else np.full(map_.shape, 1 / map_.size)
    with np.errstate(divide="ignore"):
        return np.log((1 - floor) * density + floor / map_.size)


def write_submission(
    model: SaliencyModel | Callable[[NDArray[np.uint8]], Any],
    stimuli: Sequence[Stimulus],
    path: str | Path,
    *,
    floor: float | None = None,
    dtype: str = "float32",
    label: str = "",
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Predict every stimulus and write the log-densities.

    Parameters
    ----------
    model : SaliencyModel or callable
        A model as for :func:`mrsal.evaluate`.
    stimuli : sequence of Stimulus
        The images of the benchmark.
    path : str or Path
        The file to write, whose name ends in ``.hdf5``.
    floor : float, optional
        The parameter of :func:`log_density`. The default is 0.001, or 0 for models that give densities, which are not changed.
    dtype : str
        ``"float32"`` or ``"float64"``.
    label : str
        A name for the model: an interrupted file is only continued with the same label.
    progress : callable, optional
        Called with 1 after each map.

    Returns
    -------
    Path
        The file. While it is written it is called ``.<name>.part``. If the same call is made after an interruption, the maps in
        that file are used again.

    Raises
    ------
    InputError, DataError
        If the model gives a map of another size, or a map that is no density.
    FileError
        If the file cannot be written.
    """
    h5py, path = load_h5py(), Path(path)
    if not stimuli:
        raise InputError("expected at least one stimulus, got none")
    if dtype not in ("float32", "float64"):
        raise InputError(f"expected dtype float32 or float64, got {dtype!r}")
    names = minimal_unique_names([stimulus.name for stimulus in stimuli])
    if len(set(names)) < len(names):
        raise DataError("expected stimuli with different names, got two with the same name; rename one of them")
    model = as_model(model)
    model.require(stimulus.name for stimulus in stimuli)
    if floor is None:
        floor = 0.0 if model.gives_density else FLOOR
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.part")  # atomic_path would remove its file when the job is interrupted
    job = json.dumps({"label": label, "floor": floor, "dtype": dtype})
    with _open_part(h5py, part, job) as file:
        for name, stimulus in zip(names, stimuli, strict=True):
            if name not in file or file[name].shape != stimulus.shape:
                values = _predict(model, stimulus, floor).astype(dtype)
                with _writing(part):
                    _store(file, name, values)
            if progress:
                progress(1)
        with _writing(part):
            _finish(file, names, dtype)
    with _writing(part):
        with part.open("rb+") as whole:
            os.fsync(whole.fileno())
        part.replace(path)
    return path


def check_submission(path: str | Path, stimuli: Sequence[Stimulus]) -> list[Problem]:
    """Check a submission as the benchmark does, without sending it.

    Parameters
    ----------
    path : str or Path
        An HDF5 file with one dataset per stimulus.
    stimuli : sequence of Stimulus
        The images of the benchmark.

    Returns
    -------
    list of Problem
        The problems; empty if there are none.

    Raises
    ------
    FileError, DataError
        If the file does not exist, or is no HDF5 file.
    """
    problems = []
    names = minimal_unique_names([stimulus.name for stimulus in stimuli])
    with reading(path) as file:
        keys = _keys(file)
        for name, stimulus in zip(names, stimuli, strict=True):
            if name in keys:
                problems += _check_map(name, file[name], stimulus.shape)
            else:
                similar = [key for key in keys if Path(key).stem == Path(name).stem and key not in names]
                advice = f"rename {similar[0]!r} to it" if len(similar) == 1 else "predict this stimulus too"
                problems.append(Problem(name, "a dataset of this name", "none", advice))
        for key in sorted(keys - set(names)):
            problems.append(Problem(key, "only datasets named as stimuli", "another one", "leave it out", fatal=False))
        stored = sum(file[key].id.get_storage_size() for key in keys)
    size, needed = Path(path).stat().st_size, 4 * sum(height * width for height, width in (s.shape for s in stimuli))
    if size > max(1.5 * needed, stored + 10e6):
        expected, got = f"at most about {needed / 1e6:.0f} MB", f"{size / 1e6:.0f} MB"
        problems.append(Problem("", expected, got, "write float32, compressed", fatal=False))
    return problems


def _check_map(key: str, dataset: Any, shape: tuple[int, int]) -> list[Problem]:
    """The first problem of a map that would make further checks meaningless, or else the warnings."""
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize < 4:
        advice = "write log-densities as float32; pictures and maps of integers cannot hold them"
        return [Problem(key, "float32 or float64", str(dataset.dtype), advice)]
    if dataset.shape != shape:
        advice = "resize the density to the stimulus, then divide by its sum, then take the logarithm"
        if dataset.shape == shape[::-1]:
            advice = "transpose it"
        return [Problem(key, f"the stimulus's size {shape}, (height, width)", str(dataset.shape), advice)]
    values = dataset[...].astype(np.float64)
    invalid = int((np.isnan(values) | (values == np.inf)).sum())
    if invalid:
        advice = "correct the model and predict the stimulus again"
        return [Problem(key, "finite values", f"{invalid} that are NaN or +inf", advice)]
    zeros = int((values == -np.inf).sum())
    if zeros:
        where = "everywhere" if zeros == values.size else f"at {zeros} of {values.size} pixels"
        return [Problem(key, "a probability above 0 everywhere", f"-inf {where}", _ADVICE_UNIFORM)]
    total = float(logsumexp(values))
    if abs(total) >= TOLERANCE:
        return [_not_normalised(key, values, total)]
    if np.ptp(values) == 0:
        advice = "predict it again, unless a uniform density is intended"
        return [Problem(key, "a map that varies", "the same value everywhere", advice, fatal=False)]
    return []


def _not_normalised(key: str, values: NDArray[np.float64], total: float) -> Problem:
    """The problem of a map whose logsumexp, ``total``, is not 0."""
    if values.min() >= 0 and abs(values.sum() - 1) < 0.01:
        return Problem(key, "a log-density", "a density (it sums to 1)", "take its natural logarithm")
    if values.min() >= 0:
        advice = "divide by its sum and take the logarithm: mrsal.evaluation.submission.log_density(map)"
        return Problem(key, "a log-density", f"a saliency map, {values.min():.3g} to {values.max():.3g}", advice)
    advice = f"subtract {total:.6g} from every value, or check that the logarithm is the natural one"
    return Problem(key, f"|logsumexp| < {TOLERANCE}", f"logsumexp {total:.4g}", advice)


def _predict(model: SaliencyModel, stimulus: Stimulus, floor: float) -> NDArray[np.float64]:
    map_ = model.predict(stimulus.path, name=stimulus.name).values
    try:
        return log_density(map_, floor=floor)
    except InputError as error:
        raise InputError(f"{stimulus.name}: {error}") from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn errors of HDF5 and of the file system while a file is written into :class:`FileError`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # h5py raises all three when HDF5 cannot write
        raise FileError(f"cannot write {path}: {error}; free some space, or choose another folder") from error


@contextmanager
def _open_part(h5py: Any, part: Path, job: str) -> Iterator[Any]:
    """The file of an interrupted run of the same job, or a new file; an error of closing it is a :class:`FileError`."""
    file = _continued(h5py, part, job)
    if file is None:
        with _writing(part):
            file = h5py.File(part, "w")
            file.attrs[_JOB] = job
    try:
        yield file
    except BaseException:
        with suppress(OSError, RuntimeError, ValueError):  # the error that is under way is the one to report
            file.close()
        raise
    with _writing(part):
        file.close()


def _continued(h5py: Any, part: Path, job: str) -> Any:
    """The file of an interrupted run of the same job; None if there is none."""
    if not part.is_file():
        return None
    try:
        file = h5py.File(part, "r+")
    except BlockingIOError as error:
        raise FileError(f"{part} is being written by another process; wait for it, or choose another name") from error
    except OSError:
        log.warning("%s is damaged, so the file is written from the beginning", part)
        return None
    if file.attrs.get(_JOB) != job:
        file.close()
        log.info(
            "the unfinished %s is of another model or other settings, so the file is written from the beginning", part
        )
        return None
    log.info("continuing after %d maps of an interrupted run", len(_keys(file) - {_UNFINISHED}))
    return file


def _store(file: Any, name: str, values: NDArray) -> None:
    """Write a map under its name, whole or not at all."""
    file.pop(name, None)
    file.pop(_UNFINISHED, None)
    file.create_dataset(_UNFINISHED, data=values, compression="gzip", compression_opts=4, shuffle=True)
    file.move(_UNFINISHED, name)
    file.flush()


def _finish(file: Any, names: Sequence[str], dtype: str) -> None:
    """Remove maps of other stimuli, and set the attributes as pysaliency's export_model_to_hdf5 does."""
    for extra in _keys(file) - set(names):
        del file[extra]
    del file.attrs[_JOB]
    file.attrs.update(type="pysaliency.precomputed_models.predictions", version="1.0", downscale_factor=1, dtype=dtype)


def _keys(file: Any) -> set[str]:
    keys: set[str] = set()
    file.visititems(lambda key, item: keys.add(key) if hasattr(item, "shape") else None)
    return keys
