"""The centre bias: where people look on any image, measured from the fixations on all other images."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, zoom
from scipy.optimize import minimize_scalar

from mrsal.datasets import Example
from mrsal.errors import DataError, InputError
from mrsal.inference import PreparedImage, SaliencyMap, SaliencyModel

_CELLS = 128  # along each side
_NARROWEST, _WIDEST = 1 / _CELLS, 0.3  # bandwidths to choose from; a narrower one would be lost in the cells


class CentreBias(SaliencyModel):
    """The kernel density of the fixations on all images except the predicted one.

    If it is fitted to the images that are scored, each of them is predicted from the others (leave one image out). If it is
    fitted to training images, a new image is predicted from all of them. Images are recognised by their names.

    Parameters
    ----------
    examples : iterable of Example
        The images; at least two must have fixations. Images without fixations are ignored.
    bandwidth : float, optional
        The standard deviation of the Gaussian along each axis, as a share of the side of the image, at least 1/128. By
        default the one with the highest log-likelihood per fixation, when each image is predicted from the other images.
    uniform_share : float
        The share of the density that is spread evenly, in (0, 1). It keeps every location possible and information gain
        finite.

    Attributes
    ----------
    bandwidth : float
        The bandwidth that was given or fitted.

    Raises
    ------
    InputError
        If an option is out of its range.
    DataError
        If fewer than two images have fixations.

    Notes
    -----
    Positions are relative to the sides of the image and counted in 128 x 128 cells, so leaving an image out is a
    subtraction. The kernel is mirrored at the border, where otherwise mass would be lost.
    """

    def __init__(
        self, examples: Iterable[Example], *, bandwidth: float | None = None, uniform_share: float = 0.01
    ) -> None:
        if not 0 < uniform_share < 1:
            raise InputError(f"expected a uniform share above 0 and below 1, got {uniform_share}")
        if bandwidth is not None and not _NARROWEST <= bandwidth < np.inf:
            raise InputError(f"expected a bandwidth of at least 1/{_CELLS} of a side, got {bandwidth}")
        self.uniform_share = uniform_share
        self._cells: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}  # rows and columns, by image
        for example in examples:
            if example.fixations is not None and len(example.fixations):
                rows, columns = _cells(example)
                if example.name in self._cells:  # the fixations on one image may be in several examples
                    earlier_rows, earlier_columns = self._cells[example.name]
                    rows, columns = np.r_[earlier_rows, rows], np.r_[earlier_columns, columns]
                self._cells[example.name] = rows, columns
        if len(self._cells) < 2:
            raise DataError(
                f"expected fixations on at least two images for a centre bias, got {len(self._cells)}; add images"
            )
        self._total = np.sum([_count(*cells) for cells in self._cells.values()], axis=0)
        self.bandwidth = self._fitted() if bandwidth is None else bandwidth

    gives_density = True

    def __len__(self) -> int:
        """The number of images with fixations."""
        return len(self._cells)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """The density for each image, without the fixations on the image of this name."""
        return [image.map(self.density(image.shape, leave_out=image.name)) for image in images]

    def density(self, shape: tuple[int, int], *, leave_out: str | None = None) -> NDArray[np.float64]:
        """The density for an image of ``shape`` (H, W), without the fixations on the image named ``leave_out``."""
        counts = self._total
        if leave_out in self._cells:
            counts = counts - _count(*self._cells[leave_out])
        smooth = gaussian_filter(counts, self.bandwidth * _CELLS, mode="reflect")
        factors = tuple(side / _CELLS for side in shape)
        map_ = zoom(smooth, factors, order=1, mode="nearest", grid_mode=True)
        return (1 - self.uniform_share) * map_ / map_.sum() + self.uniform_share / map_.size

    def _fitted(self) -> float:
        bounds = np.log([_NARROWEST, _WIDEST])
        best = minimize_scalar(
            lambda log: -self._log_likelihood(np.exp(log)), bounds=bounds, method="bounded", options={"xatol": 0.02}
        )
        return float(np.exp(best.x))

    def _log_likelihood(self, bandwidth: float) -> float:
        """The mean log-likelihood per fixation in nats, above the uniform density; each image is predicted from the others."""
        kernel = gaussian_filter1d(np.eye(_CELLS), bandwidth * _CELLS, axis=0, mode="reflect")
        all_images, fixations = kernel @ self._total @ kernel.T, self._total.sum()
        log_likelihood = 0.0
        for rows, columns in self._cells.values():
            own = (kernel[np.ix_(rows, rows)] * kernel[np.ix_(columns, columns)]).sum(axis=1)
            others = np.maximum(all_images[rows, columns] - own, 0) / (fixations - len(rows))
            log_likelihood += np.log((1 - self.uniform_share) * others * _CELLS**2 + self.uniform_share).sum()
        return float(log_likelihood / fixations)


def _cells(example: Example) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    height, width = example.shape
    fixations = example.fixations
    assert fixations is not None
    if not fixations.inside(height, width).all():
        raise DataError(
            f"{example.name}: expected fixations inside the {width}x{height} image, got some outside; drop them first"
        )
    return (fixations.y / height * _CELLS).astype(np.int64), (fixations.x / width * _CELLS).astype(np.int64)


def _count(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(rows * _CELLS + columns, minlength=_CELLS**2).reshape(_CELLS, _CELLS).astype(np.float64)
