"""Charts as files: the same chart gives the same file, byte for byte."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrsal.errors import InputError
from mrsal.files import atomic_path

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

_SUFFIXES = (".png", ".svg")


def save_figure(
    draw: Callable[[], "Figure"], path: str | Path, *, dpi: int, style: Mapping[Any, Any] | None = None
) -> None:
    """Draw a chart and save it.

    Parameters
    ----------
    draw : callable
        Draws the chart. It is called after the file name was checked.
    path : str or Path
        A file name that ends in ``.png`` or ``.svg``.
    dpi : int
        The resolution of a PNG file in dots per inch.
    style : mapping, optional
        The settings of matplotlib (``rcParams``) while the chart is saved.

    Raises
    ------
    InputError
        If the file name ends differently.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise InputError(f"expected a file name that ends in {' or '.join(_SUFFIXES)}, got {path.name}")
    from matplotlib import rc_context  # a slow import

    settings: dict[Any, Any] = {"svg.hashsalt": "mrsal", **(style or {})}
    figure = draw()
    without_date = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with atomic_path(path) as temporary, rc_context(settings):
        figure.savefig(temporary, format=path.suffix[1:], dpi=dpi, metadata=without_date)
