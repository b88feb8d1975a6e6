"""What the training loop leaves to the kind of network: its samples, its loss, its optimiser and its schedule."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mrsal.model import Network


class Method(ABC):
    """How one kind of network is trained.

    Attributes
    ----------
    network : Network
        The network that is trained.
    module : nn.Module
        What computes the loss's input, with the network in it; several processes exchange its gradients.
    optimiser : torch.optim.Optimizer
    measure : str
        What is reported beside the loss.
    count : int
        The number of samples in an epoch.
    """

    network: Network
    module: nn.Module
    optimiser: torch.optim.Optimizer
    measure: str
    count: int

    @property
    def saved(self) -> Network:
        """The network that is validated, and whose weights are saved after an epoch."""
        return self.network

    @abstractmethod
    def chunks(self, index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """The samples of a batch in parts that are computed at once. They depend on nothing else, so that any number of
        processes can share them with the same result."""

    @abstractmethod
    def losses(self, model: Any, index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The sums over a chunk of the loss, which has a gradient, and of the measure.

        All random numbers come from torch, which has been seeded for the chunk.
        """

    @abstractmethod
    def schedule(self, step: int, total: int) -> dict[str, float]:
        """Set what changes from step to step, for a step, counted from 0, of ``total`` steps; return its values by name."""

    def before_step(self) -> None:  # noqa: B027
        """Called when the gradients are complete."""

    def after_step(self) -> None:  # noqa: B027
        """Called when the optimiser has changed the weights."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs besides the network and the optimiser, as tensors and plain values."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027
        """The inverse of :meth:`state`."""


def parts_of(index: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Split into parts of this size; the last may be smaller."""
    return [index[start : start + size] for start in range(0, len(index), size)]
