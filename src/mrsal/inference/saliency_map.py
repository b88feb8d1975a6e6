"""The saliency map of an image, which every model gives, with its pictures and files. Needs no torch."""

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mrsal.errors import InputError
from mrsal.figures import figure_style, save_figure
from mrsal.files import atomic_path
from mrsal.images import min_max_scaled
from mrsal.inference.options import FigureOptions, Look
from mrsal.inference.overlay import Heat

if TYPE_CHECKING:  # a slow import
    from matplotlib.figure import Figure

_DENSITY_TOLERANCE = 1e-3  # how far the sum of a density may be from 1


class SaliencyMap:
    """A value for each pixel of an image, higher where people look more.

    Parameters
    ----------
    values : array
        ``(H, W)``, ``values[y, x]``. The values of a network are float32 in [0, 1]: for Mr-CNN, the probability that a location
        is fixated; for the improved network, the density divided by its maximum. Other models may give any finite values.
    image : array or callable
        The image, ``(H, W, 3)`` uint8 RGB, or a function that returns it and is called when the image is needed.
    log_density : array, optional
        ``(H, W)``: the logarithm of the density, from a model that predicts it. None: the density is ``values`` over their sum.
    windows : int
        The number of windows in which the image was predicted; 1: as a whole.
    """

    def __init__(
        self,
        values: NDArray,
        image: NDArray[np.uint8] | Callable[[], NDArray[np.uint8]],
        *,
        log_density: NDArray | None = None,
        windows: int = 1,
    ) -> None:
        self.values = values
        self.windows = windows
        self.log_density = log_density
        self._image = image

    def __getstate__(self) -> dict[str, Any]:
        """With the image itself, since a function that reads it may not be known in another process."""
        return {
            "values": self.values,
            "log_density": self.log_density,
            "windows": self.windows,
            "_image": self.image,
        }

    def __repr__(self) -> str:
        height, width = self.values.shape
        return f"<SaliencyMap {width}x{height}, values {self.values.min():.3g} to {self.values.max():.3g}>"

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The image: ``(H, W, 3)`` uint8 RGB."""
        return self._image() if callable(self._image) else self._image

    def note(self) -> str:
        """Say that the image was predicted in windows; empty if it was predicted as a whole."""
        if self.windows == 1:
            return ""
        return f"predicted in {self.windows} windows, since one side is much longer than the other"

    @cached_property
    def density(self) -> NDArray[np.float64]:
        """``(H, W)`` float64 that sums to 1; uniform if the map is zero everywhere.

        Raises
        ------
        InputError
            If the map has negative values.
        """
        if self.log_density is not None:
            density = np.exp(self.log_density.astype(np.float64))
            return density / density.sum()  # which is 1 but for the rounding of float32
        values = self.values.astype(np.float64)
        if values.min() < 0:
            raise InputError(f"a density has no negative values, got a map with values down to {values.min():.3g}")
        total = values.sum()
        return values / total if total > 0 else np.full(values.shape, 1 / values.size)

    @property
    def unit_values(self) -> NDArray:
        """The map in [0, 1], ``(H, W)``: the values as they are, or divided by their maximum.

        They are divided if the map is a density, whose values are tiny, or if they do not lie in [0, 1].

        Raises
        ------
        InputError
            If the map has negative values.
        """
        low, high = self.values.min(), self.values.max()
        is_density = abs(self.values.sum(dtype=np.float64) - 1) <= _DENSITY_TOLERANCE
        if low >= 0 and high <= 1 and not is_density:
            return self.values
        return (self.density / self.density.max()).astype(np.float32)

    def overlay(self, *, opacity: float = Look.opacity, colormap: str = Look.colormap) -> NDArray[np.uint8]:
        """The image under the colours of the map, ``(H, W, 3)`` uint8; the colours are more opaque where the map is higher.

        Of a map with ``log_density``, the square root is shown: often one place has ten times the density of the next, which
        could not be seen otherwise.
        """
        return Heat(opacity, colormap).over(self.image, self.shown())

    def shown(self) -> NDArray[np.float32]:
        """The values that :meth:`overlay` colours: :meth:`scaled`, or its square root for a map with ``log_density``."""
        return self.scaled() if self.log_density is None else np.sqrt(self.scaled())

    def scaled(self) -> NDArray[np.float32]:
        """The map scaled to [0, 1] by its own minimum and maximum; 0 everywhere if it is constant."""
        return min_max_scaled(self.values, dtype=np.float32)

    def figure(
        self,
        *,
        colormap: str = Look.colormap,
        pixels_per_degree: float | None = None,
        width: float = FigureOptions.figure_width,
    ) -> "Figure":
        """A figure for a paper: the image with contours and a scale, and the density with a bar of colours.

        The contours enclose the smallest regions with 25, 50 and 75 % of the density. Of a map with ``log_density``, the
        colours follow the square root of the density, as in :meth:`overlay`.

        Parameters
        ----------
        colormap : str
            The name of a colormap of matplotlib.
        pixels_per_degree : float, optional
            The size of a degree of visual angle in pixels of the image; :func:`mrsal.datasets.pixels_per_degree` computes
            it. With it, the scale is in degrees and the density in percent per square degree. None: the scale is in pixels,
            and the density is relative to the uniform density, so that 1 is as likely as anywhere.
        width : float
            The width in millimetres. A figure of a tall image is narrower.

        Returns
        -------
        matplotlib.figure.Figure
            A figure that pyplot does not know, in which axes 0 has the image and axes 1 the map. To save it as it is,
            :meth:`save_figure` is shorter.

        Raises
        ------
        InputError
            If the map has negative values, there is no such colormap, or a number is out of range.

        Examples
        --------
        >>> values = np.random.default_rng(0).random((30, 40))
        >>> figure = SaliencyMap(values, np.zeros((30, 40, 3), np.uint8)).figure(pixels_per_degree=10)
        >>> figure.axes[0].set_title("Stimulus 12", loc="left")
        Text(0.0, 1.0, 'Stimulus 12')
        >>> figure.savefig("figure.pdf")  # doctest: +SKIP
        """
        from mrsal.inference.figure import attention_figure

        options = FigureOptions(pixels_per_degree=pixels_per_degree, figure_width=width)
        with figure_style():
            return attention_figure(
                self.image,
                self.density,
                root=self.log_density is not None,
                colormap=colormap,
                pixels_per_degree=options.pixels_per_degree,
                width=options.figure_width,
            )

    def save_figure(
        self,
        path: str | Path,
        *,
        colormap: str = Look.colormap,
        pixels_per_degree: float | None = None,
        width: float = FigureOptions.figure_width,
    ) -> Path:
        """Write :meth:`figure` as ``.pdf``, ``.svg`` or ``.png``, which has 300 dots per inch; returns the path.

        The same map gives the same file, byte for byte.
        """
        from mrsal.inference.figure import describe

        draw = partial(self.figure, colormap=colormap, pixels_per_degree=pixels_per_degree, width=width)
        caption = describe(root=self.log_density is not None, windows=self.windows)
        save_figure(draw, path, title="Predicted attention", description=caption)
        return Path(path)

    def save(self, path: str | Path) -> Path:
        """Write the map; the ending of the file name decides how. Returns the path.

        ``.npy`` has ``values``. ``.png`` has ``unit_values`` times 65535 in 16-bit grey. ``.pdf`` and ``.svg`` are
        :meth:`save_figure`.
        """
        path = Path(path)
        if path.suffix in (".pdf", ".svg"):
            return self.save_figure(path)
        if path.suffix not in (".npy", ".png"):
            raise InputError(f"expected a file name that ends in .npy, .png, .pdf or .svg, got {path.name!r}")
        with atomic_path(path) as temporary:
            if path.suffix == ".npy":
                with temporary.open("wb") as file:
                    np.save(file, self.values)
            else:
                write_png(self.unit_values, temporary)
        return path


def write_png(values: NDArray, path: Path) -> None:
    """Write a map in [0, 1] as a 16-bit grey PNG file."""
    # level 1 takes half the time and a tenth more bytes
    Image.fromarray(np.round(values * 65535).astype(np.uint16)).save(path, format="PNG", compress_level=1)
