"""The images and areas of one visitor of the page, and how uploads, clicks and edited tables change them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi import Area, Rectangle
from mrsal.errors import DataError, InputError, MrsalError
from mrsal.images import read_image
from mrsal.web.options import UploadLimits

_SMALLEST = 3  # pixels of a side that two clicks may span


def read_upload(path: Path, limits: UploadLimits) -> NDArray[np.uint8]:
    """Read an uploaded image, which may be damaged or harmful: ``(H, W, 3)`` uint8.

    Raises
    ------
    DataError
        If the file is not an image, is damaged, or is larger than the limits, which are checked before it is decoded. The
        message contains the name of the file but no folder of the server.
    """
    try:
        if path.stat().st_size > limits.megabytes * 1e6:
            raise InputError(f"it is larger than {limits.megabytes:g} MB")
        return read_image(path.read_bytes(), max_pixels=limits.megapixels * 1e6)
    except MrsalError as error:
        raise DataError(f"{path.name}: {error}") from error
    except OSError as error:
        raise DataError(f"{path.name}: the file is no longer there; upload it again") from error


@dataclass(frozen=True)
class Workspace:
    """The images of one visitor, their areas, and the first corner of an area that is being drawn.

    Parameters
    ----------
    paths : dict of str to Path
        The uploaded files by the names that the page shows.
    areas : dict of str to tuple of Area
        The areas by the name of their image, in pixels of the image at its full size.
    chosen : str
        The name of the image that is shown; empty if there is none.
    corner : (float, float), optional
        The x and y of the first corner in pixels, between the first and the second click.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    areas: dict[str, tuple[Area, ...]] = field(default_factory=dict)
    chosen: str = ""
    corner: tuple[float, float] | None = None

    def with_files(self, files: Iterable[str | Path], limits: UploadLimits) -> tuple["Workspace", list[str]]:
        """Replace the images; returns a message for each file that was refused. Images that stay keep their areas."""
        paths: dict[str, Path] = {}
        complaints = []
        for path in map(Path, files):
            try:
                if len(paths) == limits.images:
                    raise InputError(
                        f"{path.name} was left out: the page takes at most {limits.images} images at a time"
                    )
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
        return Workspace(paths, areas, chosen), complaints

    def choose(self, name: str) -> "Workspace":
        """Show another image."""
        return replace(self, chosen=name if name in self.paths else self.chosen, corner=None)

    @property
    def path(self) -> Path | None:
        """The file of the image that is shown."""
        return self.paths.get(self.chosen)

    @property
    def current(self) -> tuple[Area, ...]:
        """The areas of the image that is shown."""
        return self.areas.get(self.chosen, ())

    def with_areas(self, areas: Iterable[Area], limits: UploadLimits) -> "Workspace":
        """Replace the areas of the image that is shown.

        Raises
        ------
        InputError
            If there are more than the limit.
        """
        areas = tuple(areas)
        if len(areas) > limits.areas:
            raise InputError(f"expected at most {limits.areas} areas on an image, got {len(areas)}")
        return self._holding(areas)

    def with_rows(self, rows: Iterable[Sequence[Any]], shape: tuple[int, int], limits: UploadLimits) -> "Workspace":
        """Take the areas from the edited table; those that it does not have stay."""
        areas = areas_of_rows(rows, shape)
        names = {area.name for area in areas}
        kept = [area for area in self.current if not is_in_table(area) and area.name not in names]
        return self.with_areas([*areas, *kept], limits)

    def _holding(self, areas: tuple[Area, ...]) -> "Workspace":
        return replace(self, areas={**self.areas, self.chosen: areas}, corner=None)

    def click(self, x: float, y: float, limits: UploadLimits) -> "Workspace":
        """Set the first corner, or make an area of whole pixels from the first corner and this one.

        Two clicks less than 3 pixels apart make no area.
        """
        if self.corner is None:
            return replace(self, corner=(x, y))
        x0, y0 = floor(min(self.corner[0], x)), floor(min(self.corner[1], y))
        x1, y1 = ceil(max(self.corner[0], x)), ceil(max(self.corner[1], y))
        if x1 - x0 < _SMALLEST or y1 - y0 < _SMALLEST:
            return replace(self, corner=None)
        names = {area.name for area in self.current}
        name = next(f"area {n}" for n in range(1, len(names) + 2) if f"area {n}" not in names)
        return self.with_areas(
            [*self.current, Rectangle(name, float(x0), float(y0), float(x1 - x0), float(y1 - y0))], limits
        )


