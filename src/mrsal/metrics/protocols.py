"""Protocols: named sets of conventions for scoring.

The same prediction has different scores under different protocols, so every result names its protocol. ``docs/protocols.md``
shows the differences.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError
from mrsal.images import min_max_scaled
from mrsal.metrics import _kernels
from mrsal.metrics._checks import as_distribution, as_map, as_pixels, same_shape
from mrsal.metrics.agreement import agreement_score
from mrsal.metrics.emd import emd
from mrsal.metrics.information import information_gain

_SPLITS, _STEP = 100, 0.1  # the values of the MATLAB code


@dataclass(frozen=True)
class Protocol:
    """A set of conventions.

    Parameters
    ----------
    name : str
        The key of the protocol in :data:`PROTOCOLS`.
    metrics : tuple of str
        The metrics, in the order of the columns. :func:`dataclasses.replace` makes a protocol with fewer metrics.
    description : str
        The text that tables and files show with the scores.
    sigmas : dict of str to float
        The standard deviation of the fixation density in pixels, for the data sets for which the protocol prescribes it.
    other_images : int or None
        The number of randomly chosen other images from which the shuffled negatives come; None for all.
    """

    name: str
    metrics: tuple[str, ...]
    description: str
    sigmas: dict[str, float] = field(default_factory=dict)
    other_images: int | None = None

    @property
    def needs_fixations(self) -> bool:
        """Whether there is a metric for which a target map alone is not enough."""
        return any("fixations" in _COLUMNS[self.name][metric].needs for metric in self.metrics)

    def sigma(self, dataset_name: str, pixels_per_degree: float) -> float:
        """Return the standard deviation of the Gaussian for fixation densities, in pixels.

        It is one degree unless the protocol prescribes another value for the data set.

        Raises
        ------
        InputError
            If the standard deviation is not positive and finite.
        """
        sigma = float(self.sigmas.get(dataset_name.lower(), pixels_per_degree))
        if not (np.isfinite(sigma) and sigma > 0):
            raise InputError(
                f"expected pixels_per_degree above 0 for {dataset_name}, got {pixels_per_degree}; correct it in the data set"
            )
        return sigma


def protocol(name: str, *, emd: bool = False) -> Protocol:
    """Look up a protocol by its name.

    Parameters
    ----------
    name : str
        A key of :data:`PROTOCOLS`.
    emd : bool
        Whether to add the column EMD to ``"mit-matlab"``. It needs ``mrsal[emd]`` and some seconds per image.

    Raises
    ------
    InputError
        If the name is not known, or the protocol has no EMD.
    """
    chosen = _by_name(name)
    if not emd:
        return chosen
    if "EMD" not in _COLUMNS[name]:
        raise InputError(f"the protocol {name} has no EMD; use mit-matlab, which has it")
    return replace(chosen, metrics=(*chosen.metrics, "EMD"))


def _by_name(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise InputError(f"expected the name of a protocol, got {name!r}; choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def score(
    saliency_map: ArrayLike,
    *,
    protocol: Protocol | str = "tuebingen",
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    target: ArrayLike | None = None,
    other_x: ArrayLike | None = None,
    other_y: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    density: ArrayLike | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Compute all metrics of a protocol for one image, and what several of them need only once.

    Parameters
    ----------
    saliency_map : array
        ``(H, W)``, with any range. CC uses it unchanged. For SIM and KL, ``tuebingen`` subtracts the minimum of a map with
        negative values, as the benchmark does. A map that is 0 everywhere counts as a uniform map.
    protocol : Protocol or str
        A protocol or its name.
    x, y : array, optional
        ``(N,)`` fixations in pixels, 0-based.
    target : array, optional
        ``(H, W)`` fixation density or published map, with any positive scale.
    other_x, other_y : array, optional
        ``(M,)`` fixations of other images, rescaled to this image; see :attr:`Protocol.other_images`.
    baseline, density : array, optional
        ``(H, W)`` densities of the centre bias and of the model, for IG.
    seed : int
        The seed of the random negatives of ``mit-matlab``.

    Returns
    -------
    dict of str to float
        The metrics of the protocol that the data allow, in its order: without fixations only those that compare two maps,
        without fixations of other images no shuffled AUC, and without a baseline or a density no IG.
        :data:`HIGHER_IS_BETTER` says which direction is better.

    Raises
    ------
    InputError
        If an array is wrong, as for the metrics themselves, or there are neither fixations nor a target.

    Examples
    --------
    >>> list(score([[0.0, 1.0], [2.0, 3.0]], x=[1], y=[1]))
    ['AUC', 'NSS']
    """
    chosen = _by_name(protocol) if isinstance(protocol, str) else protocol
    columns = _COLUMNS[chosen.name]
    unknown = [metric for metric in chosen.metrics if metric not in columns]
    if unknown:
        raise InputError(f"the protocol {chosen.name} has no {unknown[0]}; choose from {', '.join(columns)}")
    if (x is None) != (y is None) or (other_x is None) != (other_y is None):
        raise InputError(
            "expected x and y together, and other_x and other_y together, got only one of a pair; give both"
        )
    available = {
        "fixations": x is not None,
        "target": target is not None,
        "others": other_x is not None and np.size(other_x) > 0,
        "baseline": baseline is not None,
        "density": density is not None,
    }
    case = _Case(as_map(saliency_map, "the saliency map"), x, y, target, other_x, other_y, baseline, density, seed)
    scores = {
        metric: columns[metric].compute(case)
        for metric in chosen.metrics
        if all(available[need] for need in columns[metric].needs)
    }
    if not (available["fixations"] or available["target"]):
        raise InputError(f"expected fixations or a target map for {chosen.name}, got neither; give x and y, or target")
    return scores


