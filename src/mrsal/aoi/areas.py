"""The share of attention that rectangles of an image get, such as a button, a face or a headline.

A calibrated model also gives an interval: where a study with a certain number of observers would measure the share.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.aoi.options import StudySize
from mrsal.errors import InputError
from mrsal.inference import SaliencyMap, ShareCalibration

_ROUNDING = 1.0  # pixels that a box may reach over the border without a warning, because annotation tools round


@dataclass(frozen=True)
class Area:
    """A rectangle of an image, with a name.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    x0, y0 : float
        The left and upper edge in pixels from the upper left corner of the image; the first pixel reaches from 0 to 1.
    width, height : float
        The size in pixels, above 0.

    Raises
    ------
    InputError
        If the name is empty or has more than one line, or the numbers do not describe a rectangle.
    """

    name: str
    x0: float
    y0: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise InputError(f"expected a name of one line for each area, got {self.name!r}")
        numbers = (self.x0, self.y0, self.width, self.height)
        if not all(isinstance(value, int | float | np.number) for value in numbers):
            raise InputError(f"area {self.name!r}: expected numbers for x, y, width and height, got {numbers}")
        if not np.isfinite(numbers).all() or self.width <= 0 or self.height <= 0:
            raise InputError(
                f"area {self.name!r}: expected finite numbers, width and height above 0; "
                f"got x {self.x0:g}, y {self.y0:g}, width {self.width:g}, height {self.height:g}"
            )

    def __str__(self) -> str:
        return f"area {self.name!r} (x {self.x0:g} to {self.x1:g}, y {self.y0:g} to {self.y1:g})"

    @property
    def x1(self) -> float:
        """The right edge."""
        return self.x0 + self.width

    @property
    def y1(self) -> float:
        """The lower edge."""
        return self.y0 + self.height

    def clipped(self, shape: tuple[int, int]) -> "Area":
        """The part of the area that lies on an image of ``shape`` (H, W).

        Raises
        ------
        InputError
            If the whole area lies outside the image.
        """
        height, width = shape
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        if x1 <= x0 or y1 <= y0:
            raise InputError(
                f"{self} lies outside the {width}x{height} image; give x, y, width and height in pixels, as drawn on this "
                "image at this size"
            )
        is_inside = (x0, y0, x1, y1) == (self.x0, self.y0, self.x1, self.y1)
        return self if is_inside else Area(self.name, x0, y0, x1 - x0, y1 - y0)


@dataclass(frozen=True)
class AreaShare:
    """The share of attention of one area.

    Parameters
    ----------
    area : Area
        The area, cut to the image.
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
    """

    a: AreaShare
    b: AreaShare
    interval: tuple[float, float] | None

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
    fixations: int = StudySize.fixations,
    level: float = StudySize.level,
) -> list[AreaShare]:
    """Compute the share of attention of each area.

    Parameters
    ----------
    saliency : SaliencyMap or array
        The map, or a density ``(H, W)`` with values of at least 0 and any sum.
    areas : iterable of Area
        Areas with different names. They may overlap, so the shares may sum to more than 1. If an area covers a part of a
        pixel, the same part of its value counts.
    calibration : ShareCalibration, optional
        The calibration of the model that predicted the map, such as ``predictor.calibration``. None: no intervals.
    observers, fixations : int
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
    >>> [share] = attention_shares(density, [Area("button", 0, 0, 5, 10)])
    >>> share.attention, share.per_surface, share.rank
    (0.25, 1.0, 1)
    """
    density = _density(saliency)
    areas = [_cut(area, density.shape) for area in areas]
    names = [area.name for area in areas]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"expected areas with different names, got {', '.join(repeated)} more than once")
    StudySize(observers=observers, fixations=fixations, level=level)  # refuses values out of range
    sums = [_sum_inside(density, area) for area in areas]
    return [
        AreaShare(
            area=area,
            attention=attention,
            surface=area.width * area.height / density.size,
            rank=1 + sum(other > attention + 1e-12 for other in sums),  # equal shares may differ by rounding
            interval=calibration.interval(attention, observers * fixations, level) if calibration else None,
        )
        for area, attention in zip(areas, sums, strict=True)
    ]


def compare_shares(
    a: Sequence[AreaShare],
    b: Sequence[AreaShare],
    *,
    calibration: ShareCalibration | None = None,
    observers: int = StudySize.observers,
    fixations: int = StudySize.fixations,
    level: float = StudySize.level,
) -> list[AreaDifference]:
    """Compare the shares of two designs, whose areas are matched by name.

    Parameters
    ----------
    a, b : sequence of AreaShare
        The shares in each design, from :func:`attention_shares`.
    calibration, observers, fixations, level
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
    """
    StudySize(observers=observers, fixations=fixations, level=level)  # refuses values out of range
    others = {share.area.name: share for share in b}
    pairs = [(share, others[share.area.name]) for share in a if share.area.name in others]
    if not pairs:
        names_a, names_b = (", ".join(share.area.name for share in side) or "none" for side in (a, b))
        raise InputError(
            f"expected areas with the same names in both designs, got {names_a} and {names_b}; rename them"
        )
    trials = observers * fixations
    return [
        AreaDifference(
            before,
            after,
            calibration.difference_interval(before.attention, after.attention, trials, level) if calibration else None,
        )
        for before, after in pairs
    ]


def numbered(areas: Iterable[Area]) -> list[Area]:
    """The same areas with different names: a name that occurs more than once becomes ``face 1``, ``face 2`` and so on."""
    areas = list(areas)
    names = [area.name for area in areas]
    used: dict[str, int] = {}
    result = []
    for area in areas:
        name = area.name
        while names.count(area.name) > 1 and (name == area.name or name in names):
            used[area.name] = used.get(area.name, 0) + 1
            name = f"{area.name} {used[area.name]}"
        result.append(replace(area, name=name))
    return result


def _density(saliency: SaliencyMap | ArrayLike) -> NDArray[np.float64]:
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
    cut = (inside.x0 - area.x0, inside.y0 - area.y0, area.x1 - inside.x1, area.y1 - inside.y1)
    if max(cut) > _ROUNDING:
        warnings.warn(f"{area} was cut to the {shape[1]}x{shape[0]} image", stacklevel=3)
    return inside


def _sum_inside(density: NDArray[np.float64], area: Area) -> float:
    """The sum of the density in an area; a pixel on its edge is weighted with the part of it that the area covers."""
    height, width = density.shape
    columns, across = _covered(area.x0, area.x1, width)
    rows, down = _covered(area.y0, area.y1, height)
    return float(np.clip(down @ density[rows, columns] @ across, 0, 1))


def _covered(start: float, stop: float, side: int) -> tuple[slice, NDArray[np.float64]]:
    """The pixels of a row or column that the interval from ``start`` to ``stop`` touches, and the covered part of each."""
    first, last = int(np.floor(start)), min(int(np.ceil(stop)), side)
    pixels = np.arange(first, last)
    return slice(first, last), np.minimum(pixels + 1, stop) - np.maximum(pixels, start)
