"""Fit an adjustment: a handful of numbers that make any model's maps probability densities of a data set.

In: a model, and some 50 images with fixations that are not scored later. Out: an :class:`mrsal.inference.Adjustment`, under
which the fixations on these images are as likely as possible.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mrsal.datasets import Example
from mrsal.errors import DataError, InputError
from mrsal.evaluation.evaluator import Model
from mrsal.inference import Adjustment, CentrePrior, SaliencyMap, as_model
from mrsal.inference.adjustment import KNOTS, block_areas, block_means, block_size, blurred, extremes, log_of

BLURS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.09)  # to choose from, as shares of the longer side
FIT_IMAGES = 100  # more would hardly change so few numbers

_SHARPEST, _STEEPEST, _HEAVIEST = 3.0, 12.0, 3.0  # the largest exponent, step of the curve, and weight of the prior
_LEAST_UNIFORM = 0.01  # share of the prior: a place far from the centre stays possible


def fit_adjustment(
    model: Model,
    examples: Iterable[Example],
    *,
    name: str = "",
    data: str = "",
    on_image: Callable[[Example], None] | None = None,
) -> Adjustment:
    """Fit the adjustment of a model to the fixations on some images, by maximum likelihood.

    Parameters
    ----------
    model : SaliencyModel or callable
        The model, or a function from an image to a map of its size.
    examples : iterable of Example
        Images with fixations, some 50 of them; images without are ignored, and of more than 100 only 100 are used, evenly
        spaced in the list. None of them may be scored later.
    name, data : str
        What the model and the images are called, for messages and for the file.
    on_image : callable, optional
        Called with each example after its map is predicted, for example to report progress.

    Returns
    -------
    Adjustment
        At most 15 numbers. :class:`mrsal.inference.Adjusted` applies them to the model, ``adjustment.save(path)`` stores
        them, and ``open_model(name, adjustment=path)`` and ``--adjustment`` use them again.

    Raises
    ------
    DataError
        If no image has fixations, or some lie outside of their image.
    InputError
        If a map is not finite.

    Notes
    -----
    Maps are reduced to 128 cells along the longer side. First the centre prior is fitted to the positions of all fixations.
    Given the prior and a blur, the log-density is linear in the other numbers, so the likelihood has a single maximum, which a
    quasi-Newton method (L-BFGS-B) finds; of nine blurs the best is taken. For densities it starts from no change, so on these
    images the result is never worse than the density as it was. All fixations count the same.

    Blurs are shares of the longer side, and not of a degree of visual angle, since an image of a user has no known degree.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Information-theoretic model comparison unifies saliency metrics", PNAS 2015: blur, pointwise
    nonlinearity and centre bias are fitted by maximum likelihood, as here. Departures: the nonlinearity has 8 points and not
    20, which lie denser near 0; the centre bias is a Gaussian and a uniform share.
    """
    model = as_model(model)
    chosen = fitting_images(examples)
    maps = []
    for example in chosen:
        maps.append(_reduced(model.predict(example.image, name=example.name), example, model.gives_density))
        if on_image:
            on_image(example)
    prior = fit_centre_prior(chosen)
    cells = _Cells.of(chosen, prior)
    number = sum(int(total) for total in cells.totals)
    before = _log_likelihood(np.concatenate([_log_unadjusted(map_).ravel() for map_ in maps]), cells)[0]
    is_density, steps = model.gives_density, len(KNOTS) - 1
    theta = np.array([1.0, 0.0]) if is_density else np.array([*np.ones(steps), 1.0])
    bounds = [(0, _SHARPEST)] if is_density else [(0, _STEEPEST)] * steps
    best: tuple[float, float, NDArray[np.float64]] = (-math.inf, 0.0, theta)
    for blur in BLURS:
        features = np.concatenate([_features(blurred(map_, blur), is_density) for map_ in maps])
        features = np.column_stack([features, cells.log_prior])  # (cells of all images, numbers)
        found = minimize(
            _loss, theta, args=(features, cells), jac=True, method="L-BFGS-B", bounds=[*bounds, (0, _HEAVIEST)]
        )
        theta = found.x  # where the search goes on for the next blur
        if -found.fun > best[0]:
            best = -found.fun, blur, theta
    after, blur, theta = best
    return Adjustment(
        blur=blur,
        exponent=float(theta[0]) if is_density else 1.0,
        curve=() if is_density else (0.0, *map(float, np.cumsum(theta[:-1]))),
        centre_weight=float(theta[-1]),
        centre=prior,
        model=name,
        data=data,
        images=len(chosen),
        fixations=number,
        gain_before=before / math.log(2) if math.isfinite(before) else math.nan,
        gain_after=after / math.log(2),
    )


def fitting_images(examples: Iterable[Example]) -> list[Example]:
    """The images that :func:`fit_adjustment` uses.

    Raises
    ------
    DataError
        If no image has fixations, or some lie outside of their image.
    """
    located = [example for example in examples if example.fixations is not None and len(example.fixations)]
    if not located:
        raise DataError(
            "expected images with fixations, to which an adjustment is fitted, got none; maps alone are not enough"
        )
    for example in located:
        assert example.fixations is not None
        if not example.fixations.inside(*example.shape).all():
            raise DataError(f"{example.name}: expected fixations inside the image, got some outside; drop them first")
    places = np.unique(np.linspace(0, len(located) - 1, FIT_IMAGES).round().astype(int))
    return [located[place] for place in places]


def fit_centre_prior(examples: Sequence[Example]) -> CentrePrior:
    """The Gaussian and the uniform share under which the positions of the fixations on these images are most likely."""
    pairs = [(example.fixations, example.shape) for example in examples if example.fixations is not None]
    x = np.concatenate([points.x / width for points, (_, width) in pairs])
    y = np.concatenate([points.y / height for points, (height, _) in pairs])

    def prior_of(theta: NDArray[np.float64]) -> CentrePrior:
        sigma_x, sigma_y = np.exp(theta[2:4])
        return CentrePrior(float(theta[0]), float(theta[1]), float(sigma_x), float(sigma_y), float(theta[4]))

    widths = np.log(np.clip([x.std(), y.std()], 0.05, 0.5))
    start = np.array([x.mean(), y.mean(), *widths, 0.1])
    sides, sigmas = [(0.0, 1.0)] * 2, [(math.log(0.02), math.log(2))] * 2
    found = minimize(
        lambda theta: -float(prior_of(theta).log_density(x, y).mean()),
        start,
        method="L-BFGS-B",
        bounds=[*sides, *sigmas, (_LEAST_UNIFORM, 1.0)],
    )
    return prior_of(found.x)


@dataclass(frozen=True)
class _Cells:
    """The P cells of the reduced maps of all images, one image after the other."""

    log_prior: NDArray[np.float64]  # (P,)
    counts: NDArray[np.float64]  # (P,) fixations
    areas: NDArray[np.float64]  # (P,) as shares of their image
    starts: NDArray[np.int64]  # (images,) the first cell of each
    lengths: NDArray[np.int64]  # (images,)
    totals: NDArray[np.float64]  # (images,) fixations

    @classmethod
    def of(cls, examples: Sequence[Example], prior: CentrePrior) -> "_Cells":
        log_prior, counts, areas = [], [], []
        for example in examples:
            points, (height, width), size = example.fixations, example.shape, block_size(example.shape)
            assert points is not None
            area = block_areas(example.shape)
            y, x = (
                (np.arange(0, side, size) + np.minimum(np.arange(0, side, size) + size, side)) / 2 / side
                for side in (height, width)
            )
            cell = points.y.astype(np.int64) // size * area.shape[1] + points.x.astype(np.int64) // size
            log_prior.append(prior.log_density(x, y[:, None]).ravel())
            counts.append(np.bincount(cell, minlength=area.size).astype(np.float64))
            areas.append(area.ravel() / area.sum())
        lengths = np.array([len(area) for area in areas])
        starts = np.cumsum(lengths) - lengths
        totals = np.array([count.sum() for count in counts])
        return cls(np.concatenate(log_prior), np.concatenate(counts), np.concatenate(areas), starts, lengths, totals)


def _log_likelihood(logs: NDArray[np.float64], cells: _Cells) -> tuple[float, NDArray[np.float64]]:
    """The mean log-likelihood of the fixations above the uniform density, in nat, and its slope ``(P,)``.

    ``logs`` is the log-density of each cell, up to a constant for each image.
    """
    highest = np.maximum.reduceat(logs, cells.starts)
    weights = cells.areas * np.exp(logs - np.repeat(highest, cells.lengths))
    sums = np.add.reduceat(weights, cells.starts)
    fixated, number = cells.counts > 0, cells.totals.sum()
    total = cells.counts[fixated] @ logs[fixated] - cells.totals @ (highest + np.log(sums))
    return float(total / number), (cells.counts - weights * np.repeat(cells.totals / sums, cells.lengths)) / number


def _loss(theta: NDArray[np.float64], features: NDArray[np.float64], cells: _Cells) -> tuple[float, Any]:
    value, slope = _log_likelihood(features @ theta, cells)
    return -value, -(slope @ features)


def _features(map_: NDArray[np.float64], is_density: bool) -> NDArray[np.float64]:
    """What the numbers are multiplied by, ``(cells, numbers)``: the log-density, or how far each step of the curve is done."""
    if is_density:
        return log_of(map_).reshape(-1, 1)
    low, high = extremes(map_)
    scaled = ((map_ - low) / (high - low)).ravel()
    return np.stack([np.clip((scaled - a) / (b - a), 0, 1) for a, b in pairwise(KNOTS)], axis=1)


def _reduced(map_: SaliencyMap, example: Example, is_density: bool) -> NDArray[np.float64]:
    if not np.isfinite(map_.values).all():
        raise InputError(f"{example.name}: expected a map of finite values, got NaN or infinity; replace them first")
    return block_means(map_.density if is_density else map_.values.astype(np.float64))


def _log_unadjusted(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-density that an evaluation without adjustment takes a map for."""
    density = np.maximum(map_, 0)
    with np.errstate(divide="ignore"):
        return np.log(density) if density.any() else np.zeros(map_.shape)
