"""The scores of a model on each image, their means and bootstrap intervals, and the files that store them."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError
from mrsal.evaluation.options import Bootstrap
from mrsal.evaluation.statistics import bootstrap_means, percentile_interval
from mrsal.evaluation.table_text import write_csv
from mrsal.files import atomic_path, decoding, write_text

SUFFIXES = (".csv", ".parquet")
# why a metric is infinite on an image, and what to do; KL and others with a small number in their formula are always finite
_INFINITE = {
    "IG": "the map is 0 where somebody looked, as if nobody ever could. Add a small number to the maps, or save them as .npy, "
    "since an image with 8 bits rounds small values to 0"
}
_ORIGIN = ("model", "dataset", "protocol")  # text columns; every other column but "stimulus" is a metric


@dataclass(frozen=True)
class Scores:
    """The scores of a model on each image.

    Parameters
    ----------
    names : tuple of str
        The names of the M stimuli.
    values : dict of str to array
        The scores by each metric: ``(M,)`` float64, NaN if the metric is not defined for an image.
    protocol, model, dataset : str
        The names of the protocol, the model and the data set; empty if they are not known.
    about : dict
        Other facts about the scores, such as command, versions and seeds; they must fit into JSON.
    """

    names: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]
    protocol: str = ""
    model: str = ""
    dataset: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for metric, column in self.values.items():
            if np.shape(column) != (len(self.names),):
                raise InputError(
                    f"expected {len(self.names)} scores by {metric}, one per image, got {np.shape(column)}"
                )

    def mean(self) -> dict[str, float]:
        """The mean of each metric over the images on which it is defined (:meth:`counts`); NaN if there are none.

        It is infinite if a score is: see :meth:`not_defined`.
        """
        return {metric: _mean(column) for metric, column in self.values.items()}

    def counts(self) -> dict[str, int]:
        """The number of images on which each metric is defined."""
        return {metric: int((~np.isnan(column)).sum()) for metric, column in self.values.items()}

    def not_defined(self) -> dict[str, str]:
        """The metrics that are infinite on some image, so that their mean says nothing, with the cause and the remedy."""
        named = {self.model or "the model": self}
        return {
            metric: why_not_defined(metric, named) for metric, column in self.values.items() if np.isinf(column).any()
        }

    def interval(
        self,
        metric: str,
        *,
        level: float = Bootstrap.level,
        resamples: int = Bootstrap.resamples,
        seed: int = Bootstrap.seed,
    ) -> tuple[float, float]:
        """The interval of one metric; see :meth:`intervals`."""
        if metric not in self.values:
            raise InputError(f"expected a metric out of {', '.join(self.values)}, got {metric!r}")
        only = Scores(self.names, {metric: self.values[metric]})
        return only.intervals(level=level, resamples=resamples, seed=seed)[metric]

    def intervals(
        self, *, level: float = Bootstrap.level, resamples: int = Bootstrap.resamples, seed: int = Bootstrap.seed
    ) -> dict[str, tuple[float, float]]:
        """The bootstrap percentile intervals of the means, which show how means change with other images of the same kind.

        Parameters
        ----------
        level : float
            The confidence level, in (0, 1).
        resamples : int
            The number of draws of M images with replacement; all metrics use the same draws.
        seed : int
            The random seed of the draws, which do not depend on the order of the images.

        Returns
        -------
        dict of str to (low, high)
            The interval of each metric; NaN with fewer than two images, or if a score is infinite.

        Notes
        -----
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. Only images are drawn, so the interval
        does not show how scores change with other observers or with another training run. With fewer than about 30 images it
        is somewhat too narrow, like all percentile intervals.
        """
        Bootstrap(level=level, resamples=resamples, seed=seed)  # raises an error if one of them is out of its range
        order = np.argsort(np.array(self.names, dtype=str), kind="stable")
        usable = [m for m, column in self.values.items() if self.counts()[m] > 1 and not np.isinf(column).any()]
        intervals = dict.fromkeys(self.values, (np.nan, np.nan))
        if usable:
            columns = np.stack([self.values[metric][order] for metric in usable], axis=1)
            means = bootstrap_means(columns, resamples=resamples, seed=seed)
            for metric, drawn in zip(usable, means.T, strict=True):
                intervals[metric] = percentile_interval(drawn, level)
        return intervals

    def save(self, path: str | Path) -> None:
        """Write one row per image; :meth:`load` reads exactly the same scores.

        Parameters
        ----------
        path : str or Path
            A file name that ends in ``.csv`` or ``.parquet``; the latter needs ``pip install 'mrsal[parquet]'``.

        Notes
        -----
        The columns are ``stimulus``, then ``model``, ``dataset`` and ``protocol`` if they are known, then the metrics. So the
        facts that a comparison checks stay with the numbers, the rows of several files can be joined, and any program for
        tables can read a file without options. ``about`` does not fit into columns: for ``scores.csv`` it is written to
        ``scores.about.json``, and in Parquet it is metadata of the schema.
        """
        path = Path(path)
        _check_suffix(path)
        try:
            about = json.dumps(self.about, indent=1, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"expected an `about` that fits into JSON, got one that does not: {error}") from error
        origin = {name: [getattr(self, name)] * len(self.names) for name in _ORIGIN if getattr(self, name)}
        if path.suffix == ".parquet":
            _write_parquet(path, {"stimulus": list(self.names), **origin, **self.values}, about)
            return
        metrics = {metric: [repr(float(value)) for value in column] for metric, column in self.values.items()}
        columns = {"stimulus": list(self.names), **origin, **metrics}
        write_csv(path, columns, zip(*columns.values(), strict=True))
        if self.about:
            write_text(_about_path(path), about + "\n")
        else:  # an existing file would be about older scores
            _about_path(path).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "Scores":
        """Read a file that :meth:`save` wrote, or ``scores.csv`` or ``scores.parquet`` in a folder of ``mrsal evaluate``.

        Raises
        ------
        FileError
            If the file does not exist.
        DataError
            If the file is not a table of scores.
        """
        path = _score_file(Path(path))
        columns, about = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        if "stimulus" not in columns:
            raise DataError(
                f"{path}: expected a column `stimulus` and a column per metric, as `mrsal evaluate` writes them, "
                f"got {', '.join(columns) or 'no columns'}"
            )
        names = tuple(columns.pop("stimulus"))
        if not names:
            raise DataError(f"{path}: expected scores of at least one image, got no images; evaluate again")
        origin = {}
        for name in _ORIGIN:
            texts = set(columns.pop(name, [""]))
            if len(texts) > 1:
                raise DataError(f"{path}: expected the scores of one {name}, got {len(texts)}; make a file for each")
            origin[name] = str(texts.pop())
        values = {metric: _numbers(column, metric, path) for metric, column in columns.items()}
        if not values:
            raise DataError(f"{path}: expected a column for at least one metric, got none; evaluate again")
        return cls(names, values, **origin, about=about)


def why_not_defined(metric: str, results: Mapping[str, Scores]) -> str:
    """Say for which of several models a metric is infinite on some images, why, and what to do about it."""
    infinite = []
    for model, scores in results.items():
        where = np.flatnonzero(np.isinf(scores.values[metric]))
        if where.size:
            infinite.append(
                f"for {model} on {where.size} of {len(scores.names)} images, such as {scores.names[where[0]]}"
            )
    cause = _INFINITE.get(metric, "leave these images or the metric out")
    return f"{metric} is not defined, because it is infinite {' and '.join(infinite)}: {cause}."


def _mean(column: NDArray[np.float64]) -> float:
    defined = column[~np.isnan(column)]
    with np.errstate(invalid="ignore"):  # infinities of both signs have no mean
        return float(defined.mean()) if defined.size else float("nan")


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise InputError(f"expected a file name that ends in {' or '.join(SUFFIXES)}, got {path.name}")


def _about_path(path: Path) -> Path:
    """The file beside a CSV file that holds ``about``."""
    return path.with_suffix(".about.json")


def _score_file(path: Path) -> Path:
    if path.is_dir():
        files = [path / f"scores{suffix}" for suffix in SUFFIXES if (path / f"scores{suffix}").is_file()]
        if not files:
            raise FileError(
                f"expected scores.csv or scores.parquet in {path}, got neither; give a folder that `mrsal evaluate` made"
            )
        return files[0]
    if not path.is_file():
        raise FileError(f"expected a file or folder of scores at {path}, got nothing; `mrsal evaluate` writes one")
    _check_suffix(path)
    return path


def _read_csv(path: Path) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a byte order mark in front
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file: {error}; evaluate again") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: expected {len(header)} columns as in the header, got {len(row)}")
    if len(set(header)) < len(header):
        raise DataError(f"{path}: expected each column once, got {', '.join(header)}")
    columns: dict[str, Sequence[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    about = _about_path(path)
    return columns, _read_about(about.read_text(encoding="utf-8"), about) if about.is_file() else {}


def _write_parquet(path: Path, columns: Mapping[str, Any], about: str) -> None:
    pyarrow, parquet = _pyarrow()
    table = pyarrow.table(dict(columns)).replace_schema_metadata({"mrsal.about": about})
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)


def _read_parquet(path: Path) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    pyarrow, parquet = _pyarrow()
    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {error}; evaluate again") from error
    about = _read_about((table.schema.metadata or {}).get(b"mrsal.about", b"{}").decode(), path)
    return {name: table[name].to_pylist() for name in table.column_names}, about


def _read_about(text: str, path: Path) -> dict[str, Any]:
    with decoding(path, "JSON", remedy="repair or delete it"):
        about = json.loads(text)
    if not isinstance(about, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(about).__name__}; repair or delete it")
    return about


def _numbers(column: Sequence[Any], metric: str, path: Path) -> NDArray[np.float64]:
    """The numbers in a column of text; an empty cell or a null is NaN."""
    numbers = np.full(len(column), np.nan)
    for i, cell in enumerate(column):
        try:
            numbers[i] = np.nan if cell is None or cell == "" else float(cell)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"{path}, row {i + 2}: expected a number for {metric}, got {cell!r}") from error
    return numbers


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    parquet = optional("pyarrow.parquet", extra="parquet", purpose="scores in Parquet files")
    return optional("pyarrow", extra="parquet", purpose="Parquet files"), parquet
