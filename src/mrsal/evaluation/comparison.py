"""Comparisons of models by their scores on the same images, with paired tests over images.

:func:`compare` takes the ``Scores`` of each model and returns a :class:`Comparison`, which has a :class:`Pair` for each metric
and pair of models.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from mrsal.errors import InputError
from mrsal.evaluation.options import Bootstrap
from mrsal.evaluation.scores import Scores, why_not_defined
from mrsal.evaluation.statistics import bootstrap_means, bootstrap_p, holm, percentile_interval, wilcoxon_p
from mrsal.evaluation.table_text import NOT_DEFINED, markdown_table, metric_title, write_csv
from mrsal.metrics import HIGHER_IS_BETTER


@dataclass(frozen=True)
class Pair:
    """The comparison of two models by one metric.

    Parameters
    ----------
    metric, a, b : str
        The metric, and the names of the models.
    images : int
        The number M of images on which the metric is defined for all models of the comparison.
    mean_a, mean_b, difference : float
        The means over these images, and ``mean_a - mean_b``.
    low, high : float
        The ends of the paired bootstrap percentile interval of the difference.
    p_bootstrap, p_wilcoxon : float
        Two-sided p-values. The hypothesis of the bootstrap is that the mean of the differences is 0, and that of Wilcoxon's
        test that the differences are symmetric about 0.
    holm_bootstrap, holm_wilcoxon : float
        The same p-values, corrected for all pairs of the metric.
    a_better : float
        The share of images on which ``a`` is better, in [0, 1]; a tie counts one half.
    winner : str
        The better model if ``holm_bootstrap`` is below ``1 - level``, otherwise empty.
    """

    metric: str
    a: str
    b: str
    images: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p_bootstrap: float
    p_wilcoxon: float
    holm_bootstrap: float
    holm_wilcoxon: float
    a_better: float
    winner: str


@dataclass(frozen=True)
class Comparison:
    """The result of :func:`compare`.

    Parameters
    ----------
    models, metrics : tuple of str
        The names of the models and of the metrics.
    not_defined : dict of str to str
        The metrics that cannot be compared, since they are infinite on an image for some model, with the cause and the remedy.
    means : dict
        ``means[metric][model]``, the mean over the images on which the metric is defined for every model. For the metrics in
        ``not_defined``, the mean over the model's own images, infinite for some.
    intervals : dict
        ``intervals[metric][model]``, the bootstrap percentile interval (low, high) of the mean.
    higher_is_better : dict of str to bool
        The direction of each metric.
    pairs : tuple of Pair
        The pairs of models, sorted by metric.
    reference : str
        The model that all others are compared with; empty if every pair is compared.
    level : float
        The confidence level of intervals and tests.
    resamples, seed : int
        The number of bootstrap resamples and their random seed.
    protocol, dataset : str
        The protocol and the data set of the scores; empty if they are not known.
    notes : tuple of str
        Remarks for the reader, for example about images that are left out.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    not_defined: dict[str, str]
    means: dict[str, dict[str, float]]
    intervals: dict[str, dict[str, tuple[float, float]]]
    higher_is_better: dict[str, bool]
    pairs: tuple[Pair, ...]
    reference: str
    level: float
    resamples: int
    seed: int
    protocol: str
    dataset: str
    notes: tuple[str, ...]

    def leaders(self, metric: str) -> tuple[str, ...]:
        """The best model by a metric, and all models that are not significantly worse than it."""
        sign = 1 if self.higher_is_better[metric] else -1
        best = max(self.models, key=lambda model: sign * self.means[metric][model])
        worse = {pair.a if pair.winner == pair.b else pair.b for pair in self.of(metric) if pair.winner == best}
        return tuple(model for model in self.models if model not in worse)

    def of(self, metric: str) -> tuple[Pair, ...]:
        """The pairs of one metric."""
        return tuple(pair for pair in self.pairs if pair.metric == metric)

    def table(self) -> Iterator[str]:
        """The lines of a text in Markdown: a table of models, a table of pairs, and how they were computed."""
        header = ["model", *(self._title(metric) for metric in (*self.metrics, *self.not_defined))]
        yield from markdown_table(header, ([model, *self._mean_cells(model)] for model in self.models))
        yield from ("", self.legend("bold"), "")
        yield from markdown_table(self._pair_header(), map(self._pair_cells, self.pairs), text_columns=2)
        yield from ("", *self.explanation())

    def mean_table(self) -> Table:
        """A table for the terminal, with a row per metric and a column per model; on narrow ones, names are folded."""
        table = Table(title=escape(self._subject()), title_justify="left")
        table.add_column("", no_wrap=True)
        for model in self.models:
            table.add_column(escape(model), justify="right", overflow="fold")
        for metric in self.metrics:
            marks = {model: self._mark(metric, model) or " " for model in self.models}
            cells = (f"{self.means[metric][model]:.3f}{mark}" for model, mark in marks.items())
            table.add_row(self._title(metric), *cells)
        for metric in self.not_defined:
            table.add_row(self._title(metric), *(f"{self._own_mean(metric, model)} " for model in self.models))
        return table

    def pair_table(self) -> Table:
        """A table for the terminal, with a row per metric and pair of models."""
        table = Table()
        for i, name in enumerate(self._pair_header()):
            table.add_column(name, justify="left" if i < 2 else "right", overflow="fold")
        for pair in self.pairs:
            table.add_row(*map(escape, self._pair_cells(pair)), end_section=pair is self.of(pair.metric)[-1])
        return table

    def explanation(self) -> list[str]:
        """How the numbers were computed, and the notes."""
        family = f"the comparisons with {self.reference}" if self.reference else "all pairs of models"
        return [
            f"Intervals: {self.level:.0%}, paired bootstrap over images, {self.resamples} resamples, seed {self.seed}. "
            f"p: two-sided, with Holm's correction for {family} within a metric, without a correction across metrics. "
            "“A better on”: share of images; a tie counts one half. "
            "The bootstrap draws images, so it does not tell how scores differ with other observers or another training run.",
            *self.notes,
            *self.not_defined.values(),
        ]

    def save(self, path: str | Path) -> None:
        """Write the pairs as CSV, with a row per pair and a column per field of :class:`Pair`."""
        write_csv(Path(path), [field.name for field in fields(Pair)], map(astuple, self.pairs))

    def to_dict(self) -> dict[str, Any]:
        """All fields and the leaders in a form that JSON can hold; NaN and infinity become None."""
        leaders = {} if self.reference else {"leaders": {metric: self.leaders(metric) for metric in self.metrics}}
        return _plain({**asdict(self), **leaders})

    def _mark(self, metric: str, model: str) -> str:
        if not self.reference:
            return "*" if model in self.leaders(metric) else ""
        won = [pair.winner for pair in self.of(metric) if pair.a == model and pair.winner]
        return ("▲" if won[0] == model else "▼") if won else ""

    def legend(self, best: str = "*") -> str:
        """The meaning of the marks beside the means; ``best`` is the mark of the best models."""
        if self.reference:
            return f"▲ significantly better than {self.reference}, ▼ significantly worse; ↑ higher is better, ↓ lower."
        return f"{best}: the best model, and models that are not significantly worse; ↑ higher is better, ↓ lower."

    def _subject(self) -> str:
        images = {pair.images for pair in self.pairs}
        count = f"{min(images)}" if len(images) == 1 else f"{min(images)} to {max(images)}"
        return ", ".join(text for text in (self.dataset, f"{count} images", self.protocol) if text)

    def _title(self, metric: str) -> str:
        return metric_title(metric, self.higher_is_better)

    def _mean_cells(self, model: str) -> Iterator[str]:
        for metric in self.metrics:
            low, high = self.intervals[metric][model]
            mark, mean = self._mark(metric, model), f"{self.means[metric][model]:.3f}"
            mean = f"**{mean}**" if mark == "*" else f"{mean} {mark}".strip()
            yield f"{mean} [{low:.3f}, {high:.3f}]"
        for metric in self.not_defined:
            yield self._own_mean(metric, model)

    def _own_mean(self, metric: str, model: str) -> str:
        mean = self.means[metric][model]
        return f"{mean:.3f}" if isfinite(mean) else NOT_DEFINED

    def _pair_header(self) -> tuple[str, ...]:
        interval = f"{self.level:.0%} interval"
        return "metric", "A − B", "difference", interval, "p bootstrap", "p Wilcoxon", "A better on"

    def _pair_cells(self, pair: Pair) -> tuple[str, ...]:
        return (
            self._title(pair.metric),
            f"{pair.a} − {pair.b}",
            f"{pair.difference:+.3f}",
            f"[{pair.low:+.3f}, {pair.high:+.3f}]",
            _p(pair.holm_bootstrap),
            _p(pair.holm_wilcoxon),
            f"{pair.a_better:.0%}",
        )


