"""Read a table from a file: text with commas, semicolons or tabs, JSON Lines, or Parquet.

What the columns of a table of fixations mean is in ``tables.py``.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mrsal._extras import optional
from mrsal.errors import DataError, FileError

SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".parquet")
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Table:
    """The cells of a table, as they are in the file.

    Parameters
    ----------
    path : Path
        The file.
    header : tuple of str
        The names of the columns, without blanks around them.
    rows : list of sequences
        The cells of each row: text, or a number or None in JSON Lines and Parquet. Rows without any text are left out.
    lines : list of int
        The number of each row for error messages: the line in a text file, from 1, or the row of a Parquet file.
    place : str
        What ``lines`` counts: ``"line"`` or ``"row"``.
    kind : str
        What the file is, for error messages, such as ``"a table separated by semicolons"``.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[Sequence[Any]]
    lines: list[int]
    place: str
    kind: str

    def at(self, row: int) -> str:
        """Where a row is, for an error message: the path, and the number of the line."""
        return f"{self.path}, {self.place} {self.lines[row]}"


def find_table(folder: Path, stem: str) -> Path:
    """Find the table called ``stem`` in a folder, such as ``fixations.csv`` or ``fixations.parquet``.

    Raises
    ------
    FileError
        If there is none.
    DataError
        If there are several.
    """
    found = _tables(folder, stem)
    if len(found) > 1:
        raise DataError(
            f"expected one table of {stem} in {folder}, got {', '.join(path.name for path in found)}; keep one of them"
        )
    if not found:
        sheets = [f"{stem}{suffix}" for suffix in _SPREADSHEETS if (folder / f"{stem}{suffix}").is_file()]
        remedy = f"save {sheets[0]} as CSV" if sheets else f"or the same with {', '.join(SUFFIXES[1:])}; put it there"
        raise FileError(f"cannot find {folder / f'{stem}.csv'}; {remedy}")
    return found[0]


def has_table(folder: Path, stem: str) -> bool:
    """Whether :func:`find_table` finds a table, or several."""
    return bool(_tables(folder, stem))


def _tables(folder: Path, stem: str) -> list[Path]:
    return [folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()]


def read_table(path: Path) -> Table:
    """Read a table; the end of the file's name says what it is.

    Raises
    ------
    FileError, DataError
        If the file cannot be read, or is not a table. The message names the line.
    """
    if path.suffix == ".parquet":
        return _read_parquet(path)
    text = read_text(path)
    return _read_json_lines(path, text) if path.suffix == ".jsonl" else _read_delimited(path, text)


def read_text(path: Path) -> str:
    """Read a text file in UTF-8 or UTF-16, with or without a byte order mark.

    Raises
    ------
    FileError, DataError
        If the file cannot be read, or is in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot read {path}: {error.strerror}") from error
    encoding = "utf-8-sig"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif b"\0" in content[:2]:  # a letter of the Latin alphabet in UTF-16 has a byte 0
        encoding = "utf-16-be" if content[0] == 0 else "utf-16-le"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected text in UTF-8 or UTF-16 in {path}, got something else ({error}); save it as “CSV UTF-8”"
        ) from error


def _read_delimited(path: Path, text: str) -> Table:
    lines = list(io.StringIO(text, newline=""))
    skipped, delimiters = 0, list(_DELIMITERS)
    for line in lines:  # SMI's exports begin with lines like "## Date: ..."; Excel may write the delimiter into a line
        if line.strip().lower() in [f"sep={delimiter}".strip() for delimiter in _DELIMITERS]:
            delimiters = [line.strip()[4:] or "\t"]
        elif line.strip() and not line.startswith("##"):
            break
        skipped += 1
    lines = lines[skipped:]
    headers = {delimiter: _header(lines, delimiter) for delimiter in delimiters}
    delimiter = max(headers, key=lambda delimiter: len(headers[delimiter]))
    header = headers[delimiter]
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    rows: list[Sequence[Any]] = []
    numbers: list[int] = []
    try:
        next(reader, None)
        for row in reader:
            place = f"{path}, line {reader.line_num + skipped}"
            filled = len(row)
            while filled > len(header) and not row[filled - 1].strip():
                filled -= 1  # spreadsheets write empty cells behind the last column
            if filled > len(header):
                raise DataError(
                    f"{place}: expected {len(header)} values separated by {_DELIMITERS[delimiter]}, as in the header, "
                    f"got {filled}; correct the line. (Numbers like 163,8 need quotes, or semicolons between the columns)"
                )
            if not any(cell.strip() for cell in row):
                continue
            if filled < len(header):
                raise DataError(
                    f"{place}: expected a value for each of {len(header)} columns separated by {_DELIMITERS[delimiter]}, "
                    f"got fewer ({filled}); correct the line"
                )
            rows.append(row)
            numbers.append(reader.line_num + skipped)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num + skipped}: expected a table separated by {_DELIMITERS[delimiter]}, "
            f"got something else ({error}); correct the line"
        ) from error
    return Table(path, header, rows, numbers, "line", f"a table separated by {_DELIMITERS[delimiter]}")


def _header(lines: Iterable[str], delimiter: str) -> tuple[str, ...]:
    try:
        names = [name.strip() for name in next(csv.reader(lines, delimiter=delimiter), [])]
    except csv.Error:  # reading the rows raises it again, and names the line
        return ()
    while names and not names[-1]:
        names.pop()
    return tuple(names)


def _read_json_lines(path: Path, text: str) -> Table:
    objects: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=_without_repetition)
        except (ValueError, RecursionError) as error:  # a RecursionError: it is nested too deeply
            raise DataError(
                f"{path}, line {number}: expected a JSON object, got something else ({error}); correct the line"
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                f'{path}, line {number}: expected a JSON object, such as {{"x": 1}}, got {line.strip()[:40]}; '
                "write an object on each line"
            )
        objects.append(value)
        numbers.append(number)
    header = tuple(dict.fromkeys(name for value in objects for name in value))
    rows: list[Sequence[Any]] = [[value.get(name) for name in header] for value in objects]
    return Table(path, tuple(name.strip() for name in header), rows, numbers, "line", "JSON Lines")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError(f"a name twice: {', '.join(name for name, _ in pairs)}")
    return value


def _read_parquet(path: Path) -> Table:
    parquet = optional("pyarrow.parquet", extra="parquet", purpose="tables in Parquet files")
    pyarrow = optional("pyarrow", extra="parquet", purpose="tables in Parquet files")
    try:
        table = parquet.ParquetFile(path).read()
        columns = [column.to_pylist() for column in table.columns]
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"expected a Parquet file at {path}, got something else ({error}); write it again") from error
    rows: list[Sequence[Any]] = list(zip(*columns, strict=True))
    header = tuple(str(name).strip() for name in table.column_names)
    return Table(path, header, rows, list(range(1, len(rows) + 1)), "row", "a Parquet file")
