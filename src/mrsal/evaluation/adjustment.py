"""A blur and a centre bias that are applied to the maps of any model.

They are fitted on validation images, never on the images that are scored. Both raise most scores of most models, so a table of
scores has to say where they were used: print the :class:`Adjustment`.
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
    """How each map is adjusted: it is blurred, scaled to [0, 1], and averaged with the centre bias.

    Parameters
    ----------
    blur : float
        The standard deviation of the Gaussian in pixels; 0 means no blur.
    centre_weight : float
        The weight of the centre bias, which is scaled to [0, 1] too, in the mean; 0 means no centre bias.
    centre_bias : CentreBias
        The centre bias.
    images : int
        The number of validation images.
    nss_before, nss_after : float
        The mean NSS on the validation images without and with the adjustment.
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
        """Adjust the map of the image with this name; returns ``(H, W)`` float64 in [0, 1]."""
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
        The model.
    adjustment : Adjustment
        The adjustment, fitted on this model's maps of validation images.
    """

    def __init__(self, model: SaliencyModel, adjustment: Adjustment) -> None:
        self.model, self.adjustment = model, adjustment

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        return self.model.prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        pairs = zip(images, self.model.predict_prepared(images), strict=True)
        return [image.map(self.adjustment.apply(map_.values, name=image.name)) for image, map_ in pairs]

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
        A model's map of each example, ``(H, W)``, with values of any range. A generator may compute them one by one.
    examples : iterable of Example
        Validation images with fixations. None of them may be scored later.
    blurs : sequence of float
        The standard deviations to try, in pixels. 0 is always tried.
    weights : sequence of float
        The weights of the centre bias to try, in [0, 1]; above 0.9 little of the model is left. 0 is always tried.
    centre_bias : CentreBias, optional
        The centre bias. By default it is fitted to ``examples``, and each example is adjusted with the centre bias of the
        other examples.

    Returns
    -------
    Adjustment

    Raises
    ------
    InputError
        If the numbers of maps and examples differ, if a map has another shape than its image or is not finite, or if an
        option is out of its range.
    DataError
        If an example has no fixations.

    Notes
    -----
    NSS decides, because it is defined for maps of any range, while a likelihood needs densities, and because it ranks blurs
    reliably on few images, which AUC does not. If two adjustments are equally good, the weaker one is taken. Judd, Durand and
    Torralba, "A Benchmark of Computational Models of Saliency to Predict Human Fixations", 2012, adjust every model in the same
    way, by a blur and a weighted mean with a centre map, but they fit both on the images that are scored.
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
                f"{example.name}: expected fixations, to which an adjustment is fitted, got none; leave the image out"
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
        raise InputError(f"expected a map for each of {len(examples)} examples, got more maps; leave the others out")
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
    """NSS of the weighted means with all W weights: ``(W,)``, computed from moments of the two maps instead of pixels."""
    fixations = example.fixations
    assert fixations is not None
    fixated = fixations.y.astype(int), fixations.x.astype(int)
    gains = np.array([map_[fixated].mean() - map_.mean(), centre[fixated].mean() - centre.mean()])
    covariance = np.cov(map_.ravel(), centre.ravel(), bias=True)
    mixtures = np.stack([1 - weights, weights], axis=1)  # (W, 2)
    variance = np.einsum("wi,ij,wj->w", mixtures, covariance, mixtures)
    constant = variance < 1e-18
    return np.where(constant, 0.0, mixtures @ gains / np.sqrt(np.where(constant, 1.0, variance)))


def _blurred(map_: NDArray, blur: float) -> NDArray[np.float64]:
    map_ = np.asarray(map_, np.float64)
    return gaussian_filter(map_, blur) if blur else map_


def _check(map_: NDArray, example: Example) -> None:
    if np.shape(map_) != example.shape:
        raise InputError(
            f"{example.name}: expected a map of {example.shape}, got {np.shape(map_)}; resize it to the image"
        )
    if not np.isfinite(map_).all():
        raise InputError(f"{example.name}: expected a map of finite values, got NaN or infinity; replace them first")
