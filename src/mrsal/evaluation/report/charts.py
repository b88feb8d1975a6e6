"""Charts of scores: means with intervals, distributions over images, differences between models.

For each chart there are two functions: one returns a matplotlib figure as wide as a page of a journal, the other saves it as
PDF, SVG or PNG. Fonts and colours are those of all figures (:mod:`mrsal.figures`).
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mrsal.errors import InputError
from mrsal.evaluation.comparison import Comparison
from mrsal.evaluation.options import Bootstrap
from mrsal.evaluation.scores import Scores
from mrsal.evaluation.table_text import metric_title
from mrsal.figures import BLUE, GREY, ORANGE, SMALL_TEXT, TEXT, WIDTH, figure_style, new_figure, save_figure
from mrsal.metrics import HIGHER_IS_BETTER

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

_ROW = 5.2  # height of a model's row in millimetres
_HEAD = 16.0  # height of the title and the axis of a panel in millimetres
_LEGEND = 7.5  # height of the line above all panels in millimetres
_FOREST = 6  # number of pairs; with more, a matrix is easier to read


def score_plot(
    results: Mapping[str, Scores],
    *,
    floor: str | None = None,
    ceiling: str | None = None,
    level: float = Bootstrap.level,
    resamples: int = Bootstrap.resamples,
    seed: int = Bootstrap.seed,
) -> "Figure":
    """Draw a panel per metric with each model's mean and its bootstrap interval.

    Parameters
    ----------
    results : mapping of str to Scores
        The scores by the names of the models.
    floor, ceiling : str, optional
        The models that are drawn as lines across all rows, such as a centre bias and a gold standard.
    level, resamples, seed
        The parameters of :meth:`Scores.intervals`.

    Raises
    ------
    InputError
        If floor or ceiling is not among the models, or there is no other model.
    """
    lines = {name: style for name, style in ((floor, (0, (2, 2))), (ceiling, (0, (6, 2)))) if name is not None}
    for name in lines:
        if name not in results:
            raise InputError(f"expected a model out of {', '.join(results)}, got {name!r}")
    models = [model for model in results if model not in lines]
    if not models:
        raise InputError("expected at least one model beside floor and ceiling, got none")
    intervals = {model: results[model].intervals(level=level, resamples=resamples, seed=seed) for model in models}
    means = {model: scores.mean() for model, scores in results.items()}

    def draw(axes: Any, metric: str) -> None:
        for row, model in enumerate(models):
            mean = means[model].get(metric, np.nan)
            low, high = intervals[model].get(metric, (np.nan, np.nan))
            if np.isinf(mean):
                continue
            axes.plot([low, high], [row, row], color=BLUE, linewidth=1.6, solid_capstyle="butt")
            axes.plot([mean], [row], "o", color=BLUE, markersize=4.5)
        for (model, style), colour in zip(lines.items(), (GREY, ORANGE), strict=False):
            axes.axvline(means[model].get(metric, np.nan), color=colour, linestyle=style, linewidth=1.3, label=model)
        axes.set_xlabel(f"mean, {_percent(level)} interval")

    return _panels(_metrics(results), _labels(models), draw, legend=bool(lines))


def save_score_plot(
    results: Mapping[str, Scores],
    path: str | Path,
    *,
    floor: str | None = None,
    ceiling: str | None = None,
    level: float = Bootstrap.level,
    resamples: int = Bootstrap.resamples,
    seed: int = Bootstrap.seed,
) -> None:
    """Save :func:`score_plot` as ``.pdf``, ``.svg`` or ``.png``."""
    options: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    save_figure(lambda: score_plot(results, floor=floor, ceiling=ceiling, **options), path)


def distribution_plot(results: Mapping[str, Scores]) -> "Figure":
    """Draw a panel per metric with the distribution over images of each model.

    A distribution is a violin with the quartiles as a bar, the median as a line and the mean as a dot. Images on which a metric
    is not defined are left out, and so is a model for which it is infinite on some. A model that has the same score on all
    images is a dot.
    """

    def draw(axes: Any, metric: str) -> None:
        for row, scores in enumerate(results.values()):
            column = scores.values.get(metric, np.empty(0))
            column = column[~np.isnan(column)]
            if not column.size or np.isinf(column).any():  # no distribution of a part of the images
                continue
            if np.ptp(column) > 1e-9 * max(1, float(np.abs(column).max())):
                parts = axes.violinplot([column], [row], orientation="horizontal", widths=0.85, showextrema=False)
                for body in parts["bodies"]:
                    body.set(facecolor=BLUE, edgecolor=BLUE, alpha=0.3, linewidth=0.6)
                low, median, high = np.quantile(column, [0.25, 0.5, 0.75])
                axes.plot([low, high], [row, row], color=BLUE, linewidth=3, solid_capstyle="butt")
                axes.plot([median, median], [row - 0.3, row + 0.3], color="black", linewidth=1.2)
            axes.plot([column.mean()], [row], "o", color="white", markeredgecolor="black", markersize=3.6, zorder=4)
        axes.set_xlabel("per image")

    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=BLUE, linewidth=3, label="quartiles"),
        Line2D([], [], color="black", marker="|", markersize=9, linestyle="", markeredgewidth=1.2, label="median"),
        Line2D([], [], color="black", marker="o", markersize=4, markerfacecolor="white", linestyle="", label="mean"),
    ]
    return _panels(_metrics(results), _labels(list(results)), draw, handles=handles)


def save_distributions(results: Mapping[str, Scores], path: str | Path) -> None:
    """Save :func:`distribution_plot` as ``.pdf``, ``.svg`` or ``.png``."""
    save_figure(lambda: distribution_plot(results), path)


def pairwise_plot(comparison: Comparison) -> "Figure":
    """Draw the differences between models.

    With a reference or few models, each pair is a point with its interval, which is filled if the difference is significant.
    With many models, each metric is a matrix: blue means that the model of the row is better than that of the column, orange
    that it is worse, and a dot that the difference is significant.
    """
    if comparison.reference or len(comparison.of(comparison.metrics[0])) <= _FOREST:
        return _forest(comparison)
    return _matrices(comparison)


def save_pairwise(comparison: Comparison, path: str | Path) -> None:
    """Save :func:`pairwise_plot` as ``.pdf``, ``.svg`` or ``.png``."""
    save_figure(lambda: pairwise_plot(comparison), path)


def _forest(comparison: Comparison) -> "Figure":
    first = comparison.of(comparison.metrics[0])
    short = dict(zip(comparison.models, _labels(comparison.models), strict=True))
    labels = [short[pair.a] + ("" if comparison.reference else f"\n− {short[pair.b]}") for pair in first]

    def draw(axes: Any, metric: str) -> None:
        axes.axvline(0, color=GREY, linewidth=0.9)
        for row, pair in enumerate(comparison.of(metric)):
            colour = (BLUE if pair.winner == pair.a else ORANGE) if pair.winner else GREY
            axes.plot([pair.low, pair.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
            face = colour if pair.winner else "white"
            axes.plot([pair.difference], [row], "o", color=colour, markerfacecolor=face, markersize=5)
        axes.set_xlabel("difference" if comparison.reference else "A − B")

    better = f"better than {short[comparison.reference]}" if comparison.reference else "A better"
    handles = _marks(
        (f"{better} ({_percent(comparison.level)}, Holm)", BLUE, BLUE),
        ("worse" if comparison.reference else "A worse", ORANGE, ORANGE),
        ("not distinguishable", GREY, "white"),
    )
    rows = 1.0 if comparison.reference else 1.7
    return _panels(comparison.metrics, labels, draw, directions=comparison.higher_is_better, rows=rows, handles=handles)


def _matrices(comparison: Comparison) -> "Figure":
    from matplotlib.colors import LinearSegmentedColormap

    models = comparison.models
    colours = LinearSegmentedColormap.from_list("worse to better", [ORANGE, "#F7F7F7", BLUE])
    labels = [f"{label}  {i}" for i, label in enumerate(_labels(models), 1)]

    def draw(axes: Any, metric: str) -> None:
        gains = np.full((len(models), len(models)), np.nan)
        sign = 1 if comparison.higher_is_better[metric] else -1
        for pair in comparison.of(metric):
            i, j = models.index(pair.a), models.index(pair.b)
            gains[i, j], gains[j, i] = sign * pair.difference, -sign * pair.difference
            if pair.winner:
                axes.plot([j, i], [i, j], ".", color="black", markersize=3.5, zorder=4)
        top = max(float(np.nanmax(np.abs(gains))), 1e-12)
        image = axes.imshow(gains, cmap=colours, vmin=-top, vmax=top, aspect="auto")
        axes.set_xticks(range(len(models)), [str(i) for i in range(1, len(models) + 1)])
        axes.grid(visible=False)
        bar = axes.figure.colorbar(image, ax=axes, shrink=0.9, aspect=14, pad=0.03)
        bar.ax.tick_params(labelsize=SMALL_TEXT)
        bar.outline.set_linewidth(0.4)
        axes.set_xlabel("than model")

    level = _percent(comparison.level)
    title = f"How much better the model of the row is than that of the column; dot: significant ({level}, Holm)"
    return _panels(
        comparison.metrics, labels, draw, directions=comparison.higher_is_better, columns=2, title=title, rows=1.1
    )


def _panels(
    metrics: Sequence[str],
    labels: Sequence[str],
    draw: Callable[[Any, str], None],
    *,
    directions: Mapping[str, bool] = HIGHER_IS_BETTER,
    columns: int = 4,
    rows: float = 1.0,
    title: str = "",
    legend: bool = False,
    handles: Sequence[Any] = (),
) -> "Figure":
    """Draw a grid of panels, one per metric, with a labelled row per model; the first model is at the top."""
    from matplotlib.ticker import MaxNLocator  # a slow import

    columns = min(columns, len(metrics))
    lines = ceil(len(metrics) / columns)
    height = lines * (_HEAD + rows * _ROW * len(labels)) + (_LEGEND if legend or handles or title else 0)
    with figure_style():
        figure = new_figure(WIDTH, height, layout="constrained")
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        for i, (axes, metric) in enumerate(zip(grid, metrics, strict=False)):
            axes.grid(axis="x")
            draw(axes, metric)
            axes.set_title(metric_title(metric, directions))
            if not axes.images:
                axes.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
                axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(axis="y", length=0)
            if i == 0:
                axes.set_yticks(range(len(labels)), labels)
                axes.set_ylim(len(labels) - 0.5, -0.5)
        for axes in grid[len(metrics) :]:
            axes.set_visible(False)
        if title:
            figure.suptitle(title, fontsize=TEXT)
        shown = list(handles) or (grid[0].get_legend_handles_labels()[0] if legend else [])
        if shown:
            figure.legend(handles=shown, loc="outside upper center", ncols=len(shown))
    return figure


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _marks(*marks: tuple[str, str, str]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], marker="o", color=colour, markerfacecolor=face, label=label) for label, colour, face in marks
    ]


def _metrics(results: Mapping[str, Scores]) -> list[str]:
    metrics = list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))
    if not metrics:
        raise InputError("expected scores by at least one metric, got none")
    return metrics


def _labels(names: Sequence[str]) -> list[str]:
    """Names that fit beside the rows. Long ones lose their middle, or another part if two would look the same otherwise."""
    for width in range(26, max(map(len, names)) + 1, 2):
        for head in (width // 2, 4, width - 6):
            labels = [name if len(name) <= width else f"{name[:head]}…{name[head + 1 - width :]}" for name in names]
            if len(set(labels)) == len(set(names)):
                return labels
    return list(names)
