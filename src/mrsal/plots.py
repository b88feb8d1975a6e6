"""Pictures: comparisons of prediction and ground truth, training curves, and sheets of many comparisons."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mrsal.areas import Area
from mrsal.contours import contour_lines
from mrsal.files import atomic_path
from mrsal.images import resize
from mrsal.peaks import Spot

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

_GUTTER = 8
_COLORMAP = "inferno"
_FIXATION = "#E69F00"  # Okabe and Ito's orange


def colour_map(values: NDArray) -> NDArray[np.uint8]:
    """A map in colours, stretched to its own minimum and maximum: ``(H, W)`` numbers to ``(H, W, 3)`` uint8."""
    from matplotlib import colormaps  # a slow import

    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.round(colormaps[_COLORMAP](scaled)[..., :3] * 255).astype(np.uint8)


def comparison(
    stimulus: NDArray[np.uint8], prediction: NDArray, target: NDArray, *, caption: str = ""
) -> NDArray[np.uint8]:
    """Stimulus, prediction and ground truth side by side under their titles.

    Parameters
    ----------
    stimulus : array
        ``(H, W, 3)`` uint8.
    prediction, target : array
        ``(H, W)``; each in its own range of colours.
    caption : str
        Said after the title of the prediction, such as its scores.

    Returns
    -------
    array
        ``(H + title, 3 W + gutters, 3)`` uint8.
    """
    height, width, _ = stimulus.shape
    size = int(np.clip(height / 22, 11, 30))
    font, band = ImageFont.load_default(size), round(size * 1.7)
    page = Image.new("RGB", (3 * width + 2 * _GUTTER, height + band), "white")
    pen = ImageDraw.Draw(page)
    titles = ("Stimulus", "Prediction", "Fixations (ground truth)")
    for column, (title, panel) in enumerate(
        zip(titles, (stimulus, colour_map(prediction), colour_map(target)), strict=True)
    ):
        left = column * (width + _GUTTER)
        page.paste(Image.fromarray(panel), (left, band))
        pen.text((left + 2, band / 2), title, fill="black", font=font, anchor="lm")
        if column == 1 and caption and pen.textlength(title + caption, font) < width - size:
            pen.text((left + width - 2, band / 2), caption, fill="dimgrey", font=font, anchor="rm")
    return np.asarray(page)


def with_fixations(stimulus: NDArray[np.uint8], x: NDArray, y: NDArray, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A stimulus with a dot on each fixation.

    Parameters
    ----------
    stimulus : array
        ``(H, W, 3)`` uint8.
    x, y : array
        In pixels of the stimulus; what is not finite is left out.
    size : (int, int)
        Width and height of the picture.

    Returns
    -------
    array
        ``(height, width, 3)`` uint8.
    """
    width, height = size
    # drawn twice as large and shrunk, which makes edges smooth
    picture = Image.fromarray(stimulus).resize((2 * width, 2 * height), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(picture)
    radius = max(width, height) / 75
    xs, ys = 2 * np.asarray(x) * width / stimulus.shape[1], 2 * np.asarray(y) * height / stimulus.shape[0]
    for column, row in zip(xs, ys, strict=True):
        if np.isfinite(column) and np.isfinite(row):
            box = (column - radius, row - radius, column + radius, row + radius)
            pen.ellipse(box, fill=_FIXATION, outline="black", width=max(1, round(radius / 3)))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def with_areas(picture: NDArray[np.uint8], areas: Sequence[Area], labels: Sequence[str]) -> NDArray[np.uint8]:
    """A picture with the outline of each area and a label on it.

    Parameters
    ----------
    picture : array
        ``(H, W, 3)`` uint8.
    areas : sequence of Area
    labels : sequence of str
        One for each, such as its name and share; what is too long for the picture is cut at its border.

    Returns
    -------
    array
        ``(H, W, 3)`` uint8.
    """
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    line = max(1, round(max(page.size) / 500))
    font = ImageFont.load_default(float(np.clip(max(page.size) / 50, 11, 40)))
    for area in areas:
        box = (round(area.x0), round(area.y0), round(area.x1) - 1, round(area.y1) - 1)
        box = (*box[:2], max(box[0], box[2]), max(box[1], box[3]))  # a sliver is still a line
        for inset, colour in ((0, "black"), (line, "white"), (2 * line, "black")):  # seen on any ground
            if box[2] - box[0] >= 2 * inset and box[3] - box[1] >= 2 * inset:
                inner = (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset)
                pen.rectangle(inner, outline=colour, width=line)
    taken: list[tuple[float, float, float, float]] = []
    for area, label in zip(areas, labels, strict=True):  # after all outlines, which would strike them through
        *_, right, bottom = pen.textbbox((0, 0), label, font=font)
        wide, high = right + 4 * line, bottom + 3 * line
        x = min(max(0, round(area.x0)), max(0, page.width - wide))
        above = round(area.y0) - high
        y = above if above >= 0 else min(round(area.y0), page.height - high)
        while any(x < x1 and x0 < x + wide and y < y1 and y0 < y + high for x0, y0, x1, y1 in taken):
            y += high
        taken.append((x, y, x + wide, y + high))
        pen.rectangle([x, y, x + wide - 1, y + high - 1], fill="white", outline="black", width=line)
        pen.text((x + 2 * line, y + line), label, fill="black", font=font)
    return np.asarray(page)


def with_contours(picture: NDArray[np.uint8], density: NDArray, shares: Sequence[float]) -> NDArray[np.uint8]:
    """A picture with the outline of the smallest region that holds each share of a density, labelled with it.

    Parameters
    ----------
    picture : array
        ``(H, W, 3)`` uint8.
    density : array
        ``(H, W)``, of the same size.
    shares : sequence of float
        In (0, 1).

    Returns
    -------
    array
        ``(H, W, 3)`` uint8.
    """
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    width = max(1, round(max(page.size) / 500))
    size = float(np.clip(max(page.size) / 60, 10, 32))
    font = ImageFont.load_default(size)
    tops = []
    for share in sorted(shares, reverse=True):
        lines = contour_lines(density, share)
        for colour, extra in (("black", 2 * width), ("white", 0)):
            for line in lines:
                pen.line([(float(x), float(y)) for x, y in line], fill=colour, width=width + extra, joint="curve")
        if lines:
            longest = max(lines, key=len)
            tops.append((f"{100 * share:g}%", *longest[longest[:, 1].argmin()]))
    half_wide, half_high = pen.textlength("100%", font) / 2 + 3, size / 2 + 3
    for label, *top in tops:
        x = min(max(float(top[0]), half_wide), page.width - half_wide)  # whole, where a line runs along the border
        y = min(max(float(top[1]), half_high), page.height - half_high)
        pen.text((x, y), label, fill="white", font=font, anchor="mm", stroke_width=3, stroke_fill="black")
    return np.asarray(page)


def with_spots(picture: NDArray[np.uint8], spots: Sequence[Spot]) -> NDArray[np.uint8]:
    """A picture with a numbered disc on each spot, joined in their order: ``(H, W, 3)`` uint8."""
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    radius = float(np.clip(max(page.size) / 55, 8, 60))
    width = max(1, round(radius / 6))
    font = ImageFont.load_default(1.3 * radius)
    for a, b in pairwise(spots):
        pen.line([(a.x, a.y), (b.x, b.y)], fill="black", width=3 * width)
        pen.line([(a.x, a.y), (b.x, b.y)], fill=_FIXATION, width=width)
    for number, spot in reversed(list(enumerate(spots, start=1))):  # the first ones on top
        box = (spot.x - radius, spot.y - radius, spot.x + radius, spot.y + radius)
        pen.ellipse(box, fill=_FIXATION, outline="black", width=width)
        pen.text((spot.x, spot.y), str(number), fill="black", font=font, anchor="mm")
    return np.asarray(page)


def side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two pictures beside each other, each at its own size, on white."""
    page = Image.new("RGB", (left.shape[1] + _GUTTER + right.shape[1], max(left.shape[0], right.shape[0])), "white")
    page.paste(Image.fromarray(left), (0, 0))
    page.paste(Image.fromarray(right), (left.shape[1] + _GUTTER, 0))
    return np.asarray(page)


def save_jpeg(picture: NDArray[np.uint8], path: str | Path, *, quality: int = 92) -> None:
    """Write a picture as JPEG."""
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="JPEG", quality=quality)


def sheet(pictures: Sequence[NDArray[np.uint8]], *, width: int = 900, columns: int = 1) -> NDArray[np.uint8]:
    """Many comparisons on one page, each scaled to ``width`` pixels."""
    scaled = [resize(p, round(p.shape[0] * width / p.shape[1]), width) for p in pictures]
    rows = [scaled[i : i + columns] for i in range(0, len(scaled), columns)]
    heights = [max(p.shape[0] for p in row) for row in rows]
    page = Image.new("RGB", (columns * (width + _GUTTER) - _GUTTER, sum(heights) + _GUTTER * (len(rows) - 1)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            page.paste(Image.fromarray(picture), (column * (width + _GUTTER), top))
        top += height + _GUTTER
    return np.asarray(page)


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
