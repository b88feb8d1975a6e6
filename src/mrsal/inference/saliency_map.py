"""What every model gives for an image: how likely each pixel is to be looked at. Needs no torch."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.errors import InputError
from mrsal.files import atomic_path
from mrsal.inference.options import Look
from mrsal.inference.overlay import Heat


@dataclass(frozen=True)
class SaliencyMap:
    """How likely each pixel is to be looked at.

    Parameters
    ----------
    values : array
        ``(H, W)`` float32 in [0, 1], ``values[y, x]``: the network's probability that a location is fixated.
    image : array
        The stimulus, ``(H, W, 3)`` uint8 RGB.
    """

    values: NDArray[np.float32]
    image: NDArray[np.uint8]

    @cached_property
    def density(self) -> NDArray[np.float64]:
        """``(H, W)`` float64 that sums to 1; uniform if the map is zero everywhere."""
        values = self.values.astype(np.float64)
        total = values.sum()
        return values / total if total > 0 else np.full(values.shape, 1 / values.size)

    def overlay(self, *, opacity: float = Look.opacity, colormap: str = Look.colormap) -> NDArray[np.uint8]:
        """The stimulus with the map laid over it: ``(H, W, 3)`` uint8; the more salient, the less see-through."""
        return Heat(opacity, colormap).over(self.image, self.scaled())

    def scaled(self) -> NDArray[np.float32]:
        """The map stretched to [0, 1] by its own minimum and maximum; zero where it is constant."""
        low, high = self.values.min(), self.values.max()
        scaled = self.values - low
        if high > low:
            scaled /= high - low
        return scaled

    def save(self, path: str | Path) -> Path:
        """Write the map: ``.npy`` as float32, ``.png`` as 16-bit grey of ``values`` times 65535."""
        path = Path(path)
        if path.suffix not in (".npy", ".png"):
            raise InputError(f"a map is saved as .npy or .png, got {path.name!r}")
        with atomic_path(path) as temporary:
            if path.suffix == ".npy":
                with temporary.open("wb") as file:
                    np.save(file, self.values)
            else:
                sixteen = Image.fromarray(np.round(self.values * 65535).astype(np.uint16))
                sixteen.save(temporary, format="PNG", compress_level=1)  # half the time for a tenth more bytes
        return path
