"""The paper's recipe: settings of a run, the rise of the momentum, the order of the samples. Section 3.2 of the paper.

Letters: B samples of a batch, S = 3 scales, C = 3 channels, P = 42 the side of a crop.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from mrsal.errors import InputError
from mrsal.model import RGB, ModelConfig


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


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run; the defaults are the paper's."""

    epochs: int = 20

    batch_size: int = 256
    # per process

    learning_rate: float = 0.002

    start_momentum: float = 0.9
    end_momentum: float = 0.99
    # raised linearly per iteration over the whole run

    weight_decay: float = 2e-4

    conv1_limit: float = 0.1
    # largest L2 norm of a first-layer filter; 0 switches the constraint off

    patience: int = -1
    # stop after so many epochs without a better validation score; -1: never

    watch: str = "CC"
    # the validation metric that decides which checkpoint is best

    average: int = 3
    # epochs at the end whose mean weights are kept as well; 1: none are

    precision: str = "auto"
    # "fp32"; "bf16"; "auto": bf16 where the hardware has it

    devices: int = 1
    # processes on this machine, a GPU each; torchrun and Slurm have their own say

    device: str = "auto"
    # "auto", "cpu", "cuda"

    timeout: float = 600.0
    # seconds after which a process gives up waiting for the others

    seed: int = 0

    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        checks = {
            "epochs must be at least 1": self.epochs >= 1,
            "batch_size must be at least 1": self.batch_size >= 1,
            "learning_rate must be positive": 0 < self.learning_rate < float("inf"),
            "momentum must lie in [0, 1), start and end": 0 <= self.start_momentum < 1 and 0 <= self.end_momentum < 1,
            "weight_decay must not be negative": self.weight_decay >= 0,
            "conv1_limit must not be negative": self.conv1_limit >= 0,
            "patience must be -1, or at least 1": self.patience == -1 or self.patience >= 1,
            "average must be at least 1": self.average >= 1,
            "devices must be at least 1": self.devices >= 1,
            "timeout must be positive": self.timeout > 0,
            "seed must not be negative": self.seed >= 0,
        }
        for complaint, fine in checks.items():
            if not fine:
                raise InputError(f"{complaint}; got {self}")


def as_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON holds them."""
    return json.loads(json.dumps(asdict(config) | {"model": config.model.to_dict()}))


def fit_input(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The same settings for a network that takes the channel statistics of these samples off its input."""
    model = replace(config.model, mean=samples.mean, std=samples.std, trained_range=samples.value_range)
    return replace(config, model=model)