def compare(
    scores: Mapping[str, Scores],
    *,
    reference: str | None = None,
    higher_is_better: Mapping[str, bool] | None = None,
    level: float = Bootstrap.level,
    resamples: int = Bootstrap.resamples,
    seed: int = Bootstrap.seed,
) -> Comparison:
    """Compare models by their scores on the same images.

    Parameters
    ----------
    scores : mapping of str to Scores
        The scores by the names of the models. Images are paired by their names, so their order does not matter.
    reference : str, optional
        Compare every other model with this one only. By default all pairs are compared, which needs larger differences.
    higher_is_better : mapping of str to bool, optional
        The directions of metrics that mrsal does not know.
    level : float
        The confidence level, in (0, 1). A difference is significant if its corrected p-value is below ``1 - level``.
    resamples, seed : int
        The number of bootstrap resamples and their random seed. A p-value is at least ``2 / (resamples + 1)``.

    Returns
    -------
    Comparison
        The comparison by the metrics that all models have. If a metric is NaN on an image for some model, the image is left out
        of this metric for all models, so that means, differences and intervals are over the same images. A metric that is
        infinite on an image for some model is not compared, and ``not_defined`` says why.

    Raises
    ------
    InputError
        If there are fewer than two models; if the images, the data sets or the protocols differ; if there is no metric that all
        models have and that is finite for all.

    Notes
    -----
    The tests and their sources are in ``statistics.py``. The bootstrap decides on the winner, since its hypothesis is about the
    means that are shown. Wilcoxon's test is about ranks; if the two disagree, a few images decide the mean.
    """
    models = tuple(scores)
    if len(models) < 2:
        raise InputError(f"expected at least two models to compare, got {len(models)}")
    if reference is not None and reference not in scores:
        raise InputError(f"expected a reference out of {', '.join(models)}, got {reference!r}")
    bootstrap = Bootstrap(level=level, resamples=resamples, seed=seed)
    names = _common_images(scores)
    notes: list[str] = []
    protocol = _common_text(scores, "protocol", notes)
    dataset = _common_text(scores, "dataset", notes)
    not_defined: dict[str, str] = {}
    columns = _common_metrics(scores, names, notes, not_defined)
    directions = {**HIGHER_IS_BETTER, **(higher_is_better or {})}
    unknown = [metric for metric in columns if metric not in directions]
    if unknown:
        raise InputError(
            f"expected the directions of all metrics, got none for {', '.join(unknown)}; "
            f"add them, such as higher_is_better={{{unknown[0]!r}: True}}"
        )

    order = range(len(models))
    pairs = list(itertools.combinations(order, 2))
    if reference is not None:
        pairs = [(i, models.index(reference)) for i in order if models[i] != reference]
    compared = _compare_metrics(models, pairs, columns, directions, bootstrap)
    return Comparison(
        models=models,
        metrics=tuple(columns),
        not_defined=not_defined,
        means={
            **{metric: dict(zip(models, each.means, strict=True)) for metric, each in compared.items()},
            **{metric: {model: scores[model].mean()[metric] for model in models} for metric in not_defined},
        },
        intervals={metric: dict(zip(models, each.intervals, strict=True)) for metric, each in compared.items()},
        higher_is_better={m: directions[m] for m in (*columns, *not_defined) if m in directions},
        pairs=tuple(pair for each in compared.values() for pair in each.pairs),
        reference=reference or "",
        level=level,
        resamples=resamples,
        seed=seed,
        protocol=protocol,
        dataset=dataset,
        notes=tuple(notes),
    )


