"""Training the improved network: whole images, densities of fixations, and a pretrained stream that is trained in part.

The first stages of the stream are never trained (:mod:`mrsal.training.features`). Of the later ones, the 1x1 convolutions are
trained, which hold most of the weights; the filters of one channel are not, since their gradient takes half of the time on a
CPU. The weights that are validated and saved are a moving average (Polyak and Juditsky, "Acceleration of stochastic
approximation by averaging", 1992).

Letters: B images, C channels, h and w the sides of a feature map, H and W those of the predicted map, which has two cells
along each side of a cell of the readout's grid.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from mrsal.datasets import fixation_map
from mrsal.model import PRIOR_CELLS, ImprovedNetwork, Stream, level_size, load_imagenet_weights
from mrsal.training.config import ImprovedTrainConfig
from mrsal.training.features import FROZEN, STRIDE, TrainingImages
from mrsal.training.method import Method, parts_of
from mrsal.training.schedule import one_cycle

_FINE = 2  # cells of the predicted map along each side of a cell of the readout's grid
_CPU_CHUNK = 4  # images
_LARGEST_GRADIENT = 5.0  # norm over all weights
_MEASURED = 128  # images, for the mean and the deviation of the features
_BLUR = 0.05  # of a prior, in units of its sides
_UNIFORM = 0.01  # share of a prior that is the same everywhere
_PSEUDO_FIXATIONS = 500  # with which the prior of the starting weights counts


class ImprovedMethod(Method):
    """The training of the improved network.

    Parameters
    ----------
    images : TrainingImages
        The images, whose feature maps are stored (:func:`sides_of`).
    config : ImprovedTrainConfig
    start : ImprovedNetwork, optional
        The network whose weights training starts from; None: a stream that was trained on ImageNet, and a new readout.
    device : torch.device
    bf16 : bool
        Whether features are computed in bfloat16.
    """

    measure = "CC"
    network: ImprovedNetwork

    def __init__(
        self,
        images: TrainingImages,
        config: ImprovedTrainConfig,
        *,
        start: ImprovedNetwork | None = None,
        device: torch.device,
        bf16: bool,
    ) -> None:
        self.images, self.config, self.device, self.count = images, config, device, len(images)
        places = [images.relative_fixations(a) for a in range(len(images.archives))]
        priors = [_log_prior(x, y) for x, y in places]
        unknown = _mean_prior(priors)
        if start is None:
            network = new_network(config)
            _measure_features(network, images, bf16=bf16)
        else:
            network = ImprovedNetwork(config.model)
            network.load_state_dict(start.state_dict())
            fixations = sum(len(x) for x, _ in places)
            unknown = _mixed_prior(unknown, start.log_prior, share=fixations / (fixations + _PSEUDO_FIXATIONS))
        network.log_prior.copy_(unknown)
        self.network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: ImprovedNetwork = deepcopy(self.network)
        self.priors = torch.stack([*priors, unknown])  # the last is that of an image of unknown origin
        self.module = _FromFeatures(self.network)
        self.optimiser = torch.optim.AdamW(list(_parameter_groups(self.network, config)), betas=(0.9, 0.98))
        self._highest = [group["lr"] for group in self.optimiser.param_groups]
        self._steps = 0

    @property
    def saved(self) -> ImprovedNetwork:
        return self.average

    def chunks(self, index: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Images of the same shape together."""
        size = _CPU_CHUNK if self.device.type == "cpu" else self.config.batch_size
        by_shape: dict[tuple[int, int], list[int]] = {}
        for i in index.tolist():
            by_shape.setdefault(self.images.shape(i), []).append(i)
        return [part for same in by_shape.values() for part in parts_of(np.array(same, np.int64), size)]

    def losses(self, model: Any, index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The loss, and the correlation of the prediction with the density of fixations."""
        config = self.config
        scale = config.sizes[int(torch.randint(len(config.sizes), ()))]
        mirrored = (torch.rand(len(index)) < 0.5).tolist()
        is_unknown = (torch.rand(len(index)) < config.unknown).tolist()
        sides = _scaled(config.model.resolutions, scale)
        stored = [
            torch.stack(
                [self.images.features(i, side, mirrored=m) for i, m in zip(index.tolist(), mirrored, strict=True)]
            )
            for side in sides
        ]
        level = level_size(*self.images.shape(int(index[0])), sides[0])
        size = (level[0] * _FINE // config.model.cell, level[1] * _FINE // config.model.cell)
        targets = [self.images.targets(i, size) for i in index.tolist()]
        origins = [-1 if u else self.images.origins[i][0] for i, u in zip(index.tolist(), is_unknown, strict=True)]
        prior = self.priors[origins]  # (B, cells, cells)
        fixated, density = (torch.stack(parts) for parts in zip(*targets, strict=True))  # (B, H, W)
        flip = torch.tensor(mirrored)[:, None, None]
        prior, fixated, density = (
            torch.where(flip, maps.flip(-1), maps).to(self.device) for maps in (prior, fixated, density)
        )
        features = [maps.to(self.device, non_blocking=True).float() for maps in stored]
        log_p = model(features, size, prior).float()  # (B, H, W)
        cc = correlation(log_p.exp(), density)
        loss = config.kl * (density * ((density + 1e-9).log() - log_p)).sum((1, 2))
        loss = loss - config.nll * (fixated * log_p).sum((1, 2)) - config.cc * cc
        return loss.sum(), cc.detach().sum()

    def schedule(self, step: int, total: int) -> dict[str, float]:
        share = one_cycle(step, total)
        for group, highest in zip(self.optimiser.param_groups, self._highest, strict=True):
            group["lr"] = highest * share
        return {"learning_rate": self.config.learning_rate * share}

    def before_step(self) -> None:
        trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(trained, _LARGEST_GRADIENT)

    @torch.no_grad()
    def after_step(self) -> None:
        self._steps += 1
        keep = min(self.config.decay, self._steps / (self._steps + 10))
        for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    def state(self) -> dict[str, Any]:
        return {"average": self.average.state_dict(), "steps": self._steps}

    def load_state(self, state: dict[str, Any]) -> None:
        self.average.load_state_dict(state["average"])
        self._steps = state["steps"]


class _FromFeatures(nn.Module):
    """The trained part of the network: what the stored feature maps become."""

    def __init__(self, network: ImprovedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, stored: Sequence[Tensor], size: tuple[int, int], prior: Tensor) -> Tensor:
        """``(B, C, h, w)`` for each resolution to log-densities ``(B, H, W)``."""
        network = self.network
        maps = [x.contiguous(memory_format=torch.channels_last) for x in stored]
        features = [network.stream(x, begin=FROZEN) for x in maps]
        h, w = maps[0].shape[-2:]
        grid = (h * STRIDE // network.config.cell, w * STRIDE // network.config.cell)
        return network.from_features(features, grid, size, log_prior=prior)


def correlation(p: Tensor, q: Tensor) -> Tensor:
    """The correlation of two maps, ``(B, H, W)`` each, for each image: ``(B,)``; 0 for a constant map."""
    both = (1, 2)
    p, q = p - p.mean(both, keepdim=True), q - q.mean(both, keepdim=True)
    return (p * q).sum(both) / (p.square().sum(both) * q.square().sum(both)).sqrt().clamp_min(1e-12)


def sides_of(config: ImprovedTrainConfig) -> tuple[int, ...]:
    """The longer sides of all resized images that training needs, in pixels."""
    return tuple(dict.fromkeys(side for scale in config.sizes for side in _scaled(config.model.resolutions, scale)))


def frozen_stream(start: ImprovedNetwork | None) -> Stream:
    """The stream whose first stages training uses as they are."""
    if start is not None:
        return start.stream
    stream = Stream().eval()
    load_imagenet_weights(stream)
    return stream


def new_network(config: ImprovedTrainConfig) -> ImprovedNetwork:
    """A network with a stream that was trained on ImageNet and a new readout; the random numbers are those of torch."""
    network = ImprovedNetwork(config.model)
    load_imagenet_weights(network.stream)
    return network


def _scaled(resolutions: Sequence[int], scale: float) -> tuple[int, ...]:
    return tuple(round(side * scale) for side in resolutions)


@torch.no_grad()
def _measure_features(network: ImprovedNetwork, images: TrainingImages, *, bf16: bool) -> None:
    """Have the readout start from features with a mean of 0 and a deviation of 1, on some of the training images."""
    moments: list[list[Tensor]] = []
    for i in range(0, len(images), max(1, len(images) // _MEASURED)):
        row = []
        for side in network.config.resolutions:
            stored = images.features(i, side, mirrored=False)[None].float()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                features = network.stream(stored.contiguous(memory_format=torch.channels_last), begin=FROZEN)
            maps = [features[stride].float() for stride in network.config.strides]
            row += [torch.stack([map_.mean((0, 2, 3)), map_.square().mean((0, 2, 3))]) for map_ in maps]
        moments.append(row)
    for part, rows in zip(network.readout.standardise, zip(*moments, strict=True), strict=True):
        mean, square = torch.stack(list(rows)).mean(dim=0)
        cast(Tensor, part.mean).copy_(mean)
        cast(Tensor, part.std).copy_((square - mean.square()).clamp_min(0).sqrt() + 1e-3)


def _parameter_groups(network: ImprovedNetwork, config: ImprovedTrainConfig) -> Iterator[dict[str, Any]]:
    """The readout as one group, and each tensor of the stream that is trained as its own.

    The rate of such a tensor is relative to its root mean square, so that all change by the same share.
    """
    network.stream.requires_grad_(False)
    readout = [p for name, p in network.named_parameters() if not name.startswith("stream.")]
    yield {"params": readout, "lr": config.learning_rate, "weight_decay": config.weight_decay}
    if not config.stream_rate:
        return
    for name, p in network.stream.named_parameters():
        stage = int(name.split(".")[1])
        # what precedes the first filter of one channel is left alone too, so that no gradient has to pass through it
        if stage < FROZEN or "depthwise" in name or name.startswith(f"stages.{FROZEN}.0.expand"):
            continue
        p.requires_grad_(True)
        size = float(p.detach().square().mean().sqrt())
        yield {"params": [p], "lr": config.stream_rate * size, "weight_decay": 0.0}


def _log_prior(x: NDArray[np.float64], y: NDArray[np.float64]) -> Tensor:
    """The log-density of fixations whatever is shown, over that of a uniform one: ``(cells, cells)``."""
    side = PRIOR_CELLS
    if not len(x):  # only published maps are known
        return torch.zeros(side, side)
    smooth = gaussian_filter(fixation_map(x * side, y * side, (side, side)), _BLUR * side, mode="reflect")
    return torch.from_numpy(np.log((1 - _UNIFORM) * smooth * smooth.size / smooth.sum() + _UNIFORM)).float()


def _mean_prior(priors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(priors)).exp().mean(dim=0).log()


def _mixed_prior(own: Tensor, start: Tensor, *, share: float) -> Tensor:
    start = start.cpu() - start.cpu().exp().mean().log()
    return (share * own.exp() + (1 - share) * start.exp()).log()
