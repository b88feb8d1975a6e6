"""The curve of the shares of areas over a video."""

import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.film_strip import Picture
from mrsal.aoi.video_shares import VideoShares
from mrsal.figures import BLUE, GREY, ORANGE, SMALL_TEXT, WIDTH, new_figure, save_figure

if TYPE_CHECKING:  # a slow import
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# of Okabe and Ito's set, which colour-blind readers can distinguish; its yellow is too light for lines on white
_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.5)), (0, (6, 1.5, 1.5, 1.5)))  # for more areas than colours
_POINTS = 4_000  # of a line; with more, the lowest and highest shares of each piece are drawn
_MINUTES = 180  # seconds from which times have minutes
_TICKS, _MOST_TICKS = (30, 60, 120, 300, 600, 1200, 1800, 3600), 11  # seconds between ticks, if times have minutes
# in millimetres
_HEIGHT, _LINE = 84.0, 3.4  # of the figure, and of a name beside the axes
_AXES = 148.0  # width of the axes, about
_AROUND = 20.0  # height of what is above and below the axes
_STRIP = 13.0  # height of the pictures below


def save_curve(result: VideoShares, path: Path, *, kind: str, film: Sequence[Picture] = ()) -> None:
    """Draw the shares over time and save them as ``png``, ``svg`` or ``pdf``; the same numbers give the same file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a name may have letters that the font lacks
        save_figure(lambda: share_curve(result, film=film), path, kind=f".{kind}", title=f"Attention in {result.name}")


def share_curve(result: VideoShares, *, film: Sequence[Picture] = ()) -> "Figure":
    """Draw the share of each area over time: a line for each, with its name at the right, and a dot at its highest share.

    A line is interrupted while the area is hidden.

    Parameters
    ----------
    result : VideoShares
        The shares.
    film : sequence of (float, array)
        Times and small pictures of the frames at these times; those that have room are drawn below the curve.
    """
    from matplotlib.ticker import FuncFormatter, MultipleLocator  # a slow import

    high, strip = max(_HEIGHT, _AROUND + _LINE * len(result.names)), _STRIP if film else 0
    figure = new_figure(WIDTH, high + strip, layout="constrained", facecolor="white")
    if film:
        ratios = {"height_ratios": [high - _STRIP, strip]}
        axes, below = figure.subplots(2, 1, sharex=True, gridspec_kw=ratios)
    else:
        axes = below = figure.subplots()
    end = float(result.times[-1] + result.durations[-1])
    for k, summary in enumerate(result.summaries()):
        x, y = _steps(result, k)
        axes.plot(x, y, color=_colour(k), linestyle=_dashes(k), linewidth=1.5, solid_joinstyle="round")
        if summary.highest is not None and summary.highest_at is not None:
            axes.plot([summary.highest_at], [summary.highest], "o", color=_colour(k), markersize=4)
    axes.set_xlim(0, end)
    axes.set_ylim(bottom=0)
    below.set_xlabel("time in the video" if end >= _MINUTES else "time in the video (s)")
    axes.set_ylabel("share of attention")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    if end >= _MINUTES:
        axes.xaxis.set_major_locator(
            MultipleLocator(next(step for step in (*_TICKS, end) if end / step <= _MOST_TICKS))
        )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02}"))
    axes.grid()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(result.name, loc="left")
    _label(axes, result, end, high - _AROUND)
    if film:
        _draw_film(below, film, end)
    return figure


def _draw_film(axes: "Axes", film: Sequence[Picture], end: float) -> None:
    """Draw as many pictures as have room beside each other, each of the frame in the middle of the time below it."""
    height, width, _ = film[0][1].shape
    count = max(1, round(_AXES / (_STRIP * width / height)))
    times = np.array([time for time, _ in film])
    edges = np.linspace(0, end, count + 1)
    for left, right in pairwise(edges.tolist()):
        picture = film[int(np.abs(times - (left + right) / 2).argmin())][1]
        axes.imshow(picture, extent=(left, right, 0, 1), aspect="auto", interpolation="bilinear")
    for edge in edges[1:-1]:
        axes.axvline(edge, color="white", linewidth=1.5)
    axes.set_xlim(0, end)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _colour(k: int) -> str:
    return _COLOURS[k % len(_COLOURS)]


def _dashes(k: int) -> Any:
    return _STYLES[k // len(_COLOURS) % len(_STYLES)]


def _steps(result: VideoShares, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The line of an area: each share from the start to the end of its frame; NaN while it is hidden."""
    shares = np.where(result.visible[:, k], result.attention[:, k], np.nan)
    x = np.stack([result.times, result.times + result.durations], axis=1)
    y = np.stack([shares, shares], axis=1)
    if len(shares) > _POINTS:
        pieces = np.array_split(np.arange(len(shares)), _POINTS // 2)
        x = np.array([[result.times[p[0]], result.times[p[-1]]] for p in pieces])
        y = np.array([_extremes(shares[p]) for p in pieces])
    return x.ravel(), y.ravel()


def _extremes(shares: NDArray[np.float64]) -> tuple[float, float]:
    """The lowest and highest share, in the order in which they come; NaN if the area is hidden in all of the frames."""
    if np.isnan(shares).all():
        return np.nan, np.nan
    low, high = int(np.nanargmin(shares)), int(np.nanargmax(shares))
    return float(shares[min(low, high)]), float(shares[max(low, high)])


def _label(axes: "Axes", result: VideoShares, end: float, height: float) -> None:
    """Write the names beside the right end of axes of this height, each at its line's end if there is room."""
    top = axes.get_ylim()[1]
    ends = []
    for k in range(len(result.names)):
        seen = np.flatnonzero(result.visible[:, k])
        last = int(seen[-1]) if len(seen) else -1
        ends.append((float(result.attention[last, k]) if len(seen) else 0.0, last, k))
    order = sorted(range(len(ends)), key=lambda i: ends[i][0])
    places = _spread(np.array([ends[i][0] / top for i in order]), _LINE / height)
    for i, place in zip(order, places, strict=True):
        share, last, k = ends[i]
        colour = _colour(k)
        if last >= 0:
            start = float(result.times[last] + result.durations[last])
            axes.plot([start, end], [share, share], ":", color=GREY, linewidth=0.8)
            axes.annotate(
                "",
                xy=(1, share / top),
                xytext=(1.02, place),
                xycoords="axes fraction",
                textcoords="axes fraction",
                arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
                annotation_clip=False,
            )
        text = result.names[k] if last >= 0 else f"{result.names[k]} (never visible)"
        axes.annotate(
            _short(text).replace("$", r"\$"),
            xy=(1.025, place),
            xycoords="axes fraction",
            va="center",
            fontsize=SMALL_TEXT,
            annotation_clip=False,
        )


def _short(name: str) -> str:
    return name if len(name) <= 28 else f"{name[:26]}…"


def _spread(places: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Places in increasing order, moved as little as it takes to be ``step`` apart, within [0, 1] if there is room."""
    result = places.astype(float).copy()
    for i in range(1, len(result)):
        result[i] = max(result[i], result[i - 1] + step)
    if len(result):
        result[-1] = min(result[-1], max(1.0, step * (len(result) - 1)))
    for i in range(len(result) - 2, -1, -1):
        result[i] = min(result[i], result[i + 1] - step)
    return result