@dataclass(frozen=True)
class _OneMetric:
    """The means and intervals of the models by one metric, in the order of the models, and the pairs of models."""

    means: list[float]
    intervals: list[tuple[float, float]]
    pairs: list[Pair]


def _compare_metrics(
    models: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    columns: Mapping[str, NDArray[np.float64]],
    directions: Mapping[str, bool],
    bootstrap: Bootstrap,
) -> dict[str, _OneMetric]:
    """Compare pairs of models, given by their indices, by each metric; ``columns`` as in :func:`_common_metrics`."""
    # for each metric a column per model, then one per pair: all are resampled together
    tables = [
        np.hstack([table, np.stack([table[:, i] - table[:, j] for i, j in pairs], axis=1)])
        for table in columns.values()
    ]
    resampled = bootstrap_means(np.hstack(tables), resamples=bootstrap.resamples, seed=bootstrap.seed)
    draws = np.split(resampled, len(tables), axis=1)
    return {
        metric: _compare_one(metric, models, pairs, table, drawn, directions[metric], bootstrap.level)
        for metric, table, drawn in zip(columns, tables, draws, strict=True)
    }


def _compare_one(
    metric: str,
    models: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    table: NDArray[np.float64],
    draws: NDArray[np.float64],
    higher_is_better: bool,
    level: float,
) -> _OneMetric:
    """Compare models by one metric, from columns per image ``(M, K)`` and their resampled means ``(R, K)``."""
    table, draws = (rows[~np.isnan(rows).any(axis=1)] for rows in (table, draws))
    means = table.mean(axis=0).tolist()[: len(models)]
    intervals = [percentile_interval(column, level) for column in draws.T]
    differences = table[:, len(models) :]
    p_bootstrap = [bootstrap_p(column) for column in draws.T[len(models) :]]
    p_wilcoxon = [wilcoxon_p(column) for column in differences.T]
    holm_bootstrap, holm_wilcoxon = holm(p_bootstrap), holm(p_wilcoxon)
    compared = []
    for n, (i, j) in enumerate(pairs):
        difference = float(differences[:, n].mean())
        low, high = intervals[len(models) + n]
        gains = differences[:, n] if higher_is_better else -differences[:, n]
        better = models[i] if (difference > 0) == higher_is_better else models[j]
        pair = Pair(
            metric=metric,
            a=models[i],
            b=models[j],
            images=len(table),
            mean_a=means[i],
            mean_b=means[j],
            difference=difference,
            low=low,
            high=high,
            p_bootstrap=p_bootstrap[n],
            p_wilcoxon=p_wilcoxon[n],
            holm_bootstrap=holm_bootstrap[n],
            holm_wilcoxon=holm_wilcoxon[n],
            a_better=float((np.sign(gains) + 1).mean() / 2),
            winner=better if holm_bootstrap[n] < 1 - level else "",
        )
        compared.append(pair)
    return _OneMetric(means, intervals[: len(models)], compared)


