"""What all formats share: finding the image, checks, limits, and what cannot be measured."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.shapes import Area, Mask, Polygon
from mrsal.errors import DataError

T = TypeVar("T")

MOST_PIXELS = 200_000_000  # of an image
_MOST_AREAS = 2_000  # on an image
MOST_MASK_PIXELS = 500_000_000  # of all masks on an image
_MOST_OUTLINE = 20_000_000  # pixels along all outlines on an image
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # Label Studio puts it before the names of uploaded files
_NOT_IN_UPLOADS = re.compile(r"[^-\w.]")  # what Label Studio takes out of the names of uploaded files


@dataclass
class Reading:
    """The areas of one image, while a file is read.

    Parameters
    ----------
    image : str
        The file name of the image, with or without folders; empty if it is not known.
    shape : (int, int), optional
        Its height and width in pixels.

    Attributes
    ----------
    areas : list of Area
        The areas so far, in the order of the file.
    left_out : Counter of str
        How many there are of what has no surface to measure, by what it is, in the singular.
    notes : list of str
        What else the user should know.
    """

    image: str
    shape: tuple[int, int] | None
    areas: list[Area] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    _mask_pixels: int = 0
    _outline: float = 0.0

    def add(self, area: Area | None) -> None:
        """Add an area, or count an empty mask, which is None.

        Raises
        ------
        DataError
            If there are too many areas, or their outlines or masks are too large to be measured.
        """
        if area is None:
            self.leave_out("empty mask")
            return
        self.areas.append(area)
        if len(self.areas) > _MOST_AREAS:
            raise DataError(f"expected at most {_MOST_AREAS:,} areas on an image, got more; export fewer")
        if isinstance(area, Mask):
            self._mask_pixels += area.pixels.size
        elif isinstance(area, Polygon):
            limits = (MOST_PIXELS, MOST_PIXELS) if self.shape is None else self.shape[::-1]
            for line in area.outlines():
                steps = np.diff(np.clip(line, 0, limits), axis=0, append=np.clip(line[:1], 0, limits))
                self._outline += float(np.abs(steps).sum()) + len(line)
        if self._mask_pixels > MOST_MASK_PIXELS or self._outline > _MOST_OUTLINE:
            raise DataError(
                f"the masks or outlines are too large: expected at most {MOST_MASK_PIXELS // 10**6} million pixels in masks "
                f"and {_MOST_OUTLINE // 10**6} million along outlines; export fewer"
            )

    def leave_out(self, what: str, count: int = 1) -> None:
        """Count what has no surface, such as a keypoint."""
        self.left_out[what] += count

    def account(self) -> str:
        """Say what was left out and what else the user should know; empty if there is nothing."""
        parts = [f"{count} {what}{'s' if count > 1 else ''}" for what, count in self.left_out.items()]
        left_out = [f"left out what has no surface to measure: {', '.join(parts)}"] if parts else []
        return "; ".join([*left_out, *self.notes])

    def choose(self, named: Iterable[tuple[str, T]]) -> T:
        """The entry of the image by its name, and by its folders if several images have that name.

        Raises
        ------
        DataError
            If there is none, or there are several.
        """
        named = list(named)
        wanted = Path(self.image).as_posix()
        name = PurePosixPath(wanted).name
        matches = [(other, entry) for other, entry in named if _last(other) == name]
        matches = matches or [(other, entry) for other, entry in named if self.is_named(other)]
        if len(matches) > 1:
            whole = [(other, entry) for other, entry in matches if f"/{wanted}".endswith(f"/{_plain(other)}")]
            matches = whole or matches
        if len(matches) == 1:
            return matches[0][1]
        if matches:
            raise DataError(f"{len(matches)} images are called {name}; keep the areas of one of them")
        examples = ", ".join(other for other, _ in named[:3]) or "none"
        raise DataError(
            f"no areas for an image called {name or '(no name was given)'}; the file has {len(named)} images: {examples}"
        )

    def is_named(self, other: str) -> bool:
        """Whether a name in the file is that of the image, perhaps as Label Studio names uploaded files."""
        name = PurePosixPath(Path(self.image).as_posix()).name
        uploaded = _NOT_IN_UPLOADS.sub("", name.strip().replace(" ", "_"))
        last = _last(other)
        return last == name or (bool(_UPLOAD_PREFIX.match(last)) and _UPLOAD_PREFIX.sub("", last) in (name, uploaded))

    def check_size(self, width: Any, height: Any) -> None:
        """Refuse areas that were drawn on an image of another size."""
        w, h = (number(value, "the size of the image") for value in (width, height))
        if self.shape is not None and (round(h), round(w)) != self.shape:
            raise DataError(
                f"the areas were drawn on an image of {w:g}x{h:g} pixels, but this one has {self.shape[1]}x{self.shape[0]}; "
                "use the image that was labelled"
            )
        if w * h > MOST_PIXELS:
            raise DataError(f"expected an image of at most {MOST_PIXELS // 10**6} million pixels, got {w:g}x{h:g}")


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _plain(name: str) -> str:
    """A name with its folders, without the prefix of uploaded files."""
    path = PurePosixPath(name.replace("\\", "/").lstrip("/"))
    return str(path.with_name(_UPLOAD_PREFIX.sub("", path.name))) if path.name else name


def number(value: Any, what: str) -> float:
    """A finite number, also as text."""
    try:
        result = math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise DataError(f"expected a number for {what}, got {short(value)}")
    return result


def polygon(name: str, parts: Any, holes: Any = ()) -> Polygon:
    """A polygon of lists of corners, whose numbers may be text."""
    try:
        lines = [[[(float(x), float(y)) for x, y in line] for line in group] for group in (parts, holes)]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"expected corners of two numbers for {name!r}, got {short(parts)}") from error
    return Polygon(name, *lines)


def mask(name: str, pixels: NDArray, x0: int = 0, y0: int = 0) -> Mask | None:
    """A mask; None if no pixel is inside."""
    return Mask(name, pixels, x0, y0) if pixels.any() else None


def pairs(numbers: Any, what: str) -> list[tuple[float, float]]:
    """Corners of ``[x, y, x, y, ...]``."""
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise DataError(f"expected pairs of x and y for {what}, got {short(numbers)}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def grouped(entries: Iterable[tuple[Any, T]]) -> list[list[T]]:
    """Entries with the same key, in the order of the first of each; those with the key None stay alone."""
    groups: dict[Any, list[T]] = defaultdict(list)
    for index, (key, entry) in enumerate(entries):
        groups[("alone", index) if key is None else ("key", key)].append(entry)
    return list(groups.values())


def short(value: Any) -> str:
    """A value as text of at most 60 letters."""
    try:
        text = json.dumps(value[:30] if isinstance(value, list | str) else value, default=str)
    except (ValueError, RecursionError):
        text = str(type(value).__name__)
    return text if len(text) <= 60 else f"{text[:57]}..."
