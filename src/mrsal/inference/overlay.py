"""Colours for saliency maps, and maps laid over pictures."""

import numpy as np
from numpy.typing import NDArray

from mrsal.errors import InputError
from mrsal.inference.options import Look


def colour_map(values: NDArray) -> NDArray[np.uint8]:
    """A map in colours, stretched to its own minimum and maximum: ``(H, W)`` numbers to ``(H, W, 3)`` uint8."""
    from matplotlib import colormaps  # a slow import

    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    return np.round(colormaps[Look.colormap](scaled)[..., :3] * 255).astype(np.uint8)


_STRIP = 1 << 20  # pixels that are coloured at a time, so that a large picture takes little memory


class Heat:
    """Lays the colours of a map over a picture: the more salient, the less see-through.

    Parameters
    ----------
    opacity : float
        Where the map is hottest, from 0 to 1.
    colormap : str
        Of matplotlib.

    Raises
    ------
    InputError
        If the opacity is out of range, or the colormap is not known.
    """

    def __init__(self, opacity: float = Look.opacity, colormap: str = Look.colormap) -> None:
        from matplotlib import colormaps  # a slow import

        if not 0 <= opacity <= 1:
            raise InputError(f"opacity must be between 0 and 1, got {opacity}")
        if colormap not in colormaps:
            raise InputError(f"expected a colormap of matplotlib, such as inferno or viridis, got {colormap!r}")
        # per level: what is left of the picture, out of 255, and what is added, times 255; no more than 255 * 255 in all
        kept = np.round(255 * (1 - np.linspace(0, opacity, 256)))
        colours = 255 * colormaps[colormap](np.arange(256) / 255)[:, :3]
        self._kept = kept.astype(np.uint16)
        self._added = np.round((255 - kept)[:, None] * colours).astype(np.uint16)

    def over(self, image: NDArray[np.uint8], scaled: NDArray[np.float32]) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8: the picture, of this shape, under a map ``(H, W)`` whose coldest is 0 and hottest 1."""
        out = np.empty_like(image)
        step = max(1, _STRIP // image.shape[1])
        for top in range(0, len(image), step):
            rows = slice(top, top + step)
            level = np.round(scaled[rows].clip(0, 1) * 255).astype(np.uint8)
            mixed = image[rows] * self._kept[level][..., None] + self._added[level]
            out[rows] = (mixed + 127) // 255
        return out
