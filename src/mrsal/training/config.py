"""The settings of a training run, of either kind of network.

Letters: B samples in a batch, S = 3 scales, C = 3 channels, crops of P = 42 pixels a side.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.errors import InputError
from mrsal.model import IMPROVED, RGB, ImprovedConfig, ModelConfig
from mrsal.options import settings_of
from mrsal.training.options import ImprovedRecipe, Recipe, TrainOptions


class Samples(Protocol):
    """The samples for training Mr-CNN that an archive offers."""

    @property
    def mean(self) -> RGB: ...

    @property
    def std(self) -> RGB: ...

    @property
    def value_range(self) -> tuple[float, float]: ...

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> "Samples": ...

    def batch(self, index: NDArray) -> tuple[Tensor, Tensor]:
        """The samples at these indices: crops ``(B, S, C, P, P)``, uint8 or float32 in [0, 1], and labels ``(B,)`` float32."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe):
    """The settings of training Mr-CNN; the defaults are those of the paper. :class:`Recipe` documents most of them.

    With ``devices=None``, :func:`mrsal.train` uses one process. Only the command ``mrsal train`` uses several GPUs by default.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    # the architecture of the network


@dataclass(frozen=True, kw_only=True)
class ImprovedTrainConfig(ImprovedRecipe):
    """The settings of training the improved network. :class:`ImprovedRecipe` documents most of them."""

    model: ImprovedConfig = field(default_factory=ImprovedConfig)
    # the architecture of the network

    sizes: tuple[float, ...] = (1.0, 5 / 6, 3 / 4)
    # images are trained at these multiples of the network's resolutions, one drawn for each part of a batch

    kl: float = 0.5
    # weight of the divergence between the density of fixations, blurred by one degree, and the prediction

    nll: float = 0.5
    # weight of the negative log-likelihood of the fixations

    cc: float = 1.0
    # weight of the correlation of the two densities, which is subtracted

    unknown: float = 0.3
    # share of images that are trained with the prior for images of unknown origin, which is the one of a trained network

    decay: float = 0.995
    # of the moving average of the weights, which is what is validated and saved, in each step

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes or min(self.sizes) <= 0:
            raise InputError(f"expected sizes greater than 0, got {self.sizes}")


AnyConfig = TrainConfig | ImprovedTrainConfig


def config_of(options: TrainOptions, *, improvements: int = 0) -> AnyConfig:
    """The settings of a run with these options of ``mrsal train``, for a network of this kind.

    Raises
    ------
    InputError
        If an option has no effect on this kind of network.
    """
    is_improved = improvements == 2
    recipe = ImprovedRecipe if is_improved else Recipe
    used = {item.name for item in fields(recipe)}
    settings = {s.name: s for s in settings_of(TrainOptions) if s.default is None and s.name in _names_of_recipes()}
    chosen = {name: getattr(options, name) for name in settings if getattr(options, name) is not None}
    unused = [f"--{settings[name].flag}" for name in chosen if name not in used]
    if unused:
        network = "the improved network" if is_improved else "Mr-CNN"
        raise InputError(f"{', '.join(unused)} would have no effect on {network}; leave it out")
    shared = {item.name: getattr(options, item.name) for item in fields(recipe) if item.name not in settings}
    if is_improved:
        return ImprovedTrainConfig(**shared, **chosen)
    return TrainConfig(**shared, **chosen, model=ModelConfig(variant="blur" if improvements else "base"))


def _names_of_recipes() -> set[str]:
    return {item.name for recipe in (Recipe, ImprovedRecipe) for item in fields(recipe)}


def as_json(config: AnyConfig) -> dict[str, Any]:
    """The settings as plain values, as they are after they were written to a JSON file and read again."""
    kind = {"architecture": IMPROVED} if isinstance(config, ImprovedTrainConfig) else {}
    return json.loads(json.dumps(kind | asdict(config) | {"model": config.model.to_dict()}))


def fit_input(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The same settings for a network that normalises its input by the mean and deviation per channel of these samples."""
    model = replace(config.model, mean=samples.mean, std=samples.std, trained_range=samples.value_range)
    return replace(config, model=model)
