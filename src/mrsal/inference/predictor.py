"""From an image to a saliency map: load a model once, then call ``predict``.

An image flows in; a :class:`SaliencyMap` of its size flows out. Section 3.3 of the paper.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
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
    Grid,
    ImprovedNetwork,
    MrCNN,
    Network,
    Pyramid,
    channels_last,
    grid_logits,
    is_unit,
    load_network,
    load_pretrained,
)


class Predictor(NetworkModel):
    """Mr-CNN, the network of the paper, ready to predict whole images.

    Parameters
    ----------
    network : MrCNN
        ``(B, 3 scales, 3 channels, 42, 42)`` float32 crops in [0, 1] to ``(B,)`` logits.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the hardware has it.
    mode : str, optional
        What :meth:`predict` uses unless it is told otherwise. None: ``"exact"``.
    calibration : ShareCalibration, optional
        How the shares of this very network differ from measured ones, for the intervals of areas; networks that ship with
        mrsal have one. None: it was not measured.
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
        mode = mode or "exact"
        if mode not in MODES:
            raise InputError(f"expected a mode out of {', '.join(MODES)}, got {mode!r}")
        super().__init__(channels_last(network), device=device, precision=precision, calibration=calibration)
        self.mode = mode

    @staticmethod
    def from_pretrained(
        repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None, **options: Any
    ) -> NetworkModel:
        """Load either network from a folder or the Hugging Face Hub, see :func:`mrsal.model.load_pretrained`.

        ``options`` as for the class. The result is a :class:`Predictor` or a :class:`DensityPredictor`, by what is there.
        """
        network, _ = load_pretrained(repo_or_folder, revision=revision, token=token)
        return predictor_of(network, **options)

    def with_mode(self, mode: str | None) -> Self:
        """This predictor in another mode; they share the network."""
        if mode in (None, self.mode):
            return self
        if mode not in MODES:
            raise InputError(f"expected a mode out of {', '.join(MODES)}, got {mode!r}")
        other = copy(self)
        other.mode = str(mode)
        return other

    def predict(self, image: object, *, name: str = "", mode: str | None = None) -> SaliencyMap:
        """Predict where people look.

        Parameters
        ----------
        image : path, PIL image or array
            ``(H, W, 3)`` or ``(H, W)``, uint8, or float in [0, 1]; of any size.
        name : str
            The name of the image, for error messages.
        mode : str, optional
            ``"exact"``; ``"fast"``, several times faster and nearly the same; ``"crops"``, the slow reference. None: the mode
            of the predictor, which is ``"exact"`` by default.

        Returns
        -------
        SaliencyMap
        """
        return super(Predictor, self.with_mode(mode)).predict(image, name=name)

    def predict_many(
        self, images: Iterable[object], *, batch_size: int | None = None, mode: str | None = None
    ) -> Iterator[SaliencyMap]:
        """Predict many images, of any sizes, in their order; the next ones are read while the network runs.

        Parameters
        ----------
        images : iterable
            Images as :meth:`predict` takes them.
        batch_size : int, optional
            Images that go through the network together. None: 1 on a CPU, where more is no faster, and 16 on a GPU.
        mode : str, optional
            As for :meth:`predict`.

        Yields
        ------
        SaliencyMap

        Raises
        ------
        FileError, DataError, InputError
            When it is the turn of an image that cannot be read.
        """
        yield from super(Predictor, self.with_mode(mode)).predict_many(images, batch_size=batch_size)

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        """Read and scale an image; an image of an archive has its scaled copies already."""
        prepared = super().prepare(image, name=name)
        if isinstance(image, ArchiveImage):
            self._check_range(image.pyramid)
            return replace(prepared, network_input=(image.pyramid, image.grid))
        pyramid = Pyramid.from_image(prepared.pixels)
        # these grids have the same relative centres for every shape, so images of any shapes can share a batch
        return replace(prepared, network_input=(pyramid, Grid.cells(prepared.shape)))

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        pyramids, grids = zip(*(image.network_input for image in images), strict=True)
        return [image.map(values) for image, values in zip(images, self._maps(pyramids, grids), strict=True)]

    def grid_map(self, pyramid: Pyramid, grid: Grid) -> NDArray[np.float32]:
        """The map of an image that is already scaled, on a grid of one's own: ``(H, W)`` float32 in [0, 1]."""
        return self._maps([pyramid], [grid])[0]

    def _maps(self, pyramids: Sequence[Pyramid], grids: Sequence[Grid]) -> list[NDArray[np.float32]]:
        """The maps of images whose grids have the same centres in the scaled images."""
        levels = [torch.stack(level) for level in zip(*(p.tensors(self.device) for p in pyramids), strict=True)]
        if pyramids[0].standardised:  # back to [0, 1], so that the streams see the values as the archive holds them
            levels = [level * self.network.std + self.network.mean for level in levels]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = grid_logits(self.network, levels, grids[0], mode=self.mode)  # (B, R, K)
        maps = []
        for probabilities, grid in zip(torch.sigmoid(logits), grids, strict=True):
            full = F.interpolate(probabilities[None, None], grid.shape, mode="bicubic", align_corners=grid.corners)
            low, high = probabilities.aminmax()  # bicubic overshoots; a zero would be a density that allows no fixation
            maps.append(full[0, 0].clamp_(low, high).cpu().numpy())
        return maps

    def _check_range(self, pyramid: Pyramid) -> None:
        trained, is_archive = self.network.config.trained_range, pyramid.levels[0].dtype != np.uint8
        if trained and is_archive and is_unit(*trained) == pyramid.standardised:
            kind, other = (
                ("standardised values", "[0, 1]") if pyramid.standardised else ("[0, 1]", "standardised values")
            )
            warnings.warn(
                f"the archive holds {kind} but the checkpoint was trained on {other}; "
                "evaluate on an archive made as its training data were",
                stacklevel=4,
            )


def load_model(
    name_or_path: str | Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
) -> NetworkModel:
    """Load a model for prediction.

    Parameters
    ----------
    name_or_path : str or Path, optional
        A name out of :data:`BUNDLED`; a ``.pth`` or ``.safetensors`` checkpoint, of ours or in the historical layout; a folder
        that ``save_pretrained`` wrote; or ``hf://owner/name`` on the Hugging Face Hub. None: the default network,
        :data:`mrsal.model.DEFAULT_MODEL`.
    device, precision, mode
        As for :class:`Predictor`.

    Returns
    -------
    Predictor or DensityPredictor
        For Mr-CNN or the improved network.

    Raises
    ------
    FileError, DataError
        If the file is missing or does not hold the network.
    """
    network, _ = load_network(name_or_path)
    calibration = shipped_calibration(name_or_path)
    return predictor_of(network, device=device, precision=precision, mode=mode, calibration=calibration)


def predictor_of(network: Network, **options: Any) -> NetworkModel:
    """What predicts with this network: a :class:`Predictor` or a :class:`DensityPredictor`; ``options`` as for both."""
    if isinstance(network, ImprovedNetwork):
        return DensityPredictor(network, **options)
    return Predictor(network, **options)
