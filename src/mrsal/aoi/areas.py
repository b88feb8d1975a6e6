"""Areas of interest: how much of the attention a button, a face or a headline gets.

From a density and rectangles to a share per area; for a calibrated model with the interval in which a study of so many
observers would measure it.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.aoi.options import StudySize
from mrsal.errors import InputError
from mrsal.inference import SaliencyMap, ShareCalibration

_ROUNDING = 1.0  # pixels that a box may reach over the border without a word, as annotation tools round


@dataclass(frozen=True)
class Area:
    """A rectangle of an image, with a name.

    Parameters
    ----------
    name : str
    x0, y0 : float
        Left and upper edge in pixels from the upper left corner of the image; the first pixel reaches from 0 to 1.
    width, height : float
        In pixels, above 0.

    Raises
    ------
    InputError
        If the name is empty, or the numbers are no rectangle.
    """

    name: str
    x0: float
    y0: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise InputError(f"expected a name for each area, on one line, got {self.name!r}")
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
        """The part that lies on an image of ``shape`` (H, W).

        Raises
        ------
        InputError
            If nothing of it does.
        """
        height, width = shape
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        if x1 <= x0 or y1 <= y0:
            raise InputError(
                f"{self} lies outside the {width}x{height} image; boxes are x, y, width, height in "
                "pixels: were they drawn on this image, at this size?"
            )
        same = (x0, y0, x1, y1) == (self.x0, self.y0, self.x1, self.y1)
        return self if same else Area(self.name, x0, y0, x1 - x0, y1 - y0)


@dataclass(frozen=True)
class AreaShare:
    """What one area gets.

    Parameters
    ----------
    area : Area
        As far as it lies on the image.
    attention : float
        Sum of the density inside, in [0, 1]: the share of the fixations that the model expects there.
    surface : float
        Share of the picture's surface, in (0, 1].
    rank : int
        1 for the most attention; equal shares have equal ranks.
    interval : (float, float), optional
        Where the share that a study measures would lie; see :func:`attention_shares`. None: the model is not calibrated.
    """

    area: Area
    attention: float
    surface: float
    rank: int
    interval: tuple[float, float] | None

    @property
    def per_surface(self) -> float:
        """Attention per surface: 1 is what a uniform density gives, 2 twice as much as that."""
        return self.attention / self.surface


@dataclass(frozen=True)
class AreaDifference:
    """What an area gets in one design and in another.

    Parameters
    ----------
    a, b : AreaShare
        Of areas with the same name.
    interval : (float, float), optional
        Where the difference that a study measures would lie; see :func:`compare_shares`. None: the model is not calibrated.
    """

    a: AreaShare
    b: AreaShare
    interval: tuple[float, float] | None

    @property
    def difference(self) -> float:
        """Share in ``b`` less the share in ``a``."""
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
    """The share of attention of each area.

    Parameters
    ----------
    saliency : SaliencyMap or array
        Or a density ``(H, W)``, not negative, of any sum.
    areas : iterable of Area
        With different names; they may overlap, and then their shares may sum to more than 1. A pixel that an area covers in
        part counts in part.
    calibration : ShareCalibration, optional
        Of the model that predicted the map: ``predictor.calibration``. None: no intervals.
    observers, fixations : int
        Size of the study that the interval is about: so many observers with so many fixations each on this image.
    level : float
        Of the interval, in (0, 1).

    Returns
    -------
    list of AreaShare
        In the order of ``areas``.

    Raises
    ------
    InputError
        If an area lies outside the image, a name occurs twice, or a number is out of its range.

    Notes
    -----
    The interval is about the share that such a study measures, and covers both the model's error and chance in the sample. It
    is as good as the calibration: on pictures like those it was fitted on, ``level`` of all areas should have their measured
    share within the interval. It need not be symmetric about the predicted share; at a low level it may even lie beside it.

    Examples
    --------
    >>> density = np.full((10, 20), 1.0)
    >>> [share] = attention_shares(density, [Area("button", 0, 0, 5, 10)])
    >>> share.attention, share.per_surface, share.rank
    (0.25, 1.0, 1)
    """
    density = _density(saliency)
    kept = [_cut(area, density.shape) for area in areas]
    names = [area.name for area in kept]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"expected areas with different names, got {', '.join(repeated)} more than once")
    StudySize(observers=observers, fixations=fixations, level=level)  # refuses impossible ones
    sums = [_sum_inside(density, area) for area in kept]
    return [
        AreaShare(
            area=area,
            attention=attention,
            surface=area.width * area.height / density.size,
            rank=1 + sum(other > attention + 1e-12 for other in sums),  # sums of equals differ by rounding
            interval=calibration.interval(attention, observers * fixations, level) if calibration else None,
        )
        for area, attention in zip(kept, sums, strict=True)
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
    """The areas of two designs, matched by name.

    Parameters
    ----------
    a, b : sequence of AreaShare
        From :func:`attention_shares`.
    calibration, observers, fixations, level
        As there; so many observers see each design, and none sees both.

    Returns
    -------
    list of AreaDifference
        For the names that both have, in the order of ``a``.

    Raises
    ------
    InputError
        If they have no name in common.

    Notes
    -----
    The interval takes the two measured shares as independent: other observers see each design, and the model's error on one
    says nothing about its error on the other. On two versions of one picture the model's errors are alike, and the interval is
    wider than it has to be. Where it has 0 inside, such a study may well see no difference, or the opposite one.
    """
    StudySize(observers=observers, fixations=fixations, level=level)  # refuses impossible ones
    others = {share.area.name: share for share in b}
    pairs = [(share, others[share.area.name]) for share in a if share.area.name in others]
    if not pairs:
        names_a, names_b = (", ".join(share.area.name for share in side) or "none" for side in (a, b))
        raise InputError(f"the two designs have no area of the same name: {names_a}; {names_b}. Name them alike")
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
    """The same areas with names that differ: where one occurs more than once, its areas are called ``face 1``, ``face 2``."""
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
        raise InputError("expected a density: finite, not negative and not zero everywhere; lift or mend the map first")
    return values / values.sum()


def _cut(area: Area, shape: tuple[int, int]) -> Area:
    """With a warning where more than a rounding is cut off."""
    kept = area.clipped(shape)
    cut = (kept.x0 - area.x0, kept.y0 - area.y0, area.x1 - kept.x1, area.y1 - kept.y1)
    if max(cut) > _ROUNDING:
        warnings.warn(f"{area} was cut to the {shape[1]}x{shape[0]} image", stacklevel=3)
    return kept


def _sum_inside(density: NDArray[np.float64], area: Area) -> float:
    """The pixels in part covered are weighted with that part: rows by columns."""
    height, width = density.shape
    columns, across = _covered(area.x0, area.x1, width)
    rows, down = _covered(area.y0, area.y1, height)
    return float(np.clip(down @ density[rows, columns] @ across, 0, 1))


def _covered(start: float, stop: float, side: int) -> tuple[slice, NDArray[np.float64]]:
    """The pixels of a line that the stretch from ``start`` to ``stop`` touches, and how much of each it covers."""
    first, last = int(np.floor(start)), min(int(np.ceil(stop)), side)
    at = np.arange(first, last)
    return slice(first, last), np.minimum(at + 1, stop) - np.maximum(at, start)
