"""Where people look whatever is shown, measured: the fixations on all other images."""

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
    """Kernel density of the fixations on all images but the one asked for.

    Give it the images that are scored, and each is predicted from the others (leave one image out); or give it training
    images, and a new image, known by its name, is predicted from all of them.

    Parameters
    ----------
    examples : iterable of Example
        With fixations on at least two images; images without are passed over.
    bandwidth : float, optional
        Standard deviation of the Gaussian along each axis, in units of that side, at least 1/128. None: the one with the
        highest log-likelihood per fixation, each image's fixations predicted from the other images.
    uniform_share : float
        Part of the density that is spread evenly, in (0, 1), so that no location is impossible and information gain stays
        finite.

    Attributes
    ----------
    bandwidth : float
        As given, or as fitted.

    Raises
    ------
    InputError
        If an option is out of its range.
    DataError
        If fewer than two images have fixations.

    Notes
    -----
    Positions are relative to the sides and counted in 128 x 128 cells, so that leaving an image out is a subtraction. The
    border mirrors the kernel: no mass is lost there.
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
                if example.name in self._cells:  # one image in two parts
                    before = self._cells[example.name]
                    rows, columns = np.r_[before[0], rows], np.r_[before[1], columns]
                self._cells[example.name] = rows, columns
        if len(self._cells) < 2:
            raise DataError(f"a centre bias needs fixations on at least two images, got {len(self._cells)}")
        self._total = np.sum([_count(*cells) for cells in self._cells.values()], axis=0)
        self.bandwidth = self._fitted() if bandwidth is None else bandwidth

    gives_density = True

    def __len__(self) -> int:
        """The number of images with fixations."""
        return len(self._cells)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """The density for each image, without the fixations on it, which it knows by its name."""
        return [image.map(self.density(image.shape, leave_out=image.name)) for image in images]

    def density(self, shape: tuple[int, int], *, leave_out: str | None = None) -> NDArray[np.float64]:
        """The density on an image of a shape (H, W), without the fixations on the image named ``leave_out``."""
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
        """Per fixation, in nats over uniform; each image from all others."""
        kernel = gaussian_filter1d(np.eye(_CELLS), bandwidth * _CELLS, axis=0, mode="reflect")
        everything, fixations = kernel @ self._total @ kernel.T, self._total.sum()
        logs = 0.0
        for rows, columns in self._cells.values():
            own = (kernel[np.ix_(rows, rows)] * kernel[np.ix_(columns, columns)]).sum(axis=1)
            others = np.maximum(everything[rows, columns] - own, 0) / (fixations - len(rows))
            logs += np.log((1 - self.uniform_share) * others * _CELLS**2 + self.uniform_share).sum()
        return float(logs / fixations)


def _cells(example: Example) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    height, width = example.shape
    points = example.fixations
    assert points is not None
    if not points.inside(height, width).all():
        raise DataError(f"{example.name}: fixations lie outside the {width}x{height} image; drop them first")
    return (points.y / height * _CELLS).astype(np.int64), (points.x / width * _CELLS).astype(np.int64)


def _count(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.bincount(rows * _CELLS + columns, minlength=_CELLS**2).reshape(_CELLS, _CELLS).astype(np.float64)
