"""The improved network as a graph that ONNX can hold: from scaled images to maps and log-densities.

Its inputs are the image at each resolution R of the network, ``image_R``, ``(B, h, w, 3)`` float32 RGB in [0, 1], as
:func:`mrsal.inference.levels.scaled_levels` scales it, and ``size``, the height and width of the maps in pixels, ``(2,)``
int64. Its outputs are ``map``, ``(B, height, width)`` float32, the density divided by its maximum; ``log_density``, of
the same shape; and ``log_sum``, ``(B,)`` float32, by which the scores of the network are higher than the log-density.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mrsal.inference.levels import level_shape
from mrsal.model import ImprovedNetwork, normalised

DOCUMENTATION = (
    "image_R: (batch, h, w, 3) float32 RGB in [0, 1], the image scaled so that its longer side has R pixels and the other as "
    "many as keep the aspect ratio, rounded to a multiple of 32, bicubic and antialiased. size: (2,) int64, height and width "
    "of the maps. log_density: (batch, height, width) float32, whose exponentials sum to 1. map: these over their maximum. "
    "log_sum: (batch,) float32; log_density + log_sum can be compared between images of one size, such as parts of a page."
)
_LARGEST = 300  # sides of a scaled image, in multiples of 32
_AXES = ((1, "rows"), (2, "columns"))  # of a scaled image, whose lengths are free
_EXAMPLE = (60, 84)  # height and width of the maps with which the graph is traced


class ScaledLevelsNetwork(nn.Module):
    """The improved network with its scaled images and the size of the maps as inputs.

    Parameters
    ----------
    network : ImprovedNetwork
        The network, in evaluation mode.
    """

    def __init__(self, network: ImprovedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, levels: list[Tensor], size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        height, width = size.tolist()
        scores = self.network.scores([level.permute(0, 3, 1, 2) for level in levels], (height, width))
        log_density = normalised(scores)
        map_ = torch.exp(log_density - log_density.amax(dim=(1, 2), keepdim=True))
        return map_, log_density, scores[:, 0, 0] - log_density[:, 0, 0]


def export_arguments(network: ImprovedNetwork) -> dict[str, Any]:
    """What ``torch.onnx.export`` needs to write the network, as named arguments."""
    resolutions = network.config.resolutions
    # sides of at least 64 pixels, since what has length 1 when the graph is traced would be taken to have it always
    shapes = [level_shape(3, 4, max(longer, 128)) for longer in resolutions]
    levels = [torch.zeros(2, *shape, 3) for shape in shapes]
    batch = torch.export.Dim("batch")
    free = [
        {0: batch, **{axis: 32 * torch.export.Dim(f"{name}_{longer}", min=1, max=_LARGEST) for axis, name in _AXES}}
        for longer in resolutions
    ]
    return {
        "model": ScaledLevelsNetwork(network).eval(),
        "args": (levels, torch.tensor(_EXAMPLE)),
        "input_names": [*(f"image_{longer}" for longer in resolutions), "size"],
        "output_names": ["map", "log_density", "log_sum"],
        "dynamic_shapes": (free, None),
    }
