"""Drawing areas, contours and spots on pictures."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mrsal.aoi.shapes import Area, Rectangle
from mrsal.aoi.spots import Spot
from mrsal.evaluation import GUTTER
from mrsal.figures import FIXATION_COLOUR
from mrsal.inference import contour_lines

Box = tuple[float, float, float, float]

_FINER = 4  # pixels in which a line is drawn for each pixel along both sides, so that its edges are smooth
_SHORTEST = 2  # length of a piece of a line, in its widths
_MOST_FINE_PIXELS = 100_000_000


def with_areas(
    picture: NDArray[np.uint8],
    areas: Sequence[Area],
    labels: Sequence[str],
    *,
    scale: float = 1.0,
    font_size: float | None = None,
) -> NDArray[np.uint8]:
    """Draw the outline of each area and a label at it.

    Parameters
    ----------
    picture : array
        The picture, ``(H, W, 3)`` uint8.
    areas : sequence of Area
        The areas, in pixels of the image.
    labels : sequence of str
        A label for each area, such as its name and share. Empty: no label. A label that is
        too long is cut at the border of the picture.
    scale : float
        Pixels of the picture for each pixel of the image.
    font_size : float, optional
        The size of the labels in pixels; lines are a tenth as wide. By default both grow with the picture.

    Returns
    -------
    array
        The new picture, ``(H, W, 3)`` uint8.
    """
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    line = max(1, round(font_size / 10 if font_size else max(page.size) / 500))
    outlines = [[outline * scale for outline in area.outlines()] for area in areas]
    for area, lines in zip(areas, outlines, strict=True):
        if isinstance(area, Rectangle) and area.is_upright:
            _draw_box(pen, lines[0], line)
        else:
            _draw_outlines(page, lines, line)
    font = _font(font_size or float(np.clip(max(page.size) / 55, 10, 36)))
    taken: list[Box] = []
    for lines, label in zip(outlines, labels, strict=True):  # after the outlines, which would cross them
        if not label:
            continue
        *_, right, bottom = pen.textbbox((0, 0), label, font=font)
        x, y, wide, high = place = _free_place(lines, (right + 4 * line, bottom + 3 * line), page.size, taken)
        taken.append(place)
        pen.rectangle([x, y, x + wide - 1, y + high - 1], fill="white", outline="black", width=line)
        pen.text((x + 2 * line, y + line), label, fill="black", font=font)
    return np.asarray(page)


def _font(size: float) -> ImageFont.FreeTypeFont:
    """A font that has more of the letters in which areas are named than Pillow's own."""
    import matplotlib

    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _draw_box(pen: ImageDraw.ImageDraw, corners: NDArray[np.float64], line: int) -> None:
    """Draw an upright rectangle in black, white and black, just inside its edges: visible on any background."""
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    left, top = round(x0), round(y0)
    right, bottom = max(left, round(x1) - 1), max(top, round(y1) - 1)  # a very thin area is still a line
    for inset, colour in ((0, "black"), (line, "white"), (2 * line, "black")):
        if right - left >= 2 * inset and bottom - top >= 2 * inset:
            pen.rectangle((left + inset, top + inset, right - inset, bottom - inset), outline=colour, width=line)


def _draw_outlines(page: Image.Image, lines: Sequence[NDArray[np.float64]], line: int) -> None:
    """Draw closed lines in white between black, with smooth edges."""
    points = np.concatenate(lines)
    edge = 4 * line
    left, top = np.maximum(np.floor(points.min(axis=0)) - edge, 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(points.max(axis=0)) + edge, page.size).astype(int).tolist()
    if left >= right or top >= bottom:
        return
    size = right - left, bottom - top
    finer = _FINER if size[0] * size[1] * _FINER**2 <= _MOST_FINE_PIXELS else 1
    for colour, width in (("black", 3.6 * line), ("white", 1.6 * line)):  # a line may lie between pixels, which dims it
        drawn = Image.new("L", (size[0] * finer, size[1] * finer))
        pen = ImageDraw.Draw(drawn)
        for outline in lines:
            thinned = _thinned(outline, _SHORTEST * line)
            closed = np.concatenate([thinned, thinned[:2]]) - (left, top)
            corners = [(x, y) for x, y in (closed * finer - 0.5).tolist()]
            pen.line(corners, fill=255, width=round(width * finer), joint="curve")
        page.paste(colour, (left, top, right, bottom), drawn.reduce(finer))


