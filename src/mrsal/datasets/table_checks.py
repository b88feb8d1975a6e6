"""Checks of the coordinates and times of a table of fixations: what would quietly give nonsense is refused.

Letters: N rows. ``shapes`` is ``(N, 2)``, the height and width of the stimulus of each row.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.options import TableOptions
from mrsal.errors import DataError

_MOST_OUTSIDE = 0.6  # a share of fixations outside at which the coordinates are of something else
_MOST_UNIT = 0.75  # a share of fixations from 0 to 1 at which the coordinates are relative; some lie beyond
_SWAPPED_SHARE, _SWAPPED_ROWS, _SWAPPED_RATIO = (
    0.04,
    4,
    5,
)  # 8 to 17 % lie outside where x and y of published sets are swapped
_SHORTEST = 0.05  # seconds from fixation to fixation; the median is about 0.3
_LONGEST_TRIAL = 100  # rows
_SMALLEST_STEP = 0.01  # from row to row, as a share of the longer side


def check_places(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    shapes: NDArray[np.int64],
    *,
    raw: tuple[NDArray[np.float64], NDArray[np.float64]],
    options: TableOptions,
    path: Path,
) -> None:
    """Refuse coordinates that are not pixels of the stimuli.

    Parameters
    ----------
    x, y : array
        The coordinates in pixels of the stimuli.
    shapes : array
        The heights and widths.
    raw : (array, array)
        The coordinates as they are in the table.
    options : TableOptions
        The options with which x and y were computed.
    path : Path
        The table, for the message.

    Raises
    ------
    DataError
        If most coordinates are from 0 to 1, most are outside, or far fewer would be outside if x and y were swapped.
    """
    height, width = shapes.T
    is_unit = (raw[0] >= 0) & (raw[0] <= 1) & (raw[1] >= 0) & (raw[1] <= 1)
    if options.coordinates == "pixels" and is_unit.mean() >= _MOST_UNIT:
        raise DataError(
            f"expected x and y in pixels in {path}, got values from 0 to 1 in {is_unit.sum()} of {len(x)} rows; if they are "
            "relative to the image or the screen, give --coordinates relative"
        )
    outside = _outside(x, y, height, width)
    if outside.mean() > _MOST_OUTSIDE:
        spans = " and ".join(
            f"{name} from {values.min():g} to {values.max():g}" for name, values in zip("xy", raw, strict=True)
        )
        smallest, largest = f"{width.min()}x{height.min()}", f"{width.max()}x{height.max()}"
        sizes = largest if smallest == largest else f"{smallest} to {largest}"
        raise DataError(
            f"expected fixations inside the images, which have {sizes} pixels, in {path}, got {outside.sum()} of {len(x)} "
            f"outside, with {spans}; if they are on the screen, give --offset, --scale or --screen"
        )
    swapped = _outside(y, x, height, width)
    is_many = outside.sum() >= _SWAPPED_ROWS and outside.mean() >= _SWAPPED_SHARE
    if is_many and outside.sum() >= _SWAPPED_RATIO * swapped.sum():
        raise DataError(
            f"x and y seem to be swapped in {path}: {outside.sum()} of {len(x)} fixations are outside their image, and "
            f"{swapped.sum()} would be if x were y; swap them with --columns, or remove the rows that are outside"
        )


def _outside(
    x: NDArray[np.float64], y: NDArray[np.float64], height: NDArray[np.int64], width: NDArray[np.int64]
) -> NDArray[np.bool_]:
    return ~((x >= 0) & (y >= 0) & (x < width) & (y < height))


def check_rate(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    trial: NDArray[np.int64],
    start: NDArray[np.float64],
    unit: int | None,
    shapes: NDArray[np.int64],
    *,
    path: Path,
) -> None:
    """Refuse gaze samples, of which there are 30 to 2000 in a second, while there are about 3 fixations.

    Parameters
    ----------
    x, y : array
        The coordinates in pixels of the stimuli.
    trial : array of int64
        The number of each row's trial.
    start : array
        The start of each row; NaN if it is not known.
    unit : int or None
        How many units of ``start`` are a second; None if it is not known.
    shapes : array
        The heights and widths.
    path : Path
        The table, for the message.

    Raises
    ------
    DataError
        If the rows are samples, by their times, or by their number together with the small steps between them.
    """
    first, second = _successive(trial)
    if not len(first):
        return
    steps = np.hypot(x[second] - x[first], y[second] - y[first]) / shapes[first].max(axis=1)
    is_still = bool(np.median(steps) < _SMALLEST_STEP)
    gaps = start[second] - start[first]
    gaps = gaps[gaps > 0]
    rows = np.median(np.bincount(trial))
    found = ""
    if gaps.size and (rate := _sampling_rate(float(np.median(gaps)), unit, is_still)):
        found = f"{rate:.0f} rows in a second"
    elif is_still and rows >= _LONGEST_TRIAL:
        found = f"{rows:.0f} rows in a trial, each close to the one before"
    if found:
        raise DataError(
            f"expected fixations in {path}, got gaze samples: {found}; detect fixations with the software of the eye tracker "
            "first. (A name like start_s or start_ms tells the unit of times)"
        )


def _sampling_rate(gap: float, unit: int | None, is_still: bool) -> float | None:
    """Samples in a second, by the time from row to row; None if the rows are fixations."""
    if unit is None:  # samples in one unit have times like fixations in another, but there are gaps between the two
        guesses = {1: gap < _SHORTEST, 1_000: 2 <= gap < _SHORTEST * 1_000, 1_000_000: 2_000 <= gap < _SHORTEST * 1e6}
        unit = next((unit for unit, fits in guesses.items() if fits and (is_still or unit <= 1_000)), None)
    return unit / gap if unit and gap < _SHORTEST * unit else None


def went_back(trial: NDArray[np.int64], start: NDArray[np.float64]) -> int:
    """Count the trials in which a row starts before the row above it."""
    first, second = _successive(trial)
    return len(np.unique(trial[first[start[second] < start[first]]]))


def _successive(trial: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices of the first and the second row of each two that follow each other in a trial."""
    order = np.argsort(trial, kind="stable")
    first, second = order[:-1], order[1:]
    same = trial[first] == trial[second]
    return first[same], second[same]
