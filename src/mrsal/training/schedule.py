"""What changes from step to step: the momentum or the learning rate, and the order of the samples in each epoch."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mrsal.training.config import TrainConfig

_WARM_UP = 0.1  # of a run
_FIRST, _LAST = 0.05, 0.01  # of the highest rate


def momentum_at(step: int, total: int, config: TrainConfig) -> float:
    """The momentum of a step, counted from 0, in a run of ``total`` steps.

    It changes linearly from ``start_momentum`` to ``end_momentum``, which it reaches at the last step and never passes.
    """
    share = step / max(1, total - 1)
    return config.start_momentum + (config.end_momentum - config.start_momentum) * min(share, 1.0)


def one_cycle(step: int, total: int) -> float:
    """The share of the highest learning rate at a step, counted from 0, in a run of ``total`` steps.

    It rises linearly in the first tenth of the run, and then falls along a cosine.
    """
    share = min(step / max(1, total - 1), 1.0)
    if share < _WARM_UP:
        return _FIRST + (1 - _FIRST) * share / _WARM_UP
    down = (share - _WARM_UP) / (1 - _WARM_UP)
    return _LAST + (1 - _LAST) * (1 + math.cos(math.pi * down)) / 2


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    """The indices of the samples in each batch of an epoch; the last batch may be smaller.

    Each epoch has its own permutation, which depends only on the seed and the epoch.
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]
