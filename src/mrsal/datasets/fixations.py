"""Where observers looked: fixations as arrays, as counts per pixel, and as a density.

Coordinates are in pixels of the stimulus, 0-based: x to the right, y down. Pixel ``i`` covers ``[i, i + 1)``.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError


@dataclass(frozen=True)
class Fixations:
    """Fixations of several observers on several stimuli, with one entry per fixation.

    All fields are 1-D arrays of the same length. Their names are those of :class:`pysaliency.Fixations`, which has more fields.

    Parameters
    ----------
    x, y : array of float64
        The position in pixels of the stimulus, 0-based.
    n : array of int64
        The index of the stimulus.
    subject : array of int64
        The index of the observer.
    order : array of int64
        The place in the trial, from 0. The first fixation is often on the start marker.
    duration : array of float64
        The duration in seconds; NaN if it is not known.
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
        """Make fixations from array-likes; a single value is used for all fixations."""
        xs = np.array(x, np.float64, ndmin=1)
        if xs.ndim > 1:
            raise InputError(f"expected x as a 1-D array, got shape {xs.shape}; flatten it")
        columns = {"y": y, "n": n, "subject": subject, "order": order, "duration": duration}
        arrays: dict[str, NDArray[Any]] = {}
        for name, column in columns.items():
            values = np.asarray(column, np.float64 if name in ("y", "duration") else np.int64)
            if values.ndim and values.shape != xs.shape:
                raise InputError(
                    f"expected as many values of {name} as of x, {xs.shape}, got {values.shape}; give one for each fixation"
                )
            arrays[name] = np.broadcast_to(values, xs.shape).copy()
        return cls(x=xs, **arrays)

    def __len__(self) -> int:
        return len(self.x)

    def where(self, keep: NDArray) -> "Fixations":
        """Select fixations with a boolean mask or an array of indices."""
        return Fixations(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    def inside(self, height: int | NDArray, width: int | NDArray) -> NDArray[np.bool_]:
        """Return a mask of the fixations inside an image of this size; the size may differ between fixations."""
        return (self.x >= 0) & (self.y >= 0) & (self.x < width) & (self.y < height)


def fixation_map(x: ArrayLike, y: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Count the fixations on each pixel.

    Parameters
    ----------
    x, y : array-like of float
        The positions in pixels, 0-based. All must be inside the image.
    shape : (int, int)
        The height and width in pixels.

    Returns
    -------
    ndarray
        ``(H, W)`` float64; its sum is the number of fixations.

    Raises
    ------
    InputError
        If a fixation is outside the image, or the numbers of x and y differ.
    """
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if xs.shape != ys.shape:
        raise InputError(f"expected as many y as x, {xs.shape}, got {ys.shape}; give one pair for each fixation")
    height, width = shape
    outside = ~((xs >= 0) & (ys >= 0) & (xs < width) & (ys < height))
    if outside.any():
        raise InputError(
            f"{outside.sum()} of {xs.size} fixations lie outside the {width}x{height} image; remove them first"
        )
    counts = np.zeros(shape)
    np.add.at(counts, (ys.astype(np.int64), xs.astype(np.int64)), 1.0)
    return counts


def fixation_density(x: ArrayLike, y: ArrayLike, shape: tuple[int, int], *, sigma: float) -> NDArray[np.float64]:
    """Compute the fixation density: the fixation map, blurred with a Gaussian and divided by its sum.

    Parameters
    ----------
    x, y, shape
        The parameters of :func:`fixation_map`, with at least one fixation.
    sigma : float
        The standard deviation in pixels, usually one degree of visual angle. For another number of degrees, multiply it by
        the pixels per degree of the data set, or by :func:`mrsal.datasets.pixels_per_degree`, which computes them from the
        screen and the viewing distance.

    Returns
    -------
    ndarray
        ``(H, W)`` float64, non-negative, with the sum 1. The part of a Gaussian beyond the border is cut off before the
        division by the sum.
    """
    counts = fixation_map(x, y, shape)
    if not counts.any():
        raise InputError("expected at least one fixation for a density, got none; leave this image out")
    if not sigma > 0:
        raise InputError(f"expected a positive sigma in pixels, got {sigma}; one degree of visual angle is usual")
    # a Gaussian is the product of one along y and one along x, so the sum over fixations is a product of two matrices. This has
    # the values of a convolution and is much faster, since there are far fewer fixations than pixels
    rows, columns = np.nonzero(counts)
    along_y = _gaussians(rows, shape[0], sigma) * counts[rows, columns][:, None]  # (N, H)
    blurred = along_y.T @ _gaussians(columns, shape[1], sigma)  # (H, W)
    return blurred / blurred.sum()


def _gaussians(centres: NDArray[np.int64], side: int, sigma: float) -> NDArray[np.float64]:
    """Make a Gaussian around each of N pixels, cut off at 4 sigma, on a line of ``side`` pixels: ``(N, side)``."""
    distance = np.abs(np.arange(side) - centres[:, None])
    curve = np.exp(-0.5 * (np.arange(max(side, 1)) / sigma) ** 2)
    if 4 * sigma < side:
        curve[int(4 * sigma + 0.5) + 1 :] = 0
    return curve[distance]
