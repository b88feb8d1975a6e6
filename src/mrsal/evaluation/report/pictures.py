"""Pictures that show a stimulus, a prediction and the ground truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mrsal.figures import FIXATION_COLOUR
from mrsal.images import resize
from mrsal.inference import colour_map

GUTTER = 8


def comparison_picture(
    stimulus: NDArray[np.uint8], prediction: NDArray, ground_truth: NDArray, *, caption: str = ""
) -> NDArray[np.uint8]:
    """Draw stimulus, prediction and ground truth side by side under their titles.

    Parameters
    ----------
    stimulus : array
        The stimulus: ``(H, W, 3)`` uint8.
    prediction, ground_truth : array
        The maps: ``(H, W)``. Each is drawn in its own range of colours.
    caption : str
        A text after the title of the prediction, such as its scores. It is left out if there is no room.

    Returns
    -------
    array
        The picture: ``(H + title, 3 W + gutters, 3)`` uint8.
    """
    height, width, _ = stimulus.shape
    size = int(np.clip(height / 22, 11, 30))
    font, band = ImageFont.load_default(size), round(size * 1.7)
    page = Image.new("RGB", (3 * width + 2 * GUTTER, height + band), "white")
    pen = ImageDraw.Draw(page)
    parts = {
        "Stimulus": stimulus,
        "Prediction": colour_map(prediction),
        "Fixations (ground truth)": colour_map(ground_truth),
    }
    for column, (title, part) in enumerate(parts.items()):
        left = column * (width + GUTTER)
        page.paste(Image.fromarray(part), (left, band))
        pen.text((left + 2, band / 2), title, fill="black", font=font, anchor="lm")
        if column == 1 and caption and pen.textlength(title + caption, font) < width - size:
            pen.text((left + width - 2, band / 2), caption, fill="dimgrey", font=font, anchor="rm")
    return np.asarray(page)


def with_fixations(stimulus: NDArray[np.uint8], x: NDArray, y: NDArray, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw a stimulus with a dot on each fixation.

    Parameters
    ----------
    stimulus : array
        The stimulus: ``(H, W, 3)`` uint8.
    x, y : array
        The fixations in pixels of the stimulus. Those that are not finite are left out.
    size : (int, int)
        The width and height of the picture in pixels.

    Returns
    -------
    array
        The picture: ``(height, width, 3)`` uint8.
    """
    width, height = size
    # the picture is drawn twice as large and then reduced, which makes edges smooth
    picture = Image.fromarray(stimulus).resize((2 * width, 2 * height), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(picture)
    radius = max(width, height) / 75
    xs, ys = 2 * np.asarray(x) * width / stimulus.shape[1], 2 * np.asarray(y) * height / stimulus.shape[0]
    for column, row in zip(xs, ys, strict=True):
        if np.isfinite(column) and np.isfinite(row):
            box = (column - radius, row - radius, column + radius, row + radius)
            pen.ellipse(box, fill=FIXATION_COLOUR, outline="black", width=max(1, round(radius / 3)))
    return np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def sheet(pictures: Sequence[NDArray[np.uint8]], *, width: int = 900, columns: int = 1) -> NDArray[np.uint8]:
    """Arrange pictures on one page, row by row, each scaled to ``width`` pixels."""
    scaled = [resize(p, round(p.shape[0] * width / p.shape[1]), width) for p in pictures]
    rows = [scaled[i : i + columns] for i in range(0, len(scaled), columns)]
    heights = [max(p.shape[0] for p in row) for row in rows]
    page = Image.new("RGB", (columns * (width + GUTTER) - GUTTER, sum(heights) + GUTTER * (len(rows) - 1)), "white")
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            page.paste(Image.fromarray(picture), (column * (width + GUTTER), top))
        top += height + GUTTER
    return np.asarray(page)
