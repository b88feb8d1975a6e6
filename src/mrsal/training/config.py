"""The settings of a training run. The defaults are those of section 3.2 of the paper.

Letters: B samples in a batch, S = 3 scales, C = 3 channels, crops of P = 42 pixels a side.
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
    """The samples for training that an archive offers."""

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
    """The settings of a training run; the defaults are those of the paper. :class:`Recipe` documents most of them.

    With ``devices=None``, :func:`mrsal.train` uses one process. Only the command ``mrsal train`` uses several GPUs by default.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    # the architecture of the network


def config_of(options: TrainOptions) -> TrainConfig:
    """The settings of a run with these options of ``mrsal train``."""
    recipe = {item.name: getattr(options, item.name) for item in fields(Recipe)}
    return TrainConfig(**recipe, model=ModelConfig(variant="blur" if options.improvements else "base"))


def as_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as plain values, as they are after they were written to a JSON file and read again."""
    return json.loads(json.dumps(asdict(config) | {"model": config.model.to_dict()}))


def fit_input(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The same settings for a network that normalises its input by the mean and deviation per channel of these samples."""
    model = replace(config.model, mean=samples.mean, std=samples.std, trained_range=samples.value_range)
    return replace(config, model=model)
