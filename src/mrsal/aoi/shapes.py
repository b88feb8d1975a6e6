"""The kinds of areas: rectangles, ellipses, polygons and masks.

Coordinates are in pixels from the upper left corner of the image, x to the right and y down; the first pixel reaches from 0 to
1. Angles are in degrees, clockwise. One rule holds for all kinds: a pixel on the border of an area counts with the part of it
that the area covers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.coverage import Window, covered_by, covered_length, ellipse_outline, rotated
from mrsal.errors import InputError

Outline = Sequence[tuple[float, float]]

_FARTHEST = 1e9  # pixels; beyond this, coordinates have no fractions


@dataclass(frozen=True)
class Area:
    """A part of an image, with a name; see :class:`Rectangle`, :class:`Ellipse`, :class:`Polygon` and :class:`Mask`.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.

    Raises
    ------
    InputError
        If the name is empty or has more than one line, or the numbers do not describe an area.
    """

    name: str

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise InputError(f"expected a name of one line for each area, got {self.name!r}")
        self._check()

    def __str__(self) -> str:
        x0, y0, x1, y1 = self.bounds
        return f"area {self.name!r} (x {x0:g} to {x1:g}, y {y0:g} to {y1:g})"

    def _check(self) -> None:
        """Refuse what is no area."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest upright rectangle around the area: x0, y0, x1 and y1."""
        points = np.concatenate(self.outlines())
        return *(float(v) for v in points.min(axis=0)), *(float(v) for v in points.max(axis=0))  # type: ignore[return-value]

    def outlines(self) -> list[NDArray[np.float64]]:
        """The lines around the area and its holes, ``(N, 2)`` each: x and y. The last point of each is joined to the first."""
        raise NotImplementedError

    def coverage(self, window: Window) -> NDArray[np.float64]:
        """The part of each pixel of a window that the area covers: ``(height, width)`` float64 in [0, 1]."""
        raise NotImplementedError

    def window(self, shape: tuple[int, int]) -> Window:
        """The pixels of an image of ``shape`` (H, W) around the area; empty if the area lies outside."""
        x0, y0, x1, y1 = self.bounds
        left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
        return left, top, max(left, min(math.ceil(x1), shape[1])), max(top, min(math.ceil(y1), shape[0]))

    def clipped(self, shape: tuple[int, int]) -> "Area":
        """The area as it is measured on an image of ``shape`` (H, W); upright rectangles are cut to the image.

        Raises
        ------
        InputError
            If the whole area lies outside the image.
        """
        x0, y0, x1, y1 = self.bounds
        height, width = shape
        if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            raise InputError(
                f"{self} lies outside the {width}x{height} image; give pixels from the upper left corner, as drawn on this "
                "image at this size"
            )
        return self

    def _numbers(self, numbers: tuple[float, ...], names: str, *, above_0: int) -> None:
        """Refuse what is not a finite number, and numbers from ``above_0`` on that are not above 0; an angle comes last."""
        if not all(isinstance(value, int | float | np.number) for value in numbers):
            raise InputError(f"area {self.name!r}: expected numbers for {names}, got {numbers}")
        if not all(abs(value) <= _FARTHEST for value in numbers) or min(numbers[above_0:-1]) <= 0:
            wanted = " and ".join(names.split(", ")[above_0:-1])
            got = ", ".join(f"{name} {value:g}" for name, value in zip(names.split(", "), numbers, strict=True))
            raise InputError(f"area {self.name!r}: expected numbers in pixels, {wanted} above 0; got {got}")


