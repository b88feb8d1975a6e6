"""From an image to what the network sees: three scaled copies, and 42x42 crops around the centres of a grid.

An image flows in; its :class:`Pyramid` flows out, and around centres the crops. Section 3.1 of the paper.

Letters: B samples, S = 3 scales, C = 3 channels, P = 42 the side of a crop.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.images import resize

SCALES = (400, 250, 150)
PATCH = 42
HALF = PATCH // 2

_OVERSHOOT = 0.2


@dataclass(frozen=True)
class Pyramid:
    """An image at the three scales of the method.

    Parameters
    ----------
    levels : tuple of 3 arrays
        ``(400, 400, 3)``, ``(250, 250, 3)`` and ``(150, 150, 3)``; uint8, or float32 as an archive holds it.
    shape : (int, int)
        Height and width of the stimulus in pixels.
    """

    levels: tuple[NDArray, ...]
    shape: tuple[int, int]

    @classmethod
    def from_image(cls, image: NDArray[np.uint8]) -> "Pyramid":
        """Scale an ``(H, W, 3)`` uint8 image, bicubic and antialiased, ignoring its aspect ratio."""
        height, width, _ = image.shape
        return cls(tuple(resize(image, scale, scale) for scale in SCALES), (height, width))

    @property
    def standardised(self) -> bool:
        """Whether the levels hold standardised values, as some archives do, instead of pixels."""
        return any(level.dtype != np.uint8 and not is_unit(level.min(), level.max()) for level in self.levels)

    def tensors(self, device: torch.device | str = "cpu") -> list[Tensor]:
        """The levels as float32 ``(C, s, s)`` tensors; uint8 is mapped to [0, 1], float is taken as it is."""
        return [to_unit(torch.tensor(level).to(device)).permute(2, 0, 1) for level in self.levels]


def crop(levels: Tensor, index: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Cut 42x42 windows out of a stack of scaled images, replicating the border; on the device where they are.

    Parameters
    ----------
    levels : Tensor
        ``(M, s, s, C)``; may be memory-mapped.
    index, rows, columns : Tensor of int64
        ``(B,)``: which image, and the centre in its pixels. The window runs from centre - 21 to centre + 20.

    Returns
    -------
    Tensor
        ``(B, P, P, C)`` of the dtype of ``levels``.
    """
    last = levels.shape[1] - 1
    window = torch.arange(-HALF, HALF, device=rows.device)
    y = (rows[:, None] + window).clip(0, last)  # (B, P)
    x = (columns[:, None] + window).clip(0, last)  # (B, P)
    return levels[index[:, None, None], y[:, :, None], x[:, None, :]]


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 to float32 in [0, 1]; float stays as it is."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.float()


def is_unit(low: float, high: float) -> bool:
    """Whether a range of values is that of pixels in [0, 1], give or take what bicubic scaling overshoots."""
    return low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT
