"""Read a table of fixations, as eye trackers and spreadsheets write it, and say what was read.

A table goes in (``table_files.py``), and fixations in pixels of their stimuli come out. Columns are found by their usual names.
Rows without a position, on no known stimulus, or outside the image are left out and counted. What cannot be right is refused
(``table_checks.py``).
"""

import logging
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import Stimulus
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.options import TableOptions
from mrsal.datasets.table_checks import check_places, check_rate, went_back
from mrsal.datasets.table_columns import NAMES, NEEDED, TIMES, Columns, StimulusNames, text_of
from mrsal.datasets.table_files import Table, find_table, read_table
from mrsal.errors import DataError

log = logging.getLogger("mrsal")

_TIMES_OF_ROWS = ("start", "end", "duration")
_MISSING = ("", "-", "--", ".", "nan", "na", "n/a", "null", "none")  # "." is EyeLink's, "-" is SMI's
# why rows are left out, and how that is said
_REASONS = {
    "unknown stimulus": "name no stimulus",
    "missing coordinates": "have no coordinates",
    "missing subject": "have no subject",
    "repeated fixation": "repeat the fixation of an earlier row",
    "outside": "are outside the image",
}
_MANY = 0.1  # a larger share of fixations outside their images is remarkable
_NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class FixationTable:
    """The fixations of a table.

    Parameters
    ----------
    fixations : Fixations
        The fixations inside their stimuli, in the order of the rows. Subjects are numbered as they appear.
    left_out : dict of str to int
        The number of rows that are left out, by the reason.
    trial : array of int64
        The number of the trial of each fixation: what one subject saw of one stimulus at a time. Empty if there was no table.
    start : array of float64
        The time in seconds from the start of the first fixation of its trial; NaN if it is not known. Tables rarely say when
        the stimulus appeared. Empty if there was no table.
    """

    fixations: Fixations
    left_out: dict[str, int]
    trial: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    start: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


class _Cells:
    """The cells of a table by column, in the rows that are kept; those that are left out are counted by the reason.

    Parameters
    ----------
    table : Table
        The table.
    columns : Columns
        Where its columns are.
    n : array of int64
        The index of each row's stimulus; -1 if it names none.
    """

    def __init__(self, table: Table, columns: Columns, n: NDArray[np.int64]) -> None:
        self.table, self.columns = table, columns
        self.rows = np.arange(len(table.rows))
        self.left_out: dict[str, int] = {}
        self.first: dict[str, int] = {}  # the first row that was left out, by the reason
        self._n = n
        self._numbers: dict[str, NDArray[np.float64]] = {}

    def __contains__(self, meaning: str) -> bool:
        return meaning in self.columns.places

    @property
    def n(self) -> NDArray[np.int64]:
        """The index of the stimulus of each row."""
        return self._n[self.rows]

    def leave_out(self, mask: NDArray[np.bool_], reason: str) -> None:
        """Leave out the rows in a mask over those that are kept so far."""
        if mask.any():
            self.left_out[reason] = int(mask.sum())
            self.first[reason] = int(self.rows[mask][0])
            self.rows = self.rows[~mask]

    def texts(self, meaning: str) -> list[str]:
        """The cells of a column as text; empty without such a column."""
        if meaning not in self:
            return [""] * len(self.rows)
        place = self.columns.places[meaning]
        return [text_of(self.table.rows[row][place]) for row in self.rows.tolist()]

    def numbers(self, meaning: str) -> NDArray[np.float64]:
        """The cells of a column as numbers; NaN if a cell is empty, or without such a column."""
        if meaning not in self:
            return np.full(len(self.rows), np.nan)
        if meaning not in self._numbers:
            self._numbers[meaning] = np.full(len(self.table.rows), np.nan)
            self._numbers[meaning][self.rows] = self._parsed(meaning)
        return self._numbers[meaning][self.rows]

    def unit(self, meaning: str) -> int | None:
        """How many of the unit of a column of times are a second; None if the header has no unit."""
        return TIMES.get(self.columns.units.get(meaning, ""))

    def _parsed(self, meaning: str) -> NDArray[np.float64]:
        texts = self.texts(meaning)
        values = np.array([_number(text) for text in texts], np.float64)
        is_wrong = np.isinf(values)
        if is_wrong.any() and meaning in _TIMES_OF_ROWS and (is_wrong | np.isnan(values)).all():
            return np.full(len(values), np.nan)  # such as dates; nothing depends on these columns
        commas = np.array(["," in text for text in texts], bool)
        points = np.array(["." in text and text not in _MISSING for text in texts], bool)
        whole = ~(commas | points | np.isnan(values))
        thousands = commas.any() and all(_THOUSANDS.fullmatch(text) for text in texts if "," in text)
        for wrong, problem in (
            (is_wrong, "expected a number for {}, got other text ({!r}); correct the line"),
            (
                commas & points.any(),
                "expected decimal points in all numbers for {} or decimal commas in all, got both ({!r}); use one of them",
            ),
            (
                commas & whole.any() & thousands,
                "expected a clear number for {}, got {!r}, which may have a decimal comma or thousands; write 1024 or 1024.0",
            ),
        ):
            if wrong.any():
                i = int(np.flatnonzero(wrong)[0])
                raise DataError(f"{self.table.at(int(self.rows[i]))}: {problem.format(meaning, texts[i][:40])}")
        return values


