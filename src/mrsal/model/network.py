"""Mr-CNN: a network of three streams of convolutions, one for each scale, which two fully connected layers join.

Liu, Han, Zhang, Wen and Liu, "Predicting Eye Fixations using Convolutional Neural Networks", CVPR 2015, section 3.

Letters: B samples, S = 3 scales (400, 250, 150), C = 3 channels (RGB), crops of P = 42 pixels a side, H = 512 the hidden width.
The convolutions have 96, 160 and 288 channels. These widths are those of the paper and can be changed.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mrsal.model.blur import BLUR_KERNELS, BLUR_ROOT_SIGMAS, GaussianBlur, HistoricalBlur

RGB = tuple[float, float, float]

VARIANTS = ("base", "blur", "historical-blur")


class Stream(nn.Module):
    """The part of the network for one scale, from crops ``(B, C, P, P)`` to features ``(B, H)``.

    It has three convolutions, each followed by a pooling, and a fully connected layer.
    """

    def __init__(self, config: "ModelConfig", level: int) -> None:
        super().__init__()
        kernel, root_sigma = BLUR_KERNELS[level], BLUR_ROOT_SIGMAS[level]
        if config.variant == "blur":
            self.blur = GaussianBlur(kernel, root_sigma)
        elif config.variant == "historical-blur":
            self.blur1 = HistoricalBlur(kernel, root_sigma)
        first, second, third = config.channels
        self.conv1 = nn.Conv2d(3, first, 7)
        self.conv2 = nn.Conv2d(first, second, 3)
        self.conv3 = nn.Conv2d(second, third, 3)
        self.fc = nn.Linear(third * 3 * 3, config.hidden)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def blurs(self) -> bool:
        """Whether this variant blurs its input."""
        return hasattr(self, "blur") or hasattr(self, "blur1")

    def preprocess(self, x: Tensor) -> Tensor:
        """Apply the blur, if this variant has one. It replicates the border of a crop and does not see the image around it."""
        if not self.blurs:
            return x
        return self.blur(x) if hasattr(self, "blur") else self.blur1(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.preprocess(x)
        # rectifying after the pooling gives the same values and gradients as before it, on a quarter of the positions
        x = F.relu(F.max_pool2d(self.conv1(x), 2))  # (B, 96, 18, 18)
        x = F.relu(F.max_pool2d(self.conv2(x), 2))  # (B, 160, 8, 8)
        x = F.relu(F.max_pool2d(self.conv3(x), 2))  # (B, 288, 3, 3)
        x = self.dropout(x).flatten(1)  # (B, 2592)
        return self.dropout(F.relu(self.fc(x)))  # (B, H)


@dataclass(frozen=True)
class ModelConfig:
    """The architecture of a network; it is saved with the weights."""

    variant: str = "base"
    # "base"; "blur" with a learned Gaussian blur in front of each stream; "historical-blur" for historical checkpoints

    shared_streams: bool = False
    # whether all scales share the weights of the convolutions, which is another way to read the paper

    dropout: float = 0.5
    # after the third convolution and both fully connected layers

    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)
    # mean and standard deviation of each channel, by which the network normalises its input in [0, 1]

    trained_range: tuple[float, float] | None = (0.0, 1.0)
    # the smallest and largest value in the training archive, which shows whether it was standardised; None if not known

    channels: tuple[int, int, int] = (96, 160, 288)
    # output channels of the three convolutions

    hidden: int = 512
    # width of the fully connected layer of each stream, and of the layer that joins the streams

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if not isinstance(self.channels, tuple) or len(self.channels) != 3:
            raise ValueError(f"channels must be a tuple of 3 numbers, one for each convolution, got {self.channels!r}")
        widths = (*self.channels, self.hidden)
        if not all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in widths):
            raise ValueError(
                f"channels and hidden must be whole numbers of at least 1, got {self.channels} and {self.hidden!r}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or not all(s > 0 for s in self.std):
            raise ValueError(
                f"mean and std must have 3 numbers each, and those of std must be positive, got {self.mean} and {self.std}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain values, without widths that are those of the paper.

        So the files of such a network are the same as before the widths could be changed, and older versions read them.
        """
        values = asdict(self)
        for name in ("channels", "hidden"):
            if values[name] == getattr(type(self), name):
                del values[name]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """The inverse of :meth:`to_dict`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)


class MrCNN(nn.Module):
    """The network, from crops ``(B, S, C, P, P)`` in [0, 1] to logits ``(B,)`` of the probability that they are fixated.

    Parameters
    ----------
    config : ModelConfig

    Notes
    -----
    There are two departures from the paper. The network returns logits instead of probabilities, for a stable loss. All layers
    start as He et al. (2015) propose for rectified units: with PyTorch's default, or an output layer near zero, the predictions
    would stay at the prior for the first epochs, since little signal passes the constraint on the first layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.stream1 = Stream(self.config, 0)  # scale 400
        self.stream2 = Stream(self.config, 1)  # scale 250
        self.stream3 = Stream(self.config, 2)  # scale 150
        if self.config.shared_streams:
            for stream in (self.stream2, self.stream3):
                stream.conv1, stream.conv2, stream.conv3 = (
                    self.stream1.conv1,
                    self.stream1.conv2,
                    self.stream1.conv3,
                )
        hidden = self.config.hidden
        self.fc = nn.Linear(3 * hidden, hidden)
        self.output = nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(self.config.dropout)
        # not in the state dict, whose names are those of the historical layout; the configuration holds the values
        self.register_buffer("mean", torch.tensor(self.config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.config.std).view(3, 1, 1), persistent=False)

        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """The three streams, in the order of the scales: 400, 250, 150."""
        return self.stream1, self.stream2, self.stream3

    def normalise(self, x: Tensor) -> Tensor:
        """Subtract the mean and divide by the standard deviation of each channel of ``(..., C, H, W)`` values in [0, 1]."""
        return (x - self.mean) / self.std

    def fuse(self, features: Tensor) -> Tensor:
        """The logits ``(B,)`` for the features of the streams ``(B, S * H)``."""
        return self.output(self.dropout(F.relu(self.fc(features)))).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        _, S, C, height, width = x.shape
        if (S, C, height, width) != (3, 3, 42, 42):
            raise ValueError(f"expected crops of shape (B, 3 scales, 3 channels, 42, 42), got {tuple(x.shape)}")
        x = self.normalise(x)
        # channels last is up to twice as fast on CPUs and GPUs and changes no value
        features = [
            stream(x[:, level].contiguous(memory_format=torch.channels_last))
            for level, stream in enumerate(self.streams)
        ]  # S tensors (B, H)
        return self.fuse(torch.cat(features, dim=1))


def channels_last(network: MrCNN) -> MrCNN:
    """Store the filters channels last, in place, which makes the network up to twice as fast; returns the network."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def as_rgb(values: Iterable[float]) -> RGB:
    """Three numbers, one for each channel, as Python floats."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@torch.no_grad()
def constrain_conv1(network: MrCNN, limit: float) -> None:
    """Scale the filters of the first layer whose L2 norm exceeds ``limit`` down to this norm, in place.

    The parameters stay the same objects, so that the optimiser still updates them.
    """
    for stream in network.streams:
        weight = stream.conv1.weight  # (filters, C, 7, 7)
        norm = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        weight.mul_((limit / norm).clamp(max=1.0))  # a norm of 0 gives inf, which becomes 1
