"""The report: one HTML file that needs nothing else, with the answer first and the provenance last.

``Scores`` of one or several models, a few images and a run's history flow in; a page with tables, charts and pictures flows
out. The page holds no script and asks for nothing from any network; its own security policy forbids it.
"""

import io
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal._version import __version__
from mrsal.errors import InputError
from mrsal.evaluation.comparison import Comparison, compare
from mrsal.evaluation.report.charts import save_distributions, save_pairwise, save_score_plot
from mrsal.evaluation.report.curves import save_curves
from mrsal.evaluation.report.pictures import with_fixations
from mrsal.evaluation.scores import Scores
from mrsal.files import write_text
from mrsal.inference import colour_map
from mrsal.metrics import HIGHER_IS_BETTER

_SIDE = 600  # pixels of an embedded picture, twice of what a column of the page shows
_QUALITY = 76
_HEADLINES = ("sAUC", "NSS", "AUC")  # the metric that the answer names, the first that is there


@dataclass(frozen=True)
class Panel:
    """One image in a report.

    Parameters
    ----------
    name : str
        Of the stimulus.
    stimulus : array
        ``(H, W, 3)`` uint8.
    prediction, ground_truth : array
        ``(H, W)`` numbers, the model's map and the ground-truth density; each is drawn in its own range.
    x, y : array
        Fixations in pixels of the stimulus; may be empty.
    scores : dict of str to float
        By metric, for the caption.
    """

    name: str
    stimulus: NDArray
    prediction: NDArray
    ground_truth: NDArray
    x: NDArray
    y: NDArray
    scores: dict[str, float]

    def __post_init__(self) -> None:
        if self.stimulus.ndim != 3 or self.stimulus.shape[2] != 3 or self.stimulus.dtype != np.uint8:
            got = f"{self.stimulus.shape} {self.stimulus.dtype}"
            raise InputError(f"{self.name}: expected a stimulus of (H, W, 3) uint8, got {got}")
        for what in ("prediction", "ground_truth"):
            if getattr(self, what).shape != self.stimulus.shape[:2]:
                raise InputError(
                    f"{self.name}: expected a {what} of the stimulus's size {self.stimulus.shape[:2]}, "
                    f"got {getattr(self, what).shape}"
                )
        if np.shape(self.x) != np.shape(self.y):
            raise InputError(f"{self.name}: expected as many y as x, {np.shape(self.x)}, got {np.shape(self.y)}")


