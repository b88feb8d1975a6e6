"""How far a model's shares of attention are from measured shares, and the intervals that follow from this.

The share that an area gets in a study differs from the predicted share for two reasons: the model is wrong about the image, and
a study has a limited number of fixations. The beta-binomial distribution of the number of fixations inside the area covers
both. Its two parameters are fitted once for each model, on images that the model was not trained on.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.errors import InputError

_MOST_FIXATIONS = 100_000  # in a study; beyond this, sampling error is negligible beside the model's error
_STARTS = (0.0, np.log(10))  # logarithms of slope and concentration where a fit begins
_BOUNDS = ((-3.0, 1.0), (-2.0, 12.0))  # of the same logarithms


@dataclass(frozen=True)
class ShareCalibration:
    """How measured shares of attention are distributed, given the share that a model predicts.

    Parameters
    ----------
    slope : float
        Above 0. For a predicted share ``p``, the mean of the measured shares is ``p**slope / (p**slope + (1 - p)**slope)``.
        With a slope of 1 this is ``p``; with a slope below 1 the model's shares are too far from one half.
    concentration : float
        Above 0. The measured shares follow a beta distribution with that mean, whose two parameters sum to this value: the
        larger, the better the model. The sampling error of a study comes on top.
    """

    slope: float
    concentration: float

    def __post_init__(self) -> None:
        for name, value in (("slope", self.slope), ("concentration", self.concentration)):
            if not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise InputError(f"calibration: expected a {name} above 0, got {value!r}")

    @classmethod
    def fit(cls, shares: ArrayLike, hits: ArrayLike, fixations: ArrayLike, *, weights: ArrayLike | None = None) -> Self:
        """Fit the two parameters by maximum likelihood.

        Parameters
        ----------
        shares : array
            ``(N,)``: the predicted shares of N areas, on images that the model was not trained on.
        hits, fixations : array
            ``(N,)``: the number of measured fixations inside each area, and on its whole image.
        weights : array, optional
            ``(N,)``: the weight of each area, so that data sets of different sizes can count the same.

        Raises
        ------
        InputError
            If the arrays differ in length, or hold values that cannot be counts or shares.
        """
        from scipy.optimize import minimize  # a slow import
        from scipy.stats import betabinom

        p, k, n = (np.asarray(values, np.float64) for values in (shares, hits, fixations))
        weight = np.ones_like(p) if weights is None else np.asarray(weights, np.float64)
        shapes = {array.shape for array in (p, k, n, weight)}
        if len(shapes) > 1 or p.ndim != 1 or not p.size:
            got = ", ".join(map(str, (p.shape, k.shape, n.shape, weight.shape)))
            raise InputError(f"expected shares, hits, fixations and weights of the same length, got {got}")
        if not ((p > 0) & (p < 1) & (k >= 0) & (k <= n) & (n > 0) & (weight >= 0)).all():
            raise InputError(
                "expected shares above 0 and below 1, at least 1 fixation each, and no more hits than fixations"
            )

        def loss(logarithms: NDArray[np.float64]) -> float:
            slope, concentration = np.exp(logarithms)
            mean = _mean(p, slope)
            likelihood = betabinom.logpmf(k, n, mean * concentration, (1 - mean) * concentration)
            return -float(np.average(likelihood, weights=weight))

        best = minimize(loss, _STARTS, method="L-BFGS-B", bounds=_BOUNDS)
        slope, concentration = np.exp(best.x)
        return cls(float(slope), float(concentration))

    def interval(self, share: float, fixations: int, level: float) -> tuple[float, float]:
        """The central interval of the share that a study with this number of fixations measures, given the predicted share."""
        chances = self._chances(share, fixations)
        low, high = _quantiles(chances, level)
        return low / (len(chances) - 1), high / (len(chances) - 1)

    def difference_interval(self, a: float, b: float, fixations: int, level: float) -> tuple[float, float]:
        """The same for the difference ``b - a`` of two shares, each measured in its own study with this number of fixations."""
        from scipy.signal import convolve  # a slow import

        chances_a, chances_b = self._chances(a, fixations), self._chances(b, fixations)
        n = len(chances_a) - 1
        low, high = _quantiles(convolve(chances_b, chances_a[::-1]).clip(0), level)  # for differences from -n to n
        return (low - n) / n, (high - n) / n

    def _chances(self, share: float, fixations: int) -> NDArray[np.float64]:
        """The probabilities of 0 to ``fixations`` fixations inside, or to :data:`_MOST_FIXATIONS` if that is less."""
        from scipy.stats import betabinom  # a slow import

        n = min(fixations, _MOST_FIXATIONS)
        mean = float(_mean(np.array(share), self.slope))
        inside, outside = mean * self.concentration, (1 - mean) * self.concentration
        if min(inside, outside) < 1e-12:  # the model is certain
            return np.eye(1, n + 1, n if mean > 0.5 else 0)[0]
        return np.asarray(betabinom.pmf(np.arange(n + 1), n, inside, outside))


def _mean(share: NDArray[np.float64], slope: float) -> NDArray[np.float64]:
    inside, outside = share**slope, (1 - share) ** slope
    return inside / (inside + outside)


def _quantiles(chances: NDArray[np.float64], level: float) -> tuple[int, int]:
    """The indices of ``chances`` between which the central part with probability ``level`` lies."""
    total = np.cumsum(chances)
    low, high = np.searchsorted(total / total[-1], [(1 - level) / 2, (1 + level) / 2])
    return int(low), int(high)


def shipped_calibration(name_or_path: str | Path | None = None) -> ShareCalibration | None:
    """The calibration of a network that ships with mrsal, from its manifest.

    ``name_or_path`` is as for :func:`mrsal.load_model`. None for other networks, and if nothing was fitted.
    """
    from mrsal.model import WEIGHTS, shipped_name  # imports torch, which intervals do not need

    name = shipped_name(name_or_path)
    if name is None:
        return None
    fitted = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8")).get("calibration")
    return ShareCalibration(fitted["slope"], fitted["concentration"]) if fitted else None