@dataclass(frozen=True)
class Rectangle(Area):
    """A rectangle, upright or turned.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    x0, y0 : float
        The left and upper edge before the rectangle is turned.
    width, height : float
        The size in pixels, above 0.
    rotation : float
        The angle by which the rectangle is turned about its centre.
    """

    x0: float
    y0: float
    width: float
    height: float
    rotation: float = 0.0

    kind: ClassVar[str] = "rectangle"

    def _check(self) -> None:
        numbers = (self.x0, self.y0, self.width, self.height, self.rotation)
        self._numbers(numbers, "x, y, width, height, rotation", above_0=2)

    @classmethod
    def turned_about_corner(
        cls, name: str, x0: float, y0: float, width: float, height: float, rotation: float
    ) -> "Rectangle":
        """A rectangle that is turned about its upper left corner instead of its centre, as in Label Studio."""
        centre = np.array([[x0 + width / 2, y0 + height / 2]])
        x, y = rotated(centre, (x0, y0), rotation)[0].tolist() if rotation % 360 else centre[0].tolist()
        return cls(name, x - width / 2, y - height / 2, width, height, rotation)

    @property
    def x1(self) -> float:
        """The right edge before the rectangle is turned."""
        return self.x0 + self.width

    @property
    def y1(self) -> float:
        """The lower edge before the rectangle is turned."""
        return self.y0 + self.height

    @property
    def is_upright(self) -> bool:
        """Whether the edges are level and upright as given."""
        return self.rotation % 180 == 0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest upright rectangle around the area: x0, y0, x1 and y1."""
        return (self.x0, self.y0, self.x1, self.y1) if self.is_upright else super().bounds

    def outlines(self) -> list[NDArray[np.float64]]:
        """The line around the rectangle."""
        x0, y0, x1, y1 = self.x0, self.y0, self.x1, self.y1
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
        centre = x0 + self.width / 2, y0 + self.height / 2
        return [corners if self.is_upright else rotated(corners, centre, self.rotation)]

    def edges(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The covered part of each row and of each column of a window, of an upright rectangle."""
        x0, y0, x1, y1 = window
        return covered_length(self.y0, self.y1, y0, y1), covered_length(self.x0, self.x1, x0, x1)

    def coverage(self, window: Window) -> NDArray[np.float64]:
        """The part of each pixel of a window that the area covers."""
        return np.outer(*self.edges(window)) if self.is_upright else covered_by(self.outlines()[0], window)

    def clipped(self, shape: tuple[int, int]) -> "Area":
        """The area as it is measured on an image of ``shape`` (H, W); upright rectangles are cut to the image."""
        super().clipped(shape)
        height, width = shape
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        if not self.is_upright or (x0, y0, x1, y1) == (self.x0, self.y0, self.x1, self.y1):
            return self
        return Rectangle(self.name, x0, y0, x1 - x0, y1 - y0)


@dataclass(frozen=True)
class Ellipse(Area):
    """An ellipse or a circle.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    x, y : float
        The centre.
    radius_x, radius_y : float
        Half the width and half the height in pixels before the ellipse is turned, above 0.
    rotation : float
        The angle by which the ellipse is turned about its centre.
    """

    x: float
    y: float
    radius_x: float
    radius_y: float
    rotation: float = 0.0

    kind: ClassVar[str] = "ellipse"

    def _check(self) -> None:
        numbers = (self.x, self.y, self.radius_x, self.radius_y, self.rotation)
        self._numbers(numbers, "x, y, radius_x, radius_y, rotation", above_0=2)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest upright rectangle around the area: x0, y0, x1 and y1."""
        angle = math.radians(self.rotation % 180)
        across = math.hypot(self.radius_x * math.cos(angle), self.radius_y * math.sin(angle))
        down = math.hypot(self.radius_x * math.sin(angle), self.radius_y * math.cos(angle))
        return self.x - across, self.y - down, self.x + across, self.y + down

    def outlines(self) -> list[NDArray[np.float64]]:
        """The line around the ellipse, as a polygon with the same surface."""
        outline = ellipse_outline(self.x, self.y, self.radius_x, self.radius_y)
        return [rotated(outline, (self.x, self.y), self.rotation) if self.rotation % 180 else outline]

    def coverage(self, window: Window) -> NDArray[np.float64]:
        """The part of each pixel of a window that the area covers."""
        return covered_by(self.outlines()[0], window)


@dataclass(frozen=True)
class Polygon(Area):
    """A polygon, which may have several parts and holes.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    parts : sequence of (float, float), or sequence of such sequences
        The corners x, y of one outline, or of the outline of each part. What lies in two parts counts once.
    holes : sequence of sequences of (float, float)
        The corners of each hole.
    """

    parts: Outline | Sequence[Outline]
    holes: Sequence[Outline] = ()

    kind: ClassVar[str] = "polygon"

    def _check(self) -> None:
        several = len(self.parts) > 0 and np.ndim(self.parts[0][0]) > 0
        parts = self.parts if several else [self.parts]
        for name, outlines in (("parts", parts), ("holes", self.holes)):
            object.__setattr__(self, name, tuple(self._outline(outline) for outline in outlines))
        if not self.parts:
            raise InputError(f"area {self.name!r}: expected the corners of a polygon, got none")

    def _outline(self, points: object) -> Outline:
        try:
            corners = np.array(points, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"area {self.name!r}: expected corners of two numbers, x and y: {error}") from error
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InputError(f"area {self.name!r}: expected at least 3 corners of two numbers, got {corners.shape}")
        if not (np.abs(corners) <= _FARTHEST).all():
            raise InputError(
                f"area {self.name!r}: expected corners in pixels of the image, got larger or missing numbers"
            )
        return tuple(map(tuple, corners.tolist()))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest upright rectangle around the area: x0, y0, x1 and y1."""
        points = np.concatenate([np.array(part) for part in self.parts])
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        return x0, y0, x1, y1

    def outlines(self) -> list[NDArray[np.float64]]:
        """The line around each part, then the line around each hole."""
        return [np.array(outline) for outline in (*self.parts, *self.holes)]

    def coverage(self, window: Window) -> NDArray[np.float64]:
        """The part of each pixel of a window that the area covers.

        Where a pixel is on the border of two parts, the sum of what they cover counts, up to 1.
        """
        outlines = self.outlines()
        covered = _united(outlines[: len(self.parts)], window)
        return np.maximum(covered - _united(outlines[len(self.parts) :], window), 0) if self.holes else covered


