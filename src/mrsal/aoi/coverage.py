"""Which part of each pixel an outline covers, computed exactly.

An outline goes in, and an array comes out that has the covered part of each pixel, from 0 to 1. Nothing is sampled: each side
of the outline is cut where it passes from one pixel to the next, and the trapezium between each piece and the right border is
added.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Window = tuple[int, int, int, int]
"""Whole pixels ``(x0, y0, x1, y1)``: columns from x0 to x1 - 1 and rows from y0 to y1 - 1."""

_PIECES = 500_000  # pieces of sides that are in memory at the same time


def covered_length(start: float, stop: float, first: int, last: int) -> NDArray[np.float64]:
    """The part of each pixel of a row, from ``first`` to ``last - 1``, that lies between ``start`` and ``stop``."""
    pixels = np.arange(first, last)
    return np.clip(np.minimum(pixels + 1, stop) - np.maximum(pixels, start), 0, 1)


def covered_by(outline: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """The part of each pixel of a window that an outline covers.

    Parameters
    ----------
    outline : array
        ``(N, 2)``: x and y of the corners in pixels, in either direction; the last is joined to the first.
    window : Window
        The pixels.

    Returns
    -------
    array
        ``(y1 - y0, x1 - x0)`` float64 in [0, 1].

    Notes
    -----
    Where an outline crosses itself, everything that it goes around counts, once. In the few pixels in which it crosses itself,
    the covered part may be too small or too large.
    """
    x0, y0, x1, y1 = window
    height, width = y1 - y0, x1 - x0
    sums = np.zeros((height, width + 1))
    start = outline - (x0, y0)
    stop = np.roll(start, -1, axis=0)
    for a, b in _blocks(start, stop, width, height):
        _add(sums, a, b)
    return np.minimum(np.abs(np.cumsum(sums, axis=1)[:, :width]), 1)


def _blocks(
    start: NDArray[np.float64], stop: NDArray[np.float64], width: int, height: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The sides that matter, in blocks with a limited number of pieces."""
    low, high = np.minimum(start[:, 1], stop[:, 1]), np.maximum(start[:, 1], stop[:, 1])
    matters = (low < high) & (low < height) & (high > 0)
    start, stop = start[matters], stop[matters]
    pieces = 2 + _counts(start[:, 0], stop[:, 0], width) + _counts(start[:, 1], stop[:, 1], height)
    blocks = np.cumsum(pieces) // _PIECES
    for block in np.unique(blocks):
        chosen = blocks == block
        yield start[chosen], stop[chosen]


def _ends(
    a: NDArray[np.float64], b: NDArray[np.float64], limit: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first and the last line between pixels that lies between ``a`` and ``b``, of those from 0 to ``limit``."""
    return np.maximum(np.ceil(np.minimum(a, b)), 0), np.minimum(np.floor(np.maximum(a, b)), limit)


def _counts(a: NDArray[np.float64], b: NDArray[np.float64], limit: int) -> NDArray[np.int64]:
    first, last = _ends(a, b, limit)
    return np.maximum(last - first + 1, 0).astype(np.int64)


def _cuts(a: NDArray[np.float64], b: NDArray[np.float64], limit: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where sides from ``a`` to ``b`` pass lines between pixels: the indices of the sides, and the places on them in [0, 1]."""
    counts = np.where(a == b, 0, _counts(a, b, limit))
    side = np.repeat(np.arange(len(a)), counts)
    number = np.arange(len(side)) - np.repeat(np.cumsum(counts) - counts, counts)
    line = _ends(a, b, limit)[0][side] + number
    return side, np.clip((line - a[side]) / (b - a)[side], 0, 1)


def _add(sums: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
    """Add what lies to the right of the sides from ``a`` to ``b``, so that sums along the rows are covered parts of pixels."""
    height, width = sums.shape[0], sums.shape[1] - 1
    sides = np.arange(len(a))
    across, across_at = _cuts(a[:, 0], b[:, 0], width)
    down, down_at = _cuts(a[:, 1], b[:, 1], height)
    side = np.concatenate([sides, sides, across, down])
    place = np.concatenate([np.zeros(len(a)), np.ones(len(a)), across_at, down_at])
    order = np.lexsort((place, side))
    side, place = side[order], place[order]
    x, y = (a[side] + place[:, None] * (b - a)[side]).T
    same = side[1:] == side[:-1]
    fall = (y[1:] - y[:-1])[same]
    middle_x, middle_y = ((x[1:] + x[:-1]) / 2)[same], ((y[1:] + y[:-1]) / 2)[same]
    row, column = np.floor(middle_y), np.floor(middle_x)
    inside = (row >= 0) & (row < height) & (column < width) & (fall != 0)
    row, column, fall, middle_x = row[inside].astype(np.int64), column[inside], fall[inside], middle_x[inside]
    left = column < 0  # such a side covers whole rows of the window
    part = np.where(left, 0, middle_x - column)
    place_in = np.where(left, 0, column).astype(np.int64)
    np.add.at(sums, (row, place_in), fall * (1 - part))
    np.add.at(sums, (row, place_in + 1), fall * part)


def ellipse_outline(x: float, y: float, radius_x: float, radius_y: float) -> NDArray[np.float64]:
    """A polygon with 720 corners and exactly the surface of an ellipse: ``(720, 2)``.

    It is nowhere further from the ellipse than 0.00002 of the radius, 0.02 pixels for a radius of 1000.
    """
    corners = 720
    angle = 2 * math.pi * np.arange(corners) / corners
    growth = math.sqrt(2 * math.pi / corners / math.sin(2 * math.pi / corners))
    return np.stack([x + growth * radius_x * np.cos(angle), y + growth * radius_y * np.sin(angle)], axis=1)


def rotated(points: NDArray[np.float64], centre: tuple[float, float], degrees: float) -> NDArray[np.float64]:
    """Points turned clockwise about a centre."""
    angle = math.radians(degrees % 360)
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = (points - centre).T
    return np.stack([centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine], axis=1)
