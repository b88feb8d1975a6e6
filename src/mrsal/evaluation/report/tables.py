"""Tables of scores for the terminal and for log files."""

from collections.abc import Iterator, Mapping

import numpy as np
from rich.markup import escape
from rich.table import Table

from mrsal.evaluation.scores import Scores
from mrsal.evaluation.table_text import NOT_DEFINED, markdown_table, metric_title

MISSING = "–"
_METRIC_WIDTH, _MODEL_WIDTH = 15, len("│ -0.000 -0.00 to -0.00 ")  # widths of the columns in characters


def score_table(
    results: Mapping[str, Scores], *, title: str = "", intervals: bool = False, width: int | None = None
) -> Table:
    """A table for the terminal, with a row per metric and a column per model.

    Parameters
    ----------
    results : mapping of str to Scores
        The scores by the names of the models.
    title : str
        The title of the table.
    intervals : bool
        Add 95 % intervals behind the means.
    width : int, optional
        The width of the terminal in characters. If it is too narrow, the intervals are below the means.
    """
    separator = "\n" if width is not None and width < _METRIC_WIDTH + len(results) * _MODEL_WIDTH else " "
    table = Table(title=title or None, title_justify="left")
    table.add_column("", no_wrap=True)
    spans = {name: scores.intervals() if intervals else {} for name, scores in results.items()}
    means = {name: _means(scores) for name, scores in results.items()}
    for name in results:
        table.add_column(escape(name), justify="right")
    for metric in _metrics(results):
        cells = []
        for name in results:
            low, high = spans[name].get(metric, (np.nan, np.nan))
            span = f"{separator}[dim]{low:.2f} to {high:.2f}[/dim]" if high > low else ""  # not for NaN
            cells.append(means[name].get(metric, MISSING) + span)
        table.add_row(metric_title(metric), *cells)
    return table


def table_lines(results: Mapping[str, Scores]) -> Iterator[str]:
    """The lines of a table in Markdown, with a row per model and a column per metric, without intervals."""
    metrics = _metrics(results)
    means = {name: _means(scores) for name, scores in results.items()}
    rows = ([name, *(means[name].get(metric, MISSING) for metric in metrics)] for name in results)
    return markdown_table(["model", *metrics], rows)


def _means(scores: Scores) -> dict[str, str]:
    """The mean of each metric as text."""
    texts = {metric: f"{mean:.3f}" if np.isfinite(mean) else MISSING for metric, mean in scores.mean().items()}
    return texts | dict.fromkeys(scores.not_defined(), NOT_DEFINED)


def _metrics(results: Mapping[str, Scores]) -> list[str]:
    return list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))