def _common_images(results: Mapping[str, Scores]) -> list[str]:
    """The names of the images, sorted, so that no result depends on the order of models or images."""
    first, *others = results
    for model, scores in results.items():
        if len(set(scores.names)) < len(scores.names):
            repeated = next(name for name in scores.names if scores.names.count(name) > 1)
            raise InputError(
                f"expected one score of {model} for each image, got several for {repeated}; give the images different names"
            )
    for other in others:
        for more, fewer in ((first, other), (other, first)):
            missing = sorted(set(results[more].names) - set(results[fewer].names))
            if missing:
                shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
                raise InputError(
                    f"expected all models on the same images; {len(missing)} of {more} are missing in {fewer}: {shown}; "
                    "evaluate both on the same split"
                )
    names = sorted(results[first].names)
    if len(names) < 2:
        raise InputError(f"expected at least two images to compare models, got {len(names)}")
    return names


def _common_text(results: Mapping[str, Scores], field: str, notes: list[str]) -> str:
    """The protocol or the data set of all scores; empty if no model has one. Models without it are noted."""
    texts = {model: getattr(scores, field) for model, scores in results.items() if getattr(scores, field)}
    if len(set(texts.values())) > 1:
        listed = ", ".join(f"{model}: {text}" for model, text in texts.items())
        raise InputError(f"expected the same {field} for all models, got {listed}; evaluate them in the same way")
    without = [model for model in results if model not in texts]
    if texts and without:
        notes.append(f"The scores of {', '.join(without)} have no {field}; the {field} of the others is assumed.")
    return next(iter(texts.values()), "")


def _common_metrics(
    results: Mapping[str, Scores], names: list[str], notes: list[str], not_defined: dict[str, str]
) -> dict[str, NDArray[np.float64]]:
    """For each metric that all models have, its scores ``(M, models)``; a row is NaN if it is NaN for any model.

    Metrics that are infinite on some image go into ``not_defined``, with the reason.
    """
    columns = {}
    for metric in dict.fromkeys(metric for scores in results.values() for metric in scores.values):
        without = [model for model, scores in results.items() if metric not in scores.values]
        if without:
            notes.append(f"{metric} is left out, because {', '.join(without)} does not have it.")
            continue
        if any(np.isinf(scores.values[metric]).any() for scores in results.values()):
            not_defined[metric] = why_not_defined(metric, results)
            continue
        table = np.empty((len(names), len(results)))
        for i, scores in enumerate(results.values()):
            by_name = dict(zip(scores.names, scores.values[metric], strict=True))
            table[:, i] = [by_name[name] for name in names]
        undefined = np.isnan(table).any(axis=1)
        table[undefined] = np.nan
        defined = int((~undefined).sum())
        if defined < 2:
            notes.append(f"{metric} is left out, because all models have it on only {defined} of {len(names)} images.")
            continue
        if undefined.any():
            notes.append(f"{metric} is compared on {defined} of {len(names)} images, on which every model has it.")
        columns[metric] = table
    if not columns:
        reasons = " ".join([*notes, *not_defined.values()])
        raise InputError(f"expected a metric that all models have and that is finite, got none. {reasons}")
    return columns


def _p(p_value: float) -> str:
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _plain(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _plain(inner) for key, inner in item.items()}
    if isinstance(item, list | tuple):
        return [_plain(inner) for inner in item]
    return None if isinstance(item, float) and not isfinite(item) else item
