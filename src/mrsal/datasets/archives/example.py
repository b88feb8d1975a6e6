"""One image of a prepared data set, with what is needed to predict it and to score the prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.fixations import Fixations

if TYPE_CHECKING:  # torch, which neither this module nor an exported network needs
    from mrsal.model import Grid, Pyramid


@dataclass(frozen=True)
class ArchiveImage:
    """The image of an archive: its pixels, read when they are needed, and the scaled copies that the archive holds.

    Parameters
    ----------
    shape : (int, int)
        Height and width in pixels.
    read : callable
        Returns the pixels as ``(H, W, 3)`` uint8.
    pyramid : Pyramid
        The image at the three scales of Mr-CNN, as the archive holds them.
    grid : Grid
        Where Mr-CNN's map of this image is computed.
    """

    shape: tuple[int, int]
    read: Callable[[], NDArray[np.uint8]]
    pyramid: "Pyramid"
    grid: "Grid"


@dataclass(frozen=True)
class Example:
    """One image to predict and to score.

    Parameters
    ----------
    name : str
        File name of the stimulus.
    image : ArchiveImage
        The stimulus, for a model to predict.
    ground_truth : callable
        Returns the ground-truth density as ``(H, W)`` float64, non-negative, of any scale.
    fixations : Fixations or None
        None where only a map is known.
    dataset : str
        Name of the data set; empty if it is not known.
    pixels_per_degree : float
        Pixels per degree of visual angle; NaN if it is not known.
    """

    name: str
    image: ArchiveImage
    ground_truth: Callable[[], NDArray[np.float64]]
    fixations: Fixations | None = None
    dataset: str = ""
    pixels_per_degree: float = float("nan")

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the stimulus in pixels."""
        return self.image.shape

    def stimulus(self) -> NDArray[np.uint8]:
        """The pixels of the stimulus: ``(H, W, 3)`` uint8."""
        return self.image.read()