def pick(scores: Scores, metric: str, *, count: int = 3) -> dict[str, list[str]]:
    """Choose the images to look at: the best, those about the median, and the worst by one metric.

    Parameters
    ----------
    scores : Scores
    metric : str
        Where lower is better, as with KL, the best are the lowest.
    count : int
        How many of each; fewer where there are not three times as many images, since no image is chosen twice.

    Returns
    -------
    dict of str to list of str
        Names under ``"best"`` (best first), ``"median"`` (better first) and ``"worst"`` (worst first). An image on which the
        metric is not defined is never chosen; images of equal score are in the order of their names.
    """
    if metric not in scores.values:
        raise InputError(f"no metric is called {metric!r}; there are {', '.join(scores.values)}")
    if metric not in HIGHER_IS_BETTER:
        raise InputError(
            f"it is not known whether higher {metric} is better; choose one of {_listed(HIGHER_IS_BETTER)}"
        )
    if count < 1:
        raise InputError(f"expected a count of at least 1, got {count}")
    sign = -1 if HIGHER_IS_BETTER[metric] else 1
    ranked = sorted(
        (sign * value, name)
        for name, value in zip(scores.names, scores.values[metric].tolist(), strict=True)
        if not np.isnan(value)
    )
    names = list(dict.fromkeys(name for _, name in ranked))
    best = min(count, -(-len(names) // 3))
    worst = min(count, -(-(len(names) - best) // 2))
    middle = min(count, len(names) - best - worst)
    start = min(max((len(names) - middle) // 2, best), len(names) - worst - middle)
    return {
        "best": names[:best],
        "median": names[start : start + middle],
        "worst": names[len(names) - worst :][::-1],
    }


def write_report(
    path: str | Path,
    results: Mapping[str, Scores],
    *,
    title: str,
    protocol_about: str = "",
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
        Ends in ``.html``.
    results : mapping of str to Scores
        By the models' names, all on the same images; the first that is neither floor nor ceiling is the model that the
        report is about.
    title : str
    protocol_about : str
        How the scores are defined, in words.
    panels : mapping of str to sequence of Panel
        Images of that model under ``"best"``, ``"median"`` and ``"worst"``; see :func:`pick`.
    history : sequence of dict
        The rows of a run's ``metrics.csv``; see :func:`mrsal.evaluation.report.curves.read_history`.
    floor, ceiling : str, optional
        Names in ``results`` to read the others against, such as a centre bias and a gold standard.
    notes : sequence of str
        What a reader has to know.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        If there is no model beside floor and ceiling, one of these is not in ``results``, or the models were scored on
        different images, data sets or protocols.
    """
    path = Path(path)
    _check(path, results, floor, ceiling)
    models = [name for name in results if name not in (floor, ceiling)]
    metrics = list(dict.fromkeys(metric for scores in results.values() for metric in scores.values))
    comparison = _compared(results, floor=floor, ceiling=ceiling)
    rows = _rows(results, metrics, comparison, floor=floor, ceiling=ceiling)
    subject = results[models[0]]

    charts = {"distributions": _svg(partial(save_distributions, results)), "means": None, "pairs": None, "curves": None}
    if len(results) > 1:
        charts["means"] = _svg(partial(save_score_plot, results, floor=floor, ceiling=ceiling))
    if comparison:
        charts["pairs"] = _svg(partial(save_pairwise, comparison))
    if history:
        charts["curves"] = _svg(partial(save_curves, history))

    page = _template().render(
        title=title,
        answer=_answer(rows, metrics, comparison, subject),
        metrics=[(metric, _direction(metric)) for metric in metrics],
        bodies=[[row for row in rows if not row["role"]], [row for row in rows if row["role"]]],
        floor=floor,
        ceiling=ceiling,
        subject=subject,
        model=models[0],
        notes=[*notes, *_gaps(results), *(comparison.notes if comparison else ())],
        protocol_about=protocol_about,
        comparison=comparison,
        charts=charts,
        panels={group: [_pictures(panel) for panel in chosen] for group, chosen in panels.items() if chosen},
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
            raise InputError(f"the {role} {name!r} is not among the results; there are {_listed(results)}")
    if floor is not None and floor == ceiling:
        raise InputError(f"expected floor and ceiling to be two models, got {floor!r} twice")
    if not set(results) - {floor, ceiling}:
        raise InputError("expected at least one model beside floor and ceiling, got none; leave floor or ceiling out")
    if not any(scores.values and scores.names for scores in results.values()):
        raise InputError("expected scores of at least one image, got none")


def _compared(results: Mapping[str, Scores], *, floor: str | None, ceiling: str | None) -> Comparison | None:
    """Everything but the ceiling, which nobody wonders about; a single model with the floor only, which saves power."""
    judged = {name: scores for name, scores in results.items() if name != ceiling}
    if len(judged) < 2 or min(len(scores.names) for scores in judged.values()) < 2:
        return None
    usable = [
        metric
        for metric in HIGHER_IS_BETTER
        if all(metric in scores.values and not np.isinf(scores.values[metric]).any() for scores in judged.values())
    ]
    if not usable:
        return None
    alike = {n: replace(s, values={m: s.values[m] for m in s.values if m in usable}) for n, s in judged.items()}
    return compare(alike, reference=floor if floor in judged and len(judged) == 2 else None)


def _rows(
    results: Mapping[str, Scores],
    metrics: Sequence[str],
    comparison: Comparison | None,
    *,
    floor: str | None,
    ceiling: str | None,
) -> list[dict[str, Any]]:
    """For each model its name, role, and a cell per metric: mean, interval, whether it leads, share between the limits."""
    means = {name: scores.mean() for name, scores in results.items()}
    rows = []
    for name in sorted(results, key=lambda name: (name == ceiling) - (name == floor)):
        spans = results[name].intervals()
        cells = {}
        for metric in metrics:
            mean = means[name].get(metric, np.nan)
            low, high = (means.get(limit or "", {}).get(metric, np.nan) for limit in (floor, ceiling))
            leads = comparison is not None and not comparison.reference and metric in comparison.metrics
            cells[metric] = {
                "mean": mean,
                "span": spans.get(metric, (np.nan, np.nan)),
                "leads": leads and name != ceiling and name in comparison.leaders(metric),  # type: ignore[union-attr]
                "share": np.nan if name in (floor, ceiling) else _share(mean, low, high, metric),
            }
        role = {floor: "floor", ceiling: "ceiling"}.get(name, "")
        rows.append({"name": name, "role": role, "cells": cells})
    return rows


def _share(mean: float, low: float, high: float, metric: str) -> float:
    """How far from floor to ceiling; NaN where the ceiling is not above the floor."""
    gap = (high - low) if HIGHER_IS_BETTER.get(metric, True) else (low - high)
    return (mean - low) / (high - low) if gap > 1e-9 else np.nan


def _answer(
    rows: Sequence[dict[str, Any]], metrics: Sequence[str], comparison: Comparison | None, subject: Scores
) -> dict[str, Any]:
    """What the first sentence says: the headline metric, the model, where it stands, and how sure one can be."""
    metric = next((m for m in _HEADLINES if m in metrics), metrics[0])
    sign = 1 if HIGHER_IS_BETTER.get(metric, True) else -1
    models = [row for row in rows if not row["role"]]
    defined = [row for row in models if np.isfinite(row["cells"][metric]["mean"])]
    best = max(defined, key=lambda row: sign * row["cells"][metric]["mean"]) if defined else models[0]
    limits = {role: next((row for row in rows if row["role"] == role), None) for role in ("floor", "ceiling")}
    answer = {"metric": metric, "best": best, "of": len(models), "limits": limits, "images": len(subject.names)}
    answer |= {"against": None, "close": None}
    if comparison and comparison.reference:
        pairs = [pair for pair in comparison.pairs if pair.a == best["name"]]
        answer["against"] = comparison.reference
        answer["won"] = [pair.metric for pair in pairs if pair.winner == best["name"]]
        answer["lost"] = [pair.metric for pair in pairs if pair.winner == comparison.reference]
        answer["open"] = [pair.metric for pair in pairs if not pair.winner]
    elif comparison and metric in comparison.metrics:
        answer["close"] = [name for name in comparison.leaders(metric) if name != best["name"]]
    return answer


def _gaps(results: Mapping[str, Scores]) -> Iterator[str]:
    for name, scores in results.items():
        fewer = [f"{m} on {n}" for m, n in scores.counts().items() if n < len(scores.names)]
        if fewer:
            yield f"Of {len(scores.names)} images {name} has {', '.join(fewer)}; its means are over these."


def _origins(results: Mapping[str, Scores]) -> list[dict[str, Any]]:
    """Where the scores are from; models that tell the same share an entry."""
    origins: list[dict[str, Any]] = []
    for name, scores in results.items():
        told = {"model": scores.model, "data set": scores.dataset, "protocol": scores.protocol}
        facts = [(key, text) for key, text in told.items() if text] + list(_flat(scores.about))
        same = next((origin for origin in origins if origin["facts"] == facts), None)
        if same:
            same["names"].append(name)
        else:
            origins.append({"names": [name], "facts": facts, "images": len(scores.names)})
    return origins


def _flat(about: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in about.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}: ")
        elif isinstance(value, list | tuple):
            yield name, "\n".join(map(str, value))
        else:
            yield name, str(value)


def _pictures(panel: Panel) -> dict[str, Any]:
    height, width, _ = panel.stimulus.shape
    shrink = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    return {
        "name": panel.name,
        "scores": [(metric, value) for metric, value in panel.scores.items() if np.isfinite(value)],
        "fixations": len(panel.x),
        "size": size,
        "stimulus": _jpeg(Image.fromarray(with_fixations(panel.stimulus, panel.x, panel.y, size=size))),
        "prediction": _jpeg(Image.fromarray(colour_map(panel.prediction)).resize(size, Image.Resampling.LANCZOS)),
        "ground_truth": _jpeg(Image.fromarray(colour_map(panel.ground_truth)).resize(size, Image.Resampling.LANCZOS)),
    }


def _jpeg(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + b64encode(file.getvalue()).decode()


def _svg(draw: Callable[[Path], None]) -> str:
    """A chart as an address that holds all of it; an image of its own, so that identifiers in it meet no others."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chart.svg"
        draw(path)
        return "data:image/svg+xml;base64," + b64encode(path.read_bytes()).decode()


def _direction(metric: str) -> str:
    return {True: "higher is better", False: "lower is better"}.get(HIGHER_IS_BETTER.get(metric), "")  # type: ignore[arg-type]


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"


def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only whoever writes a report pays for the import

    environment = Environment(
        loader=PackageLoader("mrsal.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:.3f}" if np.isfinite(value) else "—"
    environment.filters["percent"] = lambda value: f"{value:.0%}".replace("%", "\N{NARROW NO-BREAK SPACE}%")
    return environment.get_template("report.html")
