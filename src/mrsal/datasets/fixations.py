"""Fixations in, maps out: where observers looked, as points, as a count map, as a density.

Coordinates are pixels of the stimulus, 0-based: x to the right, y down. Pixel ``i`` covers ``[i, i + 1)``.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError


@dataclass(frozen=True)
class Fixations:
    """Fixations of several observers on several stimuli, one entry per fixation.

    All fields are 1-D arrays of one length; with fewer fields than :class:`pysaliency.Fixations` but its names.

    Parameters
    ----------
    x, y : array of float64
        Position in stimulus pixels, 0-based.
    n : array of int64
        Index of the stimulus.
    subject : array of int64
        Index of the observer.
    order : array of int64
        Position within the trial; 0 is the first fixation, which often only mirrors the start marker.
    duration : array of float64
        Seconds; NaN where it is not known.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    n: NDArray[np.int64]
    subject: NDArray[np.int64]
    order: NDArray[np.int64]
    duration: NDArray[np.float64]

    @classmethod
    def create(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        n: ArrayLike = 0,
        subject: ArrayLike = 0,
        order: ArrayLike = 0,
        duration: ArrayLike = np.nan,
    ) -> Self:
        """Build from anything array-like; a single value stands for all fixations."""
        xs = np.array(x, np.float64, ndmin=1)
        if xs.ndim > 1:
            raise InputError(f"expected x in one row, got shape {xs.shape}")
        columns = {"y": y, "n": n, "subject": subject, "order": order, "duration": duration}
        arrays: dict[str, NDArray[Any]] = {}
        for name, column in columns.items():
            values = np.asarray(column, np.float64 if name in ("y", "duration") else np.int64)
            if values.ndim and values.shape != xs.shape:
                raise InputError(f"expected as many {name} as x, {xs.shape}, got {values.shape}")
            arrays[name] = np.broadcast_to(values, xs.shape).copy()
        return cls(x=xs, **arrays)

    def __len__(self) -> int:
        return len(self.x)

    def where(self, keep: NDArray) -> "Fixations":
        """The fixations selected by a boolean mask or an index array."""
        return Fixations(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def inside(self, height: int, width: int) -> NDArray[np.bool_]:
        """Mask of the fixations that lie on an image of this size."""
        return (self.x >= 0) & (self.y >= 0) & (self.x < width) & (self.y < height)


def fixation_map(x: ArrayLike, y: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Count the fixations on each pixel.

    Parameters
    ----------
    x, y : array-like of float
        Positions in pixels, 0-based; all inside the image.
    shape : (int, int)
        Height and width in pixels.

    Returns
    -------
    ndarray
        ``(H, W)`` float64; sums to the number of fixations.

    Raises
    ------
    InputError
        If a fixation lies outside the image, or there are not as many x as y.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.shape != ys.shape:
        raise InputError(f"expected as many y as x, {xs.shape}, got {ys.shape}")
    height, width = shape
    outside = ~((xs >= 0) & (ys >= 0) & (xs < width) & (ys < height))
    if outside.any():
        raise InputError(
            f"{outside.sum()} of {xs.size} fixations lie outside the {width}x{height} image; drop them first"
        )
    counts = np.zeros(shape)
    np.add.at(counts, (ys.astype(np.int64), xs.astype(np.int64)), 1.0)
    return counts


def fixation_density(x: ArrayLike, y: ArrayLike, shape: tuple[int, int], *, sigma: float) -> NDArray[np.float64]:
    """Fixation density: the fixation map blurred by a Gaussian.

    Parameters
    ----------
    x, y, shape
        As for :func:`fixation_map`; at least one fixation.
    sigma : float
        Standard deviation in pixels; one degree of visual angle is the usual choice.

    Returns
    -------
    ndarray
        ``(H, W)`` float64, non-negative, sums to 1. What the Gaussian spreads over the border is lost and made up for
        by the normalisation.
    """
    counts = fixation_map(x, y, shape)
    if not counts.any():
        raise InputError("a density needs at least one fixation, got none")
    if not sigma > 0:
        raise InputError(f"sigma must be positive, in pixels, got {sigma}")
    # a Gaussian is the product of one along y and one along x, so the sum over fixations is a product of two matrices: the
    # values of a convolution, for a fraction of the time since there are far fewer fixations than pixels
    rows, columns = np.nonzero(counts)
    along_y = _gaussians(rows, shape[0], sigma) * counts[rows, columns][:, None]  # (N, H)
    blurred = along_y.T @ _gaussians(columns, shape[1], sigma)  # (H, W)
    return blurred / blurred.sum()


def _gaussians(at: NDArray[np.int64], side: int, sigma: float) -> NDArray[np.float64]:
    """A Gaussian around each of N pixels, cut off at 4 sigma, on a line of ``side`` pixels: ``(N, side)``."""
    distance = np.abs(np.arange(side) - at[:, None])
    curve = np.exp(-0.5 * (np.arange(max(side, 1)) / sigma) ** 2)
    curve[int(4 * sigma + 0.5) + 1 :] = 0
    return curve[distance]
