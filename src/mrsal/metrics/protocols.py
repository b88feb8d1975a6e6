"""Named sets of conventions, since one map gets another score from each: which metrics, which negatives, which blur.

One map and what is known of its image flow in, a number per metric flows out. What several metrics need, such as the sorted
map, is computed once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_map, as_pixels, as_unit_range
from mrsal.metrics.agreement import agreement_score
from mrsal.metrics.distribution import kl_from
from mrsal.metrics.location import above, judd, stepped

HIGHER_IS_BETTER = {
    **dict.fromkeys(("IG", "LL", "AUC", "sAUC", "AUC-Judd", "AUC-Borji", "sAUC-MATLAB", "NSS", "CC", "SIM"), True),
    **dict.fromkeys(("SIM-MATLAB", "agreement"), True),
    **dict.fromkeys(("KL", "EMD"), False),
}
AT_FIXATIONS = ("IG", "LL", "AUC", "sAUC", "AUC-Judd", "AUC-Borji", "sAUC-MATLAB", "NSS")

_MATLAB_STEP, _MATLAB_SPLITS = 0.1, 100


@dataclass(frozen=True)
class Protocol:
    """A set of conventions.

    Parameters
    ----------
    name : str
    metrics : tuple of str
        Columns, the most telling one first.
    about : str
        What every table and file of scores says about them.
    sigmas : dict of str to float
        Width in pixels of the Gaussian that makes a ground-truth density, by data set; one degree for all others.
    """

    name: str
    metrics: tuple[str, ...]
    about: str
    sigmas: Mapping[str, float] = field(default_factory=dict)

    def sigma(self, dataset: str, pixels_per_degree: float) -> float:
        """Standard deviation in pixels of the ground-truth density on a data set."""
        return self.sigmas.get(dataset.lower(), pixels_per_degree)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "tuebingen",
            ("IG", "AUC", "sAUC", "NSS", "CC", "KL", "SIM"),
            "The MIT/Tuebingen benchmark's conventions. IG: bit/fixation over the centre bias of the other images, the map "
            "divided by its sum. AUC: exact, ties one half, negatives are all pixels; sAUC: negatives are the fixations on "
            "the other images, rescaled, repeats kept. NSS: population deviation. CC, KL (nats), SIM: against the fixation "
            "density, sigma 24 px on MIT1003, 40 px on CAT2000, one degree elsewhere. Means over images.",
            {"mit1003": 24.0, "cat2000": 40.0},
        ),
        Protocol(
            "mit-matlab",
            ("AUC-Judd", "sAUC-MATLAB", "AUC-Borji", "NSS", "CC", "KL", "SIM-MATLAB"),
            "The MATLAB code of 2012 to 2016. AUC-Judd: thresholds at the fixations. AUC-Borji and sAUC: thresholds 0.1 apart "
            "on the map scaled to [0, 1], 100 draws of as many negatives as fixations, so peaky maps score low. NSS: sample "
            "deviation. SIM: maps scaled to [0, 1] before they are divided by their sums. CC, KL, SIM: against the density of "
            "one degree. Means over images.",
        ),
        Protocol(
            "mrcnn",
            ("sAUC",),
            "Shuffled AUC, as Liu et al. (2015) report: negatives are the fixations on the other images, rescaled. "
            "Repeats are kept, ties count one half. Mean over images.",
        ),
        Protocol(
            "historical",
            ("agreement",),
            "What course-work code for this method calls AUC: the share of pixels on which two thresholded maps agree, over 20 "
            "thresholds. No area under a curve; a constant map beats every model (docs/agreement-score.md). Mean over images.",
        ),
    )
}
DEFAULT = "tuebingen"


def protocol(name: str) -> Protocol:
    """The protocol of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"no protocol is called {name!r}; choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def score(
    saliency_map: ArrayLike,
    *,
    protocol: Protocol,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    target: ArrayLike | None = None,
    other_x: ArrayLike | None = None,
    other_y: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    density: ArrayLike | None = None,
    optimal_sigma: float | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Score one map by a protocol, as far as the data given allow.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, any range.
    protocol : Protocol
    x, y : array, optional
        ``(N,)`` fixations in pixels, 0-based.
    target : array, optional
        ``(H, W)`` ground-truth density, non-negative, any scale.
    other_x, other_y : array, optional
        ``(M,)`` fixations of other images, rescaled to this one, for shuffled negatives.
    baseline : array, optional
        ``(H, W)`` density of the centre bias, for information gain.
    density : array, optional
        ``(H, W)`` the model's probability density, for information gain. None: the map without its negative part.
    optimal_sigma : float, optional
        Score each metric on its :func:`optimal_map` of ``density``; the width of the ground truth's Gaussian in pixels.
    seed : int
        Of the draws of the MATLAB code.

    Returns
    -------
    dict of str to float
        In the protocol's order; a metric that needs what is not given is left out.

    Raises
    ------
    InputError
        As the functions of :mod:`mrsal.metrics`.
    """
    given = _Image(saliency_map, x, y, target, other_x, other_y, baseline, density, seed)
    found = {}
    for metric in protocol.metrics:
        needs, compute = _METRICS[metric]
        if any(getattr(given, name) is None for name in needs):
            continue
        image = given
        if optimal_sigma is not None:
            best = optimal_map(given.distribution, metric, sigma=optimal_sigma, shuffled_density=baseline)
            image = _Image(best, x, y, target, other_x, other_y, baseline, given.distribution, seed)
        found[metric] = compute(image)
    return found


def optimal_map(
    density: NDArray[np.float64], metric: str, *, sigma: float, shuffled_density: ArrayLike | None = None
) -> NDArray[np.float64]:
    """The map on which a metric expects the highest score if fixations come from ``density``.

    Parameters
    ----------
    density : array
        ``(H, W)``, sums to 1.
    metric : str
        A column name.
    sigma : float
        Width in pixels of the Gaussian that makes the ground truth.
    shuffled_density : array, optional
        ``(H, W)`` where the negatives of sAUC come from: the centre bias.

    Returns
    -------
    array
        ``(H, W)`` float64: the density itself for AUC, NSS, information gain and likelihood; divided by ``shuffled_density``
        for sAUC; blurred as the ground truth is for CC and KL. For SIM no closed form is known; the blurred one comes near.

    References
    ----------
    Kümmerer, Wallis and Bethge, "Saliency benchmarking made easy", ECCV 2018.
    """
    if metric in ("sAUC", "sAUC-MATLAB") and shuffled_density is not None:
        return density / as_map(shuffled_density, "the shuffled density")
    if metric in ("CC", "KL", "SIM", "SIM-MATLAB", "EMD"):
        return gaussian_filter(density, sigma, mode="constant", truncate=4.0)
    return density


class _Image:
    """One map and what is known of its image, with whatever several metrics share."""

    def __init__(
        self,
        saliency_map: ArrayLike,
        x: ArrayLike | None,
        y: ArrayLike | None,
        target: ArrayLike | None,
        other_x: ArrayLike | None,
        other_y: ArrayLike | None,
        baseline: ArrayLike | None,
        density: ArrayLike | None,
        seed: int,
    ) -> None:
        self.map = as_map(saliency_map, "the saliency map")
        single = getattr(saliency_map, "dtype", None) == np.float32
        # ranks are the same in either precision, and half as many bytes sort in half the time
        self.values = self.map.astype(np.float32) if single else self.map
        shape = self.map.shape
        self.fixated = None if x is None or y is None else as_pixels(x, y, shape)
        self.others = None
        if other_x is not None and other_y is not None:
            self.others = as_pixels(other_x, other_y, shape, "fixations of other images")
        self.target = _of_shape(target, shape, "the ground truth")
        self.baseline = _of_shape(baseline, shape, "the baseline")
        self._density = _of_shape(density, shape, "the density")
        self.seed = seed

    @cached_property
    def ranked(self) -> NDArray[Any]:
        return np.sort(self.values, axis=None)

    @cached_property
    def unit(self) -> NDArray[np.float64]:
        return as_unit_range(self.map)

    @cached_property
    def mean(self) -> float:
        return float(self.unit.mean())

    @cached_property
    def variance(self) -> float:
        return float(np.dot(self.unit.ravel(), self.unit.ravel()) / self.unit.size - self.mean**2)

    @cached_property
    def distribution(self) -> NDArray[np.float64]:
        """The density, or the map without its negative part; uniform where nothing is left."""
        mass = np.clip(self.map, 0, None) if self._density is None else self._density
        return as_distribution(mass if mass.any() else np.ones_like(mass), "the density")

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        assert self.target is not None
        return as_distribution(self.target, "the ground truth")

    def auc(self) -> float:
        return above(self.values[self.fixated], self.ranked)

    def shuffled_auc(self) -> float:
        return above(self.values[self.fixated], np.sort(self.values[self.others]))

    def judd_auc(self) -> float:
        assert self.fixated is not None
        return judd(self.values, self.fixated, self.ranked)

    def stepped_auc(self, pool: NDArray[np.float64]) -> float:
        positive = self.unit[self.fixated]
        draws = np.random.default_rng(self.seed).choice(pool, (_MATLAB_SPLITS, positive.size))
        return float(np.mean([stepped(positive, draw, _MATLAB_STEP) for draw in draws]))

    def nss(self, *, sample: bool = False) -> float:
        if self.variance <= 0:
            return 0.0
        variance = self.variance * self.unit.size / (self.unit.size - 1) if sample else self.variance
        return float((self.unit[self.fixated].mean() - self.mean) / np.sqrt(variance))

    def information_gain(self) -> float:
        assert self.baseline is not None
        theirs = as_distribution(self.baseline, "the baseline")[self.fixated]
        if not theirs.all():
            raise InputError("the baseline is 0 at a fixation, so no gain over it is defined; smooth it")
        with np.errstate(divide="ignore"):
            return float(np.mean(np.log2(self.distribution[self.fixated]) - np.log2(theirs)))

    def cc(self) -> float:
        assert self.target is not None
        q = as_unit_range(self.target)
        q = q - q.mean()
        spread = np.dot(q.ravel(), q.ravel())
        if not spread > 0:
            raise InputError("the ground truth is constant, so a correlation with it is not defined")
        if self.variance <= 0:
            return 0.0
        product = np.dot(self.unit.ravel(), q.ravel())
        return float(np.clip(product / np.sqrt(spread * self.variance * q.size), -1, 1))

    def sim(self) -> float:
        return float(np.minimum(self.distribution, self.truth).sum())

    def matlab_sim(self) -> float:
        assert self.target is not None
        p, q = self.unit, as_unit_range(self.target)
        p = p if p.any() else np.ones_like(p)
        return float(np.minimum(p / p.sum(), q / q.sum()).sum())


def _of_shape(values: ArrayLike | None, shape: tuple[int, ...], name: str) -> NDArray[np.float64] | None:
    if values is None:
        return None
    array = as_map(values, name)
    if array.shape != shape:
        raise InputError(f"expected {name} of the map's shape {shape}, got {array.shape}; resize one")
    return array


def _agreement(image: _Image) -> float:
    assert image.target is not None
    top = image.target.max()
    # a target is what 8 bits hold, 0 to 255; a density is far below 1 everywhere
    return agreement_score(image.map, image.target if top > 1 else image.target * (255 / top))


# what each metric cannot do without, and how it is computed
_METRICS: dict[str, tuple[tuple[str, ...], Callable[[_Image], float]]] = {
    "IG": (("fixated", "baseline"), _Image.information_gain),
    "AUC": (("fixated",), _Image.auc),
    "sAUC": (("fixated", "others"), _Image.shuffled_auc),
    "AUC-Judd": (("fixated",), _Image.judd_auc),
    "AUC-Borji": (("fixated",), lambda image: image.stepped_auc(image.unit.ravel())),
    "sAUC-MATLAB": (("fixated", "others"), lambda image: image.stepped_auc(image.unit[image.others])),
    "NSS": (("fixated",), _Image.nss),
    "CC": (("target",), _Image.cc),
    "KL": (("target",), lambda image: kl_from(image.distribution, image.truth)),
    "SIM": (("target",), _Image.sim),
    "SIM-MATLAB": (("target",), _Image.matlab_sim),
    "agreement": (("target",), _agreement),
}
