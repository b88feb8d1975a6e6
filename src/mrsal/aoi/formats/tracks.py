"""What the formats of moving areas share: the areas of one video, while a file is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mrsal.aoi.formats.reading import MOST_MASK_PIXELS, Reading
from mrsal.aoi.moving import MovingArea, Unit
from mrsal.aoi.shapes import Area, Mask, Polygon
from mrsal.errors import DataError

_MOST_AREAS = 2_000  # in a video
_NAMED = 3  # areas in a warning


@dataclass
class Tracks:
    """The areas of one video, while a file is read.

    Parameters
    ----------
    reading : Reading
        The name and the size of the video, and what is left out.

    Attributes
    ----------
    areas : list of Area or MovingArea
        The areas so far, in the order of the file.
    """

    reading: Reading
    areas: list[Area | MovingArea] = field(default_factory=list)
    _mask_pixels: int = 0

    def add(self, name: str, key_frames: Iterable[tuple[float, Area | None]], unit: Unit) -> None:
        """Add a moving area.

        Raises
        ------
        DataError
            If there are too many areas, or their outlines or masks are too large to be measured.
        """
        area = MovingArea(name, list(key_frames), unit)
        for _, each in area.key_frames:
            if isinstance(each, Mask):
                self._mask_pixels += each.pixels.size
            elif isinstance(each, Polygon):
                Reading("", self.reading.shape).add(each)  # its outline has the limit of an image
        if self._mask_pixels > MOST_MASK_PIXELS:
            raise DataError(
                f"the masks are too large: expected at most {MOST_MASK_PIXELS // 10**6} million pixels; use polygons"
            )
        self.add_fixed([area])

    def account(self) -> str:
        """Say what was left out, and which areas are not interpolated everywhere; empty if there is nothing."""
        jumps = [(area.name, area.jumps()) for area in self.areas if isinstance(area, MovingArea)]
        names = [f"{name} at {count}" for name, count in jumps if count]
        if not names:
            return self.reading.account()
        listed = ", ".join([*names[:_NAMED], *(["others"] if len(names) > _NAMED else [])])
        note = (
            f"areas stay as they are until the next key frame ({listed} of them), since there is nothing between masks, "
            "areas of different kinds, and polygons with different numbers of corners"
        )
        return "; ".join(filter(None, [self.reading.account(), note]))

    def add_fixed(self, areas: Iterable[Area | MovingArea]) -> None:
        """Add areas that are as they are in the whole video."""
        self.areas += areas
        if len(self.areas) > _MOST_AREAS:
            raise DataError(f"expected at most {_MOST_AREAS:,} areas in a video, got more; export fewer")
