"""What a study measured in areas: share of the fixations, who looked, when first, and for how long.

Letters: N fixations, K areas, M observers, R resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.areas import AreaShare
from mrsal.aoi.shapes import Area
from mrsal.datasets import Fixations, FixationTable, Stimulus, TableOptions, read_fixations
from mrsal.errors import InputError
from mrsal.evaluation.statistics import bootstrap_means, percentile_interval

RESAMPLES = 2_000
_FEWEST_AREAS = 3  # for a rank correlation
_BLOCK = 1_000  # areas that are resampled at the same time


@dataclass(frozen=True)
class Looks:
    """The fixations on one image.

    Parameters
    ----------
    fixations : Fixations
        The fixations, all inside the image.
    trial : array of int64
        The number of the trial of each fixation: what one observer saw at a time.
    start : array of float64
        The time in seconds from the start of the first fixation of its trial; NaN if it is not known.
    """

    fixations: Fixations
    trial: NDArray[np.int64]
    start: NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredShare:
    """What was measured in one area.

    Parameters
    ----------
    area : str
        The name of the area.
    share : float
        The share of all fixations on the image that are in the area, in [0, 1].
    interval : (float, float), optional
        The interval of the share over observers. None if there is one observer, or no fixation in the area.
    looked : float
        The share of the observers with a fixation in the area, in [0, 1].
    first_fixation : float, optional
        The time to the first fixation in the area in seconds, from the start of the first fixation of the trial: the mean of
        the trials with a fixation in it. None if times are not known, or nobody looked.
    dwell_time : float, optional
        The sum of the durations of fixations in the area in seconds: the mean of all trials, with 0 for those without one. None
        if durations are not known.
    """

    area: str
    share: float
    interval: tuple[float, float] | None
    looked: float
    first_fixation: float | None
    dwell_time: float | None


@dataclass(frozen=True)
class Measured:
    """What was measured in the areas of an image, and how well their order agrees with the prediction.

    Parameters
    ----------
    shares : list of MeasuredShare
        The areas, in their order.
    observers, fixations : int
        How many observers looked at the image, and their fixations on it.
    rank_correlation : float, optional
        Spearman's rank correlation of predicted and measured shares over the areas. None for fewer than 3 areas, or if one side
        has the same share everywhere.
    interval : (float, float), optional
        Its interval over observers; it says nothing about other areas.
    """

    shares: list[MeasuredShare]
    observers: int
    fixations: int
    rank_correlation: float | None
    interval: tuple[float, float] | None


def read_looks(table: Path, images: Sequence[Path], options: TableOptions | None = None) -> list[Looks | None]:
    """Read a table of fixations with :func:`mrsal.datasets.read_fixations`, and take those on each of a few images.

    Parameters
    ----------
    table : Path
        The table. Rows of other images are left out.
    images : sequence of Path
        The images, whose names the table has.
    options : TableOptions, optional
        How the table is read.

    Returns
    -------
    list of Looks or None
        For each image; None if it has no fixations.

    Raises
    ------
    InputError
        If two images have the same name.
    FileError, DataError
        If the table cannot be read, or none of its rows is on an image.
    """
    stimuli = [Stimulus.from_file(image) for image in images]
    if len({stimulus.path.stem for stimulus in stimuli}) < len(stimuli):
        raise InputError(
            f"the images have the same name, {images[0].stem}, in a table of fixations; rename one of them"
        )
    read = read_fixations(table, stimuli, options)
    return [_on(read, n) for n in range(len(stimuli))]


def _on(table: FixationTable, n: int) -> Looks | None:
    chosen = table.fixations.n == n
    if not chosen.any():
        return None
    return Looks(table.fixations.where(chosen), table.trial[chosen], table.start[chosen])


def measured_shares(looks: Looks, predicted: Sequence[AreaShare], shape: tuple[int, int], *, level: float) -> Measured:
    """Measure areas with the fixations of a study.

    Parameters
    ----------
    looks : Looks
        The fixations on the image.
    predicted : sequence of AreaShare
        The areas with their predicted shares, from :func:`mrsal.aoi.attention_shares`.
    shape : (int, int)
        The height and width of the image.
    level : float
        The level of the intervals, in (0, 1).

    Notes
    -----
    A fixation is in an area if the area covers at least half of the pixel that was fixated. Intervals are percentiles of 2,000
    bootstrap resamples of the observers, so they hold for other observers and the same image and areas.
    """
    inside = np.stack([_is_inside(share.area, looks.fixations, shape) for share in predicted], axis=1)  # (N, K)
    observers, observer = np.unique(looks.fixations.subject, return_inverse=True)
    counts = np.zeros((len(observers), len(predicted)))
    np.add.at(counts, observer, inside)  # (M, K)
    totals = np.bincount(observer).astype(np.float64)
    resampled = _resampled(counts, totals)  # (R, K)
    trials, trial = np.unique(looks.trial, return_inverse=True)
    shares = []
    for k, area in enumerate(predicted):
        hits = counts[:, k]
        share = float(hits.sum() / totals.sum())
        interval = percentile_interval(resampled[:, k], level) if hits.any() and len(observers) > 1 else None
        times = _first_times(looks.start, trial, inside[:, k])
        dwell = _dwell(looks.fixations.duration, trial, inside[:, k], len(trials))
        shares.append(MeasuredShare(area.area.name, share, interval, float((hits > 0).mean()), times, dwell))
    attention = np.array([share.attention for share in predicted])
    correlation = _spearman(attention, np.array([[share.share for share in shares]]))[0]
    spread = _spearman(attention, resampled) if len(observers) > 1 else np.array([np.nan])
    is_defined = np.isfinite(correlation)
    return Measured(
        shares,
        len(observers),
        len(looks.fixations),
        float(correlation) if is_defined else None,
        percentile_interval(spread, level) if is_defined and np.isfinite(spread).any() else None,
    )


def _is_inside(area: Area, fixations: Fixations, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which fixations are on pixels of which the area covers at least half."""
    x0, y0, x1, y1 = window = area.window(shape)
    column, row = np.floor(fixations.x).astype(np.int64), np.floor(fixations.y).astype(np.int64)
    near = (column >= x0) & (column < x1) & (row >= y0) & (row < y1)
    inside = np.zeros(len(fixations), bool)
    if near.any():
        inside[near] = area.coverage(window)[row[near] - y0, column[near] - x0] >= 0.5
    return inside


