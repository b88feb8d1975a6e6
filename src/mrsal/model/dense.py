"""The network over whole images: three ways from scaled images to a logit at every grid point.

``crops`` runs the network on every crop and is the reference. ``exact`` gives the same values from convolutions that are
shared between crops; ``fast`` computes every eighth position and interpolates features.

How ``exact`` works: a pooling with stride 2 keeps every other position, and which ones a crop needs depends on whether its
corner is even or odd. So each pooling splits the map into up to four phases, one per parity of row and column, which go on as
images of one batch; after three poolings a crop is a 3x3 window of one phase, that of its corner modulo 8. Only phases that
some crop needs are kept: where the step of the grid is a multiple of 8, there is one. No position is computed twice, and
the convolutions are plain ones.

Letters: B images, C channels, H hidden width, s side of a scaled image, R x K rows and columns of the grid, P phases, P_r of
rows times P_k of columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mrsal.errors import InputError
from mrsal.model.grid import Grid
from mrsal.model.network import MrCNN, Stream
from mrsal.model.pyramid import HALF, PATCH, SCALES

_STRIDE = 8  # of the whole network: three poolings by 2


@torch.inference_mode()
def grid_logits(network: MrCNN, levels: list[Tensor], grid: Grid, *, mode: str = "exact") -> Tensor:
    """Logits on a grid.

    Parameters
    ----------
    network : MrCNN
        In evaluation mode, on the device of ``levels``.
    levels : list of 3 Tensors
        ``(B, C, s, s)`` float32 in [0, 1] for s = 400, 250, 150.
    grid : Grid
        For all of the images.
    mode : str
        ``"exact"``, ``"fast"`` or ``"crops"``.

    Returns
    -------
    Tensor
        ``(B, R, K)`` float32.
    """
    if mode not in MODES:
        raise InputError(f"expected a mode out of {', '.join(MODES)}, got {mode!r}")
    features = []
    for stream, level, scale in zip(network.streams, levels, SCALES, strict=True):
        # corners of the crops in the padded image are their centres in the scaled one; what is padded beyond half a crop
        # is in no crop, but lets every phase have the same size and the last position be interpolated
        padded = F.pad(network.normalise(level), (HALF, HALF + _STRIDE) * 2, mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        features.append(MODES[mode](stream, padded, *grid.centres(scale)))  # (B, R, K, H)
    joined = torch.cat(features, dim=3)
    B, R, K, _ = joined.shape
    return network.fuse(joined.flatten(0, 2)).float().view(B, R, K)


def _crop_features(stream: Stream, padded: Tensor, rows: NDArray, columns: NDArray) -> Tensor:
    """``(B, R, K, H)`` features, crop by crop."""
    B, C, _, _ = padded.shape
    R, K = len(rows), len(columns)
    windows = padded.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (B, C, s', s', 42, 42), a view
    at = torch.from_numpy(columns).to(padded.device)
    by_row = []
    for row in rows.tolist():
        crops = windows[:, :, row, at].transpose(1, 2).reshape(B * K, C, PATCH, PATCH)
        by_row.append(stream(crops.contiguous(memory_format=torch.channels_last)))
    return torch.stack(by_row).view(R, B, K, -1).transpose(0, 1)


@dataclass(frozen=True)
class _Axis:
    """Where the crops along one axis lie among the phases."""

    start: int
    # the first pixel that a crop needs

    size: int
    # positions in each phase after the last pooling

    splits: tuple[list[tuple[int, int]], ...]
    # for each pooling and each phase after it: which phase it comes from, and with what offset

    phase: NDArray[np.int64]
    window: NDArray[np.int64]
    # for each crop: its phase, and the first of its three positions there

    @classmethod
    def of(cls, corners: NDArray[np.int64]) -> "_Axis":
        start = int(corners.min())
        corner = corners - start
        splits, phases = [], np.zeros(1, np.int64)
        for step in (2, 4, 8):
            parents, phases = phases, np.unique(corner % step)
            splits.append([(int(np.searchsorted(parents, p % (step // 2))), int(p // (step // 2))) for p in phases])
        window = corner // _STRIDE
        return cls(start, int(window.max()) + 3, tuple(splits), np.searchsorted(phases, corner % _STRIDE), window)


def _exact_features(stream: Stream, padded: Tensor, rows: NDArray, columns: NDArray) -> Tensor:
    """The same values with shared convolutions. A blur sees the crop's border, so there nothing can be shared."""
    if stream.blurs:
        return _crop_features(stream, padded, rows, columns)
    B = len(padded)
    down, across = _Axis.of(rows), _Axis.of(columns)

    def needed(size: int) -> int:
        """Pixels behind so many positions: every 3x3 convolution adds 2, every pooling doubles."""
        return 8 * size + 25

    x = padded[:, :, down.start : down.start + needed(down.size), across.start : across.start + needed(across.size)]
    x = stream.conv1(x)  # (B, channels, 8 h + 19, 8 w + 19) for h x w positions at the end
    x = _split(x, down.splits[0], across.splits[0], (4 * down.size + 9, 4 * across.size + 9))
    x = _split(stream.conv2(x), down.splits[1], across.splits[1], (2 * down.size + 3, 2 * across.size + 3))
    x = _split(stream.conv3(x), down.splits[2], across.splits[2], (down.size, across.size))  # (P * B, C, h, w)

    _, C, h, w = x.shape
    x = x.permute(0, 2, 3, 1).reshape(-1, B, h * w, C).transpose(0, 1)  # (B, P, h * w, C)
    three = np.arange(3)
    phase = down.phase[:, None] * len(across.splits[2]) + across.phase  # (R, K)
    place = (down.window[:, None, None, None] + three[:, None]) * w + (across.window[:, None, None] + three)
    phase_at, place_at = (torch.from_numpy(index).to(x.device) for index in (phase[..., None, None], place))
    windows = x[:, phase_at, place_at]  # (B, R, K, 3, 3, C)
    weight = stream.fc.weight.view(-1, C, 3, 3).permute(0, 2, 3, 1).flatten(1)  # in the order of the windows
    return F.relu(F.linear(windows.flatten(3), weight, stream.fc.bias))


