"""Drawing areas, contours and spots on pictures."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mrsal.aoi.areas import Area
from mrsal.aoi.contours import contour_lines
from mrsal.aoi.spots import Spot
from mrsal.evaluation import FIXATION_COLOUR, GUTTER


def with_areas(picture: NDArray[np.uint8], areas: Sequence[Area], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Draw the outline of each area and a label at it.

    Parameters
    ----------
    picture : array
        The picture, ``(H, W, 3)`` uint8.
    areas : sequence of Area
        The areas, in pixels of the picture.
    labels : sequence of str
        A label for each area, such as its name and share. A label that is too long is cut at the border of the picture.

    Returns
    -------
    array
        The new picture, ``(H, W, 3)`` uint8.
    """
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    line = max(1, round(max(page.size) / 500))
    font = ImageFont.load_default(float(np.clip(max(page.size) / 50, 11, 40)))
    for area in areas:
        box = (round(area.x0), round(area.y0), round(area.x1) - 1, round(area.y1) - 1)
        box = (*box[:2], max(box[0], box[2]), max(box[1], box[3]))  # a very thin area is still a line
        for inset, colour in ((0, "black"), (line, "white"), (2 * line, "black")):  # visible on any background
            if box[2] - box[0] >= 2 * inset and box[3] - box[1] >= 2 * inset:
                inner = (box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset)
                pen.rectangle(inner, outline=colour, width=line)
    taken: list[tuple[float, float, float, float]] = []
    for area, label in zip(areas, labels, strict=True):  # after the outlines, which would cross them
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
    radius = float(np.clip(max(page.size) / 55, 8, 60))
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
