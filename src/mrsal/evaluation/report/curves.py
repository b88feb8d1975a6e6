"""The history of a training run: read from its folder, and drawn as curves."""

import csv
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrsal.errors import FileError
from mrsal.figures import BLUE, FIXATION_COLOUR, GREY, ORANGE, SMALL_TEXT, WIDTH, figure_style, new_figure, save_figure
from mrsal.files import decoding

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

_LINES = [(colour, line) for line in ("-", "--", ":") for colour in (BLUE, ORANGE, GREY, FIXATION_COLOUR)]


def curves_plot(rows: Sequence[dict[str, float]]) -> "Figure":
    """Draw the loss, the accuracy or the CC in training, and the validation metrics over epochs, in a panel each.

    Parameters
    ----------
    rows : sequence of dict
        The rows of ``metrics.csv``, with ``epoch``, ``loss``, ``accuracy`` or ``CC``, and, for some or all epochs,
        ``val_<metric>``. A run that continues from trained weights has an epoch 0 with validation alone.
    """
    from matplotlib.ticker import MaxNLocator  # a slow import

    epochs = [row["epoch"] for row in rows]
    validated = list(dict.fromkeys(name for row in rows for name in row if name.startswith("val_")))
    is_improved = any("CC" in row for row in rows)
    panels = [("training loss", ["loss"]), ("training CC", ["CC"])]
    if not is_improved:
        panels = [("training loss (binary cross-entropy)", ["loss"]), ("training accuracy", ["accuracy"])]
    panels += [("validation", validated)] if validated else []
    with figure_style():
        figure = new_figure(WIDTH, 55, layout="constrained")
        for axes, (title, names) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            for name, (colour, line) in zip(names, cycle(_LINES), strict=False):
                curve = [row.get(name, np.nan) for row in rows]
                label = name.removeprefix("val_")
                axes.plot(epochs, curve, line, color=colour, marker="o", markersize=3, linewidth=1.2, label=label)
            axes.set_title(title)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.tick_params(axis="y", labelsize=SMALL_TEXT)
            axes.grid()
            axes.spines[["top", "right"]].set_visible(False)
            if len(names) > 1:
                axes.legend()
    return figure


def save_curves(rows: Sequence[dict[str, float]], path: str | Path) -> None:
    """Save :func:`curves_plot` as ``.pdf``, ``.svg`` or ``.png``."""
    save_figure(lambda: curves_plot(rows), path)


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