def _split(x: Tensor, rows: list[tuple[int, int]], columns: list[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """Pool into phases: ``(P * B, C, ., .)`` to ``(P' * B, C, *size)``, the phases of the columns running fastest.

    A pixel of a phase is the largest of four neighbours, taken from strided views: a pooling would copy its input for every
    phase, and look for places that nobody asks for.
    """
    h, w = size
    P_k = 1 + max(parent for parent, _ in columns)
    P_r = 1 + max(parent for parent, _ in rows)
    before = x.view(P_r, P_k, -1, *x.shape[1:])
    B, C = before.shape[2:4]
    phases = x.new_empty((len(rows) * len(columns), B, h, w, C)).permute(0, 1, 4, 2, 3)  # channels last
    spare = torch.empty_like(phases[0])
    for phase, ((r, i), (k, j)) in zip(phases, product(rows, columns), strict=True):
        corners = [
            before[r, k][:, :, i + a : i + a + 2 * h : 2, j + b : j + b + 2 * w : 2] for a in (0, 1) for b in (0, 1)
        ]
        torch.maximum(corners[0], corners[1], out=phase)
        torch.maximum(corners[2], corners[3], out=spare)
        torch.maximum(phase, spare, out=phase)
    return phases.flatten(0, 1).relu_()


def _fast_features(stream: Stream, padded: Tensor, rows: NDArray, columns: NDArray) -> Tensor:
    """Features at every eighth position, interpolated bilinearly; exact where the grid's step is a multiple of 8."""
    r0, k0 = int(rows.min()), int(columns.min())
    x = stream.preprocess(padded[:, :, r0:, k0:])
    for conv in (stream.conv1, stream.conv2, stream.conv3):
        x = F.relu(F.max_pool2d(conv(x), 2))
    x = F.relu(F.conv2d(x, stream.fc.weight.view(-1, x.shape[1], 3, 3), stream.fc.bias))  # (B, H, h, w)
    B, _, h, w = x.shape
    y_at, x_at = (
        torch.from_numpy((at - at.min()) / _STRIDE / max(1, side - 1) * 2 - 1) for at, side in ((rows, h), (columns, w))
    )
    where = torch.stack(torch.meshgrid(y_at, x_at, indexing="ij")[::-1], dim=-1)  # (R, K, 2) as (x, y)
    where = where.float().to(x.device).expand(B, -1, -1, -1)  # B and not len(x), so that it exports for any B
    sampled = F.grid_sample(x.float(), where, align_corners=True, padding_mode="border")
    return sampled.permute(0, 2, 3, 1)  # (B, R, K, H)


MODES: dict[str, Callable[[Stream, Tensor, NDArray, NDArray], Tensor]] = {
    "exact": _exact_features,
    "fast": _fast_features,
    "crops": _crop_features,
}
