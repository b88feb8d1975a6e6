"""The paper's recipe: settings of a run, the rise of the momentum, the order of the samples. Section 3.2 of the paper.

Letters: B samples of a batch, S = 3 scales, C = 3 channels, P = 42 the side of a crop.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.model import RGB, ModelConfig
from mrsal.training.options import Recipe, TrainOptions


class Samples(Protocol):
    """What an archive offers for training."""

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
        """Crops ``(B, S, C, P, P)``, uint8 or float32 in [0, 1], and labels ``(B,)`` float32."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Recipe):
    """Settings of a run; the defaults are the paper's. Most are those of :class:`Recipe`, with a line about each there.

    ``devices`` None means one process for :func:`mrsal.train`; a GPU each, up to two, is for ``mrsal train``.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    # the network


def config_of(options: TrainOptions) -> TrainConfig:
    """The settings of the run that a command asks for."""
    recipe = {item.name: getattr(options, item.name) for item in fields(Recipe)}
    return TrainConfig(**recipe, model=ModelConfig(variant="blur" if options.improvements else "base"))


def as_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON holds them."""
    return json.loads(json.dumps(asdict(config) | {"model": config.model.to_dict()}))


def fit_input(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The same settings for a network that takes the channel statistics of these samples off its input."""
    model = replace(config.model, mean=samples.mean, std=samples.std, trained_range=samples.value_range)
    return replace(config, model=model)
