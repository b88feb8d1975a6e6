"""A submission to the MIT/Tuebingen saliency benchmark: log-densities in HDF5, written and checked before they are sent.

A model and stimuli flow in, a file flows out that pysaliency opens as ``HDF5Model``. The benchmark scores models by the
density that they predict (Kuemmerer, Wallis and Bethge, "Saliency benchmarking made easy", ECCV 2018).
"""

import json
import logging
import os
from collections.abc import Callable, Sequence
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
TOLERANCE = 0.001  # of |logsumexp|, as the benchmark demands

log = logging.getLogger("mrsal")

_PART = "mrsal-unfinished"  # the dataset that is being written
_JOB = "mrsal-job"


@dataclass(frozen=True)
class Problem:
    """Something about one map of a submission.

    Parameters
    ----------
    key : str
        Of the map; empty where it is about the file.
    expected, got : str
    mend : str
        What to do.
    fatal : bool
        Whether the benchmark would refuse the file or score the map wrongly; otherwise it is worth a look.
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
        ``(H, W)``, non-negative; zero everywhere gives the uniform density.
    floor : float
        Share of the uniform density, in [0, 1). With 0 a pixel of value 0 has the log-density -inf, and a single fixation on
        it makes the model's score -inf; 0.001 costs at most 0.0015 bit/fixation elsewhere.

    Returns
    -------
    array
        ``(H, W)`` float64, natural logarithms; logsumexp is 0.

    Notes
    -----
    A map that is only meant to rank pixels makes a poor density as it is: fit its exponent and blur on training data first.
    """
    values = np.asarray(map_, np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise InputError(f"expected a finite map of shape (H, W), got {values.shape}; mend NaN and infinities first")
    if values.min() < 0:
        raise InputError(f"a density has no negative values, but the map goes down to {values.min():.3g}; lift it to 0")
    if not 0 <= floor < 1:
        raise InputError(f"expected a floor from 0 to below 1, got {floor}")
    total = values.sum()
    share = values / total if total > 0 else np.full(values.shape, 1 / values.size)
    with np.errstate(divide="ignore"):
        return np.log((1 - floor) * share + floor / values.size)


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
        As for :func:`mrsal.evaluate`.
    stimuli : sequence of Stimulus
    path : str or Path
        Ends in ``.hdf5``.
    floor : float, optional
        As for :func:`log_density`; by default 0.001, and 0 for models that give densities, which are used as they are.
    dtype : str
        ``"float32"`` or ``"float64"``.
    label : str
        Names the model, so that an interrupted file is only continued with the same one.
    progress : callable, optional
        Called with 1 after each map.

    Returns
    -------
    Path
        The file. Until it is whole it is called ``.<name>.part``; when the same call is made after an interruption, the maps
        in there are kept.

    Raises
    ------
    InputError, DataError
        If the model gives a map of another size, or one that is no density.
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
        raise DataError("two stimuli have one name; give them different names")
    model = as_model(model)
    model.require(stimulus.name for stimulus in stimuli)
    if floor is None:
        floor = 0.0 if model.gives_density else FLOOR
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.part")  # not atomic_path, whose file would go when the job is interrupted
    job = json.dumps({"label": label, "floor": floor, "dtype": dtype})
    try:
        with _continued(h5py, part, job) as file:
            for name, stimulus in zip(names, stimuli, strict=True):
                if name not in file or file[name].shape != stimulus.shape:
                    _store(file, name, _predict(model, stimulus, floor), dtype)
                if progress:
                    progress(1)
            for extra in set(_keys(file)) - set(names):
                del file[extra]
            del file.attrs[_JOB]
            file.attrs.update(  # as pysaliency's export_model_to_hdf5 does
                type="pysaliency.precomputed_models.predictions", version="1.0", downscale_factor=1, dtype=dtype
            )
        with part.open("rb+") as whole:
            os.fsync(whole.fileno())
        part.replace(path)
    except (FileError, DataError, InputError):
        raise
    except (OSError, RuntimeError) as error:
        if not (isinstance(error, OSError) or "HDF5" in str(error) or "write" in str(error)):
            raise
        raise FileError(f"cannot write {part}: {error}; free some space, or choose another folder") from error
    return path


def check_submission(path: str | Path, stimuli: Sequence[Stimulus]) -> list[Problem]:
    """Check a submission as the benchmark does, without sending it.

    Parameters
    ----------
    path : str or Path
        HDF5 file with one dataset per stimulus.
    stimuli : sequence of Stimulus

    Returns
    -------
    list of Problem
        Empty if all is well.

    Raises
    ------
    FileError, DataError
        If there is no such file, or it is no HDF5 file.
    """
    problems = []
    names = minimal_unique_names([stimulus.name for stimulus in stimuli])
    with reading(path) as file:
        keys = _keys(file)
        for name, stimulus in zip(names, stimuli, strict=True):
            if name in keys:
                problems += _check_map(name, file[name], stimulus.shape)
            else:
                near = [key for key in keys if Path(key).stem == Path(name).stem and key not in names]
                mend = f"rename {near[0]!r} to it" if len(near) == 1 else "predict this stimulus too"
                problems.append(Problem(name, "a dataset of this name", "none", mend))
        for key in sorted(keys - set(names)):
            problems.append(Problem(key, "only the names of stimuli", "this one too", "leave it out", fatal=False))
        stored = sum(file[key].id.get_storage_size() for key in keys)
    size, needed = Path(path).stat().st_size, 4 * sum(height * width for height, width in (s.shape for s in stimuli))
    if size > max(1.5 * needed, stored + 10e6):
        problems.append(
            Problem(
                "",
                f"about {needed / 1e6:.0f} MB at most",
                f"{size / 1e6:.0f} MB",
                "write float32, compressed",
                fatal=False,
            )
        )
    return problems


def _check_map(key: str, dataset: Any, shape: tuple[int, int]) -> list[Problem]:
    """What is wrong with one map: the first thing that makes looking at the others idle, or all of the lesser ones."""
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize < 4:
        mend = "write log-densities as float32; a picture or an integer map has no room for them"
        return [Problem(key, "float32 or float64", str(dataset.dtype), mend)]
    if dataset.shape != shape:
        turned = dataset.shape == shape[::-1]
        mend = (
            "transpose it"
            if turned
            else "resize the density to the stimulus, then divide by its sum, then take the logarithm"
        )
        return [Problem(key, f"the stimulus's size {shape}, (height, width)", str(dataset.shape), mend)]
    values = dataset[...].astype(np.float64)
    if np.isnan(values).any() or (values == np.inf).any():
        bad = int((np.isnan(values) | (values == np.inf)).sum())
        return [Problem(key, "finite values", f"{bad} that are NaN or +inf", "mend the model and predict it again")]
    zeros = int((values == -np.inf).sum())
    if zeros:
        where = "everywhere" if zeros == values.size else f"at {zeros} of {values.size} pixels"
        mend = (
            "mix with a uniform density before the logarithm: mrsal.evaluation.submission.log_density(map, floor=0.001)"
        )
        return [Problem(key, "a probability above 0 everywhere", f"-inf {where}", mend)]
    total = float(logsumexp(values))
    if abs(total) >= TOLERANCE:
        if values.min() >= 0 and abs(values.sum() - 1) < 0.01:
            return [Problem(key, "a log-density", "a density (it sums to 1)", "take its natural logarithm")]
        if values.min() >= 0:
            mend = "divide by its sum and take the logarithm: mrsal.evaluation.submission.log_density(map)"
            return [Problem(key, "a log-density", f"a saliency map, {values.min():.3g} to {values.max():.3g}", mend)]
        mend = f"subtract {total:.6g} from every value, or check that the logarithm is the natural one"
        return [Problem(key, f"|logsumexp| < {TOLERANCE}", f"logsumexp {total:.4g}", mend)]
    problems = []
    if np.ptp(values) == 0:
        mend = "predict it again, unless the uniform density is meant"
        problems.append(Problem(key, "a map that varies", "the same value everywhere", mend, fatal=False))
    return problems


def _predict(model: SaliencyModel, stimulus: Stimulus, floor: float) -> NDArray:
    map_ = model.predict(stimulus.path, name=stimulus.name).values
    try:
        return log_density(map_, floor=floor)
    except InputError as error:
        raise InputError(f"{stimulus.name}: {error}") from error


def _continued(h5py: Any, part: Path, job: str) -> Any:
    """The file of an interrupted run of the same job, or else a new one."""
    if part.is_file():
        try:
            file = h5py.File(part, "r+")
        except BlockingIOError as error:
            raise FileError(
                f"{part} is being written by another process; wait for it, or choose another name"
            ) from error
        except OSError:
            log.warning("%s is damaged; starting anew", part)
        else:
            if file.attrs.get(_JOB) == job:
                file.pop(_PART, None)
                log.info("going on after %d maps of an interrupted run", len(_keys(file)))
                return file
            file.close()
            log.info("the unfinished %s is of another model or other settings; starting anew", part)
    file = h5py.File(part, "w")
    file.attrs[_JOB] = job
    return file


def _store(file: Any, name: str, values: NDArray[np.float64], dtype: str) -> None:
    file.pop(name, None)
    file.pop(_PART, None)
    file.create_dataset(_PART, data=values.astype(dtype), compression="gzip", compression_opts=4, shuffle=True)
    file.move(_PART, name)  # so that a key is there with its whole map, or not at all
    file.flush()


def _keys(file: Any) -> set[str]:
    keys: set[str] = set()
    file.visititems(lambda key, item: keys.add(key) if hasattr(item, "shape") else None)
    return keys
