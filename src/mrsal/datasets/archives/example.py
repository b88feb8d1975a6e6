"""Examples: the stimuli of an archive, with what is needed to predict a map and to score it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.fixations import Fixations

if TYPE_CHECKING:  # they import torch, which neither this module nor an exported network needs
    from mrsal.model import Grid, Pyramid


@dataclass(frozen=True)
class ArchiveImage:
    """A stimulus for a model to predict: its pixels, read when they are needed, and the scaled copies in the archive.

    Parameters
    ----------
    shape : (int, int)
        The height and width in pixels.
    read : callable
        A function without parameters that returns the pixels as ``(H, W, 3)`` uint8.
    pyramid : Pyramid
        The copies of the stimulus at the three scales of Mr-CNN, as they are in the archive.
    grid : Grid
        The locations at which Mr-CNN computes the map of this stimulus.
    """

    shape: tuple[int, int]
    read: Callable[[], NDArray[np.uint8]]
    pyramid: "Pyramid"
    grid: "Grid"


@dataclass(frozen=True)
class Example:
    """A stimulus of an archive, with the ground truth and the fixations to score a prediction.

    Parameters
    ----------
    name : str
        The file name of the stimulus.
    image : ArchiveImage
        The stimulus, for a model to predict.
    ground_truth : callable
        A function without parameters that returns the density of the fixations: ``(H, W)`` float64, non-negative, with any
        scale.
    fixations : Fixations or None
        The fixations on the stimulus; None if only a published map is known.
    dataset : str
        The name of the data set; empty if it is not known.
    pixels_per_degree : float
        The number of pixels per degree of visual angle; NaN if it is not known.
    """

    name: str
    image: ArchiveImage
    ground_truth: Callable[[], NDArray[np.float64]]
    fixations: Fixations | None = None
    dataset: str = ""
    pixels_per_degree: float = float("nan")

    @property
    def shape(self) -> tuple[int, int]:
        """The height and width of the stimulus in pixels."""
        return self.image.shape

    def stimulus(self) -> NDArray[np.uint8]:
        """Read the pixels of the stimulus: ``(H, W, 3)`` uint8."""
        return self.image.read()
