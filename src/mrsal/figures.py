"""One style for every figure that mrsal draws with matplotlib, and how figures become files.

The sizes are those of journals: 180 mm is two columns, and text has 7 or 8 points. Text stays text in PDF and SVG, so that it
can be edited and searched. The colours are from Okabe and Ito's set, which colour-blind readers can distinguish; no information
is in colour alone.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrsal._version import __version__
from mrsal.errors import InputError
from mrsal.files import atomic_path

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
FIXATION_COLOUR = "#E69F00"  # orange, too, but bright enough to be seen on a photograph

WIDTH = 180.0  # millimetres
MM = 1 / 25.4  # inches
TEXT, SMALL_TEXT = 8, 7  # points
DPI = 300  # of PNG files

_SUFFIXES = (".pdf", ".svg", ".png")
# the fonts that journals ask for, one with the same widths that is free, and the one that comes with matplotlib
_FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans")
_lock = (
    threading.RLock()
)  # the settings of matplotlib are those of the whole process, and its fonts are not for several threads


@contextmanager
def figure_style() -> Iterator[None]:
    """In the block, figures are drawn and saved in the style of mrsal. Other threads wait for their turn."""
    from matplotlib import rc_context  # a slow import

    settings: dict[Any, Any] = {
        # the font by its name, so that a figure keeps it if it is saved outside of this block
        "font.family": [_font(), "sans-serif"],
        "font.sans-serif": [*_FONTS, "sans-serif"],
        "font.size": TEXT,
        "axes.titlesize": TEXT,
        "axes.labelsize": TEXT,
        "xtick.labelsize": SMALL_TEXT,
        "ytick.labelsize": TEXT,
        "legend.fontsize": TEXT,
        "legend.frameon": False,
        "axes.linewidth": 0.6,
        "axes.axisbelow": True,
        "grid.alpha": 0.35,
        "grid.linewidth": 0.5,
        **{f"{axis}tick.major.{what}": value for axis in "xy" for what, value in (("width", 0.6), ("size", 2.5))},
        "pdf.fonttype": 42,  # TrueType, since journals refuse Type 3
        "svg.fonttype": "none",
        "svg.hashsalt": "mrsal",  # or else identifiers would be random
        "savefig.facecolor": "white",
    }
    with _lock, rc_context(settings):
        yield


@cache
def _font() -> str:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return next(name for name in _FONTS if name in installed)


def new_figure(width: float, height: float, **options: Any) -> "Figure":
    """An empty figure of a size in millimetres. It needs no display, and pyplot does not know it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * MM, height * MM), dpi=DPI, **options)
    FigureCanvasAgg(figure)
    return figure


def text_width(text: str, size: float = TEXT) -> float:
    """The width of a text in millimetres, in the font of figures."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    with _lock:
        return (
            float(TextPath((0, 0), text, size=size, prop=FontProperties(family=_font())).get_extents().width) / 72 / MM
        )


def save_figure(
    draw: Callable[[], "Figure"], path: str | Path, *, kind: str = "", title: str = "", description: str = ""
) -> None:
    """Draw a figure and save it; the same figure gives the same file, byte for byte.

    Parameters
    ----------
    draw : callable
        Draws the figure. It is called after the file name was checked.
    path : str or Path
        A file name that ends in ``.pdf``, ``.svg`` or ``.png``.
    kind : str
        The same endings, for a file with another name. By default that of the file name.
    title, description : str
        For the properties of the file.

    Raises
    ------
    InputError
        If the file name ends differently.
    """
    path = Path(path)
    kind = (kind or path.suffix).lower()
    if kind not in _SUFFIXES:
        raise InputError(f"expected a file name that ends in {', '.join(_SUFFIXES)}, got {path.name!r}")
    creator = f"mrsal {__version__}"
    about: dict[str, Any] = {"Title": title} if title else {}
    if kind == ".pdf":
        about |= {"Creator": creator, "Subject": description or None, "CreationDate": None}
    elif kind == ".svg":
        about |= {"Creator": creator, "Description": description or None, "Date": None}
    else:
        about |= {"Software": creator, "Description": description}
    with figure_style(), atomic_path(path) as temporary:
        figure = draw()
        if kind == ".png":  # in the other files, pictures are stored as they are
            for picture in (picture for axes in figure.axes for picture in axes.images):
                picture.set_interpolation("antialiased")
        figure.savefig(temporary, format=kind[1:], dpi=DPI, metadata=about)
        if kind == ".svg":  # a browser would leave out pixels of a picture that it shows smaller than it is
            svg = temporary.read_bytes()
            temporary.write_bytes(svg.replace(b"image-rendering:crisp-edges;image-rendering:pixelated", b""))