def _number(text: str) -> float:
    """The number in a text: NaN if it is missing, and infinity if the text is no number."""
    if text.casefold() in _MISSING:
        return np.nan
    if not _NUMBER.fullmatch(text):
        return np.inf
    return float(text.replace(",", "."))


def read_fixations(folder: Path, stimuli: Sequence[Stimulus], options: TableOptions | None = None) -> FixationTable:
    """Read the table of fixations in a folder, and log what was read and what was left out.

    Parameters
    ----------
    folder : Path
        The folder with ``fixations.csv``, or the same name with ``.tsv``, ``.txt``, ``.jsonl`` or ``.parquet``; or the path of
        such a file, whatever its name is. Text is separated by commas, semicolons or tabs, in UTF-8 or UTF-16; numbers may have
        decimal commas.
    stimuli : sequence of Stimulus
        The stimuli. The table has their file names, with or without folders before and the extension behind.
    options : TableOptions, optional
        The names of the columns, and where the images were on the screen. By default the columns are found by their usual
        names, and x and y are in pixels of the stimulus, 0-based.

    Returns
    -------
    FixationTable
        The fixations. The rows of a trial are in the order of time. A trial is what one subject saw of one stimulus at a
        time: a column ``trial`` tells repeated views apart.

    Raises
    ------
    FileError, DataError
        If the table or a column is missing or twice, a value is not a number, or the coordinates cannot be right. The message
        names the line.
    """
    options = options or TableOptions()
    table = read_table(find_table(folder, "fixations") if folder.is_dir() else folder)
    remedy = "add them, or name them with --columns, such as --columns x=FixX"
    columns = Columns(table, NAMES, NEEDED, options.chosen_columns(), remedy=remedy)
    names = StimulusNames(stimuli)
    named = [text_of(row[columns.places["stimulus"]]) for row in table.rows]
    found = [names.find(name) for name in named]
    unknown = Counter(name for name, n in zip(named, found, strict=True) if n is None)
    if named and unknown.total() == len(named):
        raise DataError(f"{table.path}: {names.complaint(unknown, len(named))}; write the names of the files")

    cells = _Cells(table, columns, np.array([-1 if n is None else n for n in found], np.int64))
    cells.leave_out(cells.n < 0, "unknown stimulus")
    cells.leave_out(np.isnan(cells.numbers("x")) | np.isnan(cells.numbers("y")), "missing coordinates")
    cells.leave_out(np.array(cells.texts("subject"), str) == "", "missing subject")
    cells.leave_out(_repeated(cells, _trials(cells)), "repeated fixation")
    if not len(cells.rows):
        raise DataError(f"expected fixations in {table.path}, got none. {_account(cells, unknown, names)}".strip())

    trial = _trials(cells)
    shapes = np.array([stimulus.shape for stimulus in stimuli])[cells.n]
    raw = cells.numbers("x"), cells.numbers("y")
    x, y = _in_pixels(*raw, shapes, options)
    check_places(x, y, shapes, raw=raw, options=options, path=table.path)
    check_rate(x, y, trial, cells.numbers("start"), cells.unit("start"), shapes, path=table.path)
    subject, order, duration = _numbered(cells.texts("subject")), _order(trial), _durations(cells)
    fixations = Fixations.create(x, y, n=cells.n, subject=subject, order=order, duration=duration)
    since = _since_first(cells, trial)
    backwards = went_back(trial, cells.numbers("start"))
    inside = fixations.inside(*shapes.T)
    cells.leave_out(~inside, "outside")
    _report(cells, fixations.where(inside), _account(cells, unknown, names), backwards)
    return FixationTable(fixations.where(inside), cells.left_out, trial[inside], since[inside])


def _trials(cells: _Cells) -> NDArray[np.int64]:
    """The number of each row's trial. Both eyes of a subject are two trials."""
    texts = (cells.texts(meaning) for meaning in ("subject", "trial", "eye"))
    return _numbered(zip(cells.n.tolist(), *texts, strict=True))


