"""Draw saliency maps in colour, alone or over their images."""

import numpy as np
from numpy.typing import NDArray

from mrsal.errors import InputError
from mrsal.images import min_max_scaled
from mrsal.inference.options import Look


def colour_map(values: NDArray) -> NDArray[np.uint8]:
    """A map in colours from its own minimum to its own maximum: ``(H, W)`` numbers to ``(H, W, 3)`` uint8."""
    from matplotlib import colormaps  # a slow import

    return np.round(colormaps[Look.colormap](min_max_scaled(values))[..., :3] * 255).astype(np.uint8)


_STRIP = 1 << 20  # pixels that are coloured at a time, so that a large image takes little memory


class Heat:
    """Lays the colours of a map over its image, more opaque where the map is higher.

    Parameters
    ----------
    opacity : float
        The opacity of the colours where the map is highest, from 0 to 1.
    colormap : str
        The name of a colormap of matplotlib.

    Raises
    ------
    InputError
        If the opacity is out of range, or there is no such colormap.
    """

    def __init__(self, opacity: float = Look.opacity, colormap: str = Look.colormap) -> None:
        from matplotlib import colormaps  # a slow import

        if not 0 <= opacity <= 1:
            raise InputError(f"expected an opacity from 0 to 1, got {opacity}")
        if colormap not in colormaps:
            raise InputError(f"expected a colormap of matplotlib, such as inferno or viridis, got {colormap!r}")
        # for each level of the map: the weight of the image, out of 255, and the colour that is added to it, times 255;
        # the sum of both is at most 255 * 255, which fits into 16 bits
        weight = np.round(255 * (1 - np.linspace(0, opacity, 256)))
        colours = 255 * colormaps[colormap](np.arange(256) / 255)[:, :3]
        self._weight = weight.astype(np.uint16)
        self._added = np.round((255 - weight)[:, None] * colours).astype(np.uint16)

    def over(self, image: NDArray[np.uint8], scaled: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The image, ``(H, W, 3)`` uint8, under the colours of a map ``(H, W)`` in [0, 1]; the result has the same shape."""
        out = np.empty_like(image)
        step = max(1, _STRIP // image.shape[1])
        for top in range(0, len(image), step):
            rows = slice(top, top + step)
            level = np.round(scaled[rows].clip(0, 1) * 255).astype(np.uint8)
            mixed = image[rows] * self._weight[level][..., None] + self._added[level]
            out[rows] = (mixed + 127) // 255
        return out
