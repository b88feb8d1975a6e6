"""Tables of text: Markdown, CSV files, and the titles of their columns of scores."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mrsal.files import write_text
from mrsal.metrics import HIGHER_IS_BETTER

NOT_DEFINED = "not defined"  # the mean of a metric that is infinite on some image


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1) -> Iterator[str]:
    """The lines of a table in Markdown.

    Parameters
    ----------
    header : sequence of str
        The titles of the columns.
    rows : iterable of sequence of str
        The cells of each row.
    text_columns : int
        The number of columns, from the left, that hold text; the others hold numbers and are aligned to the right.
    """
    yield _markdown_row(header)
    yield "|" + " --- |" * text_columns + " ---: |" * (len(header) - text_columns)
    for row in rows:
        yield _markdown_row(row)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table as CSV in UTF-8, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def metric_title(metric: str, higher_is_better: Mapping[str, bool] = HIGHER_IS_BETTER) -> str:
    """The name of a metric with an arrow: up if higher is better, down if lower is better, none if it is not known."""
    arrow = {True: " ↑", False: " ↓", None: ""}[higher_is_better.get(metric)]
    return metric + arrow


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
