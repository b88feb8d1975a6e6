"""Scores per image: their means, bootstrap intervals, and the files they live in.

One row per image, one column per metric flow in; ``scores.csv`` or ``scores.parquet`` flows out and back in, unchanged.
"""

import csv
import io
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
from mrsal.files import atomic_path, write_text

SUFFIXES = (".csv", ".parquet")
_ORIGIN = ("model", "dataset", "protocol")  # text columns; every other column but "stimulus" is a metric


@dataclass(frozen=True)
class Scores:
    """Metrics per image.

    Parameters
    ----------
    names : tuple of str
        The stimuli.
    values : dict of str to array
        For each metric ``(M,)`` float64; NaN where the metric is not defined for an image.
    protocol, model, dataset : str
        How, what and on what was scored; empty where nobody knows.
    about : dict
        Whatever else is worth keeping, such as command, versions and seeds; JSON has to be able to hold it.
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
                    f"expected {len(self.names)} values of {metric}, one per image, got {np.shape(column)}"
                )

    def mean(self) -> dict[str, float]:
        """The mean of each metric over the images on which it is defined (:meth:`counts`); NaN where there is none."""
        return {metric: _mean(column) for metric, column in self.values.items()}

    def counts(self) -> dict[str, int]:
        """On how many images each metric is defined."""
        return {metric: int((~np.isnan(column)).sum()) for metric, column in self.values.items()}

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
            raise InputError(f"no metric is called {metric!r}; there are {', '.join(self.values)}")
        only = Scores(self.names, {metric: self.values[metric]})
        return only.intervals(level=level, resamples=resamples, seed=seed)[metric]

    def intervals(
        self, *, level: float = Bootstrap.level, resamples: int = Bootstrap.resamples, seed: int = Bootstrap.seed
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap percentile intervals of the means: how far they would move with other images of the same kind.

        Parameters
        ----------
        level : float
            Of confidence, in (0, 1).
        resamples : int
            How often as many images as there are get drawn with replacement; all metrics share the draws.
        seed : int
            Of the draws, which do not depend on the order of the images.

        Returns
        -------
        dict of str to (low, high)
            NaN with fewer than two images, or where a score is infinite.

        Notes
        -----
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. Images are the only thing drawn: the
        interval knows nothing of other observers or of training with another seed. With less than about 30 images it is
        somewhat too narrow, as all percentile intervals are.
        """
        Bootstrap(level=level, resamples=resamples, seed=seed)  # refuses impossible ones
        order = np.argsort(np.array(self.names, dtype=str), kind="stable")
        usable = [m for m, column in self.values.items() if self.counts()[m] > 1 and not np.isinf(column).any()]
        found = dict.fromkeys(self.values, (np.nan, np.nan))
        if usable:
            columns = np.stack([self.values[metric][order] for metric in usable], axis=1)
            means = bootstrap_means(columns, resamples=resamples, seed=seed)
            for metric, drawn in zip(usable, means.T, strict=True):
                found[metric] = percentile_interval(drawn, level)
        return found

    def save(self, path: str | Path) -> None:
        """Write one row per image as ``.csv`` or ``.parquet``; :meth:`load` gives the same scores back, bit by bit.

        Parameters
        ----------
        path : str or Path
            ``.parquet`` needs ``pip install 'mrsal[parquet]'``.

        Notes
        -----
        Columns: ``stimulus``, then ``model``, ``dataset`` and ``protocol`` as far as known, then the metrics. What a
        comparison has to check thus stays with the numbers, files of several models can be put one below the other, and
        any reader of tables opens them without options, which a comment on the first line would prevent. ``about`` does
        not fit into columns: beside ``scores.csv`` it is ``scores.about.json``, in Parquet the schema's metadata.
        """
        path = Path(path)
        _check_suffix(path)
        try:
            about = json.dumps(self.about, indent=1, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"`about` holds something that JSON cannot: {error}; turn it into text") from error
        origin = {name: [getattr(self, name)] * len(self.names) for name in _ORIGIN if getattr(self, name)}
        if path.suffix == ".parquet":
            _write_parquet(path, {"stimulus": list(self.names), **origin, **self.values}, about)
            return
        metrics = {metric: [repr(float(value)) for value in column] for metric, column in self.values.items()}
        columns = {"stimulus": list(self.names), **origin, **metrics}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        write_text(path, text.getvalue())
        if self.about:
            write_text(_beside(path), about + "\n")
        else:  # whatever stands there is about older scores
            _beside(path).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "Scores":
        """Read what :meth:`save` wrote, or the ``scores.csv`` or ``scores.parquet`` in a folder of ``mrsal evaluate``.

        Raises
        ------
        FileError
            If there is no such file.
        DataError
            If it is not a table of scores.
        """
        path = _score_file(Path(path))
        columns, about = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        if "stimulus" not in columns:
            raise DataError(
                f"{path} is no score file: expected a column `stimulus` and one per metric, as `mrsal evaluate` writes "
                f"them, got {', '.join(columns) or 'nothing'}"
            )
        names = tuple(columns.pop("stimulus"))
        if not names:
            raise DataError(f"{path} holds no images, only the names of its columns; evaluate again")
        origin = {}
        for name in _ORIGIN:
            told = set(columns.pop(name, [""]))
            if len(told) > 1:
                raise DataError(f"{path}: expected the scores of one {name}, got {len(told)}; make a file for each")
            origin[name] = str(told.pop())
        values = {metric: _numbers(column, metric, path) for metric, column in columns.items()}
        if not values:
            raise DataError(f"{path} holds no metric, only names of images; evaluate again")
        return cls(names, values, **origin, about=about)


