"""A plain implementation of the method, with which the other benchmarks compare mrsal. It only shares the weights."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

SCALES, GRID, HALF = (400, 250, 150), 50, 21


class PlainMrCNN(nn.Module):
    """Three streams of convolution, ReLU and pooling, from ``(B, 3 scales, 3 channels, 42, 42)`` to probabilities ``(B,)``."""

    def __init__(self) -> None:
        super().__init__()
        self.stream1, self.stream2, self.stream3 = self._stream(), self._stream(), self._stream()
        self.fc, self.output, self.dropout = nn.Linear(3 * 512, 512), nn.Linear(512, 1), nn.Dropout(0.5)

    @staticmethod
    def _stream() -> nn.ModuleDict:
        convolutions = {"conv1": nn.Conv2d(3, 96, 7), "conv2": nn.Conv2d(96, 160, 3), "conv3": nn.Conv2d(160, 288, 3)}
        return nn.ModuleDict({**convolutions, "fc": nn.Linear(2592, 512)})

    def forward(self, x: Tensor) -> Tensor:
        features = []
        for k, stream in enumerate((self.stream1, self.stream2, self.stream3)):
            y = x[:, k]
            for name in ("conv1", "conv2", "conv3"):
                y = torch.max_pool2d(torch.relu(stream[name](y)), 2)
            features.append(self.dropout(torch.relu(stream["fc"](self.dropout(y).flatten(1)))))
        joined = self.dropout(torch.relu(self.fc(torch.cat(features, dim=1))))
        return torch.sigmoid(self.output(joined)).squeeze(1)


def plain_map(network: PlainMrCNN, image: NDArray[np.uint8], mean: Tensor, std: Tensor, *, batch: int = 256) -> Tensor:
    """The ``(50, 50)`` map of an image: 2,500 x 3 crops are cut one by one and go through the network in batches."""
    device = next(network.parameters()).device
    height, width, _ = image.shape
    levels = []
    for scale in SCALES:
        pixels = np.asarray(Image.fromarray(image).resize((scale, scale), Image.Resampling.BICUBIC)) / np.float32(255)
        pixels = (torch.from_numpy(pixels).permute(2, 0, 1) - mean) / std
        levels.append(torch.nn.functional.pad(pixels[None], (HALF,) * 4, mode="replicate")[0].to(device))
    rows = (np.arange(GRID) + 0.5) / GRID * height + 1e-4
    columns = (np.arange(GRID) + 0.5) / GRID * width + 1e-4
    samples, values = [], []
    with torch.no_grad():
        for y in rows:
            for x in columns:
                crops = []
                for level, scale in zip(levels, SCALES, strict=True):
                    top, left = int(scale / height * y), int(scale / width * x)
                    crops.append(level[:, top : top + 2 * HALF, left : left + 2 * HALF])
                samples.append(torch.stack(crops))
                if len(samples) == batch:
                    values.append(network(torch.stack(samples)))
                    samples = []
        if samples:
            values.append(network(torch.stack(samples)))
    return torch.cat(values).view(GRID, GRID)
