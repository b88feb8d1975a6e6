"""Where a map is computed: the centres of the grid, in the stimulus and in its scaled copies. Section 3.3 of the paper."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

GRID = 50


@dataclass(frozen=True)
class Grid:
    """Where the map is computed: the product of row and column centres, in pixels of the stimulus.

    Parameters
    ----------
    rows, columns : array of float
        Centres along y and x.
    shape : (int, int)
        Height and width of the stimulus.
    corners : bool
        Whether the outermost centres lie on the image's border (the grid of the ``*.pth.tar`` files) rather than half a
        cell inside it; the upsampling of the map has to know.
    """

    rows: NDArray
    columns: NDArray
    shape: tuple[int, int]
    corners: bool = False

    @classmethod
    def cells(cls, shape: tuple[int, int], size: int = GRID) -> "Grid":
        """Centres of ``size`` x ``size`` equal cells, the default: with 50, a step of exactly 8 pixels at scale 400."""
        steps = (np.arange(size) + 0.5) / size + 1e-6  # or float32 rounding would break the step for many sides
        return cls(steps * shape[0], steps * shape[1], shape)

    @classmethod
    def historical(cls, shape: tuple[int, int]) -> "Grid":
        """The grid of the ``*.pth.tar`` files: ``round(linspace(1, H, 50))`` by ``round(linspace(1, W, 50))``."""
        rows, columns = (np.round(np.linspace(1, side, GRID)).astype(np.int64) for side in shape)
        return cls(rows, columns, shape, corners=True)

    @cached_property
    def points(self) -> NDArray:
        """``(N, 2)`` centres as (y, x), row by row."""
        return np.stack(np.meshgrid(self.rows, self.columns, indexing="ij"), axis=-1).reshape(-1, 2)

    def centres(self, scale: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column centres in the image scaled to ``scale`` x ``scale``, in pixels."""
        return scaled_centre(self.rows, self.shape[0], scale), scaled_centre(self.columns, self.shape[1], scale)


def scaled_centre(position: ArrayLike, side: int | NDArray, scale: int) -> NDArray[np.int64]:
    """``int(scale / side * position)`` in float32, as the archives of the method compute it; kept inside ``[0, scale]``."""
    factor = np.float32(scale) / np.asarray(side, np.float32)
    centre = (factor * np.asarray(position, np.float32)).astype(np.int64)
    return np.clip(centre, 0, scale)
