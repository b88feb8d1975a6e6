"""The network over a whole image: three ways from scaled images to a logit at every grid point.

``crops`` runs the network on every crop and is the reference. ``exact`` gives the same values from convolutions that are
shared between crops; ``fast`` computes every eighth position and interpolates features.

How ``exact`` works: a stride-2 pooling keeps every other position, so which ones a crop needs depends on whether its
corner is even or odd. The crops are divided by that, pooled together, and divided again at the next pooling. Only phases
that some crop needs are visited: where the step of the grid is a multiple of 8, there is one.

Letters: C channels, s side of a scaled image, R x K rows and columns of the grid, N = R * K.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from mrsal.errors import InputError
from mrsal.model import MrCNN, Stream
from mrsal.patches import HALF, PATCH, SCALES, Grid

_STRIDE = 8  # of the whole network: three poolings by 2


@torch.inference_mode()
def grid_logits(network: MrCNN, levels: list[Tensor], grid: Grid, *, mode: str = "exact") -> Tensor:
    """Logits on a grid.

    Parameters
    ----------
    network : MrCNN
        In evaluation mode, on the device of ``levels``.
    levels : list of 3 Tensors
        ``(C, s, s)`` float32 in [0, 1] for s = 400, 250, 150.
    grid : Grid
    mode : str
        ``"exact"``, ``"fast"`` or ``"crops"``.

    Returns
    -------
    Tensor
        ``(R, K)`` float32.
    """
    if mode not in MODES:
        raise InputError(f"expected a mode out of {', '.join(MODES)}, got {mode!r}")
    features = []
    for stream, level, scale in zip(network.streams, levels, SCALES, strict=True):
        # corners of the crops in the padded image are their centres in the scaled one
        rows, columns = (torch.from_numpy(axis).to(level.device) for axis in grid.centres(scale))
        padded = _pad(network.normalise(level), HALF, HALF)
        features.append(MODES[mode](stream, padded, rows, columns))  # (R, K, 512)
    joined = torch.cat(features, dim=2)
    R, K, _ = joined.shape
    return network.fuse(joined.flatten(0, 1)).float().view(R, K)


def _crop_features(stream: Stream, padded: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(R, K, 512)`` features, crop by crop."""
    windows = padded.unfold(1, PATCH, 1).unfold(2, PATCH, 1)  # (C, s + 1, s + 1, P, P), a view
    by_row = []
    for row in rows.tolist():
        crops = windows[:, row, columns].transpose(0, 1)  # (K, C, P, P)
        by_row.append(stream(crops.contiguous(memory_format=torch.channels_last)))
    return torch.stack(by_row)


def _exact_features(stream: Stream, padded: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The same values with shared convolutions. A blur sees the crop's border, so there nothing can be shared."""
    if stream.blurs:
        return _crop_features(stream, padded, rows, columns)
    out = torch.empty(len(rows), len(columns), stream.fc.out_features, device=padded.device)
    image = padded[None].contiguous(memory_format=torch.channels_last)

    def descend(x: Tensor, rows: Tensor, columns: Tensor, at_r: Tensor, at_k: Tensor, depth: int) -> None:
        """``x`` holds what every crop needs; ``rows``, ``columns`` are the corners in it of the crops ``at_r``, ``at_k``."""
        for row_phase in (0, 1):
            for column_phase in (0, 1):
                keep_r, keep_k = rows % 2 == row_phase, columns % 2 == column_phase
                if not (keep_r.any() and keep_k.any()):
                    continue
                pooled = F.relu(F.max_pool2d(x[..., row_phase:, column_phase:], 2))
                r, k = rows[keep_r] // 2, columns[keep_k] // 2
                if depth == 2:
                    out[at_r[keep_r, None], at_k[keep_k]] = _windows_to_fc(stream, pooled, r, k).to(out.dtype)
                    continue
                conv, side = ((stream.conv2, 18), (stream.conv3, 8))[depth]
                r0, k0 = int(r.min()), int(k.min())
                needed = pooled[..., r0 : int(r.max()) + side, k0 : int(k.max()) + side]
                descend(conv(needed), r - r0, k - k0, at_r[keep_r], at_k[keep_k], depth + 1)

    r0, k0 = int(rows.min()), int(columns.min())
    needed = image[..., r0 : int(rows.max()) + PATCH, k0 : int(columns.max()) + PATCH]
    everywhere = (
        torch.arange(len(rows), device=padded.device),
        torch.arange(len(columns), device=padded.device),
    )
    descend(stream.conv1(needed), rows - r0, columns - k0, *everywhere, 0)
    return out


def _windows_to_fc(stream: Stream, pooled: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(R, K, 512)`` from the 3x3 windows of ``(1, 288, h, w)`` whose corners are given."""
    three = torch.arange(3, device=rows.device)
    windows = pooled[0][:, (rows[:, None] + three)[:, :, None, None], (columns[:, None] + three)[None, None]]
    windows = windows.permute(1, 3, 0, 2, 4)  # (R, K, 288, 3, 3)
    R, K = windows.shape[:2]
    return F.relu(stream.fc(windows.reshape(R * K, -1))).view(R, K, -1)


def _fast_features(stream: Stream, padded: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Features at every eighth position, interpolated bilinearly; exact where the grid's step is a multiple of 8."""
    r0, k0 = int(rows.min()), int(columns.min())
    x = _pad(padded, 0, _STRIDE)[None, :, r0:, k0:]  # the extra border lets the last position be interpolated too
    x = stream.preprocess(x.contiguous(memory_format=torch.channels_last))
    for conv in (stream.conv1, stream.conv2, stream.conv3):
        x = F.relu(F.max_pool2d(conv(x), 2))
    x = F.relu(F.conv2d(x, stream.fc.weight.view(-1, x.shape[1], 3, 3), stream.fc.bias))  # (1, 512, h, w)
    _, _, h, w = x.shape
    y_at = (rows - r0) / _STRIDE / max(1, h - 1) * 2 - 1
    x_at = (columns - k0) / _STRIDE / max(1, w - 1) * 2 - 1
    where = torch.stack(torch.meshgrid(y_at, x_at, indexing="ij")[::-1], dim=-1)[None]  # (1, R, K, 2) as (x, y)
    sampled = F.grid_sample(x.float(), where.float(), align_corners=True, padding_mode="border")
    return sampled[0].permute(1, 2, 0)  # (R, K, 512)


def _pad(image: Tensor, before: int, after: int) -> Tensor:
    return F.pad(image[None], (before, after, before, after), mode="replicate")[0]


MODES: dict[str, Callable[[Stream, Tensor, Tensor, Tensor], Tensor]] = {
    "exact": _exact_features,
    "fast": _fast_features,
    "crops": _crop_features,
}