@dataclass(frozen=True)
class _Case:
    """A map, the data it is compared with, and values that several metrics share, computed at first use."""

    map_: NDArray[Any]
    x: Any
    y: Any
    target_values: Any
    other_x: Any
    other_y: Any
    baseline: Any
    density: Any
    seed: int

    @cached_property
    def target(self) -> NDArray[Any]:
        target = as_map(self.target_values, "the target")
        same_shape(self.map_, target, ("the saliency map", "the target"))
        return target

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """The flat index of each fixation."""
        return np.ravel_multi_index(as_pixels(self.x, self.y, self.map_.shape), self.map_.shape)

    @cached_property
    def other_pixels(self) -> NDArray[np.int64]:
        pixels = as_pixels(self.other_x, self.other_y, self.map_.shape, "fixations of other images")
        return np.ravel_multi_index(pixels, self.map_.shape)

    @cached_property
    def fixated(self) -> NDArray[np.int64]:
        """The flat index of each fixated pixel, as in a binary fixation map: repeated fixations count once."""
        return np.unique(self.pixels)

    @cached_property
    def centred(self) -> tuple[NDArray[np.float64], float]:
        return _kernels.centred(self.map_)

    @cached_property
    def centred_target(self) -> tuple[NDArray[np.float64], float]:
        centred = _kernels.centred(self.target)
        if not centred[1]:
            raise InputError("the target is constant, so a correlation with it is not defined; leave this image out")
        return centred

    @cached_property
    def mass(self) -> NDArray[np.float64]:
        """The map as a distribution, ``(H * W,)``."""
        low = self.map_.min()
        return _mass(self.map_ - low if low < 0 else self.map_)

    @cached_property
    def target_mass(self) -> NDArray[np.float64]:
        return as_distribution(self.target, "the target").ravel()

    @cached_property
    def unit_range(self) -> NDArray[np.float64]:
        return min_max_scaled(self.map_).ravel()

    def correlation(self) -> float:
        return _kernels.correlation(self.centred, self.centred_target)

    def divergence(self) -> float:
        return _kernels.divergence(self.mass, self.target_mass)

    def auc_uniform(self) -> float:
        values = self.map_.ravel()
        return _kernels.roc_area(*_kernels.ranks(values, values[self.pixels]), values.size)

    def auc_shuffled(self) -> float:
        values = self.map_.ravel()
        others = values[self.other_pixels]
        return _kernels.roc_area(*_kernels.ranks(others, values[self.pixels]), others.size)

    def nss(self) -> float:
        return _kernels.z_score(self.centred, self.pixels)

    def similarity(self) -> float:
        return float(np.minimum(self.mass, self.target_mass).sum())

    def information_gain(self) -> float:
        density = as_map(self.density, "the density")
        same_shape(self.map_, density, ("the saliency map", "the density"))
        return float(information_gain(density, self.x, self.y, baseline=self.baseline))

    def matlab_auc_judd(self) -> float:
        values = self.map_.ravel()
        if self.fixated.size == values.size:
            raise InputError(
                "every pixel is fixated, so there are no unfixated pixels to compare with; leave this image out"
            )
        positive = values[self.fixated]
        return _kernels.judd_area(positive, _kernels.ranks(values, positive)[0], self.fixated, values.size)

    def matlab_auc_borji(self) -> float:
        draws = np.random.default_rng(self.seed).choice(self.unit_range, (_SPLITS, self.fixated.size))
        return _kernels.stepped_area(self.unit_range[self.fixated], draws, _STEP)

    def matlab_auc_shuffled(self) -> float:
        others = np.unique(self.other_pixels)
        count = min(others.size, self.fixated.size)
        rng = np.random.default_rng(self.seed)
        draws = np.stack([rng.choice(others, count, replace=False, shuffle=False) for _ in range(_SPLITS)])
        return _kernels.stepped_area(self.unit_range[self.fixated], self.unit_range[draws], _STEP)

    def matlab_nss(self) -> float:
        return _kernels.z_score(self.centred, self.fixated, ddof=1)

    def matlab_similarity(self) -> float:
        return float(np.minimum(_mass(self.unit_range), _mass(min_max_scaled(self.target).ravel())).sum())

    def matlab_emd(self) -> float:
        return float(emd(self.mass.reshape(self.map_.shape), self.target, match_histogram=True))

    def agreement(self) -> float:
        """The score expects targets of 8 bits. A density is far below 1 everywhere, so its maximum is scaled to 255."""
        top = self.target.max()
        return float(agreement_score(self.map_, self.target * (255 / top) if 0 < top <= 1 else self.target))


