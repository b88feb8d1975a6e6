"""The input of the network: three scaled copies of an image, and crops of 42x42 pixels. Section 3.1 of the paper.

Letters: B samples, C = 3 channels, crops of P = 42 pixels a side, s the side of a scaled image, M images.
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

_OVERSHOOT = 0.2  # of bicubic scaling beyond [0, 1], with room to spare


@dataclass(frozen=True)
class Pyramid:
    """The copies of an image at the three scales of the method.

    Parameters
    ----------
    levels : tuple of 3 arrays
        ``(400, 400, 3)``, ``(250, 250, 3)`` and ``(150, 150, 3)``; uint8, or float32 in some archives.
    shape : (int, int)
        The height and width of the image in pixels.
    """

    levels: tuple[NDArray, ...]
    shape: tuple[int, int]

    @classmethod
    def from_image(cls, image: NDArray[np.uint8]) -> "Pyramid":
        """Scale an ``(H, W, 3)`` uint8 image to squares, with antialiased bicubic interpolation; its aspect ratio is lost."""
        height, width, _ = image.shape
        return cls(tuple(resize(image, scale, scale) for scale in SCALES), (height, width))

    @property
    def standardised(self) -> bool:
        """Whether the levels hold standardised values, as in some archives, instead of pixel values."""
        return any(level.dtype != np.uint8 and not is_unit(level.min(), level.max()) for level in self.levels)

    def tensors(self, device: torch.device | str = "cpu") -> list[Tensor]:
        """The levels as float32 tensors ``(C, s, s)``; uint8 is scaled to [0, 1], and float values stay as they are."""
        return [to_unit(torch.tensor(level).to(device)).permute(2, 0, 1) for level in self.levels]


def crop(levels: Tensor, index: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Cut crops of 42x42 pixels out of a stack of scaled images, on their device; the border is replicated.

    Parameters
    ----------
    levels : Tensor
        The images, ``(M, s, s, C)``; may be memory-mapped.
    index, rows, columns : Tensor of int64
        The number of the image of each crop, and its centre in pixels, ``(B,)``. A crop reaches from centre - 21 to
        centre + 20.

    Returns
    -------
    Tensor
        The crops, ``(B, P, P, C)``, with the dtype of ``levels``.
    """
    last = levels.shape[1] - 1
    window = torch.arange(-HALF, HALF, device=rows.device)
    y = (rows[:, None] + window).clip(0, last)  # (B, P)
    x = (columns[:, None] + window).clip(0, last)  # (B, P)
    return levels[index[:, None, None], y[:, :, None], x[:, None, :]]


def to_unit(pixels: Tensor) -> Tensor:
    """Scale uint8 values to float32 in [0, 1]; other values only become float32."""
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.float()


def is_unit(low: float, high: float) -> bool:
    """Whether a range of values is that of pixels in [0, 1]; bicubic scaling may have gone slightly beyond it."""
    return low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT
