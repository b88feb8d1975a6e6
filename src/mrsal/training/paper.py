"""Training Mr-CNN as section 3.2 of the paper says: crops, SGD with rising momentum, and a limit on the first layer."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mrsal.model import MrCNN, channels_last, constrain_conv1, to_unit
from mrsal.training.config import Samples, TrainConfig
from mrsal.training.method import Method, parts_of
from mrsal.training.schedule import momentum_at

_CPU_CHUNK = 64  # samples; on a CPU larger chunks are not faster, and fewer of them are harder to share among processes


class PaperMethod(Method):
    """The training of Mr-CNN.

    Parameters
    ----------
    samples : Samples
    config : TrainConfig
    start : MrCNN, optional
        The network whose weights training starts from; None: random weights.
    device : torch.device
    """

    measure = "accuracy"
    network: MrCNN

    def __init__(
        self, samples: Samples, config: TrainConfig, *, start: MrCNN | None = None, device: torch.device
    ) -> None:
        self.config, self.device, self.count = config, device, len(samples)
        self.network = channels_last(MrCNN(config.model))
        if start is not None:
            self.network.load_state_dict(start.state_dict())
        self.module = self.network
        self.optimiser = torch.optim.SGD(
            self.network.parameters(),
            lr=config.learning_rate,
            momentum=config.start_momentum,
            weight_decay=config.weight_decay,
            foreach=True,  # one kernel for all parameters, and no waiting for a GPU
        )
        self.samples = _on_device(samples, device)

    def chunks(self, index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        return parts_of(index, _CPU_CHUNK if self.device.type == "cpu" else self.config.batch_size)

    def losses(self, model: Any, index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The binary cross-entropy, and the number of correct answers."""
        x, y = (tensor.to(self.device, non_blocking=True) for tensor in self.samples.batch(index))
        logits = model(to_unit(x)).float()
        loss = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
        return loss, ((logits > 0) == (y > 0.5)).sum()

    def schedule(self, step: int, total: int) -> dict[str, float]:
        momentum = momentum_at(step, total, self.config)
        for group in self.optimiser.param_groups:
            group["momentum"] = momentum
        return {"momentum": momentum}

    def after_step(self) -> None:
        if self.config.conv1_limit:
            constrain_conv1(self.network, self.config.conv1_limit)


def _on_device(samples: Samples, device: torch.device) -> Samples:
    """Move the samples to a GPU that has room for them, so that crops are cut where they are used."""
    if device.type != "cuda" or samples.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return samples
    return samples.to(device)