def _resampled(counts: NDArray[np.float64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The shares in resamples of the observers: ``(R, K)``, each with the same draws."""
    blocks = []
    for start in range(0, counts.shape[1], _BLOCK):
        columns = np.column_stack([counts[:, start : start + _BLOCK], totals])
        means = bootstrap_means(columns, resamples=RESAMPLES, seed=0)
        blocks.append(means[:, :-1] / means[:, -1:])
    return np.concatenate(blocks, axis=1)


def _first_times(start: NDArray[np.float64], trial: NDArray[np.int64], inside: NDArray[np.bool_]) -> float | None:
    known = inside & np.isfinite(start)
    if not known.any():
        return None
    first = np.full(trial.max() + 1, np.inf)
    np.minimum.at(first, trial[known], start[known])
    return float(first[np.isfinite(first)].mean())


def _dwell(
    duration: NDArray[np.float64], trial: NDArray[np.int64], inside: NDArray[np.bool_], trials: int
) -> float | None:
    known = np.isfinite(duration)
    if not known.any():
        return None
    sums = np.bincount(trial[inside & known], duration[inside & known], minlength=trials)
    return float(sums.mean())


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank correlation of ``a`` ``(K,)`` with each row of ``b`` ``(R, K)``; NaN if it is not defined."""
    from scipy.stats import rankdata  # a slow import

    if len(a) < _FEWEST_AREAS:
        return np.full(len(b), np.nan)
    x, y = rankdata(np.round(a, 9)), rankdata(np.round(b, 9), axis=1)  # smaller differences are rounding
    x, y = x - x.mean(), y - y.mean(axis=1, keepdims=True)
    norms = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    return np.divide(y @ x, norms, out=np.full(len(b), np.nan), where=norms > 0)
