"""The pictures of one visitor of the local page: uploads, clicks and edited tables flow in, areas flow out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi import Area
from mrsal.errors import DataError, InputError, MrsalError
from mrsal.images import read_image
from mrsal.web.options import UploadLimits

_SMALLEST = 3  # pixels of a side that two clicks may span


def read_upload(path: Path, limits: UploadLimits) -> NDArray[np.uint8]:
    """Read a picture that anybody may have sent: ``(H, W, 3)`` uint8.

    Raises
    ------
    DataError
        If it is larger than the limits, which is found out before it is decoded; no picture; or damaged. The message has the
        file's name and nothing of the server's folders.
    """
    try:
        if path.stat().st_size > limits.megabytes * 1e6:
            raise InputError(f"it is larger than {limits.megabytes:g} MB")
        return read_image(path.read_bytes(), max_pixels=limits.megapixels * 1e6)
    except MrsalError as error:
        raise DataError(f"{path.name}: {error}") from error
    except OSError as error:
        raise DataError(f"{path.name}: it cannot be opened any more; send it again") from error


@dataclass(frozen=True)
class Desk:
    """The pictures of one visitor, their areas, and the first corner of an area that is being drawn.

    Parameters
    ----------
    paths : dict of str to Path
        Uploads by the names they are shown under.
    areas : dict of str to tuple of Area
        In pixels of the picture itself.
    chosen : str
        The picture that is shown; empty if there is none.
    corner : (float, float), optional
    """

    paths: dict[str, Path] = field(default_factory=dict)
    areas: dict[str, tuple[Area, ...]] = field(default_factory=dict)
    chosen: str = ""
    corner: tuple[float, float] | None = None

    def with_files(self, files: Iterable[str | Path], limits: UploadLimits) -> tuple["Desk", list[str]]:
        """The desk with these pictures and no others, areas kept by name; and a complaint about each that was refused."""
        paths: dict[str, Path] = {}
        complaints = []
        for path in map(Path, files):
            try:
                if len(paths) == limits.pictures:
                    raise InputError(f"{path.name} was left out: {limits.pictures} pictures at a time are the most")
                read_upload(path, limits)
            except MrsalError as error:
                complaints.append(str(error))
                continue
            name, number = path.name, 2
            while name in paths:
                name, number = f"{path.name} ({number})", number + 1
            paths[name] = path
        chosen = self.chosen if self.chosen in paths else next(iter(paths), "")
        areas = {name: self.areas[name] for name in paths if self.paths.get(name) == paths[name] and name in self.areas}
        return Desk(paths, areas, chosen), complaints

    def choose(self, name: str) -> "Desk":
        """Show another picture."""
        return replace(self, chosen=name if name in self.paths else self.chosen, corner=None)

    @property
    def path(self) -> Path | None:
        """Of the picture that is shown."""
        return self.paths.get(self.chosen)

    @property
    def current(self) -> tuple[Area, ...]:
        """The areas of the picture that is shown."""
        return self.areas.get(self.chosen, ())

    def with_areas(self, areas: Iterable[Area], limits: UploadLimits) -> "Desk":
        """Other areas on the picture that is shown."""
        areas = tuple(areas)
        if len(areas) > limits.areas:
            raise InputError(f"{limits.areas} areas on a picture are the most, got {len(areas)}")
        return self._holding(areas)

    def _holding(self, areas: tuple[Area, ...]) -> "Desk":
        return replace(self, areas={**self.areas, self.chosen: areas}, corner=None)

    def click(self, x: float, y: float, limits: UploadLimits) -> "Desk":
        """The first of two clicks is a corner, the second makes an area of whole pixels; two in one place make none."""
        if self.corner is None:
            return replace(self, corner=(x, y))
        x0, y0 = floor(min(self.corner[0], x)), floor(min(self.corner[1], y))
        x1, y1 = ceil(max(self.corner[0], x)), ceil(max(self.corner[1], y))
        if x1 - x0 < _SMALLEST or y1 - y0 < _SMALLEST:
            return replace(self, corner=None)
        names = {area.name for area in self.current}
        name = next(f"area {n}" for n in range(1, len(names) + 2) if f"area {n}" not in names)
        return self.with_areas(
            [*self.current, Area(name, float(x0), float(y0), float(x1 - x0), float(y1 - y0))], limits
        )


@dataclass(frozen=True)
class Designs:
    """Two designs side by side, each of which keeps its areas while its picture is replaced or taken away.

    Parameters
    ----------
    sides : (Desk, Desk)
        A and B, of one picture or none.
    same : bool
        Whether A holds the areas of both, pixel for pixel. B's own are kept until it is to have its own again.
    """

    sides: tuple[Desk, Desk] = field(default_factory=lambda: (Desk(), Desk()))
    same: bool = True

    def sharing(self, same: bool) -> "Designs":
        """With the same areas on both or not; a side that has none starts with those of the other."""
        if same == self.same:
            return self
        a, b = (on.current for on in self.sides)
        if same:
            a = a or b
            b = () if a == b else b
        else:
            b = b or a
        return Designs((self.sides[0]._holding(a), self.sides[1]._holding(b)), same)

    def with_file(self, side: int, file: str | Path | None, limits: UploadLimits) -> tuple["Designs", list[str]]:
        """Another picture for A (0) or B (1), or none; and a complaint if it was refused."""
        desk, complaints = self.sides[side].with_files([file] if file else [], limits)
        return self._with(side, desk._holding(self.sides[side].current)), complaints

    def areas(self, side: int, shape: tuple[int, int]) -> list[Area]:
        """Those of A or B that lie on its picture of ``shape`` (H, W), if only in part."""
        height, width = shape
        return [area for area in self.sides[self._holder(side)].current if area.x0 < width and area.y0 < height]

    def corner(self, side: int) -> tuple[float, float] | None:
        """The first corner of an area that is being drawn on A or B."""
        return self.sides[self._holder(side)].corner

    def click(self, side: int, x: float, y: float, limits: UploadLimits) -> "Designs":
        """See :meth:`Desk.click`."""
        holder = self._holder(side)
        return self._with(holder, self.sides[holder].click(x, y, limits))

    def with_rows(
        self, side: int, rows: Iterable[Sequence[Any]], shapes: Sequence[tuple[int, int]], limits: UploadLimits
    ) -> "Designs":
        """The edited table of A or B, whose pictures are of ``shapes`` (H, W); areas outside its picture stay."""
        holder, seen = self._holder(side), self.areas(side, shapes[side])
        heights, widths = zip(*(shapes if self.same else [shapes[side]]), strict=True)
        areas = areas_of_rows(rows, (max(heights), max(widths)))  # what reaches over the smaller picture is not cut
        names = {area.name for area in areas}
        areas += [area for area in self.sides[holder].current if area not in seen and area.name not in names]
        return self._with(holder, self.sides[holder].with_areas(areas, limits))

    def cleared(self) -> "Designs":
        """Without any areas."""
        a, b = self.sides
        return replace(self, sides=(a._holding(()), b._holding(())))

    def _holder(self, side: int) -> int:
        return 0 if self.same else side

    def _with(self, side: int, desk: Desk) -> "Designs":
        a, b = self.sides
        return replace(self, sides=(a, desk) if side else (desk, b))


def areas_of_rows(rows: Iterable[Sequence[Any]], shape: tuple[int, int]) -> list[Area]:
    """Areas from an edited table of name, x, y, width, height: complete rows, cut to the picture.

    Raises
    ------
    InputError
        If a complete row is no rectangle on the picture, or named as another one.
    """
    areas: list[Area] = []
    for number, row in enumerate(rows, start=1):
        name, *numbers = _cells(row)
        if not all(numbers):
            continue
        try:
            x, y, width, height = (float(cell) for cell in numbers)
            area = Area(name or f"area {number}", x, y, width, height).clipped(shape)
        except InputError as error:
            raise InputError(f"row {number}: {error}") from error
        except ValueError as error:
            raise InputError(f"row {number}: expected numbers for x, y, width and height in pixels") from error
        if area.name in [other.name for other in areas]:
            raise InputError(f"row {number}: there is another area called {area.name!r}; rename one of them")
        areas.append(area)
    return areas


def is_complete(rows: Iterable[Sequence[Any]]) -> bool:
    """Whether all rows of an edited table are filled in: one that is being typed lacks some of its numbers."""
    return all(all(_cells(row)[1:]) for row in rows)


def _cells(row: Sequence[Any]) -> list[str]:
    return ["" if cell is None or cell != cell else str(cell).strip() for cell in row]


def rows_of_areas(areas: Iterable[Area]) -> list[list[str | float]]:
    """The table that :func:`areas_of_rows` reads."""
    return [[area.name, *(round(float(v), 1) for v in (area.x0, area.y0, area.width, area.height))] for area in areas]