def _united(outlines: Sequence[NDArray[np.float64]], window: Window) -> NDArray[np.float64]:
    """What several outlines cover together, each computed in the pixels around it only."""
    x0, y0, x1, y1 = window
    total = np.zeros((y1 - y0, x1 - x0))
    for outline in outlines:
        low, high = np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))
        left, top = max(x0, int(low[0])), max(y0, int(low[1]))
        right, bottom = min(x1, int(high[0])), min(y1, int(high[1]))
        if left < right and top < bottom:
            total[top - y0 : bottom - y0, left - x0 : right - x0] += covered_by(outline, (left, top, right, bottom))
    return np.minimum(total, 1)


@dataclass(frozen=True, eq=False)
class Mask(Area):
    """An area of any pixels.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    pixels : array
        ``(H, W)``: bool, or the part of each pixel that belongs to the area, in [0, 1]. Rows and columns at the border without
        any pixel of the area are cut off.
    x0, y0 : int
        The column and row of the first of the pixels on the image.
    """

    pixels: NDArray
    x0: int = 0
    y0: int = 0

    kind: ClassVar[str] = "mask"

    def _check(self) -> None:
        pixels = np.asarray(self.pixels)
        is_bool = pixels.dtype == bool
        if pixels.ndim != 2 or not (is_bool or np.issubdtype(pixels.dtype, np.floating)):
            raise InputError(
                f"area {self.name!r}: expected a mask of shape (H, W) of bool or float, got {pixels.shape} {pixels.dtype}"
            )
        if not is_bool and pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise InputError(f"area {self.name!r}: expected a mask with values from 0 to 1, got others")
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if not len(rows):
            raise InputError(f"area {self.name!r}: the mask has no pixel inside")
        top, left = int(rows[0]), int(columns[0])
        cut = pixels[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        for name, value in (("pixels", cut.copy()), ("x0", int(self.x0) + left), ("y0", int(self.y0) + top)):
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        same = (self.name, self.x0, self.y0) == (other.name, other.x0, other.y0)
        return same and np.array_equal(self.pixels, other.pixels)

    def __hash__(self) -> int:
        return hash((self.name, self.x0, self.y0, self.pixels.shape))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The smallest upright rectangle around the area: x0, y0, x1 and y1."""
        height, width = self.pixels.shape
        return float(self.x0), float(self.y0), float(self.x0 + width), float(self.y0 + height)

    def outlines(self) -> list[NDArray[np.float64]]:
        """The lines around the pixels of which at least half belongs to the area."""
        from contourpy import contour_generator  # matplotlib depends on it

        around = np.pad(self.pixels.astype(np.float32), 1)  # so that lines along the border are closed
        lines = contour_generator(z=around).lines(0.5)
        return [np.asarray(line, np.float64)[:-1] - 0.5 + (self.x0, self.y0) for line in lines if len(line) > 3]

    def coverage(self, window: Window) -> NDArray[np.float64]:
        """The part of each pixel of a window that the area covers."""
        x0, y0, x1, y1 = window
        covered = np.zeros((y1 - y0, x1 - x0))
        height, width = self.pixels.shape
        left, top = max(x0, self.x0), max(y0, self.y0)
        right, bottom = min(x1, self.x0 + width), min(y1, self.y0 + height)
        if left < right and top < bottom:
            covered[top - y0 : bottom - y0, left - x0 : right - x0] = self.pixels[
                top - self.y0 : bottom - self.y0, left - self.x0 : right - self.x0
            ]
        return covered


def joined(name: str, areas: Sequence[Area]) -> Area:
    """One area that consists of several; what lies in two of them counts once."""
    if len(areas) == 1:
        return areas[0]
    if not any(isinstance(area, Mask) or getattr(area, "holes", ()) for area in areas):
        return Polygon(name, [tuple(map(tuple, line.tolist())) for area in areas for line in area.outlines()])
    bounds = np.array([area.bounds for area in areas])
    x0, y0 = (math.floor(v) for v in bounds[:, :2].min(axis=0))
    x1, y1 = (math.ceil(v) for v in bounds[:, 2:].max(axis=0))
    covered = np.zeros((y1 - y0, x1 - x0))
    for area in areas:
        covered = np.minimum(covered + area.coverage((x0, y0, x1, y1)), 1)
    return Mask(name, covered.astype(np.float32), x0, y0)
