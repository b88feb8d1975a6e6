"""The network applied to whole images: three ways to compute a logit at every centre of a grid.

``crops`` runs the network on every crop and is the reference. ``exact`` gives the same values, but crops share their
convolutions. ``fast`` computes every eighth position and interpolates the features.

``exact`` works as follows. A pooling with stride 2 keeps every other position, and which ones a crop needs depends on whether
its corner is even or odd. So each pooling splits the map into up to four phases, by the parity of row and column, and the next
layer takes them as images of one batch. After three poolings, a crop is a 3x3 window of the phase of its corner modulo 8. Only
phases that some crop needs are kept; if the step of the grid is a multiple of 8, this is one phase. No position is computed
twice, and no convolution is dilated.

Letters: B images, C channels, H hidden width, s the side of a scaled image, R x K rows and columns of the grid, P phases,
which are P_r phases of the rows times P_k phases of the columns.
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

_STRIDE = 8  # pixels, of the whole network with its three poolings by 2


@torch.inference_mode()
def grid_logits(network: MrCNN, levels: list[Tensor], grid: Grid, *, mode: str = "exact") -> Tensor:
    """Compute the logits on a grid of each image.

    Parameters
    ----------
    network : MrCNN
        A network in evaluation mode, on the device of ``levels``.
    levels : list of 3 Tensors
        The scaled images, ``(B, C, s, s)`` float32 in [0, 1] for s = 400, 250, 150.
    grid : Grid
        The grid of all images.
    mode : str
        ``"exact"``, ``"fast"`` or ``"crops"``.

    Returns
    -------
    Tensor
        The logits, ``(B, R, K)`` float32.

    Raises
    ------
    InputError
        If the mode is not known.
    """
    if mode not in MODES:
        raise InputError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    features = []
    for stream, level, scale in zip(network.streams, levels, SCALES, strict=True):
        # The corner of a crop in the padded image is its centre in the scaled image. The padding beyond half a crop is in no
        # crop; with it, every phase has the same size, and the last position can be interpolated.
        padded = F.pad(network.normalise(level), (HALF, HALF + _STRIDE) * 2, mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        features.append(MODES[mode](stream, padded, *grid.centres(scale)))  # (B, R, K, H)
    joined = torch.cat(features, dim=3)
    B, R, K, _ = joined.shape
    return network.fuse(joined.flatten(0, 2)).float().view(B, R, K)


def _crop_features(stream: Stream, padded: Tensor, rows: NDArray, columns: NDArray) -> Tensor:
    """The features ``(B, R, K, H)``, computed crop by crop."""
    B, C, _, _ = padded.shape
    R, K = len(rows), len(columns)
    windows = padded.unfold(2, PATCH, 1).unfold(3, PATCH, 1)  # (B, C, s', s', 42, 42), a view
    corners = torch.from_numpy(columns).to(padded.device)
    by_row = []
    for row in rows.tolist():
        crops = windows[:, :, row, corners].transpose(1, 2).reshape(B * K, C, PATCH, PATCH)
        by_row.append(stream(crops.contiguous(memory_format=torch.channels_last)))
    return torch.stack(by_row).view(R, B, K, -1).transpose(0, 1)


@dataclass(frozen=True)
class _Axis:
    """The positions of the crops along one axis, among the phases."""

    start: int
    # the first pixel that any crop needs

    size: int
    # the number of positions in each phase after the last pooling

    splits: tuple[list[tuple[int, int]], ...]
    # for each pooling and each phase after it: the phase from which it is taken, and the offset there

    phase: NDArray[np.int64]
    window: NDArray[np.int64]
    # for each crop: its phase, and the first of its three positions in it

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
    """The same features from shared convolutions. With a blur, which sees the border of a crop, nothing can be shared."""
    if stream.blurs:
        return _crop_features(stream, padded, rows, columns)
    B = len(padded)
    down, across = _Axis.of(rows), _Axis.of(columns)

    def needed(size: int) -> int:
        """The number of pixels for this many positions: every 3x3 convolution adds 2, and every pooling doubles it."""
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
    position = (down.window[:, None, None, None] + three[:, None]) * w + (across.window[:, None, None] + three)
    phase_index, position_index = (torch.from_numpy(index).to(x.device) for index in (phase[..., None, None], position))
    windows = x[:, phase_index, position_index]  # (B, R, K, 3, 3, C)
    weight = stream.fc.weight.view(-1, C, 3, 3).permute(0, 2, 3, 1).flatten(1)  # in the order of the windows
    return F.relu(F.linear(windows.flatten(3), weight, stream.fc.bias))


def _split(x: Tensor, rows: list[tuple[int, int]], columns: list[tuple[int, int]], size: tuple[int, int]) -> Tensor:
    """Pool a map into phases, ``(P * B, C, ., .)`` to ``(P' * B, C, *size)``; the phases of the columns vary fastest.

    A pixel of a phase is the largest of four neighbours, which are taken from strided views. A pooling layer would copy its
    input for every phase, and compute positions that no crop needs.
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
    """Features at every eighth position, interpolated bilinearly; they are exact if the step of the grid is a multiple of 8."""
    r0, k0 = int(rows.min()), int(columns.min())
    x = stream.preprocess(padded[:, :, r0:, k0:])
    for conv in (stream.conv1, stream.conv2, stream.conv3):
        x = F.relu(F.max_pool2d(conv(x), 2))
    x = F.relu(F.conv2d(x, stream.fc.weight.view(-1, x.shape[1], 3, 3), stream.fc.bias))  # (B, H, h, w)
    B, _, h, w = x.shape
    v, u = (  # y and x of the centres, scaled so that the features reach from -1 to 1
        torch.from_numpy((centre - centre.min()) / _STRIDE / max(1, side - 1) * 2 - 1)
        for centre, side in ((rows, h), (columns, w))
    )
    centres = torch.stack(torch.meshgrid(v, u, indexing="ij")[::-1], dim=-1)  # (R, K, 2) as (x, y)
    centres = (
        centres.float().to(x.device).expand(B, -1, -1, -1)
    )  # B and not len(x), so that an exported network takes any B
    sampled = F.grid_sample(x.float(), centres, align_corners=True, padding_mode="border")
    return sampled.permute(0, 2, 3, 1)  # (B, R, K, H)


MODES: dict[str, Callable[[Stream, Tensor, NDArray, NDArray], Tensor]] = {
    "exact": _exact_features,
    "fast": _fast_features,
    "crops": _crop_features,
}
