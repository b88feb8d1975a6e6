"""The report of an evaluation: one HTML file with tables, charts and pictures.

The file contains everything that it shows. It has no scripts and loads nothing from a network, and its security policy forbids
both. The answer comes first, and the origin of the numbers last.
"""

import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mrsal._version import __version__
from mrsal.errors import InputError
from mrsal.evaluation.comparison import Comparison, compare
from mrsal.evaluation.report.charts import save_distributions, save_pairwise, save_score_plot
from mrsal.evaluation.report.curves import save_curves
from mrsal.evaluation.report.panels import Panel
from mrsal.evaluation.scores import Scores
from mrsal.files import write_text
from mrsal.metrics import HIGHER_IS_BETTER

_HEADLINES = ("sAUC", "NSS", "AUC")  # the first of these metrics that there is stands in the first sentence


def write_report(
    path: str | Path,
    results: Mapping[str, Scores],
    *,
    title: str,
    protocol_description: str = "",
    panels: Mapping[str, Sequence[Panel]] = {},
    history: Sequence[dict[str, float]] = (),
    floor: str | None = None,
    ceiling: str | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the report.

    Parameters
    ----------
    path : str or Path
        A file name that ends in ``.html``.
    results : mapping of str to Scores
        The scores by the names of the models, all on the same images. The report is about the first model that is neither
        floor nor ceiling.
    title : str
        The title of the page.
    protocol_description : str
        How the metrics of the protocol are defined, in words.
    panels : mapping of str to sequence of Panel
        Images of the model under ``"best"``, ``"median"`` and ``"worst"``; see :func:`mrsal.evaluation.report.panels.pick`.
    history : sequence of dict
        The rows of a run's ``metrics.csv``; see :func:`mrsal.evaluation.report.curves.read_history`.
    floor, ceiling : str, optional
        The names in ``results`` of the limits, such as a centre bias and a gold standard.
    notes : sequence of str
        Remarks for the reader.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        If there is no model beside floor and ceiling, if one of these is not in ``results``, or if the models were scored on
        different images, data sets or protocols.
    """
    path = Path(path)
    _check(path, results, floor, ceiling)
    model = next(name for name in results if name not in (floor, ceiling))
    subject = results[model]
    metrics = list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))
    comparison = _comparison(results, floor=floor, ceiling=ceiling)
    rows = _rows(results, metrics, comparison, floor=floor, ceiling=ceiling)
    page = template("report.html").render(
        title=title,
        answer=_answer(rows, metrics, comparison, len(subject.names)),
        metrics=[(metric, _direction(metric)) for metric in metrics],
        bodies=[[row for row in rows if not row["role"]], [row for row in rows if row["role"]]],
        floor=floor,
        ceiling=ceiling,
        model=model,
        subject=subject,
        comparison=comparison,
        notes=[*notes, *_gaps(results), *(comparison.notes if comparison else ())],
        protocol_description=protocol_description,
        charts=_charts(results, comparison, history, floor=floor, ceiling=ceiling),
        panels={group: [panel.pictures() for panel in members] for group, members in panels.items() if members},
        history=history,
        origins=_origins(results),
        written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        version=__version__,
    )
    write_text(path, page)
    return path


def _check(path: Path, results: Mapping[str, Scores], floor: str | None, ceiling: str | None) -> None:
    if path.suffix not in (".html", ".htm"):
        raise InputError(f"expected a file name that ends in .html, got {path.name}")
    for role, name in (("floor", floor), ("ceiling", ceiling)):
        if name is not None and name not in results:
            raise InputError(f"expected a {role} out of {', '.join(results) or 'no models'}, got {name!r}")
    if floor is not None and floor == ceiling:
        raise InputError(f"expected floor and ceiling to be two models, got {floor!r} twice")
    if not set(results) - {floor, ceiling}:
        raise InputError("expected at least one model beside floor and ceiling, got none; leave floor or ceiling out")
    if not any(scores.values and scores.names for scores in results.values()):
        raise InputError("expected scores of at least one image, got none")


def _comparison(results: Mapping[str, Scores], *, floor: str | None, ceiling: str | None) -> Comparison | None:
    """The comparison of all models but the ceiling, which no model reaches; None if it is not possible.

    A single model is compared with the floor as the reference.
    """
    models = {name: scores for name, scores in results.items() if name != ceiling}
    if len(models) < 2 or min(len(scores.names) for scores in models.values()) < 2:
        return None
    usable = [
        metric
        for metric in HIGHER_IS_BETTER
        if all(metric in scores.values and not np.isinf(scores.values[metric]).any() for scores in models.values())
    ]
    if not usable:
        return None
    common = {
        name: replace(scores, values={metric: scores.values[metric] for metric in scores.values if metric in usable})
        for name, scores in models.items()
    }
    return compare(common, reference=floor if floor in models and len(models) == 2 else None)


def _rows(
    results: Mapping[str, Scores],
    metrics: Sequence[str],
    comparison: Comparison | None,
    *,
    floor: str | None,
    ceiling: str | None,
) -> list[dict[str, Any]]:
    """The rows of the table of scores: name, role (``"floor"``, ``"ceiling"`` or empty) and a cell per metric.

    A cell has the mean, or NaN if it is not defined, whether it is not defined, its interval, whether the model leads, and the
    share of the way from floor to ceiling, or NaN.
    """
    means = {name: scores.mean() for name, scores in results.items()}
    ranking = None if comparison is None or comparison.reference else comparison
    rows = []
    for name in sorted(results, key=lambda name: (name == ceiling) - (name == floor)):
        intervals, undefined = results[name].intervals(), results[name].not_defined()
        cells = {}
        for metric in metrics:
            mean = np.nan if metric in undefined else means[name].get(metric, np.nan)
            low, high = (means.get(limit or "", {}).get(metric, np.nan) for limit in (floor, ceiling))
            leaders = ranking.leaders(metric) if ranking and metric in ranking.metrics else ()
            cells[metric] = {
                "mean": mean,
                "is_undefined": metric in undefined,
                "interval": intervals.get(metric, (np.nan, np.nan)),
                "leads": name in leaders,
                "share": np.nan if name in (floor, ceiling) else _share(mean, low, high, metric),
            }
        role = {floor: "floor", ceiling: "ceiling"}.get(name, "")
        rows.append({"name": name, "role": role, "cells": cells})
    return rows


def _share(mean: float, floor: float, ceiling: float, metric: str) -> float:
    """The share of the way from floor to ceiling; NaN if the ceiling is not better than the floor."""
    gap = (ceiling - floor) if HIGHER_IS_BETTER.get(metric, True) else (floor - ceiling)
    return (mean - floor) / (ceiling - floor) if gap > 1e-9 else np.nan


def _answer(
    rows: Sequence[dict[str, Any]], metrics: Sequence[str], comparison: Comparison | None, images: int
) -> dict[str, Any]:
    """The parts of the first sentence: the best model by the headline metric, and how it compares with the others."""
    metric = next((headline for headline in _HEADLINES if headline in metrics), metrics[0])
    sign = 1 if HIGHER_IS_BETTER.get(metric, True) else -1
    models = [row for row in rows if not row["role"]]
    defined = [row for row in models if np.isfinite(row["cells"][metric]["mean"])]
    best = max(defined, key=lambda row: sign * row["cells"][metric]["mean"]) if defined else models[0]
    limits = {role: next((row for row in rows if row["role"] == role), None) for role in ("floor", "ceiling")}
    answer = {"metric": metric, "best": best, "models": len(models), "limits": limits, "images": images}
    answer |= {"reference": None, "close": None}
    if comparison and comparison.reference:
        pairs = [pair for pair in comparison.pairs if pair.a == best["name"]]
        answer["reference"] = comparison.reference
        answer["won"] = [pair.metric for pair in pairs if pair.winner == best["name"]]
        answer["lost"] = [pair.metric for pair in pairs if pair.winner == comparison.reference]
        answer["undecided"] = [pair.metric for pair in pairs if not pair.winner]
    elif comparison and metric in comparison.metrics:
        answer["close"] = [name for name in comparison.leaders(metric) if name != best["name"]]
    return answer


def _gaps(results: Mapping[str, Scores]) -> Iterator[str]:
    """Notes for each model with metrics that are not defined, or not on all images."""
    for name, scores in results.items():
        fewer = [f"{metric} on {count}" for metric, count in scores.counts().items() if count < len(scores.names)]
        yield from scores.not_defined().values()
        if fewer:
            yield f"{name} has {', '.join(fewer)} of {len(scores.names)} images, and its means are over these images."


def _origins(results: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """The facts about the scores, with the names of the models that share them."""
    origins: list[dict[str, Any]] = []
    for name, scores in results.items():
        known = {"model": scores.model, "data set": scores.dataset, "protocol": scores.protocol}
        facts = [(key, text) for key, text in known.items() if text] + list(_flat(scores.about))
        same = next((origin for origin in origins if origin["facts"] == facts), None)
        if same:
            same["names"].append(name)
        else:
            origins.append({"names": [name], "facts": facts, "images": len(scores.names)})
    return origins


def _flat(about: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested facts as pairs of a name and a text."""
    for key, item in about.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            yield from _flat(item, f"{name}: ")
        elif isinstance(item, list | tuple):
            yield name, "\n".join(map(str, item))
        else:
            yield name, str(item)


def _charts(
    results: Mapping[str, Scores],
    comparison: Comparison | None,
    history: Sequence[dict[str, float]],
    *,
    floor: str | None,
    ceiling: str | None,
) -> dict[str, dict[str, str] | None]:
    """The charts, as :func:`embedded` gives them; None if there is nothing to draw."""
    return {
        "distributions": embedded(partial(save_distributions, results)),
        "means": embedded(partial(save_score_plot, results, floor=floor, ceiling=ceiling))
        if len(results) > 1
        else None,
        "pairs": embedded(partial(save_pairwise, comparison)) if comparison else None,
        "curves": embedded(partial(save_curves, history)) if history else None,
    }


def embedded(draw: Callable[[Path], None]) -> dict[str, str]:
    """A chart as the addresses of an SVG, which the page shows, and of a PDF, both to download. They contain all of it.

    An SVG that is an image of its own has its own identifiers, so those of two charts do not collide.
    """
    addresses = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, media in (("svg", "image/svg+xml"), ("pdf", "application/pdf")):
            path = Path(folder) / f"chart.{kind}"
            draw(path)
            addresses[kind] = f"data:{media};base64,{b64encode(path.read_bytes()).decode()}"
    return addresses


def _direction(metric: str) -> str:
    if metric not in HIGHER_IS_BETTER:
        return ""
    return "higher is better" if HIGHER_IS_BETTER[metric] else "lower is better"


def _number(score: float) -> str:
    if np.isinf(score):
        return "∞" if score > 0 else "−∞"
    return f"{score:.3f}" if np.isfinite(score) else "—"


def template(name: str, *packages: str) -> Any:
    """A template of this package or of ``packages``; it may include ``head.html`` and ``style.css`` of all pages."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined  # imported here: only reports need it

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in ("mrsal.evaluation.report", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["percent"] = lambda share: f"{share:.0%}".replace("%", "\N{NARROW NO-BREAK SPACE}%")
    return environment.get_template(name)
