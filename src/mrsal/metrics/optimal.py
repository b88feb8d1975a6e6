"""Make, from a probability density, the saliency map that scores best on a metric."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_map, same_shape
from mrsal.metrics.protocols import Protocol, protocol as lookup, score

_DENSITY, _BLURRED, _RATIO = "density", "blurred", "ratio"
_OPTIMAL = {
    **dict.fromkeys(["IG", "AUC", "AUC-Judd", "AUC-Borji", "NSS"], _DENSITY),
    **dict.fromkeys(["CC", "KL", "SIM", "EMD", "agreement"], _BLURRED),
    **dict.fromkeys(["sAUC", "AUC-shuffled"], _RATIO),
}


def optimal_map(
    density: ArrayLike, metric: str, *, sigma: float, shuffled_density: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Make the map that a metric rewards most, for a model that predicts the probability of fixations.

    No map is best on all metrics: even a model with the correct density has a lower CC if it is scored with a sharp density,
    and a lower sAUC if it predicts the centre bias. A table of such scores must say that each metric has a map of its own.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative. It is divided by its sum.
    metric : str
        The name of a metric, a key of :data:`mrsal.metrics.HIGHER_IS_BETTER`.
    sigma : float
        The standard deviation in pixels with which the protocol blurs fixation densities.
    shuffled_density : array, optional
        ``(H, W)`` density of the fixations of other images, positive everywhere. sAUC and AUC-shuffled need it.

    Returns
    -------
    array
        ``(H, W)`` float64. IG, AUC, AUC-Judd, AUC-Borji and NSS: the density. CC and KL: the density, blurred like the
        fixations. sAUC and AUC-shuffled: the density divided by ``shuffled_density``. SIM, EMD and agreement: also the blurred
        density. No closed form of their best map is known, so these scores may be a little below the best possible.

    Raises
    ------
    InputError
        If the metric is not known, an array is not a density, the shapes differ, or ``shuffled_density`` is missing or 0
        somewhere.

    Notes
    -----
    AUC-Borji and AUC-shuffled have thresholds 0.1 apart. A map with equally many pixels between them would score higher.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy: separating models, maps and metrics", ECCV 2018.

    Examples
    --------
    >>> optimal_map([[1.0, 3.0]], "sAUC", sigma=24, shuffled_density=[[1.0, 1.0]])
    array([[0.5, 1.5]])
    """
    if metric not in _OPTIMAL:
        raise InputError(
            f"expected a metric with a known best map, got {metric!r}; choose one of {', '.join(_OPTIMAL)}"
        )
    p = as_distribution(as_map(density, "the density"), "the density")
    if _OPTIMAL[metric] == _BLURRED:
        if not (np.isfinite(sigma) and sigma > 0):
            raise InputError(f"expected a positive sigma in pixels, got {sigma}; one degree of visual angle is usual")
        blurred = gaussian_filter(p, sigma, mode="constant", truncate=4.0)  # like mrsal.datasets.fixation_density
        return blurred / blurred.sum()
    if _OPTIMAL[metric] == _RATIO:
        if shuffled_density is None:
            raise InputError(
                f"expected shuffled_density, the density of the fixations of other images, for {metric}; give it"
            )
        q = as_map(shuffled_density, "the shuffled density")
        same_shape(p, q, ("the density", "the shuffled density"))
        if q.min() <= 0:
            raise InputError("the shuffled density is 0 somewhere, so the density cannot be divided by it; smooth it")
        return p / as_distribution(q, "the shuffled density")
    return p


def score_optimal(
    density: ArrayLike,
    *,
    sigma: float,
    protocol: Protocol | str = "tuebingen",
    shuffled_density: ArrayLike | None = None,
    **data: Any,
) -> dict[str, float]:
    """Score a density, each metric with its own :func:`optimal_map`. A table of such scores must say so.

    Parameters
    ----------
    density, sigma, shuffled_density
        The parameters of :func:`optimal_map`. Without ``shuffled_density``, sAUC and AUC-shuffled are left out.
    protocol, **data
        The parameters of :func:`mrsal.metrics.score`: x, y, target, other_x, other_y, baseline, seed.

    Returns
    -------
    dict of str to float
        The scores, as from :func:`mrsal.metrics.score`.
    """
    chosen = lookup(protocol) if isinstance(protocol, str) else protocol
    groups: dict[str, list[str]] = {}
    for metric in chosen.metrics:
        groups.setdefault(_OPTIMAL[metric], []).append(metric)
    if shuffled_density is None:
        groups.pop(_RATIO, None)
    scores: dict[str, float] = {}
    for metrics in groups.values():
        map_ = optimal_map(density, metrics[0], sigma=sigma, shuffled_density=shuffled_density)
        scores |= score(map_, protocol=replace(chosen, metrics=tuple(metrics)), density=density, **data)
    return {metric: scores[metric] for metric in chosen.metrics if metric in scores}