def _numbered(values: Iterable[Hashable]) -> NDArray[np.int64]:
    """Number the values in the order in which they appear first; equal values have the same number."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def _repeated(cells: _Cells, trial: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows have the fixation of the row before in their trial: some exports have a row for each sample of a fixation."""
    repeated = np.zeros(len(trial), bool)
    if "fixation" in cells:
        before: dict[int, tuple] = {}
        values = zip(cells.texts("fixation"), cells.numbers("x").tolist(), cells.numbers("y").tolist(), strict=True)
        for i, (number, value) in enumerate(zip(trial.tolist(), values, strict=True)):
            repeated[i] = value[0] != "" and before.get(number) == value
            before[number] = value
    return repeated


def _order(trial: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each row in its trial, from 0."""
    counts: Counter[int] = Counter()
    order = np.empty(len(trial), np.int64)
    for i, number in enumerate(trial.tolist()):
        order[i] = counts[number]
        counts[number] += 1
    return order


def _in_pixels(
    x: NDArray[np.float64], y: NDArray[np.float64], shapes: NDArray[np.int64], options: TableOptions
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of the table in pixels of the stimuli, whose ``shapes`` are ``(N, 2)``: height and width."""
    height, width = shapes.T
    screen = options.screen_size()
    left, top = options.corner() or (0.0, 0.0)
    if options.coordinates == "relative":
        whole_x, whole_y = screen or (width, height)
        x, y = x * whole_x, y * whole_y
    if screen:
        left, top = (screen[0] - width * options.scale) / 2, (screen[1] - height * options.scale) / 2
    return (x - left) / options.scale, (y - top) / options.scale


def _durations(cells: _Cells) -> NDArray[np.float64]:
    """The durations in seconds; NaN if they are not known."""
    if "duration" in cells:
        values, unit = cells.numbers("duration"), cells.unit("duration")
    else:
        values, unit = cells.numbers("end") - cells.numbers("start"), cells.unit("end")
    negative = values < 0
    if negative.any():
        raise DataError(
            f"{cells.table.at(cells.rows[negative][0])}: expected a fixation that ends after its start, got a duration of "
            f"{values[negative][0]:g}; correct the line"
        )
    return values / (unit or _usual_unit(values))


def _usual_unit(values: NDArray[np.float64]) -> int:
    """How many of the unit of durations are a second: fixations take tenths of a second, so their size tells the unit."""
    known = values[values > 0]
    return next((unit for unit in (1, 1_000) if not known.size or np.median(known) < 20 * unit), 1_000_000)


def _since_first(cells: _Cells, trial: NDArray[np.int64]) -> NDArray[np.float64]:
    """The seconds from the start of the first fixation of each row's trial; NaN if they are not known."""
    start = cells.numbers("start")
    first = np.full(trial.max() + 1, np.nan)
    np.fmin.at(first, trial, start)
    since = start - first[trial]
    unit = cells.unit("start")
    if unit is None:  # the second fixation starts tenths of a second after the first, and so on
        order = np.lexsort((since, trial))
        gaps = np.diff(since[order])[np.diff(trial[order]) == 0]
        unit = _usual_unit(gaps)
    return since / unit


def _report(cells: _Cells, fixations: Fixations, account: str, backwards: int) -> None:
    """Log what was read, what was left out, and what is remarkable."""
    name = cells.table.path.name
    stimuli, subjects = len(np.unique(fixations.n)), len(np.unique(fixations.subject))
    log.info("%s: %d fixations of %d stimuli and %d subjects", name, len(fixations), stimuli, subjects)
    if columns := cells.columns.describe():
        log.info("%s: the column %s", name, columns)
    if account:
        log.info("%s: left out: %s", name, account)
    outside = cells.left_out.get("outside", 0)
    if outside > _MANY * (outside + len(fixations)):
        log.warning(
            "%s: %d of %d fixations are outside their image, which is unusual; if x and y are on the screen, give --offset, "
            "--scale or --screen",
            name,
            outside,
            outside + len(fixations),
        )
    if backwards:
        log.warning(
            "%s: times go back in %d trials, so their rows are not in order, or a subject saw a stimulus twice; "
            "sort the rows, or add a column trial",
            name,
            backwards,
        )
    if len(eyes := set(cells.texts("eye"))) > 1:
        log.warning("%s: the fixations of several eyes are taken (%s)", name, ", ".join(sorted(eyes)))


def _account(cells: _Cells, unknown: Counter[str], names: StimulusNames) -> str:
    """Say how many rows are left out and why."""
    parts = []
    for reason, count in cells.left_out.items():
        such = f"{cells.table.place} {cells.table.lines[cells.first[reason]]}"
        if reason == "unknown stimulus":
            such = names.shown(unknown)
        parts.append(f"{count} of {len(cells.table.rows)} rows {_REASONS[reason]}, such as {such}")
    return "; ".join(parts)
