"""The inter-observer limit: how well the fixations of other observers on an image predict those of one observer."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from mrsal.datasets import Example, Fixations
from mrsal.errors import DataError, InputError
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.inference import PreparedImage, SaliencyMap, SaliencyModel

_FIT_IMAGES = 200  # enough to fit one width and two weights; more images would only take longer
_NARROWEST, _WIDEST = 1 / 200, 1 / 5  # widths to choose from, in units of the images' longer side


class InterObserver(SaliencyModel):
    """The kernel density of the other observers' fixations on the image, mixed with a centre bias and a uniform density.

    Parameters
    ----------
    examples : iterable of Example
        The images to which the centre bias, the width and the weights are fitted. At least one of them must have fixations of
        two observers.
    sigma : float, optional
        The standard deviation of the Gaussian in pixels, such as the pixels of one degree; at least 1. Fitted by default.
    weights : (float, float, float), optional
        The weights of the other observers, the centre bias and the uniform density. They sum to 1, and the last one is above 0.
        Fitted by default.

    Attributes
    ----------
    sigma : float
        The standard deviation that was given or fitted.
    weights : tuple of 3 floats
        The weights that were given or fitted.
    centre_bias : CentreBias
        The centre bias.

    Raises
    ------
    InputError
        If an option is out of its range.
    DataError
        If no image was seen by two observers.

    Notes
    -----
    The width and the weights maximise the likelihood of every observer's fixations under the density of the others (leave one
    observer out) on at most 200 images, evenly spaced in the list. Expectation maximisation finds the weights for a width, and
    a search finds the width. These numbers are the same for all images, so the influence of one observer on them is
    negligible, but not zero. The kernel is mirrored at the border, where otherwise mass would be lost. All images have the same
    ``sigma``, which is wrong if they differ much in size.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015; the supplement
    describes the gold standard.
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
            raise DataError(
                "expected an image with fixations of at least two observers for the inter-observer limit, got none"
            )
        self.centre_bias = CentreBias(examples)
        self._fixations = {e.name: e.fixations for e in examples if e.fixations is not None and len(e.fixations)}
        chosen = np.unique(np.linspace(0, len(shared) - 1, _FIT_IMAGES).round().astype(int))
        self.sigma, self.weights = self._fit([shared[i] for i in chosen], sigma, weights)

    def leave_one_out(self, example: Example) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.bool_]]]:
        """Predict each observer of an image from the others.

        Parameters
        ----------
        example : Example
            The image with the fixations of all observers.

        Yields
        ------
        subject : int
            The observer who is left out.
        density : array
            The density of the others, without a fixation of this observer: ``(H, W)`` float64, positive, sums to 1.
        mask : array
            ``(N,)`` bool, true for this observer's fixations in ``example.fixations``, which are scored with this density.
            Every fixation belongs to one observer, so the mean of the scores weighted by ``mask.sum()`` is a mean over
            fixations.

        Raises
        ------
        DataError
            If fewer than two observers looked at the image.
        """
        fixations, subjects = example.fixations, _observers(example)
        if fixations is None or len(subjects) < 2:
            raise DataError(
                f"{example.name}: expected fixations of at least two observers, got {len(subjects)}; leave the image out"
            )
        centre = self.centre_bias.density(example.shape, leave_out=example.name)
        for subject in subjects:
            mask = fixations.subject == subject
            yield int(subject), self._mixed(fixations.where(~mask), centre), mask

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """The density of all observers together: ``(H, W)`` float64, positive, sums to 1.

        It contains the fixations on which it would be scored, so its scores are higher than any model can reach. It shows the
        ground truth; the ceiling of a table is computed with :meth:`leave_one_out`.

        Raises
        ------
        DataError
            If the limit was not fitted to fixations on an image of this name.
        """
        return [image.map(self._together(image)) for image in images]

    def _together(self, image: PreparedImage) -> NDArray[np.float64]:
        if image.name not in self._fixations:
            raise DataError(f"expected an image with fixations in these data, got {image.name!r}, which has none")
        return self._mixed(self._fixations[image.name], self.centre_bias.density(image.shape, leave_out=image.name))

    def _mixed(self, fixations: Fixations, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        height, width = centre.shape
        rows = _kernel(fixations.y, np.arange(height) + 0.5, height, self.sigma)  # (N, H)
        columns = _kernel(fixations.x, np.arange(width) + 0.5, width, self.sigma)  # (N, W)
        others = rows.T @ columns
        weight, centre_weight, uniform_weight = self.weights
        return weight * others / others.sum() + centre_weight * centre + uniform_weight / centre.size

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


def _kernel(centres: NDArray, positions: NDArray, side: int, sigma: float) -> NDArray[np.float64]:
    """The values of N Gaussians, mirrored at 0 and at ``side``, at M positions: ``(N, M)``."""
    total = np.zeros((len(centres), len(positions)))
    for mirrored in (centres, -centres, 2 * side - centres):
        total += np.exp(-(((positions - mirrored[:, None]) / sigma) ** 2) / 2)
    return total / (sigma * np.sqrt(2 * np.pi))


def _from_others(example: Example, sigma: float) -> NDArray[np.float64]:
    """The density of all other observers' fixations, per pixel, at each of N fixations: ``(N,)``."""
    fixations = example.fixations
    assert fixations is not None
    height, width = example.shape
    pairs = _kernel(fixations.y, np.floor(fixations.y) + 0.5, height, sigma)
    pairs *= _kernel(
        fixations.x, np.floor(fixations.x) + 0.5, width, sigma
    )  # (N, N): kernel of one at the place of another
    others = fixations.subject[:, None] != fixations.subject
    return (pairs * others).sum(axis=0) / others.sum(axis=0)


def _at_fixations(example: Example, centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """The centre bias and the uniform density at N fixations: ``(2, N)``."""
    fixations = example.fixations
    assert fixations is not None
    fixated = centre[fixations.y.astype(int), fixations.x.astype(int)]
    return np.stack([fixated, np.full_like(fixated, 1 / centre.size)])


def _mixture_weights(likelihoods: NDArray[np.float64], *, steps: int = 60) -> tuple[float, float, float]:
    """Find the weights of three known densities that make N fixations most likely, by expectation maximisation.

    The weight of the uniform density is at least 0.001, so that every location stays possible.
    """
    weights = np.full(3, 1 / 3)
    for _ in range(steps):
        parts = weights[:, None] * likelihoods
        weights = (parts / parts.sum(axis=0)).mean(axis=1)
    weights[2] = max(weights[2], 1e-3)
    others, centre, uniform = weights / weights.sum()
    return float(others), float(centre), float(uniform)
