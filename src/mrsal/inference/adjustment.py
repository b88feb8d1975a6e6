"""An adjustment turns the maps of a model into probability densities of one data set, without training.

It is a handful of numbers, which :func:`mrsal.evaluation.fit_adjustment` fits to the fixations on some images of the data set,
and which are stored as JSON. The density of an image is

    log p = f(blurred map) + centre_weight * log(centre prior) + constant

where p sums to 1. For a model that gives densities, ``f`` is ``exponent * log``. For other maps it is a curve that does not
fall, from the map scaled to [0, 1] to a log-density. Needs no torch.
"""

import json
import math
import numbers
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from mrsal.errors import DataError, InputError
from mrsal.files import decoding, write_text
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage, SaliencyModel

VERSION = 1
KNOTS = np.linspace(0, 1, 8) ** 3  # of the curve; dense near 0, where most pixels of a peaky map lie

_VERSION_KEY = "mrsal_adjustment"
_REMEDY = "fit it again with mrsal evaluate --adjust"
_LONGEST = 128  # cells along the longer side of a reduced map, to which numbers are fitted
_LEAST = 1e-9  # of a density, in units of the uniform density: a probability of 0 has no logarithm
_WIDEST = 0.25  # blur, as a share of the longer side
_WIDE = 10.0  # pixels; a wider Gaussian is computed on means over blocks of pixels