@dataclass(frozen=True)
class Designs:
    """Two designs side by side; each keeps its areas when its image is replaced or removed.

    Parameters
    ----------
    sides : (Workspace, Workspace)
        A and B, with one image each or none.
    same : bool
        Whether B has the areas of A, pixel for pixel. The areas of B itself come back when this is switched off.
    """

    sides: tuple[Workspace, Workspace] = field(default_factory=lambda: (Workspace(), Workspace()))
    same: bool = True

    def sharing(self, same: bool) -> "Designs":
        """Set whether both have the same areas. A side without areas starts with those of the other."""
        if same == self.same:
            return self
        a, b = (side.current for side in self.sides)
        if same:
            a = a or b
            b = () if a == b else b
        else:
            b = b or a
        return Designs((self.sides[0]._holding(a), self.sides[1]._holding(b)), same)

    def with_file(self, side: int, file: str | Path | None, limits: UploadLimits) -> tuple["Designs", list[str]]:
        """Replace or remove the image of A (0) or B (1); returns a message if the file was refused."""
        workspace, complaints = self.sides[side].with_files([file] if file else [], limits)
        return self._with(side, workspace._holding(self.sides[side].current)), complaints

    def areas(self, side: int, shape: tuple[int, int]) -> list[Area]:
        """The areas of A or B that lie at least in part on its image of ``shape`` (H, W)."""
        height, width = shape
        return [
            area
            for area in self.sides[self._holder(side)].current
            if area.bounds[0] < width and area.bounds[1] < height
        ]

    def corner(self, side: int) -> tuple[float, float] | None:
        """The first corner of an area that is being drawn on A or B."""
        return self.sides[self._holder(side)].corner

    def click(self, side: int, x: float, y: float, limits: UploadLimits) -> "Designs":
        """Handle a click on A or B as :meth:`Workspace.click` does."""
        holder = self._holder(side)
        return self._with(holder, self.sides[holder].click(x, y, limits))

    def with_rows(
        self, side: int, rows: Iterable[Sequence[Any]], shapes: Sequence[tuple[int, int]], limits: UploadLimits
    ) -> "Designs":
        """Take the areas of A or B from its edited table; areas outside its image stay. ``shapes`` are the (H, W) of both."""
        holder, shown = self._holder(side), self.areas(side, shapes[side])
        heights, widths = zip(*(shapes if self.same else [shapes[side]]), strict=True)
        areas = areas_of_rows(
            rows, (max(heights), max(widths))
        )  # areas that reach beyond the smaller image are not cut
        names = {area.name for area in areas}
        kept = [area for area in self.sides[holder].current if area not in shown or not is_in_table(area)]
        areas += [area for area in kept if area.name not in names]
        return self._with(holder, self.sides[holder].with_areas(areas, limits))

    def cleared(self) -> "Designs":
        """Remove all areas."""
        a, b = self.sides
        return replace(self, sides=(a._holding(()), b._holding(())))

    def _holder(self, side: int) -> int:
        return 0 if self.same else side

    def _with(self, side: int, workspace: Workspace) -> "Designs":
        a, b = self.sides
        return replace(self, sides=(a, workspace) if side else (workspace, b))


def areas_of_rows(rows: Iterable[Sequence[Any]], shape: tuple[int, int]) -> list[Area]:
    """The areas in an edited table of name, x, y, width and height. Only complete rows count, and areas are cut to the image.

    Raises
    ------
    InputError
        If a complete row is not a rectangle on the image, or has the name of another row.
    """
    areas: list[Area] = []
    for number, row in enumerate(rows, start=1):
        name, *numbers = _cells(row)
        if not all(numbers):
            continue
        try:
            x, y, width, height = (float(cell) for cell in numbers)
            area: Area = Rectangle(name or f"area {number}", x, y, width, height).clipped(shape)
        except InputError as error:
            raise InputError(f"row {number}: {error}") from error
        except ValueError as error:
            raise InputError(f"row {number}: expected numbers for x, y, width and height in pixels") from error
        if area.name in [other.name for other in areas]:
            raise InputError(f"row {number}: another area is also called {area.name!r}; rename one of them")
        areas.append(area)
    return areas


def is_to_replace(rows: Iterable[Sequence[Any]], by: Sequence[Sequence[Any]]) -> bool:
    """Whether an edited table is to show other rows: those that the page read from it, such as areas cut to the image.

    While rows still lack numbers, the user is typing, and a table that says the same is left alone, since the user may already
    be typing in another cell.
    """
    cells = [_cells(row) for row in rows]
    if not all(all(numbers) for _, *numbers in cells):
        return False
    try:
        return [[name, *map(float, numbers)] for name, *numbers in cells] != [list(row) for row in by]
    except ValueError:  # not numbers, so the page has read others
        return True


def _cells(row: Sequence[Any]) -> list[str]:
    return ["" if cell is None or cell != cell else str(cell).strip() for cell in row]


def rows_of_areas(areas: Iterable[Area]) -> list[list[str | float]]:
    """The rows of a table from which :func:`areas_of_rows` reads the same areas; the table has upright rectangles only."""
    return [
        [area.name, *(round(float(v), 1) for v in (area.x0, area.y0, area.width, area.height))]
        for area in areas
        if is_in_table(area)
    ]


def is_in_table(area: Area) -> TypeGuard[Rectangle]:
    """Whether the table has the area: areas of other kinds are drawn and measured, but cannot be edited."""
    return isinstance(area, Rectangle) and area.is_upright
