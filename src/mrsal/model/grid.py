"""The grid on which a map is computed: its centres in the image and in the scaled copies. Section 3.3 of the paper."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRID = 50


@dataclass(frozen=True)
class Grid:
    """The centres of the crops of an image: all pairs of a row and a column, in pixels of the image.

    Parameters
    ----------
    rows, columns : array of float
        The y of each row and the x of each column.
    shape : (int, int)
        The height and width of the image in pixels.
    corners : bool
        Whether the outermost centres lie on the border of the image, as in the ``*.pth.tar`` files, instead of half a cell
        inside it. The upsampling of the map depends on this.
    """

    rows: NDArray
    columns: NDArray
    shape: tuple[int, int]
    corners: bool = False

    @classmethod
    def cells(cls, shape: tuple[int, int], size: int = GRID) -> "Grid":
        """The centres of ``size`` x ``size`` equal cells. With the default of 50, the step at scale 400 is exactly 8 pixels."""
        steps = (np.arange(size) + 0.5) / size + 1e-6  # without it, rounding to float32 breaks the step for many sizes
        return cls(steps * shape[0], steps * shape[1], shape)

    @classmethod
    def historical(cls, shape: tuple[int, int]) -> "Grid":
        """The grid of the ``*.pth.tar`` files: ``round(linspace(1, H, 50))`` by ``round(linspace(1, W, 50))``."""
        rows, columns = (np.round(np.linspace(1, side, GRID)).astype(np.int64) for side in shape)
        return cls(rows, columns, shape, corners=True)

    @cached_property
    def points(self) -> NDArray:
        """The centres as (y, x), row by row: ``(N, 2)``."""
        return np.stack(np.meshgrid(self.rows, self.columns, indexing="ij"), axis=-1).reshape(-1, 2)

    def centres(self, scale: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows and columns in pixels of the image when it is scaled to ``scale`` x ``scale``."""
        return scaled_centre(self.rows, self.shape[0], scale), scaled_centre(self.columns, self.shape[1], scale)


def scaled_centre(position: ArrayLike, side: int | NDArray, scale: int) -> NDArray[np.int64]:
    """``int(scale / side * position)`` in float32, as the historical archives compute it, clipped to ``[0, scale]``."""
    factor = np.float32(scale) / np.asarray(side, np.float32)
    centre = (factor * np.asarray(position, np.float32)).astype(np.int64)
    return np.clip(centre, 0, scale)