def _mean(column: NDArray[np.float64]) -> float:
    there = column[~np.isnan(column)]
    return float(there.mean()) if there.size else float("nan")


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise InputError(f"expected a file name that ends in {' or '.join(SUFFIXES)}, got {path.name}")


def _beside(path: Path) -> Path:
    return path.with_suffix(".about.json")


def _score_file(path: Path) -> Path:
    if path.is_dir():
        found = [path / f"scores{suffix}" for suffix in SUFFIXES if (path / f"scores{suffix}").is_file()]
        if not found:
            raise FileError(f"no scores.csv or scores.parquet in {path}; give a folder that `mrsal evaluate` made")
        return found[0]
    if not path.is_file():
        raise FileError(f"no score file or folder at {path}; `mrsal evaluate` writes one")
    _check_suffix(path)
    return path


def _read_csv(path: Path) -> tuple[dict[str, Sequence[Any]], dict[str, Any]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a byte order mark in front
            header, *rows = [row for row in csv.reader(file) if row] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file: {error}") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}, row {number}: expected {len(header)} columns as in the header, got {len(row)}")
    if len(set(header)) < len(header):
        raise DataError(f"{path}: expected each column once, got {', '.join(header)}")
    columns: dict[str, Sequence[Any]] = {name: [row[i] for row in rows] for i, name in enumerate(header)}
    if not _beside(path).is_file():
        return columns, {}
    return columns, _about(_beside(path).read_text(encoding="utf-8"), _beside(path))


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
        raise DataError(f"{path} is not a Parquet file: {error}") from error
    about = _about((table.schema.metadata or {}).get(b"mrsal.about", b"{}").decode(), path)
    return {name: table[name].to_pylist() for name in table.column_names}, about


def _about(text: str, path: Path) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}; repair or delete it") from error
    if not isinstance(about, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(about).__name__}; repair or delete it")
    return about


def _numbers(column: Sequence[Any], metric: str, path: Path) -> NDArray[np.float64]:
    """Numbers from text; an empty cell or a null is NaN."""
    numbers = np.full(len(column), np.nan)
    for i, cell in enumerate(column):
        try:
            numbers[i] = np.nan if cell is None or cell == "" else float(cell)
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}, row {i + 2}: expected a number for {metric}, got {cell!r}") from error
    return numbers


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    parquet = optional("pyarrow.parquet", extra="parquet", purpose="scores in Parquet files (.csv files do not)")
    return optional("pyarrow", extra="parquet", purpose="Parquet files"), parquet
