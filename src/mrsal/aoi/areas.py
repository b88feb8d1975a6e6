"""The share of attention that areas of an image get, such as a button, a face or a headline.

A calibrated model also gives an interval: where a study with a certain number of observers would measure the share.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.aoi.coverage import Window
from mrsal.aoi.moving import MovingArea
from mrsal.aoi.options import StudySize
from mrsal.aoi.shapes import Area, Rectangle
from mrsal.errors import InputError
from mrsal.inference import SaliencyMap, ShareCalibration

AnyArea = TypeVar("AnyArea", bound=Area | MovingArea)

_ROUNDING = 1.0  # pixels that a box may reach over the border without a warning, because annotation tools round


@dataclass(frozen=True)
class AreaShare:
    """The share of attention of one area.

    Parameters
    ----------
    area : Area
        The area; an upright rectangle is cut to the image.
    attention : float
        The sum of the density inside, in [0, 1]: the share of the fixations that the model expects there.
    surface : float
        The share of the image's surface, in (0, 1].
    rank : int
        The rank of the share: 1 for the largest; equal shares have equal ranks.
    interval : (float, float), optional
        The interval for the share that a study would measure; see :func:`attention_shares`. None if the model is not
        calibrated.
    """

    area: Area
    attention: float
    surface: float
    rank: int
    interval: tuple[float, float] | None

    @property
    def per_surface(self) -> float:
        """Attention divided by surface: 1 for a uniform density, 2 for twice as much."""
        return self.attention / self.surface


@dataclass(frozen=True)
class AreaDifference:
    """The shares of an area in two designs.

    Parameters
    ----------
    a, b : AreaShare
        The shares in the first and the second design, of areas with the same name.
    interval : (float, float), optional
        The interval for the difference that a study would measure; see :func:`compare_shares`. None if the model is not
        calibrated.
    is_clear : bool, optional
        Whether the area is clearly different: its interval at :func:`clear_level` excludes 0. None if the model is not
        calibrated.
    """

    a: AreaShare
    b: AreaShare
    interval: tuple[float, float] | None
    is_clear: bool | None = None

    @property
    def difference(self) -> float:
        """The share in ``b`` minus the share in ``a``."""
        return self.b.attention - self.a.attention


def attention_shares(
    saliency: SaliencyMap | ArrayLike,
    areas: Iterable[Area],
    *,
    calibration: ShareCalibration | None = None,
    observers: int = StudySize.observers,
    per_observer: int = StudySize.per_observer,
    level: float = StudySize.level,
) -> list[AreaShare]:
    """Compute the share of attention of each area.

    Parameters
    ----------
    saliency : SaliencyMap or array
        The map, or a density ``(H, W)`` with values of at least 0 and any sum.
    areas : iterable of Area
        Areas with different names. They may overlap, so the shares may sum to more than 1. If an area covers a part of a
        pixel, the same part of its value counts, whatever the kind of the area.
    calibration : ShareCalibration, optional
        The calibration of the model that predicted the map, such as ``predictor.calibration``. None: no intervals.
    observers, per_observer : int
        The size of the study for the interval: the number of observers, and of fixations of each observer on this image.
    level : float
        The level of the interval, in (0, 1).

    Returns
    -------
    list of AreaShare
        The shares in the order of ``areas``.

    Raises
    ------
    InputError
        If an area lies outside the image, a name occurs twice, or a number is out of range.

    Notes
    -----
    The interval is for the share that such a study would measure. It covers both the error of the model and the chance in the
    sample. It is as good as the calibration: on images like those of the calibration, a share ``level`` of all areas should
    have their measured share within the interval. The interval is not always symmetric about the predicted share; at a low
    level it may not even contain it.

    Examples
    --------
    >>> density = np.full((10, 20), 1.0)
    >>> [share] = attention_shares(density, [Rectangle("button", 0, 0, 5, 10)])
    >>> share.attention, share.per_surface, share.rank
    (0.25, 1.0, 1)
    """
    density = density_of(saliency)
    areas = [_cut(area, density.shape) for area in areas]
    names = [area.name for area in areas]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"expected areas with different names, got {', '.join(repeated)} more than once")
    StudySize(observers=observers, per_observer=per_observer, level=level)  # refuses values out of range
    found = [inside(density, area) for area in areas]
    shares = [
        AreaShare(
            area=area,
            attention=attention,
            surface=surface / density.size,
            rank=1,
            interval=calibration.interval(attention, observers * per_observer, level) if calibration else None,
        )
        for area, (attention, surface) in zip(areas, found, strict=True)
    ]
    return ranked(shares)


def ranked(shares: Sequence[AreaShare]) -> list[AreaShare]:
    """The same shares with the rank of each among them."""
    sums = [share.attention for share in shares]
    return [  # equal shares may differ by rounding
        replace(share, rank=1 + sum(other > share.attention + 1e-12 for other in sums)) for share in shares
    ]


def compare_shares(
    a: Sequence[AreaShare],
    b: Sequence[AreaShare],
    *,
    calibration: ShareCalibration | None = None,
    observers: int = StudySize.observers,
    per_observer: int = StudySize.per_observer,
    level: float = StudySize.level,
) -> list[AreaDifference]:
    """Compare the shares of two designs, whose areas are matched by name.

    Parameters
    ----------
    a, b : sequence of AreaShare
        The shares in each design, from :func:`attention_shares`.
    calibration, observers, per_observer, level
        As in :func:`attention_shares`; each design has its own observers.

    Returns
    -------
    list of AreaDifference
        The differences for the names that both designs have, in the order of ``a``.

    Raises
    ------
    InputError
        If the designs have no name in common, or a number is out of range.

    Notes
    -----
    The interval treats the two measured shares as independent: different observers see each design, and the error of the model
    on one design says nothing about its error on the other. On two versions of one image the errors of the model are similar,
    and the interval is wider than necessary. If it contains 0, such a study may measure no difference, or the opposite one.

    Of many areas, some differ by chance. So with K areas, a difference is clear only if its interval at the level
    ``1 - (1 - level) / K`` excludes 0, which is Bonferroni's correction.
    """
    StudySize(observers=observers, per_observer=per_observer, level=level)  # refuses values out of range
    others = {share.area.name: share for share in b}
    pairs = [(share, others[share.area.name]) for share in a if share.area.name in others]
    if not pairs:
        names_a, names_b = (", ".join(share.area.name for share in side) or "none" for side in (a, b))
        raise InputError(
            f"expected areas with the same names in both designs, got {names_a} and {names_b}; rename them"
        )
    if calibration is None:
        return [AreaDifference(before, after, None) for before, after in pairs]
    differences = []
    for before, after in pairs:
        interval, strict = (
            calibration.difference_interval(before.attention, after.attention, observers * per_observer, each)
            for each in (level, clear_level(level, len(pairs)))
        )
        differences.append(AreaDifference(before, after, interval, strict[0] > 0 or strict[1] < 0))
    return differences


def clear_level(level: float, count: int) -> float:
    """The level at which the interval of each of ``count`` differences has to exclude 0 for the difference to be clear."""
    return 1 - (1 - level) / count


def numbered(areas: Iterable[AnyArea]) -> list[AnyArea]:
    """The same areas with different names: a name that occurs more than once becomes ``face 1``, ``face 2`` and so on."""
    areas = list(areas)
    counts = Counter(area.name for area in areas)
    used: Counter[str] = Counter()
    result = []
    for area in areas:
        name = area.name
        while counts[area.name] > 1 and (name == area.name or name in counts):
            used[area.name] += 1
            name = f"{area.name} {used[area.name]}"
        result.append(area if name == area.name else replace(area, name=name))
    return result


def density_of(saliency: SaliencyMap | ArrayLike) -> NDArray[np.float64]:
    """The density ``(H, W)`` of a map, or of values of at least 0 with any sum."""
    if isinstance(saliency, SaliencyMap):
        return saliency.density
    values = np.asarray(saliency, np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"expected a density of shape (H, W), got {values.shape}")
    if not np.isfinite(values).all() or values.min() < 0 or not values.sum() > 0:
        raise InputError(
            "expected a density with finite values of at least 0 that are not all 0; correct the map first"
        )
    return values / values.sum()


def _cut(area: Area, shape: tuple[int, int]) -> Area:
    """The part of an area on the image; warns if more is cut off than a rounding."""
    inside = area.clipped(shape)
    x0, y0, x1, y1 = area.bounds
    if max(-x0, -y0, x1 - shape[1], y1 - shape[0]) > _ROUNDING:
        warnings.warn(f"{area} was cut to the {shape[1]}x{shape[0]} image", stacklevel=3)
    return inside


def inside(density: NDArray[np.float64], area: Area) -> tuple[float, float]:
    """The sum of the density in an area and its surface in pixels; a pixel counts with the part of it that is covered."""
    window = area.window(density.shape)
    x0, y0, x1, y1 = window
    attention, surface = inside_window(density[y0:y1, x0:x1], window, area)
    if not surface > 0:
        raise InputError(f"{area} has no surface on the {density.shape[1]}x{density.shape[0]} image; correct it")
    return attention, surface


def inside_window(values: NDArray[np.float64], window: Window, area: Area) -> tuple[float, float]:
    """The sum of the values of a window in an area that was cut to the image, and its surface in pixels, which may be 0."""
    if isinstance(area, Rectangle) and area.is_upright:  # rows and columns can be summed one after the other
        down, across = area.edges(window)
        return float(np.clip(down @ values @ across, 0, 1)), area.width * area.height
    covered = area.coverage(window)
    return float(np.clip((values * covered).sum(), 0, 1)), float(covered.sum())
