"""A blur and a centre bias for the maps of any model, fitted on validation images and never on those that are scored.

Both raise most scores of most models, so a table says where they were used: print the :class:`Adjustment`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mrsal.datasets import Example
from mrsal.errors import DataError, InputError
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.images import min_max_scaled
from mrsal.inference import PreparedImage, SaliencyMap, SaliencyModel

BLURS = (0.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0)
WEIGHTS = tuple(round(0.1 * step, 1) for step in range(10))


@dataclass(frozen=True)
class Adjustment:
    """What is done to each map: blur it, scale it to [0, 1], and take the weighted mean with the centre bias.

    Parameters
    ----------
    blur : float
        Standard deviation of the Gaussian in pixels; 0 for none.
    centre_weight : float
        Part of the centre bias, itself scaled to [0, 1]; 0 for none.
    centre_bias : CentreBias
    images : int
        The number of images it was fitted on.
    nss_before, nss_after : float
        Mean NSS on those images without and with it.
    """

    blur: float
    centre_weight: float
    centre_bias: CentreBias
    images: int
    nss_before: float
    nss_after: float

    def __str__(self) -> str:
        return (
            f"blur {self.blur:g} px, centre bias weight {self.centre_weight:g}, fitted on {self.images} validation images "
            f"(NSS there {self.nss_before:.3f} before, {self.nss_after:.3f} after)"
        )

    def apply(self, map_: NDArray, *, name: str) -> NDArray[np.float64]:
        """The adjusted map of the image with this name: ``(H, W)`` float64 in [0, 1]."""
        blurred = min_max_scaled(_blurred(map_, self.blur))
        if not self.centre_weight:
            return blurred
        centre = min_max_scaled(self.centre_bias.density(blurred.shape, leave_out=name))
        return (1 - self.centre_weight) * blurred + self.centre_weight * centre


class Adjusted(SaliencyModel):
    """A model whose maps are adjusted.

    Parameters
    ----------
    model : SaliencyModel
    adjustment : Adjustment
        Fitted on the same model's maps of validation images.
    """

    def __init__(self, model: SaliencyModel, adjustment: Adjustment) -> None:
        self.model, self.adjustment = model, adjustment

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        return self.model.prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        maps = self.model.predict_prepared(images)
        return [
            image.map(self.adjustment.apply(m.values, name=image.name)) for image, m in zip(images, maps, strict=True)
        ]

    def require(self, names: Iterable[str]) -> None:
        self.model.require(names)

    def about(self) -> Mapping[str, str]:
        return {**self.model.about(), "adjustment": str(self.adjustment)}


def fit_adjustment(
    maps: Iterable[NDArray],
    examples: Iterable[Example],
    *,
    blurs: Sequence[float] = BLURS,
    weights: Sequence[float] = WEIGHTS,
    centre_bias: CentreBias | None = None,
) -> Adjustment:
    """Find the blur and the weight of the centre bias with the highest mean NSS.

    Parameters
    ----------
    maps : iterable of array
        A model's map of each example, ``(H, W)``, any range; may be computed as they are asked for.
    examples : iterable of Example
        Validation images with fixations: none of those that will be scored.
    blurs : sequence of float
        Standard deviations to try, in pixels. 0, none, is always among them.
    weights : sequence of float
        Weights of the centre bias to try, in [0, 1]; above 0.9 little of the model is left. 0 is always among them.
    centre_bias : CentreBias, optional
        None: fitted to ``examples``, each of which is then adjusted with that of the others.

    Returns
    -------
    Adjustment

    Raises
    ------
    InputError
        If there are not as many maps as examples, a map has another shape than its image or is not finite, or an option is
        out of its range.
    DataError
        If an example has no fixations.

    Notes
    -----
    NSS, because it is defined for maps of any range, where a likelihood is for densities only, and because unlike AUC it
    ranks blurs reliably on few images. Ties go to the weaker adjustment. A weighted mean with a centre map after a blur is
    how Judd, Durand and Torralba, "A Benchmark of Computational Models of Saliency to Predict Human Fixations", 2012, adjust
    every model; they fit both on the benchmark's own images, which is what this avoids.
    """
    examples = list(examples)
    blurs, weights = sorted({0.0, *map(float, blurs)}), sorted({0.0, *map(float, weights)})
    if blurs[0] < 0 or not np.isfinite(blurs).all():
        raise InputError(f"expected blurs of 0 pixels or more, got {blurs}")
    if not all(0 <= weight <= 1 for weight in weights):
        raise InputError(f"expected weights of the centre bias from 0 to 1, got {weights}")
    for example in examples:
        if example.fixations is None or not len(example.fixations):
            raise DataError(
                f"{example.name}: an adjustment is fitted to fixations, there are none; leave the image out"
            )
    bias = CentreBias(examples) if centre_bias is None else centre_bias
    total, images = np.zeros((len(blurs), len(weights))), 0
    remaining = iter(maps)
    for example in examples:
        map_ = next(remaining, None)
        if map_ is None:
            raise InputError(f"expected a map for each of {len(examples)} examples, got {images}")
        _check(map_, example)
        centre = min_max_scaled(bias.density(example.shape, leave_out=example.name))
        total += [_nss(min_max_scaled(_blurred(map_, blur)), centre, np.array(weights), example) for blur in blurs]
        images += 1
    if next(remaining, None) is not None:
        raise InputError(f"there are more maps than the {len(examples)} examples; give one for each")
    if not images:
        raise InputError("expected at least one validation image, got none")
    mean = total / images
    best_blur, best_weight = np.unravel_index(mean.argmax(), mean.shape)
    return Adjustment(
        blur=blurs[best_blur],
        centre_weight=weights[best_weight],
        centre_bias=bias,
        images=images,
        nss_before=float(mean[0, 0]),
        nss_after=float(mean.max()),
    )


def _nss(
    map_: NDArray[np.float64], centre: NDArray[np.float64], weights: NDArray[np.float64], example: Example
) -> NDArray[np.float64]:
    """NSS of the mixtures for all W weights from the moments of the two maps, without mixing pixels: ``(W,)``."""
    points = example.fixations
    assert points is not None
    at = points.y.astype(int), points.x.astype(int)
    gains = np.array([map_[at].mean() - map_.mean(), centre[at].mean() - centre.mean()])
    covariance = np.cov(map_.ravel(), centre.ravel(), bias=True)
    mixtures = np.stack([1 - weights, weights], axis=1)  # (W, 2)
    variance = np.einsum("wi,ij,wj->w", mixtures, covariance, mixtures)
    constant = variance < 1e-18
    return np.where(constant, 0.0, mixtures @ gains / np.sqrt(np.where(constant, 1.0, variance)))


def _blurred(map_: NDArray, blur: float) -> NDArray[np.float64]:
    values = np.asarray(map_, np.float64)
    return gaussian_filter(values, blur) if blur else values


def _check(map_: NDArray, example: Example) -> None:
    if np.shape(map_) != example.shape:
        raise InputError(
            f"{example.name}: expected a map of {example.shape}, got {np.shape(map_)}; resize it to the image"
        )
    if not np.isfinite(map_).all():
        raise InputError(f"{example.name}: the map holds values that are NaN or infinite; replace them first")
