"""The history of a training run, read from its folder and drawn as curves."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrsal.errors import FileError
from mrsal.files import atomic_path

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure


def curves_plot(rows: Sequence[dict[str, float]]) -> "Figure":
    """Loss, accuracy and, where there are any, validation metrics over epochs, in a panel each.

    Parameters
    ----------
    rows : sequence of dict
        As in ``metrics.csv``: ``epoch``, ``loss``, ``accuracy`` and any ``val_<metric>``, which some epochs may lack.
    """
    # slow imports; no display is needed
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in rows]
    validated = list(dict.fromkeys(name for row in rows for name in row if name.startswith("val_")))
    panels = [("training loss (binary cross-entropy)", ["loss"]), ("training accuracy", ["accuracy"])]
    panels += [("validation", validated)] if validated else []
    figure = Figure(figsize=(4 * len(panels), 3), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for name in names:
            values = [row.get(name, np.nan) for row in rows]
            axes.plot(epochs, values, marker="o", markersize=3, label=name.removeprefix("val_"))
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            axes.legend(fontsize=8, frameon=False)
    return figure


def save_curves(rows: Sequence[dict[str, float]], path: str | Path) -> None:
    """Save :func:`curves_plot` as a PNG or, by the suffix, an SVG."""
    from matplotlib import rc_context  # a slow import

    path = Path(path)
    figure = curves_plot(rows)
    dateless = {"Date": None} if path.suffix == ".svg" else {"Software": None}  # the same rows, the same file
    with atomic_path(path) as temporary, rc_context({"svg.hashsalt": "mrsal"}):
        figure.savefig(temporary, format=path.suffix[1:], dpi=130, metadata=dateless)


def read_history(run: str | Path) -> list[dict[str, float]]:
    """The rows of a run's ``metrics.csv``; epochs are whole numbers."""
    path = Path(run) / "metrics.csv"
    if not path.is_file():
        raise FileError(f"no history of a run: {path} does not exist; give the folder of a run")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: int(value) if name == "epoch" else float(value) for name, value in row.items() if value} for row in rows
    ]
