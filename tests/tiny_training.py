"""A training run that takes seconds: its configuration, its samples, and how two of its results are compared."""

import numpy as np
import torch
from tiny_network import tiny

from mrsal.training.config import TrainConfig

# small and fast, and lively enough to see it learn
TINY = TrainConfig(
    epochs=4,
    batch_size=4,
    learning_rate=0.05,
    start_momentum=0.7,
    end_momentum=0.85,
    average=2,
    precision="fp32",
    device="cpu",
    seed=4,
    model=tiny(mean=(0.48, 0.49, 0.5), std=(0.3, 0.31, 0.32), dropout=0.1),
)


class Crops:
    """Bright crops that are fixated, dark ones that are not; counts the batches that it gives."""

    mean, std, value_range = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), (0.0, 1.0)

    def __init__(self, count):
        rng = np.random.default_rng(0)
        self.labels = torch.arange(count) % 2
        noise = torch.from_numpy(rng.integers(0, 100, (count, 3, 3, 42, 42), dtype=np.uint8))
        self.crops = noise + (self.labels * 150).to(torch.uint8)[:, None, None, None, None]
        self.batches = 0

    def __len__(self):
        return len(self.labels)

    def batch(self, index):
        self.batches += 1
        return self.crops[index], self.labels[index].float()


def weights(path):
    return torch.load(path, weights_only=True)


def assert_same(path, other):
    first, second = weights(path), weights(other)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
