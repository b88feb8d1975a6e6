"""The momentum of each step and the order of the samples in each epoch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mrsal.training.config import TrainConfig


def momentum_at(step: int, total: int, config: TrainConfig) -> float:
    """Momentum of iteration ``step`` (0-based) of ``total``: linear, ``end_momentum`` at the last one and never past it."""
    share = step / max(1, total - 1)
    return config.start_momentum + (config.end_momentum - config.start_momentum) * min(share, 1.0)


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Indices of an epoch's batches: a new permutation each epoch, the same for the same seed; the last may be short."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]
