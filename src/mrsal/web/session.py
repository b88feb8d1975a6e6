"""The images and areas of one visitor of the page, and how uploads and edits change them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi import Area
from mrsal.errors import DataError, InputError, MrsalError
from mrsal.images import read_image
from mrsal.web.edits import Edit, areas_of, is_fixed
from mrsal.web.options import UploadLimits

LETTERS = "AB"  # of the two designs, and the keys of their areas in an edit


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
    """The images of one visitor and their areas.

    Parameters
    ----------
    paths : dict of str to Path
        The uploaded files by the names that the page shows.
    areas : dict of str to tuple of Area
        The areas by the name of their image, in pixels of the image at its full size.
    chosen : str
        The name of the image that is shown; empty if there is none.
    fixed : tuple of Area
        All areas whose shape the page cannot change, also removed ones: an edit that is undone may bring them back.
    number : int
        The number of the latest edit that is in ``areas``.
    revisions : dict of str to int
        How often the areas of an image were replaced by those of a file.
    """

    paths: dict[str, Path] = field(default_factory=dict)
    areas: dict[str, tuple[Area, ...]] = field(default_factory=dict)
    chosen: str = ""
    fixed: tuple[Area, ...] = ()
    number: int = 0
    revisions: dict[str, int] = field(default_factory=dict)

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
        return replace(self, paths=paths, areas=areas, chosen=chosen), complaints

    def choose(self, name: str) -> "Workspace":
        """Show another image."""
        return replace(self, chosen=name if name in self.paths else self.chosen)

    @property
    def path(self) -> Path | None:
        """The file of the image that is shown."""
        return self.paths.get(self.chosen)

    def file(self, name: str) -> Path:
        """The file of an image.

        Raises
        ------
        InputError
            If it has been removed.
        """
        if name not in self.paths:
            raise InputError("the image is no longer there; drop it again")
        return self.paths[name]

    @property
    def current(self) -> tuple[Area, ...]:
        """The areas of the image that is shown."""
        return self.areas.get(self.chosen, ())

    def revision(self, name: str) -> int:
        """How often the areas of an image were replaced by those of a file."""
        return self.revisions.get(name, 0)

    def with_areas(self, areas: Iterable[Area], limits: UploadLimits) -> "Workspace":
        """Replace the areas of the image that is shown by those of a file.

        Raises
        ------
        InputError
            If there are more areas than the limit, or a name is longer.
        """
        areas = tuple(areas)
        if len(areas) > limits.areas:
            raise InputError(f"expected at most {limits.areas} areas on an image, got {len(areas)}")
        if long := [area.name for area in areas if len(area.name) > limits.letters]:
            raise InputError(
                f"expected names of at most {limits.letters} characters, got {long[0][:20]}... with {len(long[0])}"
            )
        fixed = (*self.fixed, *(area for area in areas if is_fixed(area, limits)))
        revisions = {**self.revisions, self.chosen: self.revision(self.chosen) + 1}
        return replace(self.holding(areas), fixed=fixed, revisions=revisions)

    def edited(self, edit: Edit, shape: tuple[int, int], limits: UploadLimits) -> "Workspace":
        """Take the areas as a visitor has drawn them on the image of an edit, whose ``shape`` is (H, W).

        Upright rectangles are cut to the image. If other areas have come from a file since the visitor saw the image, they
        stay, and what was drawn is added.

        Raises
        ------
        InputError
            If the page has sent something that is not a list of areas, or a new area lies outside the image.
        """
        before = self.areas.get(edit.key, ())
        areas = [_cut(area, before, shape) for area in areas_of(edit.shapes, self.fixed, limits)]
        if edit.revision != self.revision(edit.key):
            names = {area.name for area in before}
            areas = [*before, *(area for area in areas if area.name not in names)][: limits.areas]
        return replace(self, areas={**self.areas, edit.key: tuple(areas)}, number=edit.number)

    def holding(self, areas: tuple[Area, ...]) -> "Workspace":
        """The same workspace with other areas of the image that is shown."""
        return replace(self, areas={**self.areas, self.chosen: areas})


def _cut(area: Area, before: Sequence[Area], shape: tuple[int, int]) -> Area:
    """The area as it is kept: those that were there before are not cut, since they may have come from a file."""
    return area if area in before else area.clipped(shape)


@dataclass(frozen=True)
class Designs:
    """Two designs side by side; each keeps its areas when its image is replaced or removed.

    Parameters
    ----------
    sides : (Workspace, Workspace)
        A and B, with one image each or none.
    same : bool
        Whether B has the areas of A, pixel for pixel. The areas of B itself come back when this is switched off.
    number : int
        The number of the latest edit that is in the areas.
    revision : int
        How often areas were changed by something else than an edit.
    """

    sides: tuple[Workspace, Workspace] = field(default_factory=lambda: (Workspace(), Workspace()))
    same: bool = True
    number: int = 0
    revision: int = 0

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
        sides = (self.sides[0].holding(a), self.sides[1].holding(b))
        return replace(self, sides=sides, same=same, revision=self.revision + 1)

    def with_file(self, side: int, file: str | Path | None, limits: UploadLimits) -> tuple["Designs", list[str]]:
        """Replace or remove the image of A (0) or B (1); returns a message if the file was refused."""
        workspace, complaints = self.sides[side].with_files([file] if file else [], limits)
        return self._with(side, workspace.holding(self.sides[side].current)), complaints

    def key(self, side: int) -> str:
        """The key of the areas of A or B in an edit."""
        return LETTERS[0 if self.same else side]

    def all_areas(self, side: int) -> tuple[Area, ...]:
        """The areas of A or B, also those that lie outside its image."""
        return self.sides[0 if self.same else side].current

    def areas(self, side: int, shape: tuple[int, int]) -> list[Area]:
        """The areas of A or B that lie at least in part on its image of ``shape`` (H, W)."""
        height, width = shape
        return [area for area in self.all_areas(side) if area.bounds[0] < width and area.bounds[1] < height]

    def edited(self, edit: Edit, shapes: Sequence[tuple[int, int]], limits: UploadLimits) -> "Designs":
        """Take the areas as a visitor has drawn them on A or B; ``shapes`` are the (H, W) of both images, or (0, 0).

        Upright rectangles are cut to the larger image.

        Raises
        ------
        InputError
            If the page has sent something that is not a list of areas, or a new area lies outside the images.
        """
        if edit.key not in (*LETTERS,):
            raise InputError("expected areas of design A or B, got others; reload the page")
        side = LETTERS.index(edit.key)
        workspace = self.sides[side]
        heights, widths = zip(*(shapes if self.same else [shapes[side]]), strict=True)
        areas = areas_of(edit.shapes, workspace.fixed, limits)
        areas = [_cut(area, workspace.current, (max(heights), max(widths))) for area in areas]
        return replace(self._with(side, workspace.holding(tuple(areas))), number=edit.number)

    def _with(self, side: int, workspace: Workspace) -> "Designs":
        a, b = self.sides
        return replace(self, sides=(a, workspace) if side else (workspace, b))
