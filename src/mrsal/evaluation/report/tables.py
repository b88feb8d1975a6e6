"""Tables of scores for the terminal and for log files."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
from rich.markup import escape
from rich.table import Table

from mrsal.evaluation.scores import Scores
from mrsal.metrics import HIGHER_IS_BETTER

log = logging.getLogger("mrsal")


_METRIC_WIDTH, _SPAN_WIDTH = 15, len("│ -0.000 -0.00 to -0.00 ")  # of the columns of a table


def score_table(
    results: Mapping[str, Scores], *, title: str = "", intervals: bool = False, width: int | None = None
) -> Table:
    """A table with a row per metric and a column per model, which a terminal has room for.

    95 % intervals stand behind the means, or below them where a terminal of ``width`` characters would break them.
    """
    apart = "\n" if width is not None and width < _METRIC_WIDTH + len(results) * _SPAN_WIDTH else " "
    table = Table(title=title or None, title_justify="left")
    table.add_column("", no_wrap=True)
    spans = {name: scores.intervals() if intervals else {} for name, scores in results.items()}
    means = {name: scores.mean() for name, scores in results.items()}
    for name in results:
        table.add_column(escape(name), justify="right")
    for metric in _columns(results):
        cells = []
        for name in results:
            low, high = spans[name].get(metric, (np.nan, np.nan))
            span = f"{apart}[dim]{low:.2f} to {high:.2f}[/dim]" if high > low else ""  # NaN where there is none
            cells.append(_number(means[name].get(metric, np.nan)) + span)
        table.add_row(f"{metric} {'↑' if HIGHER_IS_BETTER.get(metric, True) else '↓'}", *cells)
    return table


def table_lines(results: Mapping[str, Scores]) -> Iterator[str]:
    """The same table in Markdown, without intervals."""
    columns = _columns(results)
    yield "| model | " + " | ".join(columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for name, scores in results.items():
        means = scores.mean()
        cells = (_number(means.get(metric, np.nan)) for metric in columns)
        yield f"| {name} | " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"


def _columns(results: Mapping[str, Scores]) -> list[str]:
    return list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))
