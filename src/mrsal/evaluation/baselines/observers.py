"""The inter-observer limit: how well other people's fixations on an image predict one person's."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mrsal.datasets import Example, Fixations
from mrsal.errors import DataError, InputError
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.inference import PreparedImage, SaliencyMap, SaliencyModel

_FIT_IMAGES = 200  # enough for one width and two weights; 1003 images would only take longer
_NARROWEST, _WIDEST = 1 / 200, 1 / 5  # widths to choose from, in units of the images' longer side


class InterObserver(SaliencyModel):
    """Kernel density of the other observers' fixations on the same image, mixed with a centre bias and a uniform density.

    Parameters
    ----------
    examples : iterable of Example
        With fixations of at least two observers on some image; they fit the centre bias, the width and the weights.
    sigma : float, optional
        Standard deviation of the Gaussian in pixels, such as the pixels of one degree; at least 1. None: fitted.
    weights : (float, float, float), optional
        Of the other observers, the centre bias and the uniform density; they sum to 1, and the last is above 0. None: fitted.

    Attributes
    ----------
    sigma : float
    weights : tuple of 3 floats
    centre_bias : CentreBias

    Raises
    ------
    InputError
        If an option is out of its range.
    DataError
        If there is no image that two observers looked at.

    Notes
    -----
    What is fitted maximises the likelihood of every observer's fixations under the density of the others (leave one observer
    out) on at most 200 images, evenly spaced in the list: the weights by expectation maximisation, the width around
    it. These three numbers are shared by all images, so what one observer adds to them is negligible, but it is not nothing.
    The kernel is mirrored at the border: no mass is lost there. Images that differ much in size want a ``sigma`` each,
    which this does not offer.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015, supplement:
    the gold standard.
    """

    gives_density = True

    def __init__(
        self,
        examples: Iterable[Example],
        *,
        sigma: float | None = None,
        weights: tuple[float, float, float] | None = None,
    ) -> None:
        if sigma is not None and not 1 <= sigma < np.inf:
            raise InputError(f"expected a sigma of at least 1 pixel, got {sigma}")
        if weights is not None and not (abs(sum(weights) - 1) < 1e-6 and min(weights) >= 0 and weights[2] > 0):
            raise InputError(f"expected three weights from 0 to 1 that sum to 1, the last above 0, got {weights}")
        examples = list(examples)
        shared = [example for example in examples if len(_observers(example)) > 1]
        if not shared:
            raise DataError("the inter-observer limit needs images with fixations of at least two observers; got none")
        self.centre_bias = CentreBias(examples)
        self._points = {e.name: e.fixations for e in examples if e.fixations is not None and len(e.fixations)}
        chosen = np.unique(np.linspace(0, len(shared) - 1, _FIT_IMAGES).round().astype(int))
        self.sigma, self.weights = self._fit([shared[i] for i in chosen], sigma, weights)

    def leave_one_out(self, example: Example) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
        """Each observer of an image in turn, with what the others say about it.

        Parameters
        ----------
        example : Example

        Yields
        ------
        subject : int
            The observer left out.
        density : array
            ``(H, W)`` float64, positive, sums to 1; holds no fixation of that observer.
        mask : array
            ``(N,)`` bool: which of ``example.fixations`` are that observer's, to be scored with this density. Every fixation
            belongs to one observer, so the mean of the scores weighted by ``mask.sum()`` is a mean over fixations.

        Raises
        ------
        DataError
            If fewer than two observers looked at the image.
        """
        points, subjects = example.fixations, _observers(example)
        if points is None or len(subjects) < 2:
            raise DataError(f"{example.name}: leaving one observer out needs two, there are {len(subjects)}")
        centre = self.centre_bias.density(example.shape, leave_out=example.name)
        for subject in subjects:
            mask = points.subject == subject
            yield int(subject), self._mixed(points.where(~mask), centre), mask

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """The density of all observers together: ``(H, W)`` float64, positive, sums to 1.

        It has seen the fixations it would be scored on, so its scores are higher than any model can reach: a picture of the
        ground truth, not the ceiling of a table. That is :meth:`leave_one_out`.

        Raises
        ------
        DataError
            If an image is none of those with fixations that the limit was fitted to; it is known by its name.
        """
        return [image.map(self._together(image)) for image in images]

    def _together(self, image: PreparedImage) -> NDArray[np.float64]:
        if image.name not in self._points:
            raise DataError(
                f"{image.name!r} has no fixations in these data, so there is nothing to say where people looked"
            )
        return self._mixed(self._points[image.name], self.centre_bias.density(image.shape, leave_out=image.name))

    def _mixed(self, points: Fixations, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        height, width = centre.shape
        rows = _kernel(points.y, np.arange(height) + 0.5, height, self.sigma)  # (N, H)
        columns = _kernel(points.x, np.arange(width) + 0.5, width, self.sigma)  # (N, W)
        others = rows.T @ columns
        of_others, of_centre, of_uniform = self.weights
        return of_others * others / others.sum() + of_centre * centre + of_uniform / centre.size

    def _fit(
        self, examples: Sequence[Example], sigma: float | None, weights: tuple[float, float, float] | None
    ) -> tuple[float, tuple[float, float, float]]:
        if sigma is not None and weights is not None:
            return sigma, weights
        floor = np.concatenate(
            [_at_fixations(e, self.centre_bias.density(e.shape, leave_out=e.name)) for e in examples], axis=1
        )  # (2, N)

        def fitted(sigma: float) -> tuple[float, tuple[float, float, float]]:
            likelihoods = np.vstack([np.concatenate([_from_others(e, sigma) for e in examples]), floor])  # (3, N)
            best = _mixture_weights(likelihoods) if weights is None else weights
            return float(np.log(best @ likelihoods).mean()), best

        if sigma is None:
            longest = float(np.median([max(example.shape) for example in examples]))
            bounds = np.log([max(1.0, longest * _NARROWEST), max(2.0, longest * _WIDEST)])
            best = minimize_scalar(
                lambda log: -fitted(np.exp(log))[0], bounds=bounds, method="bounded", options={"xatol": 0.02}
            )
            sigma = float(np.exp(best.x))
        return sigma, fitted(sigma)[1]


def _observers(example: Example) -> NDArray[np.int64]:
    return np.unique(example.fixations.subject) if example.fixations is not None else np.array([], np.int64)


def _kernel(positions: NDArray, at: NDArray, side: int, sigma: float) -> NDArray[np.float64]:
    """Gaussians around N positions, mirrored at 0 and at ``side``, at M places: ``(N, M)``."""
    total = np.zeros((len(positions), len(at)))
    for mirrored in (positions, -positions, 2 * side - positions):
        total += np.exp(-(((at - mirrored[:, None]) / sigma) ** 2) / 2)
    return total / (sigma * np.sqrt(2 * np.pi))


def _from_others(example: Example, sigma: float) -> NDArray[np.float64]:
    """At each of N fixations, per pixel, the density of all other observers' fixations: ``(N,)``."""
    points = example.fixations
    assert points is not None
    height, width = example.shape
    pairs = _kernel(points.y, np.floor(points.y) + 0.5, height, sigma)
    pairs *= _kernel(points.x, np.floor(points.x) + 0.5, width, sigma)  # (from, at)
    others = points.subject[:, None] != points.subject
    return (pairs * others).sum(axis=0) / others.sum(axis=0)


def _at_fixations(example: Example, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centre bias and the uniform density at N fixations: ``(2, N)``."""
    points = example.fixations
    assert points is not None
    values = centre[points.y.astype(int), points.x.astype(int)]
    return np.stack([values, np.full_like(values, 1 / centre.size)])


def _mixture_weights(likelihoods: NDArray[np.float64], *, steps: int = 60) -> tuple[float, float, float]:
    """The weights of three known densities that make N fixations most likely, by expectation maximisation.

    The uniform one keeps at least 0.001, so that no location is impossible.
    """
    weights = np.full(3, 1 / 3)
    for _ in range(steps):
        parts = weights[:, None] * likelihoods
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    weights[2] = max(weights[2], 1e-3)
    others, centre, uniform = weights / weights.sum()
    return float(others), float(centre), float(uniform)
