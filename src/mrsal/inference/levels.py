"""The copies of an image that the improved network looks at: its longer side scaled to each resolution. Needs no torch.

Pillow scales each colour as 32-bit floats, bicubic and antialiased. These are the values that
:meth:`mrsal.model.ImprovedNetwork.pyramid` gives, and that the network was trained on; Pillow's own 8-bit scaling, which rounds
after each direction, differs from them by up to 8 of 255 levels beside sharp edges.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MULTIPLE = 32  # every side of a level is a multiple of this, as mrsal.model.improved has it


def level_shape(height: int, width: int, longer: int) -> tuple[int, int]:
    """Height and width of a level whose longer side has ``longer`` pixels: :func:`mrsal.model.level_size` without torch."""
    top = max(height, width)

    def rounded(side: int) -> int:
        return max((side * longer * 2 + top * _MULTIPLE) // (top * _MULTIPLE * 2), 1) * _MULTIPLE

    return rounded(height), rounded(width)


def scaled_levels(image: NDArray[np.uint8], resolutions: Sequence[int]) -> tuple[NDArray[np.float32], ...]:
    """An image at several resolutions.

    Parameters
    ----------
    image : array
        ``(H, W, 3)`` uint8.
    resolutions : sequence of int
        Pixels of the longer side.

    Returns
    -------
    tuple of array
        For each resolution ``(h, w, 3)`` float32 in [0, 1].
    """
    rows, columns, _ = image.shape
    shapes = [level_shape(rows, columns, longer) for longer in resolutions]
    levels = tuple(np.empty((*shape, 3), np.float32) for shape in shapes)
    for channel in range(3):  # one at a time, since a large image takes four times the memory as floats
        plane = Image.fromarray(image[..., channel].astype(np.float32))
        for level, (height, width) in zip(levels, shapes, strict=True):
            level[..., channel] = np.asarray(plane.resize((width, height), Image.Resampling.BICUBIC))
    for level in levels:
        np.clip(level / 255, 0, 1, out=level)  # bicubic goes beyond black and white
    return levels
