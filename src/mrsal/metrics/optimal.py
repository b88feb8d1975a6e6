"""From a probability density to the saliency map that a metric rewards most."""

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
    """The map to score on a metric, for a model that says where fixations fall with which probability.

    No map is best on all metrics: a model that is right about the density still loses on CC if it is scored with a sharp
    density, and on sAUC if it predicts the centre bias. A table of such scores must say that it used one map per metric.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative; divided by its sum.
    metric : str
        A column of :data:`mrsal.metrics.HIGHER_IS_BETTER`.
    sigma : float
        Standard deviation in pixels with which the fixation density of the protocol is blurred.
    shuffled_density : array, optional
        ``(H, W)`` density of the fixations of other images, positive everywhere; for sAUC and AUC-shuffled.

    Returns
    -------
    array
        ``(H, W)`` float64. IG, AUC, AUC-Judd, AUC-Borji, NSS: the density. CC, KL: the density blurred as the fixations are.
        sAUC, AUC-shuffled: the density over ``shuffled_density``. SIM, EMD and agreement: the blurred density too, though no
        closed form of the best map is known for them, so they may be a little below what the model can reach.

    Raises
    ------
    InputError
        If the metric is not known, an array is no density, the shapes differ, or ``shuffled_density`` is missing or 0
        somewhere.

    Notes
    -----
    With thresholds 0.1 apart (AUC-Borji, AUC-shuffled) a map with equally many pixels between thresholds would score higher.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy: separating models, maps and metrics", ECCV 2018.

    Examples
    --------
    >>> optimal_map([[1.0, 3.0]], "sAUC", sigma=24, shuffled_density=[[1.0, 1.0]])
    array([[0.5, 1.5]])
    """
    if metric not in _OPTIMAL:
        raise InputError(f"no optimal map is known for {metric!r}; choose one of {', '.join(_OPTIMAL)}")
    p = as_distribution(as_map(density, "the density"), "the density")
    if _OPTIMAL[metric] == _BLURRED:
        if not (np.isfinite(sigma) and sigma > 0):
            raise InputError(f"sigma must be positive, in pixels, got {sigma}")
        blurred = gaussian_filter(p, sigma, mode="constant", truncate=4.0)  # as mrsal.datasets.fixation_density does
        return blurred / blurred.sum()
    if _OPTIMAL[metric] == _RATIO:
        if shuffled_density is None:
            raise InputError(f"{metric} needs shuffled_density, the density of the fixations of other images")
        q = as_map(shuffled_density, "the shuffled density")
        same_shape(p, q, ("the density", "the shuffled density"))
        if q.min() <= 0:
            raise InputError("the shuffled density is 0 somewhere, so it cannot be divided by; smooth it")
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
    """Score a density, each metric with its own :func:`optimal_map`. A table of these must say so.

    Parameters
    ----------
    density, sigma, shuffled_density
        As for :func:`optimal_map`. Without ``shuffled_density`` the shuffled AUCs are left out.
    protocol, **data
        As for :func:`mrsal.metrics.score`: x, y, target, other_x, other_y, baseline, seed.

    Returns
    -------
    dict of str to float
        As :func:`mrsal.metrics.score` gives them.
    """
    chosen = lookup(protocol) if isinstance(protocol, str) else protocol
    groups: dict[str, list[str]] = {}
    for metric in chosen.metrics:
        groups.setdefault(_OPTIMAL[metric], []).append(metric)
    if shuffled_density is None:
        groups.pop(_RATIO, None)
    found: dict[str, float] = {}
    for metrics in groups.values():
        map_ = optimal_map(density, metrics[0], sigma=sigma, shuffled_density=shuffled_density)
        found |= score(map_, protocol=replace(chosen, metrics=tuple(metrics)), density=density, **data)
    return {metric: found[metric] for metric in chosen.metrics if metric in found}
