"""The improved network on whole images: an image in, the probability density of fixations out."""

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from mrsal.inference.calibration import ShareCalibration
from mrsal.inference.ignored_mode import ignore_mode
from mrsal.inference.levels import scaled_levels
from mrsal.inference.network_model import NetworkModel
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage
from mrsal.inference.windows import comparable_density
from mrsal.model import ImprovedNetwork, normalised


class DensityPredictor(NetworkModel):
    """The improved network, ready to predict whole images of any size and shape.

    A map's ``density`` is the network's own: for each pixel the probability that a fixation falls there. Its ``values`` are
    this density divided by its maximum: 1 at the most likely pixel, and 0.5 where a fixation is half as likely as there. So
    values of one image cannot be compared with those of another; densities can.

    Parameters
    ----------
    network : ImprovedNetwork
        ``(B, 3, H, W)`` in [0, 1] to ``(B, H, W)`` log-densities.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the hardware has it.
    mode : str, optional
        There is only one way to apply this network. The modes of Mr-CNN are accepted and ignored, with a warning in the log.
    calibration : ShareCalibration, optional
        How the shares of this very network differ from measured ones, for the intervals of areas. None: it was not measured.
    """

    network: ImprovedNetwork
    gives_density = True

    def __init__(
        self,
        network: ImprovedNetwork,
        *,
        device: str = "auto",
        precision: str = "auto",
        mode: str | None = None,
        calibration: ShareCalibration | None = None,
    ) -> None:
        super().__init__(network, device=device, precision=precision, calibration=calibration)
        ignore_mode(mode)

    def with_mode(self, mode: str | None) -> Self:
        """This predictor: it has no modes, but command lines that were written for Mr-CNN work."""
        ignore_mode(mode)
        return self

    def _scaled(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        """The image at the network's resolutions."""
        return scaled_levels(pixels, self.network.config.resolutions)

    def _batch_key(self, image: PreparedImage) -> object:
        """The shape of the image."""
        return image.shape

    def _predict_batch(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        scores = self._scores([image.network_input for image in images], images[0].shape)
        maps = []
        for image, log_density in zip(images, normalised(scores).cpu().numpy(), strict=True):
            values = np.exp(log_density - log_density.max())
            maps.append(image.map(values, log_density=log_density))
        return maps

    def _comparable_values(self, inputs: Sequence[Sequence[np.ndarray]], shape: tuple[int, int]) -> list[NDArray]:
        return [comparable_density(scores, self._priors) for scores in self._scores(inputs, shape).cpu().numpy()]

    @cached_property
    def _priors(self) -> tuple[list[float], list[float]]:
        return self.network.prior_of_sides()

    @torch.inference_mode()
    def _scores(self, inputs: Sequence[Sequence[np.ndarray]], shape: tuple[int, int]) -> torch.Tensor:
        """``(B, H, W)`` float32 on the device, from the levels of B images of this shape."""
        levels = [
            torch.from_numpy(np.stack(level)).to(self.device).permute(0, 3, 1, 2)  # channels last, as they are
            for level in zip(*inputs, strict=True)
        ]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return self.network.scores(levels, shape)
