"""One image of a prepared data set, with what is needed to predict it and to score the prediction."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.fixations import Fixations
from mrsal.model import Grid, Pyramid


@dataclass(frozen=True)
class Example:
    """One image to predict and to score.

    Parameters
    ----------
    name : str
        File name of the stimulus.
    pyramid : Pyramid
        The image at the three scales.
    grid : Grid
        Where its map is to be computed.
    stimulus : callable
        Returns the picture as ``(H, W, 3)`` uint8; read when it is needed.
    target : callable
        Returns the ground-truth density as ``(H, W)`` float64, non-negative, of any scale.
    fixations : Fixations or None
        None where only a map is known.
    dataset : str
        Name of the data set, empty where nobody knows.
    pixels_per_degree : float
        Of visual angle; NaN where nobody knows.
    """

    name: str
    pyramid: Pyramid
    grid: Grid
    stimulus: Callable[[], NDArray[np.uint8]]
    target: Callable[[], NDArray[np.float64]]
    fixations: Fixations | None = None
    dataset: str = ""
    pixels_per_degree: float = float("nan")
