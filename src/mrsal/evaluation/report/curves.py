"""The history of a training run: read from its folder, and drawn as curves."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrsal.errors import FileError
from mrsal.evaluation.report.figures import save_figure
from mrsal.files import decoding

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure


def curves_plot(rows: Sequence[dict[str, float]]) -> "Figure":
    """Draw the loss, the accuracy or the CC in training, and the validation metrics over epochs, in a panel each.

    Parameters
    ----------
    rows : sequence of dict
        The rows of ``metrics.csv``, with ``epoch``, ``loss``, ``accuracy`` or ``CC``, and, for some or all epochs,
        ``val_<metric>``. A run that continues from trained weights has an epoch 0 with validation alone.
    """
    # slow imports; no display is needed
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in rows]
    validated = list(dict.fromkeys(name for row in rows for name in row if name.startswith("val_")))
    is_improved = any("CC" in row for row in rows)
    panels = [("training loss", ["loss"]), ("training CC", ["CC"])]
    if not is_improved:
        panels = [("training loss (binary cross-entropy)", ["loss"]), ("training accuracy", ["accuracy"])]
    panels += [("validation", validated)] if validated else []
    figure = Figure(figsize=(4 * len(panels), 3), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        for name in names:
            curve = [row.get(name, np.nan) for row in rows]
            axes.plot(epochs, curve, marker="o", markersize=3, label=name.removeprefix("val_"))
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            axes.legend(fontsize=8, frameon=False)
    return figure


def save_curves(rows: Sequence[dict[str, float]], path: str | Path) -> None:
    """Save :func:`curves_plot` as ``.png`` or ``.svg``."""
    save_figure(lambda: curves_plot(rows), path, dpi=130)


def read_history(run: str | Path) -> list[dict[str, float]]:
    """The rows of a run's ``metrics.csv``; epochs are whole numbers."""
    path = Path(run) / "metrics.csv"
    if not path.is_file():
        raise FileError(f"expected the history of a run at {path}, got no such file; give the folder of a run")
    with decoding(path, "a row of numbers for each epoch", remedy="repair or remove it"):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [
            {name: int(cell) if name == "epoch" else float(cell) for name, cell in row.items() if cell} for row in rows
        ]
