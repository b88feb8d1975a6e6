"""Mr-CNN: three streams of convolutions, one per scale, joined by two fully connected layers.

Crops flow in, logits flow out. Liu, Han, Zhang, Wen and Liu, "Predicting Eye Fixations using Convolutional Neural
Networks", CVPR 2015, section 3. Reads no files and prints nothing.

Letters: B samples, S = 3 scales (400, 250, 150), C = 3 channels (RGB), P = 42 the side of a crop, H = 512 the hidden
width. The convolutions have 96, 160 and 288 channels. These widths are the paper's, and can be set.
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
    """One scale: three convolutions with pooling, then a fully connected layer. ``(B, C, P, P)`` to ``(B, H)``."""

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
        """The blur, if this variant has one; on a crop it sees the crop's border and not the image around it."""
        if not self.blurs:
            return x
        return self.blur(x) if hasattr(self, "blur") else self.blur1(x)

    def forward(self, x: Tensor) -> Tensor:
        x = self.preprocess(x)
        # rectified after pooling: the same values and gradients as before it, on a quarter of the positions
        x = F.relu(F.max_pool2d(self.conv1(x), 2))  # (B, 96, 18, 18)
        x = F.relu(F.max_pool2d(self.conv2(x), 2))  # (B, 160, 8, 8)
        x = F.relu(F.max_pool2d(self.conv3(x), 2))  # (B, 288, 3, 3)
        x = self.dropout(x).flatten(1)  # (B, 2592)
        return self.dropout(F.relu(self.fc(x)))  # (B, H)


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes the architecture; travels with the weights."""

    variant: str = "base"
    # "base"; "blur", a learned Gaussian in front of each stream; "historical-blur", for older checkpoints

    shared_streams: bool = False
    # one set of convolution weights for all scales, as some read the paper

    dropout: float = 0.5
    # after the third convolution and both fully connected layers

    mean: RGB = (0.0, 0.0, 0.0)
    std: RGB = (1.0, 1.0, 1.0)
    # per channel; taken off the [0, 1] input before anything else

    trained_range: tuple[float, float] | None = (0.0, 1.0)
    # smallest and largest value in the training archive, which tells standardised ones apart; None: not known

    channels: tuple[int, int, int] = (96, 160, 288)
    # output channels of the three convolutions; by default the paper's

    hidden: int = 512
    # width of the fully connected layers: of each stream, and of the one that joins the streams

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"expected a variant out of {', '.join(VARIANTS)}, got {self.variant!r}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if not isinstance(self.channels, tuple) or len(self.channels) != 3:
            raise ValueError(f"channels needs 3 numbers, one for each convolution, got {self.channels!r}")
        widths = (*self.channels, self.hidden)
        if not all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in widths):
            raise ValueError(
                f"channels and hidden must be whole numbers of at least 1, got {self.channels} and {self.hidden!r}"
            )
        if len(self.mean) != 3 or len(self.std) != 3 or not all(s > 0 for s in self.std):
            raise ValueError(f"mean and std need 3 numbers each, std positive, got {self.mean} and {self.std}")

    def to_dict(self) -> dict[str, Any]:
        """As plain values for a checkpoint's header; the paper's widths are left out.

        So files of a network with these widths are the same as before widths could be set, and older versions read them.
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
    """The network: ``(B, S, C, P, P)`` crops in [0, 1] to ``(B,)`` logits of being fixated.

    Parameters
    ----------
    config : ModelConfig

    Notes
    -----
    Departures from the paper: logits instead of probabilities, for a stable loss; weights start as He et al. (2015)
    propose for rectified units, the output layer too: with PyTorch's own start, or an output layer near zero, the first
    epochs pass on a plateau at the prior, since the constraint on the first layer leaves little signal behind it.
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
        # not in the state dict: its keys are those of the historical layout, and the config carries the values
        self.register_buffer("mean", torch.tensor(self.config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.config.std).view(3, 1, 1), persistent=False)

        self._start()

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """The three streams, scale 400 first."""
        return self.stream1, self.stream2, self.stream3

    def normalise(self, x: Tensor) -> Tensor:
        """Apply the per-channel mean and standard deviation to ``(..., C, H, W)`` values in [0, 1]."""
        return (x - self.mean) / self.std

    def fuse(self, features: Tensor) -> Tensor:
        """``(B, S * H)`` stream features to ``(B,)`` logits."""
        return self.output(self.dropout(F.relu(self.fc(features)))).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        _, S, C, height, width = x.shape
        if (S, C, height, width) != (3, 3, 42, 42):
            raise ValueError(f"expected crops of shape (B, 3 scales, 3 channels, 42, 42), got {tuple(x.shape)}")
        x = self.normalise(x)
        # channels last is up to twice as fast on CPU and GPU and changes no value
        features = [
            stream(x[:, level].contiguous(memory_format=torch.channels_last))
            for level, stream in enumerate(self.streams)
        ]  # S times (B, H)
        return self.fuse(torch.cat(features, dim=1))


def channels_last(model: MrCNN) -> MrCNN:
    """The same network with its filters stored channels last, which is up to twice as fast; in place."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def as_rgb(values: Iterable[float]) -> RGB:
    """Three numbers, one per channel, as plain floats."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue


@torch.no_grad()
def constrain_conv1(model: MrCNN, limit: float) -> None:
    """Rescale the first-layer filters whose L2 norm exceeds ``limit`` to it; leave the others alone. In place.

    The parameters stay the same objects, so that the optimiser goes on seeing them.
    """
    for stream in model.streams:
        weight = stream.conv1.weight  # (filters, C, 7, 7)
        norm = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        weight.mul_((limit / norm).clamp(max=1.0))  # norm 0 gives inf, which the clamp turns into 1