def _thinned(outline: NDArray[np.float64], shortest: float) -> NDArray[np.float64]:
    """An outline without points that are close to the one before: wide lines with short pieces have ragged edges."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(outline, axis=0).T))])
    first = np.unique(along // shortest, return_index=True)[1]
    return outline[first] if len(first) > 8 else outline


def _free_place(
    lines: Sequence[NDArray[np.float64]], size: tuple[float, float], page: tuple[int, int], taken: Sequence[Box]
) -> Box:
    """Where a label of a size has room: above the area, inside, below, or elsewhere; x, y, width and height."""
    wide, high = size
    points = np.concatenate(lines)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    highest = points[points[:, 1] <= y0 + 0.5, 0]
    is_flat = highest.min() - x0 < 1 and np.ptp(highest) > wide / 2  # such as the edge of an upright rectangle
    left = round(x0 if is_flat else highest.mean() - wide / 2)
    columns = [min(max(0, x), max(0, page[0] - wide)) for x in ((left, round(x1 - wide)) if is_flat else (left,))]
    top = min(max(0, round(y0)), max(0, page[1] - high))
    near = [top, round(y1)] if y1 - y0 > 3 * high else [round(y1), top]  # a label would cover a low area
    steps = range(1, int(page[1] / high) + 1)
    far = [top + sign * step * high for step in steps for sign in (1, -1)]
    heights = [round(y0) - high, *near, *far]
    places = [(x, y, wide, high) for y in heights if 0 <= y <= page[1] - high for x in columns]
    fallback = (columns[0], top, wide, high)
    return next((place for place in places if not any(_overlap(place, other) for other in taken)), fallback)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def with_contours(picture: NDArray[np.uint8], density: NDArray, shares: Sequence[float]) -> NDArray[np.uint8]:
    """Draw the outline of the smallest region that contains each share of a density, with the share as label.

    Parameters
    ----------
    picture : array
        The picture, ``(H, W, 3)`` uint8.
    density : array
        The density, ``(H, W)``.
    shares : sequence of float
        The shares, in (0, 1).

    Returns
    -------
    array
        The new picture, ``(H, W, 3)`` uint8.
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
        x = min(
            max(float(top[0]), half_wide), page.width - half_wide
        )  # keeps the label inside if the line follows the border
        y = min(max(float(top[1]), half_high), page.height - half_high)
        pen.text((x, y), label, fill="white", font=font, anchor="mm", stroke_width=3, stroke_fill="black")
    return np.asarray(page)


def with_spots(picture: NDArray[np.uint8], spots: Sequence[Spot]) -> NDArray[np.uint8]:
    """Draw a numbered disc on each spot and lines between them in their order: ``(H, W, 3)`` uint8."""
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    radius = float(np.clip(np.sqrt(page.width * page.height) / 48, 8, 60))  # also right for long pages
    width = max(1, round(radius / 6))
    font = ImageFont.load_default(1.3 * radius)
    for a, b in pairwise(spots):
        pen.line([(a.x, a.y), (b.x, b.y)], fill="black", width=3 * width)
        pen.line([(a.x, a.y), (b.x, b.y)], fill=FIXATION_COLOUR, width=width)
    for number, spot in reversed(list(enumerate(spots, start=1))):  # the first spot is on top
        box = (spot.x - radius, spot.y - radius, spot.x + radius, spot.y + radius)
        pen.ellipse(box, fill=FIXATION_COLOUR, outline="black", width=width)
        pen.text((spot.x, spot.y), str(number), fill="black", font=font, anchor="mm")
    return np.asarray(page)


def side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two pictures beside each other, at their own sizes, on white."""
    page = Image.new("RGB", (left.shape[1] + GUTTER + right.shape[1], max(left.shape[0], right.shape[0])), "white")
    page.paste(Image.fromarray(left), (0, 0))
    page.paste(Image.fromarray(right), (left.shape[1] + GUTTER, 0))
    return np.asarray(page)
