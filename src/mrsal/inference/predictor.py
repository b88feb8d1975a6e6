"""Predict whole images with a network, as in section 3.3 of the paper: load a network once, then call ``predict``."""

import sys
import warnings
from collections.abc import Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mrsal.datasets import ArchiveImage
from mrsal.errors import InputError
from mrsal.inference.calibration import ShareCalibration, shipped_calibration
from mrsal.inference.density_predictor import DensityPredictor
from mrsal.inference.network_model import NetworkModel
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage
from mrsal.model import (
    MODES,
    SCALES,
    Grid,
    ImprovedNetwork,
    MrCNN,
    Network,
    Pyramid,
    grid_logits,
    is_unit,
    load_network,
    load_pretrained,
)


class Predictor(NetworkModel):
    """A model that runs Mr-CNN, the network of the paper, on whole images.

    Parameters
    ----------
    network : MrCNN
        The network, from ``(B, 3 scales, 3 channels, 42, 42)`` float32 crops in [0, 1] to ``(B,)`` logits.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"fp32"``, ``"bf16"``, or ``"auto"``, which is bf16 if the hardware supports it.
    mode : str, optional
        The default mode of :meth:`predict`. None: ``"exact"``.
    calibration : ShareCalibration, optional
        How the shares of attention of this network differ from measured shares, for the intervals of areas. Networks that
        ship with mrsal have a calibration. None: it was not measured.
    """

    network: MrCNN
    modes = tuple(MODES)
    video_mode = "fast"

    def __init__(
        self,
        network: MrCNN,
        *,
        device: str = "auto",
        precision: str = "auto",
        mode: str | None = None,
        calibration: ShareCalibration | None = None,
    ) -> None:
        if not isinstance(network, MrCNN):
            raise InputError(f"expected Mr-CNN, got {type(network).__name__}; mrsal.load_model opens both networks")
        mode = mode or "exact"
        if mode not in MODES:
            raise InputError(f"expected one of the modes {', '.join(MODES)}, got {mode!r}")
        super().__init__(network, device=device, precision=precision, calibration=calibration)
        self.mode = mode

    @staticmethod
    def from_pretrained(
        repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None, **options: Any
    ) -> NetworkModel:
        """Load a network from a folder or the Hugging Face Hub.

        The first parameters are as for :func:`mrsal.model.load_pretrained`; ``options`` are those of the class. The result is a
        :class:`Predictor` for Mr-CNN, and a :class:`DensityPredictor` for the improved network.
        """
        network, _ = load_pretrained(repo_or_folder, revision=revision, token=token)
        return predictor_of(network, **options)

    def with_mode(self, mode: str | None) -> Self:
        """This predictor in another mode, with the same network; None keeps the mode."""
        if mode in (None, self.mode):
            return self
        if mode not in MODES:
            raise InputError(f"expected one of the modes {', '.join(MODES)}, got {mode!r}")
        other = copy(self)
        other.mode = str(mode)
        return other

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        """Read and scale an image; an image of an archive is scaled already."""
        if isinstance(image, ArchiveImage):
            return PreparedImage(name, image.shape, cache(image.read), network_input=(image.pyramid, image.grid))
        return super().prepare(image, name=name)

    def _scaled(self, pixels: NDArray[np.uint8]) -> tuple[Pyramid, Grid]:
        pyramid = Pyramid.from_image(pixels)
        return pyramid, Grid.cells(pyramid.shape)

    def _batch_key(self, image: PreparedImage) -> object:
        """The kind of the values, and the centres in the scaled images.

        The centres of :meth:`Grid.cells` are the same for images of any shape; those of the historical files are not.
        """
        pyramid, grid = image.network_input
        centres = [side.tobytes() for scale in SCALES for side in grid.centres(scale)]
        return pyramid.standardised, pyramid.levels[0].dtype, tuple(centres)

    def _predict_batch(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        pyramids, grids = zip(*(image.network_input for image in images), strict=True)
        for pyramid in pyramids:
            self._check_range(pyramid)
        return [image.map(values) for image, values in zip(images, self._maps(pyramids, grids), strict=True)]

    def _comparable_values(
        self, inputs: Sequence[tuple[Pyramid, Grid]], shape: tuple[int, int]
    ) -> list[NDArray[np.float32]]:
        pyramids, grids = zip(*inputs, strict=True)
        return self._maps(pyramids, grids)

    def grid_map(self, pyramid: Pyramid, grid: Grid) -> NDArray[np.float32]:
        """The map of an image that is already scaled, computed on any grid: ``(H, W)`` float32 in [0, 1]."""
        return self._maps([pyramid], [grid])[0]

    def _maps(self, pyramids: Sequence[Pyramid], grids: Sequence[Grid]) -> list[NDArray[np.float32]]:
        """The maps of several images that have the same :meth:`_batch_key`."""
        levels = [torch.stack(level) for level in zip(*(p.tensors(self.device) for p in pyramids), strict=True)]
        if pyramids[0].standardised:  # to [0, 1]; the network then normalises them to the values of the archive again
            levels = [level * self.network.std + self.network.mean for level in levels]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = grid_logits(self.network, levels, grids[0], mode=self.mode)  # (B, R, K)
        maps = []
        for probabilities, grid in zip(torch.sigmoid(logits), grids, strict=True):
            full = F.interpolate(probabilities[None, None], grid.shape, mode="bicubic", align_corners=grid.corners)
            # bicubic interpolation overshoots, and where the density is 0 no fixation would be possible
            low, high = probabilities.aminmax()
            maps.append(full[0, 0].clamp_(low, high).cpu().numpy())
        return maps

    def _check_range(self, pyramid: Pyramid) -> None:
        """Warn about an archive whose values are of another kind than those that the network was trained on."""
        trained, is_archive = self.network.config.trained_range, pyramid.levels[0].dtype != np.uint8
        if trained and is_archive and is_unit(*trained) == pyramid.standardised:
            kind, other = (
                ("standardised values", "[0, 1]") if pyramid.standardised else ("[0, 1]", "standardised values")
            )
            warnings.warn(
                f"the archive holds {kind} but the checkpoint was trained on {other}; "
                "evaluate on an archive that was prepared like its training data",
                stacklevel=_outside_mrsal(),
            )


def _outside_mrsal() -> int:
    """The ``stacklevel`` with which the caller of this function warns about the first caller outside of mrsal."""
    package = __name__.partition(".")[0]
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    return level


def load_model(
    name_or_path: str | Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
) -> NetworkModel:
    """Load a network for prediction.

    Parameters
    ----------
    name_or_path : str or Path, optional
        The name of a network that ships with mrsal (:data:`mrsal.model.BUNDLED`); a ``.pth`` or ``.safetensors`` checkpoint of
        mrsal or in the historical layout; a folder that ``save_pretrained`` wrote; or ``hf://owner/name`` on the Hugging Face
        Hub. None: the default network, :data:`mrsal.model.DEFAULT_MODEL`.
    device, precision, mode
        Options as for :class:`Predictor`.

    Returns
    -------
    Predictor or DensityPredictor
        Mr-CNN or the improved network, ready to predict images.

    Raises
    ------
    FileError, DataError
        If the file is missing or does not contain such a network.
    """
    network, _ = load_network(name_or_path)
    calibration = shipped_calibration(name_or_path)
    return predictor_of(network, device=device, precision=precision, mode=mode, calibration=calibration)


def predictor_of(network: Network, **options: Any) -> NetworkModel:
    """What predicts with this network: a :class:`Predictor` or a :class:`DensityPredictor`; ``options`` as for both."""
    if isinstance(network, ImprovedNetwork):
        return DensityPredictor(network, **options)
    return Predictor(network, **options)