@dataclass(frozen=True)
class CentrePrior:
    """Where people look whatever the image shows: a Gaussian inside the image, mixed with the uniform density.

    Parameters
    ----------
    x, y : float
        The middle of the Gaussian as shares of the width and of the height, from 0 (left, top) to 1.
    sigma_x, sigma_y : float
        Its standard deviations as shares of the width and of the height.
    uniform_share : float
        The share of the uniform density, above 0 and at most 1.
    """

    x: float
    y: float
    sigma_x: float
    sigma_y: float
    uniform_share: float

    def __post_init__(self) -> None:
        _check_numbers(self)
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise InputError(f"expected x and y of the centre prior from 0 to 1, got {self.x} and {self.y}")
        if not (self.sigma_x > 0 and self.sigma_y > 0):
            raise InputError(f"expected sigmas of the centre prior above 0, got {self.sigma_x} and {self.sigma_y}")
        if not 0 < self.uniform_share <= 1:
            raise InputError(f"expected a uniform share above 0 and at most 1, got {self.uniform_share}")

    def log_density(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """The logarithm of the prior in units of the uniform density, at positions in shares of the sides (they broadcast)."""
        across = _gaussian(np.asarray(x, np.float64), self.x, self.sigma_x)
        down = _gaussian(np.asarray(y, np.float64), self.y, self.sigma_y)
        return np.log((1 - self.uniform_share) * across * down + self.uniform_share)


def _gaussian(positions: NDArray[np.float64], mean: float, sigma: float) -> NDArray[np.float64]:
    """A Gaussian that is cut off outside of [0, 1] and has the mean 1 there."""
    inside = ndtr((1 - mean) / sigma) - ndtr(-mean / sigma)
    return np.exp(-(((positions - mean) / sigma) ** 2) / 2) / (math.sqrt(2 * math.pi) * sigma * inside)


@dataclass(frozen=True)
class Adjustment:
    """The numbers of an adjustment, and what they were fitted to.

    Parameters
    ----------
    blur : float
        The standard deviation of a Gaussian that blurs the map, as a share of the longer side of the image; 0: no blur.
    exponent : float
        For densities: the power to which the blurred density is raised, which is the inverse of a temperature. Above 1 it
        becomes sharper, below 1 flatter.
    curve : tuple of float
        For maps that are no densities: the log-density at :data:`KNOTS`, values of the blurred map scaled to [0, 1]; linear in
        between, never falling. Empty for densities.
    centre_weight : float
        The power of the centre prior, by which the density is multiplied; 0: no centre prior.
    centre : CentrePrior
        The centre prior.
    model, data : str
        What the model is called, and the data set and split of the images.
    images, fixations : int
        The numbers of images and fixations to which the numbers were fitted.
    gain_before, gain_after : float
        The information gain over the uniform density on these images, in bit/fixation, which is the log-likelihood of the
        fixations above that of the uniform density; of maps that are reduced to 128 cells along the longer side. Before: of
        the unadjusted map divided by its sum. NaN if a fixation has the probability 0 then.
    """

    blur: float
    exponent: float
    curve: tuple[float, ...]
    centre_weight: float
    centre: CentrePrior
    model: str
    data: str
    images: int
    fixations: int
    gain_before: float
    gain_after: float

    def __post_init__(self) -> None:
        _check_numbers(self, but=("gain_before",))
        if not 0 <= self.blur <= _WIDEST:
            raise InputError(f"expected a blur from 0 to {_WIDEST}, a share of the longer side, got {self.blur}")
        if self.exponent < 0 or self.centre_weight < 0:
            values = f"{self.exponent} and {self.centre_weight}"
            raise InputError(f"expected an exponent and a centre_weight of at least 0, got {values}")
        if self.curve and len(self.curve) != len(KNOTS):
            raise InputError(f"expected a curve of {len(KNOTS)} values, or none, got {len(self.curve)}")
        if any(later < earlier for earlier, later in zip(self.curve, self.curve[1:], strict=False)):
            raise InputError(f"expected a curve that never falls, got {list(self.curve)}")

    @property
    def for_densities(self) -> bool:
        """Whether it is for models that give densities, rather than for other maps."""
        return not self.curve

    def __str__(self) -> str:
        parts = [f"blurred by {100 * self.blur:.2g} % of the longer side"] if self.blur else []
        if self.for_densities:
            effect = "sharper" if self.exponent > 1 else "flatter" if self.exponent < 1 else "unchanged"
            parts.append(f"the density raised to the power {self.exponent:.3g} ({effect})")
        else:
            ratio = math.exp(self.curve[-1] - self.curve[0])
            parts.append(
                f"turned into a density in which the highest value is {ratio:.3g} times as likely as the lowest"
            )
        if self.centre_weight:
            centre = self.centre
            parts.append(
                f"multiplied by a centre prior to the power {self.centre_weight:.3g} (a Gaussian at {100 * centre.x:.0f} % of "
                f"the width and {100 * centre.y:.0f} % of the height, with standard deviations of {100 * centre.sigma_x:.0f} % "
                f"and {100 * centre.sigma_y:.0f} %, and a uniform share of {100 * centre.uniform_share:.0f} %)"
            )
        before = f"{self.gain_before:.3f}" if math.isfinite(self.gain_before) else "undefined"
        model, data = self.model or "an unnamed model", self.data or "unnamed data"
        return (
            f"{', '.join(parts)}. Fitted for {model} to {self.fixations} fixations on {self.images} images ({data}); "
            f"information gain over the uniform density there: {before} bit/fixation before, {self.gain_after:.3f} after"
        )

    def apply(self, map_: SaliencyMap) -> NDArray[np.float64]:
        """The adjusted log-density of a map: ``(H, W)`` float64, whose exp sums to 1."""
        if self.for_densities and not self.blur and map_.log_density is not None:
            log_density = self.exponent * map_.log_density.astype(np.float64)
        elif self.for_densities:
            log_density = self.exponent * log_of(blurred(map_.density, self.blur))
        else:
            values = map_.values.astype(np.float64)
            low, high = extremes(blurred(block_means(values), self.blur))
            log_density = np.interp((blurred(values, self.blur) - low) / (high - low), KNOTS, self.curve)
        if self.centre_weight:
            height, width = log_density.shape
            x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
            log_density = log_density + self.centre_weight * self.centre.log_density(x, y[:, None])
        log_density = log_density - log_density.max()
        return log_density - np.log(np.exp(log_density).sum())

    def to_dict(self) -> dict[str, Any]:
        """All numbers, and the version of the format, as values of JSON; an undefined number is None."""
        values = {**asdict(self), "curve": list(self.curve)}
        before = self.gain_before if math.isfinite(self.gain_before) else None
        return {_VERSION_KEY: VERSION, **values, "gain_before": before}

    def save(self, path: str | Path) -> Path:
        """Write the adjustment as JSON; returns the path."""
        write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an adjustment that :meth:`save`, or ``mrsal evaluate --adjust``, wrote.

        Raises
        ------
        FileError
            If the file cannot be read.
        DataError
            If it is no adjustment, is damaged, or was written by a later version of mrsal.
        """
        with decoding(path, "an adjustment", remedy=_REMEDY):
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict) or _VERSION_KEY not in values:
            raise DataError(
                f"expected an adjustment in {path}, as mrsal evaluate --adjust writes it, got other JSON; check the path"
            )
        if values.pop(_VERSION_KEY) != VERSION:
            raise DataError(f"expected an adjustment of version {VERSION} in {path}, got another; update mrsal")
        with decoding(path, "an adjustment", remedy=_REMEDY):
            return cls._from_json(values)

    @classmethod
    def _from_json(cls, values: dict[str, Any]) -> Self:
        _check_keys(cls, values)
        if not isinstance(values["curve"], list):
            raise InputError(f"expected a list as curve, got {values['curve']!r}")
        _check_keys(CentrePrior, values["centre"])
        changed = {"curve": tuple(map(_as_float, values["curve"])), "centre": CentrePrior(**_floats(values["centre"]))}
        if values["gain_before"] is None:
            changed["gain_before"] = math.nan
        numbers_ = {field.name: values[field.name] for field in fields(cls) if field.type is float}
        return cls(**{**values, **_floats(numbers_), **changed})


class Adjusted(SaliencyModel):
    """A model whose maps are adjusted, so that they are densities.

    It has no calibration, because that of the model itself does not hold for other densities.

    Parameters
    ----------
    model : SaliencyModel
        The model.
    adjustment : Adjustment
        An adjustment that was fitted to this model.

    Raises
    ------
    InputError
        If the adjustment is for densities and the model gives none, or the reverse.
    """

    gives_density = True

    def __init__(self, model: SaliencyModel, adjustment: Adjustment) -> None:
        if model.gives_density != adjustment.for_densities:
            kinds = ("densities", "maps that are no densities")
            expected, got = kinds if adjustment.for_densities else kinds[::-1]
            raise InputError(
                f"the adjustment was fitted to {adjustment.model or 'a model'}, which gives {expected}, but this model gives "
                f"{got}; fit one for this model"
            )
        self.model, self.adjustment = model, adjustment
        self.mode, self.modes, self.video_mode = model.mode, model.modes, model.video_mode
        self.batch_size, self.is_network = model.batch_size, model.is_network

    def with_mode(self, mode: str | None) -> Self:
        model = self.model.with_mode(mode)
        return self if model is self.model else type(self)(model, self.adjustment)

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        return self.model.prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        pairs = zip(images, self.model.predict_prepared(images), strict=True)
        return [self._adjusted(image, map_) for image, map_ in pairs]

    def _adjusted(self, image: PreparedImage, map_: SaliencyMap) -> SaliencyMap:
        log_density = self.adjustment.apply(map_)
        values = np.exp(log_density - log_density.max()).astype(np.float32)
        return image.map(values, log_density=log_density.astype(np.float32), windows=map_.windows)

    def require(self, names: Iterable[str]) -> None:
        self.model.require(names)

    def about(self) -> Mapping[str, str]:
        return {**self.model.about(), "adjustment": str(self.adjustment)}


def with_adjustment(model: SaliencyModel, adjustment: Adjustment | str | Path, *, name: str) -> Adjusted:
    """The model of this name with an adjustment, which may be given as a file.

    Warns if the adjustment was fitted to a model of another name.
    """
    chosen = adjustment if isinstance(adjustment, Adjustment) else Adjustment.load(adjustment)
    if chosen.model and Path(chosen.model).stem != Path(name).stem:
        warnings.warn(f"the adjustment was fitted to {chosen.model}, and is used for {name}", stacklevel=3)
    return Adjusted(model, chosen)


def block_size(shape: tuple[int, ...]) -> int:
    """The side in pixels of the blocks of :func:`block_means` for a map of this shape."""
    return math.ceil(max(shape) / _LONGEST)


def block_means(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    """The means over square blocks, at most 128 along the longer side; those at the right and lower border may be cut."""
    height, width = map_.shape
    size = block_size(map_.shape)
    if size == 1:
        return map_
    rows, columns = np.arange(0, height, size), np.arange(0, width, size)
    sums = np.add.reduceat(np.add.reduceat(map_, rows, axis=0), columns, axis=1)
    return sums / block_areas(map_.shape)


def block_areas(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The pixels in each block of :func:`block_means` for a map of this shape."""
    size = block_size(shape)
    down, across = (np.minimum(size, side - np.arange(0, side, size)).astype(np.float64) for side in shape)
    return np.outer(down, across)


def blurred(map_: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Blur with a Gaussian whose standard deviation is a share of the longer side; the map is mirrored at the border."""
    sigma = share * max(map_.shape)
    if sigma <= _WIDE:
        return gaussian_filter(map_, sigma, mode="reflect") if sigma else map_
    # a wide Gaussian leaves nothing that is smaller than a block, so the rest is interpolated
    size, (height, width) = round(2 * sigma / _WIDE), map_.shape
    reach = math.ceil(4 * sigma / size) * size
    padded = np.pad(map_, [(reach, reach + -side % size) for side in (height, width)], mode="symmetric")
    rows, columns = padded.shape
    means = padded.reshape(rows // size, size, columns // size, size).mean(axis=(1, 3))
    smooth = gaussian_filter(means, sigma / size).astype(np.float32)
    full = Image.fromarray(smooth).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(full, np.float64)[reach : reach + height, reach : reach + width]


def extremes(map_: NDArray[np.float64]) -> tuple[float, float]:
    """The values that are scaled to 0 and 1; of a constant map, all values become 0."""
    low, high = float(map_.min()), float(map_.max())
    return low, high if high > low else low + 1


def log_of(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of a density, in units of the uniform density."""
    return np.log(np.maximum(density / density.mean(), _LEAST))


def _check_numbers(numbers_of: CentrePrior | Adjustment, but: Sequence[str] = ()) -> None:
    """Check the types of all fields, since they may come from a file; numbers are finite."""
    for field in fields(numbers_of):
        value = getattr(numbers_of, field.name)
        if field.type is str:
            is_right = isinstance(value, str)
        elif field.type is int:
            is_right = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        elif field.type is CentrePrior:
            is_right = isinstance(value, CentrePrior)
        else:
            values = value if isinstance(value, tuple) else (value,)
            is_right = all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in values) and (
                field.name in but or all(map(math.isfinite, values))
            )
        if not is_right:
            raise InputError(f"expected another kind of value as {field.name}, got {value!r}")


def _as_float(value: Any) -> Any:
    """A whole number of JSON as a float, since NumPy cannot compute with those of more than 64 bits; others as they are."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _floats(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _as_float(value) for name, value in values.items()}


def _check_keys(kind: type, values: object) -> None:
    expected = [field.name for field in fields(kind)]
    if not isinstance(values, dict) or sorted(values) != sorted(expected):
        got = ", ".join(sorted(values)) if isinstance(values, dict) else repr(values)
        raise InputError(f"expected the keys {', '.join(sorted(expected))}, got {got}")