def _mass(map_: NDArray[Any]) -> NDArray[np.float64]:
    flat = map_.ravel()
    return as_distribution(flat, "the saliency map") if flat.any() else np.full(flat.size, 1 / flat.size)


@dataclass(frozen=True)
class _Column:
    compute: Callable[[_Case], float]
    needs: tuple[str, ...]


_FIXATIONS, _TARGET, _OTHERS = ("fixations",), ("target",), ("fixations", "others")
_COLUMNS: dict[str, dict[str, _Column]] = {
    "tuebingen": {
        "IG": _Column(_Case.information_gain, ("fixations", "density", "baseline")),
        "AUC": _Column(_Case.auc_uniform, _FIXATIONS),
        "sAUC": _Column(_Case.auc_shuffled, _OTHERS),
        "NSS": _Column(_Case.nss, _FIXATIONS),
        "CC": _Column(_Case.correlation, _TARGET),
        "KL": _Column(_Case.divergence, _TARGET),
        "SIM": _Column(_Case.similarity, _TARGET),
    },
    "mit-matlab": {
        "AUC-Judd": _Column(_Case.matlab_auc_judd, _FIXATIONS),
        "AUC-Borji": _Column(_Case.matlab_auc_borji, _FIXATIONS),
        "AUC-shuffled": _Column(_Case.matlab_auc_shuffled, _OTHERS),
        "NSS": _Column(_Case.matlab_nss, _FIXATIONS),
        "CC": _Column(_Case.correlation, _TARGET),
        "SIM": _Column(_Case.matlab_similarity, _TARGET),
        "KL": _Column(_Case.divergence, _TARGET),
        "EMD": _Column(_Case.matlab_emd, _TARGET),
    },
    "mrcnn": {"sAUC": _Column(_Case.auc_shuffled, _OTHERS)},
    "historical": {"agreement": _Column(_Case.agreement, _TARGET)},
}

HIGHER_IS_BETTER = {name: name not in ("KL", "EMD") for columns in _COLUMNS.values() for name in columns}

PROTOCOLS: dict[str, Protocol] = {
    "tuebingen": Protocol(
        "tuebingen",
        tuple(_COLUMNS["tuebingen"]),
        "The MIT/Tuebingen benchmark. AUCs are exact, and ties count one half. AUC compares with all pixels, and sAUC with all "
        "fixations of the other images, rescaled, with repeats. CC, KL (in nats) and SIM compare with the fixation density "
        "(sigma 24 px on MIT1003, 40 px on CAT2000, otherwise one degree). IG is in bit/fixation over the centre bias. Scores "
        "are means over images.",
        {"mit1003": 24.0, "mit300": 24.0, "cat2000": 40.0},
    ),
    "mit-matlab": Protocol(
        "mit-matlab",
        tuple(name for name in _COLUMNS["mit-matlab"] if name != "EMD"),
        "The MATLAB code of the MIT benchmark, 2012 to 2016. Every fixated pixel counts once. AUC-Judd has thresholds at "
        "fixations. AUC-Borji and AUC-shuffled (10 other images) have thresholds 0.1 apart and 100 splits, which gives peaky "
        "maps far too low scores. SIM first scales both maps to [0, 1]. KL is in nats. EMD, which is optional, is in pixels "
        "after histogram matching. Scores are means over images.",
        other_images=10,
    ),
    "mrcnn": Protocol(
        "mrcnn",
        ("sAUC",),
        "The measure of the Mr-CNN paper: exact shuffled AUC, which compares with all fixations of the other images, rescaled, "
        "with repeats. Scores are means over images.",
    ),
    "historical": Protocol(
        "historical",
        ("agreement",),
        "The agreement score, which older numbers of this family of programs call AUC. It is not a ROC area: a constant map "
        "scores higher than most models (docs/agreement-score.md). Scores are means over images.",
    ),
}
