"""Which of several models is better, and how sure can one be: paired tests over images.

``Scores`` of each model on the same images flow in; a ``Comparison`` with a row per metric and pair of models flows out.
"""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape
from rich.table import Table

from mrsal.errors import InputError
from mrsal.evaluation.options import Bootstrap
from mrsal.evaluation.scores import Scores
from mrsal.evaluation.statistics import bootstrap_means, bootstrap_p, holm, percentile_interval, wilcoxon_p
from mrsal.files import write_text
from mrsal.metrics import HIGHER_IS_BETTER


@dataclass(frozen=True)
class Pair:
    """Two models on one metric.

    Parameters
    ----------
    metric, a, b : str
        The metric and the names of the models.
    images : int
        M, on how many images all models of the comparison have a value.
    mean_a, mean_b, difference : float
        Means over these images, and ``mean_a - mean_b``.
    low, high : float
        Paired bootstrap percentile interval of the difference.
    p_bootstrap, p_wilcoxon : float
        Two-sided: the mean of the differences is 0; the differences lie symmetrically about 0.
    holm_bootstrap, holm_wilcoxon : float
        The same, corrected over all pairs of the metric.
    a_better : float
        Share of images on which ``a`` is better, in [0, 1]; where both are the same it counts one half.
    winner : str
        The better one where ``holm_bootstrap`` is below 1 - level, else empty.
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
    """What :func:`compare` found.

    Parameters
    ----------
    models, metrics : tuple of str
    means : dict
        ``means[metric][model]``, over the images on which the metric is defined for every model.
    intervals : dict
        ``intervals[metric][model]``: (low, high), bootstrap percentile intervals of the means.
    higher_is_better : dict of str to bool
        For each metric.
    pairs : tuple of Pair
        Metric by metric.
    reference : str
        The model that all others are compared with; empty: every pair.
    level : float
    resamples, seed : int
    protocol, dataset : str
        Of the scores; empty where their files do not say.
    notes : tuple of str
        What a reader has to know, such as images left out.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
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
        """The best model, and all that are not significantly worse than it."""
        sign = 1 if self.higher_is_better[metric] else -1
        best = max(self.models, key=lambda model: sign * self.means[metric][model])
        beaten = {pair.a if pair.winner == pair.b else pair.b for pair in self.of(metric) if pair.winner == best}
        return tuple(model for model in self.models if model not in beaten)

    def of(self, metric: str) -> tuple[Pair, ...]:
        """The pairs of one metric."""
        return tuple(pair for pair in self.pairs if pair.metric == metric)

    def table(self) -> Iterator[str]:
        """Markdown: a row per model, then a row per pair, then how it was computed."""
        yield "| model | " + " | ".join(self._title(metric) for metric in self.metrics) + " |"
        yield "| --- |" + " ---: |" * len(self.metrics)
        for model in self.models:
            cells = []
            for metric in self.metrics:
                low, high = self.intervals[metric][model]
                mark = self._mark(metric, model)
                mean = f"{self.means[metric][model]:.3f}"
                mean = f"**{mean}**" if mark == "*" else f"{mean} {mark}".strip()
                cells.append(f"{mean} [{low:.3f}, {high:.3f}]")
            yield f"| {_escaped(model)} | " + " | ".join(cells) + " |"
        yield from ("", self.legend("bold"), "")
        header = self._pair_header()
        yield "| " + " | ".join(header) + " |"
        yield "| --- | --- |" + " ---: |" * (len(header) - 2)
        for pair in self.pairs:
            yield "| " + " | ".join(_escaped(cell) for cell in self._pair_cells(pair)) + " |"
        yield from ("", *self.explanation())

    def mean_table(self) -> Table:
        """For the terminal: a row per metric with the means of all models; names keep their room where it is narrow."""
        table = Table(title=escape(self._subject()), title_justify="left")
        table.add_column("", no_wrap=True)
        for model in self.models:
            table.add_column(escape(model), justify="right", overflow="fold")
        for metric in self.metrics:
            cells = (f"{self.means[metric][m]:.3f}{self._mark(metric, m) or ' '}" for m in self.models)
            table.add_row(self._title(metric), *cells)
        return table

    def pair_table(self) -> Table:
        """For the terminal: a row per metric and pair of models."""
        table = Table()
        for i, name in enumerate(self._pair_header()):
            table.add_column(name, justify="left" if i < 2 else "right", overflow="fold")
        for pair in self.pairs:
            table.add_row(*map(escape, self._pair_cells(pair)), end_section=pair is self.of(pair.metric)[-1])
        return table

    def explanation(self) -> list[str]:
        """What was computed, and the notes."""
        family = f"the comparisons with {self.reference}" if self.reference else "all pairs of models"
        return [
            f"Intervals: {self.level:.0%}, paired bootstrap over images, {self.resamples} resamples, seed {self.seed}. "
            f"p: two-sided, Holm's correction over {family} within a metric, none across metrics. "
            "“A better on”: share of images, ties one half. "
            "Images are what is drawn: nothing here speaks of other observers or of another training run.",
            *self.notes,
        ]

    def save(self, path: str | Path) -> None:
        """Write the pairs as CSV, a row each, a column per field of :class:`Pair`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [f.name for f in fields(Pair)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(pair) for pair in self.pairs)
        write_text(path, text.getvalue())

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; what is not a number is None."""
        leaders = {} if self.reference else {"leaders": {metric: self.leaders(metric) for metric in self.metrics}}
        return _plain({**asdict(self), **leaders})

    def _mark(self, metric: str, model: str) -> str:
        if not self.reference:
            return "*" if model in self.leaders(metric) else ""
        won = [pair.winner for pair in self.of(metric) if pair.a == model and pair.winner]
        return ("▲" if won[0] == model else "▼") if won else ""

    def legend(self, best: str = "*") -> str:
        """What the marks beside the means say."""
        if self.reference:
            return f"▲ significantly better than {self.reference}, ▼ significantly worse; ↑ higher is better, ↓ lower."
        return f"{best}: the best, and what is not significantly worse than it; ↑ higher is better, ↓ lower."

    def _subject(self) -> str:
        images = {pair.images for pair in self.pairs}
        count = f"{min(images)}" if len(images) == 1 else f"{min(images)} to {max(images)}"
        return ", ".join(text for text in (self.dataset, f"{count} images", self.protocol) if text)

    def _title(self, metric: str) -> str:
        return f"{metric} {'↑' if self.higher_is_better[metric] else '↓'}"

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
        By the models' names. Rows are paired by the names of the images, in whatever order they stand.
    reference : str, optional
        Compare every other model with this one only; by default all pairs are compared, which costs power.
    higher_is_better : mapping of str to bool, optional
        Directions of metrics that mrsal does not know.
    level : float
        Of confidence; a difference is significant where the corrected p is below ``1 - level``.
    resamples, seed : int
        Of the bootstrap. No p can be below ``2 / (resamples + 1)``.

    Returns
    -------
    Comparison
        Over the metrics that all models have. An image on which a metric is NaN for some model is left out of that
        metric for all, so that means, differences and intervals speak of the same images.

    Raises
    ------
    InputError
        With fewer than two models; if the images, the data sets or the protocols differ; if no metric is common; if a score
        is infinite.

    Notes
    -----
    The tests and their sources are in ``statistics.py``. The winner is decided by the bootstrap, since it is the
    means that one reads; Wilcoxon's test, which asks about ranks, stands beside it: where they disagree, a few images decide.
    """
    models = tuple(scores)
    if len(models) < 2:
        raise InputError(f"expected at least two models to compare, got {len(models)}")
    if reference is not None and reference not in scores:
        raise InputError(f"no model is called {reference!r}; choose the reference from {', '.join(models)}")
    Bootstrap(level=level, resamples=resamples, seed=seed)  # refuses impossible ones
    names = _common_images(scores)
    notes: list[str] = []
    protocol = _common_text(scores, "protocol", notes)
    dataset = _common_text(scores, "dataset", notes)
    stacked = _common_metrics(scores, names, notes)
    directions = {**HIGHER_IS_BETTER, **(higher_is_better or {})}
    unknown = [metric for metric in stacked if metric not in directions]
    if unknown:
        raise InputError(
            f"is higher better for {', '.join(unknown)}? say so in higher_is_better={{{unknown[0]!r}: True}}"
        )

    if reference is None:
        chosen = list(itertools.combinations(range(len(models)), 2))
    else:
        chosen = [(i, models.index(reference)) for i in range(len(models)) if models[i] != reference]
    # one column per model, then one per pair and metric: all share the draws
    columns = {m: np.hstack([t, np.stack([t[:, i] - t[:, j] for i, j in chosen], axis=1)]) for m, t in stacked.items()}
    width = len(models) + len(chosen)
    drawn = bootstrap_means(np.hstack(list(columns.values())), resamples=resamples, seed=seed)

    means, intervals, pairs = {}, {}, []
    for k, (metric, table) in enumerate(columns.items()):
        table = table[~np.isnan(table).any(axis=1)]
        draws = drawn[:, k * width : (k + 1) * width]
        draws = draws[~np.isnan(draws).any(axis=1)]
        spans = [percentile_interval(column, level) for column in draws.T]
        means[metric] = dict(zip(models, table.mean(axis=0).tolist(), strict=False))
        intervals[metric] = dict(zip(models, spans, strict=False))
        differences = table[:, len(models) :]
        p_bootstrap = [bootstrap_p(column) for column in draws.T[len(models) :]]
        p_wilcoxon = [wilcoxon_p(column) for column in differences.T]
        holm_bootstrap, holm_wilcoxon = holm(p_bootstrap), holm(p_wilcoxon)
        for n, (i, j) in enumerate(chosen):
            a, b, difference = models[i], models[j], float(differences[:, n].mean())
            gain = differences[:, n] if directions[metric] else -differences[:, n]
            a_wins = (difference > 0) == directions[metric]
            pair = Pair(
                metric=metric,
                a=a,
                b=b,
                images=len(table),
                mean_a=means[metric][a],
                mean_b=means[metric][b],
                difference=difference,
                low=spans[len(models) + n][0],
                high=spans[len(models) + n][1],
                p_bootstrap=p_bootstrap[n],
                p_wilcoxon=p_wilcoxon[n],
                holm_bootstrap=holm_bootstrap[n],
                holm_wilcoxon=holm_wilcoxon[n],
                a_better=float((np.sign(gain) + 1).mean() / 2),
                winner=(a if a_wins else b) if holm_bootstrap[n] < 1 - level else "",
            )
            pairs.append(pair)
    return Comparison(
        models=models,
        metrics=tuple(stacked),
        means=means,
        intervals=intervals,
        higher_is_better={metric: directions[metric] for metric in stacked},
        pairs=tuple(pairs),
        reference=reference or "",
        level=level,
        resamples=resamples,
        seed=seed,
        protocol=protocol,
        dataset=dataset,
        notes=tuple(notes),
    )


def _common_images(scores: Mapping[str, Scores]) -> list[str]:
    """The images in the order of their names, so that nothing depends on the order of models or rows."""
    (first, example), *_ = scores.items()
    for model, those in scores.items():
        if len(set(those.names)) < len(those.names):
            twice = next(name for name in those.names if those.names.count(name) > 1)
            raise InputError(
                f"{model} has several scores for {twice}; images are paired by name, so names must be unique"
            )
        for one, other, more, less in ((first, model, example, those), (model, first, those, example)):
            missing = sorted(set(more.names) - set(less.names))
            if missing:
                shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
                raise InputError(
                    f"expected all models on the same images; {len(missing)} of {one} are missing in {other}: {shown}; "
                    "evaluate both on the same split"
                )
    if len(example.names) < 2:
        raise InputError("expected at least two images, got 1; a comparison needs more than one")
    return sorted(example.names)


def _common_text(scores: Mapping[str, Scores], field: str, notes: list[str]) -> str:
    told = {model: getattr(those, field) for model, those in scores.items() if getattr(those, field)}
    if len(set(told.values())) > 1:
        said = ", ".join(f"{model}: {text}" for model, text in told.items())
        raise InputError(f"expected all models scored with the same {field}, got {said}; evaluate them alike")
    silent = [model for model in scores if model not in told]
    if told and silent:
        notes.append(f"The scores of {', '.join(silent)} do not say their {field}; it was taken to be the others'.")
    return next(iter(told.values()), "")


def _common_metrics(scores: Mapping[str, Scores], names: list[str], notes: list[str]) -> dict[str, NDArray[np.float64]]:
    """For each metric that all models have ``(M, models)``, with NaN all along a row or nowhere in it."""
    seen = dict.fromkeys(metric for those in scores.values() for metric in those.values)
    stacked = {}
    for metric in seen:
        without = [model for model, those in scores.items() if metric not in those.values]
        if without:
            notes.append(f"{metric} is left out: {', '.join(without)} does not have it.")
            continue
        table = np.empty((len(names), len(scores)))
        for i, (model, those) in enumerate(scores.items()):
            by_name = dict(zip(those.names, those.values[metric], strict=True))
            table[:, i] = [by_name[name] for name in names]
            endless = np.flatnonzero(np.isinf(table[:, i]))
            if endless.size:
                raise InputError(
                    f"{metric} of {model} is infinite for {names[endless[0]]}; a mean over it says nothing"
                )
        gaps = np.isnan(table).any(axis=1)
        table[gaps] = np.nan
        defined = int((~gaps).sum())
        if defined < 2:
            notes.append(f"{metric} is left out: all models have it on {defined} of {len(names)} images only.")
            continue
        if gaps.any():
            notes.append(f"{metric}: {defined} of {len(names)} images, those on which every model has it.")
        stacked[metric] = table
    if not stacked:
        raise InputError("no metric is there for all models; " + " ".join(notes))
    return stacked


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
