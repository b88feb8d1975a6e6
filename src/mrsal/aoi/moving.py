"""Areas that move in a video: key frames, and the area at a moment between them."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from mrsal.aoi.shapes import Area, Ellipse, Polygon, Rectangle
from mrsal.errors import InputError

Unit = Literal["seconds", "frames"]

_ROUNDING = {"seconds": 0.001, "frames": 1e-6}  # Matroska rounds the times of frames to milliseconds


@dataclass(frozen=True)
class MovingArea:
    """An area of a video that moves, changes its size, appears or disappears.

    Parameters
    ----------
    name : str
        The name, one line that is not empty.
    key_frames : sequence of (float, Area or None)
        Moments and the area from each of them on, in their order; None: it is hidden from then on. A moment is a time in
        seconds from the start of the video, or the number of a frame, from 0.
    unit : str
        What the moments are: ``"seconds"`` or ``"frames"``.

    Raises
    ------
    InputError
        If there is no key frame with an area, or the moments are not numbers of at least 0 that increase.

    Notes
    -----
    Before the first key frame the area is hidden, and after the last one it stays as it is. Between two key frames, rectangles,
    ellipses, and polygons with the same number of corners change linearly, and angles the shorter way. An area stays as it is
    until the next key frame if that hides it, or has an area of another kind, a mask, or a polygon with another number of
    corners.

    Examples
    --------
    >>> ball = MovingArea("ball", [(0, Ellipse("ball", 10, 50, 8, 8)), (2, Ellipse("ball", 90, 50, 8, 8)), (3, None)])
    >>> ball.at(1.5).x
    70.0
    >>> ball.at(3) is None
    True
    """

    name: str
    key_frames: Sequence[tuple[float, Area | None]]
    unit: Unit = "seconds"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise InputError(f"expected a name of one line for each area, got {self.name!r}")
        if self.unit not in get_args(Unit):
            raise InputError(f"area {self.name!r}: expected the unit seconds or frames, got {self.unit!r}")
        if not any(area is not None for _, area in self.key_frames):
            raise InputError(f"area {self.name!r}: expected at least one key frame with an area, got none")
        before = -math.inf
        for moment, _ in self.key_frames:
            if not isinstance(moment, int | float | np.number) or not (math.isfinite(moment) and moment >= 0):
                got = f"{moment:g}" if isinstance(moment, int | float) else repr(moment)
                raise InputError(f"area {self.name!r}: expected key frames with {self.unit} of at least 0, got {got}")
            if moment <= before:
                said = "twice" if moment == before else f"after the one at {before:g}"
                raise InputError(
                    f"area {self.name!r}: expected key frames in the order of their {self.unit}, each once, got one at "
                    f"{moment:g} {said}"
                )
            before = moment
        object.__setattr__(self, "key_frames", tuple(self.key_frames))
        object.__setattr__(self, "_moments", [moment for moment, _ in self.key_frames])

    def at(self, moment: float) -> Area | None:
        """The area at a moment, in the area's unit; None while it is hidden."""
        moments: list[float] = self._moments  # type: ignore[attr-defined]
        index = bisect_right(moments, moment + _ROUNDING[self.unit]) - 1
        if index < 0:
            return None
        start, area = self.key_frames[index]
        if area is not None and index + 1 < len(moments):
            end, following = self.key_frames[index + 1]
            share = max(0.0, (moment - start) / (end - start))
            if share > 0 and following is not None:
                area = _between(area, following, share)
        return area if area is None or area.name == self.name else replace(area, name=self.name)

    def jumps(self) -> int:
        """How many times the area stays as it is until the next key frame, although it is visible at both."""
        step = 1 if self.unit == "frames" else 0  # there is nothing between two frames that follow each other
        return sum(
            later - earlier > step and a is not None and b is not None and not _fit(a, b)
            for (earlier, a), (later, b) in zip(self.key_frames, self.key_frames[1:], strict=False)
        )


def _fit(a: Area, b: Area) -> bool:
    """Whether there are areas between two."""
    if isinstance(a, Polygon) and isinstance(b, Polygon):
        corners = [[list(map(len, group)) for group in (area.parts, area.holes)] for area in (a, b)]
        return corners[0] == corners[1]
    return type(a) is type(b) and isinstance(a, Rectangle | Ellipse)


def _between(a: Area, b: Area, share: float) -> Area:
    """The area at a share of the way from ``a`` to ``b``; ``a`` if there is none between them."""

    def mixed(start: float, end: float) -> float:
        return start + share * (end - start)

    def turned(start: float, end: float) -> float:
        return start + share * ((end - start + 180) % 360 - 180)

    if not _fit(a, b):
        return a
    if isinstance(a, Rectangle) and isinstance(b, Rectangle):
        x, y, w, h = (mixed(getattr(a, key), getattr(b, key)) for key in ("x0", "y0", "width", "height"))
        return Rectangle(a.name, x, y, w, h, turned(a.rotation, b.rotation))
    if isinstance(a, Ellipse) and isinstance(b, Ellipse):
        x, y, w, h = (mixed(getattr(a, key), getattr(b, key)) for key in ("x", "y", "radius_x", "radius_y"))
        return Ellipse(a.name, x, y, w, h, turned(a.rotation, b.rotation))
    assert isinstance(a, Polygon) and isinstance(b, Polygon)
    lines = [
        [tuple(map(tuple, np.asarray(p) + share * (np.asarray(q) - np.asarray(p)))) for p, q in zip(*pair, strict=True)]
        for pair in ((a.parts, b.parts), (a.holes, b.holes))
    ]
    return Polygon(a.name, lines[0], lines[1])
