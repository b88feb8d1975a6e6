"""From an image to a saliency map: load a model once, then call ``predict``.

An image flows in; a :class:`SaliencyMap` of its size flows out. Section 3.3 of the paper.
"""

import json
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from mrsal.calibration import ShareCalibration
from mrsal.checkpoint import load_checkpoint
from mrsal.dense import MODES, grid_logits
from mrsal.errors import FileError, InputError
from mrsal.grid import Grid
from mrsal.hub import SCHEME, load_pretrained, push_to_hub, save_pretrained
from mrsal.images import to_image
from mrsal.model import MrCNN, channels_last
from mrsal.patches import Pyramid, is_unit
from mrsal.precision import resolve_device, resolve_precision
from mrsal.saliency_map import SaliencyMap

WEIGHTS = Path(__file__).parent / "weights"
BUNDLED = {"mrcnn-osie": "mrcnn-osie.safetensors"}
DEFAULT_MODEL = "mrcnn-osie"


class Predictor:
    """A network ready to predict whole images.

    Parameters
    ----------
    network : MrCNN
        ``(B, 3 scales, 3 channels, 42, 42)`` float32 crops in [0, 1] to ``(B,)`` logits.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the hardware has it.
    mode : str
        What :meth:`predict` uses where it is not told.
    calibration : ShareCalibration, optional
        Of this very network, for the intervals of areas; networks that ship with mrsal have one. None: not calibrated.
    """

    def __init__(
        self,
        network: MrCNN,
        *,
        device: str = "auto",
        precision: str = "auto",
        mode: str = "exact",
        calibration: ShareCalibration | None = None,
    ) -> None:
        if mode not in MODES:
            raise InputError(f"expected a mode out of {', '.join(MODES)}, got {mode!r}")
        self.device = torch.device(resolve_device(device))
        self.bf16 = resolve_precision(precision, device) == "bf16-mixed"
        self.network = channels_last(network.to(self.device)).eval()
        self.mode = mode
        self.calibration = calibration

    @classmethod
    def from_pretrained(
        cls, repo_or_folder: str | Path, *, revision: str | None = None, token: str | None = None, **options: Any
    ) -> "Predictor":
        """Load from a folder or the Hugging Face Hub, see :func:`mrsal.hub.load_pretrained`; ``options`` as for the class."""
        network, _ = load_pretrained(repo_or_folder, revision=revision, token=token)
        return cls(network, **options)

    def save_pretrained(self, folder: str | Path, **card: Any) -> Path:
        """Write weights, configuration and a model card as a folder; ``card`` as for :func:`mrsal.hub.save_pretrained`."""
        return save_pretrained(self.network, folder, **card)

    def push_to_hub(self, repo: str, **options: Any) -> str:
        """Upload to the Hugging Face Hub, private unless told otherwise; ``options`` as for :func:`mrsal.hub.push_to_hub`."""
        return push_to_hub(self.network, repo, **options)

    def __call__(self, image: object) -> NDArray[np.float32]:
        """``predict(image).values``: the call that :func:`mrsal.evaluate` makes of any model."""
        return self.predict(image).values

    def predict(self, image: object, *, mode: str | None = None) -> SaliencyMap:
        """Predict where people look.

        Parameters
        ----------
        image : path, PIL image or array
            ``(H, W, 3)`` or ``(H, W)``, uint8, or float in [0, 1]; of any size.
        mode : str, optional
            ``"exact"``; ``"fast"``, several times faster and nearly the same; ``"crops"``, the slow reference. None: what the
            predictor was made with, ``"exact"`` unless said otherwise.

        Returns
        -------
        SaliencyMap
        """
        pixels, pyramid = _read(image)
        return SaliencyMap(self._maps([pyramid], [Grid.cells(pyramid.shape)], mode)[0], pixels)

    def predict_many(
        self, images: Iterable[object], *, mode: str | None = None, batch_size: int | None = None
    ) -> Iterator[SaliencyMap]:
        """Predict many images, of any sizes, in their order; the next ones are read while the network runs.

        Parameters
        ----------
        images : iterable
            Of what :meth:`predict` takes.
        mode : str, optional
            As for :meth:`predict`.
        batch_size : int, optional
            Images that go through the network together. None: 1 on a CPU, where more is no faster, and 16 on a GPU.

        Yields
        ------
        SaliencyMap

        Raises
        ------
        FileError, DataError, InputError
            When an image that cannot be read has its turn.
        """
        size = batch_size or (1 if self.device.type == "cpu" else 16)
        if size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        read = _read_ahead(images, ahead=2 * size)
        while batch := list(islice(read, size)):
            pyramids = [pyramid for _, pyramid in batch]
            grids = [Grid.cells(pyramid.shape) for pyramid in pyramids]  # the same relative centres for every shape
            for (pixels, _), values in zip(batch, self._maps(pyramids, grids, mode), strict=True):
                yield SaliencyMap(values, pixels)

    def values(self, pyramid: Pyramid, grid: Grid, *, mode: str | None = None) -> NDArray[np.float32]:
        """The map of an image that is already scaled, on a grid of one's own: ``(H, W)`` float32 in [0, 1]."""
        self._check_range(pyramid)
        return self._maps([pyramid], [grid], mode)[0]

    def _maps(self, pyramids: list[Pyramid], grids: list[Grid], mode: str | None) -> list[NDArray[np.float32]]:
        """The maps of images whose grids have the same centres in the scaled images."""
        levels = [torch.stack(level) for level in zip(*(p.tensors(self.device) for p in pyramids), strict=True)]
        if pyramids[0].standardised:  # back to [0, 1], so that the streams see the values as the archive holds them
            levels = [level * self.network.std + self.network.mean for level in levels]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = grid_logits(self.network, levels, grids[0], mode=mode or self.mode)  # (B, R, K)
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
                stacklevel=3,
            )


def _read(image: object) -> tuple[NDArray[np.uint8], Pyramid]:
    pixels = to_image(image)
    return pixels, Pyramid.from_image(pixels)


def _read_ahead(images: Iterable[object], *, ahead: int) -> Iterator[tuple[NDArray[np.uint8], Pyramid]]:
    """Read and scale images in threads, in order, never more than ``ahead`` of them at a time."""
    waiting: deque[Future[tuple[NDArray[np.uint8], Pyramid]]] = deque()
    with ThreadPoolExecutor(max_workers=min(ahead, os.cpu_count() or 1)) as pool:
        try:
            for image in images:
                waiting.append(pool.submit(_read, image))
                if len(waiting) == ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def checkpoint_path(name_or_path: str | Path | None = None) -> Path:
    """The file behind a name out of :data:`BUNDLED`; any other path stays as it is, and None is the default network."""
    name = DEFAULT_MODEL if name_or_path is None else str(name_or_path)
    return WEIGHTS / BUNDLED[name] if name in BUNDLED else Path(name)


def shipped_calibration(name_or_path: str | Path | None = None) -> ShareCalibration | None:
    """How far the shares of a network that ships with mrsal are from measured ones: ``calibration`` in its manifest.

    ``name_or_path`` as for :func:`load_model`. None where nothing was fitted, and for all networks that do not ship with mrsal.
    """
    name = DEFAULT_MODEL if name_or_path is None else str(name_or_path)
    if name not in BUNDLED:
        return None
    fitted = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8")).get("calibration")
    return ShareCalibration(fitted["slope"], fitted["concentration"]) if fitted else None


def load_network(name_or_path: str | Path | None = None) -> tuple[MrCNN, dict[str, Any]]:
    """A network and what was kept with its weights; ``name_or_path`` as for :func:`load_model`."""
    if name_or_path is not None and (str(name_or_path).startswith(SCHEME) or Path(name_or_path).is_dir()):
        return load_pretrained(name_or_path)
    path = checkpoint_path(name_or_path)
    if not path.is_file():
        raise FileError(
            f"no checkpoint at {path}; give the path of a .pth or .safetensors file, or the name of a network that ships with "
            f"mrsal: {', '.join(BUNDLED)}"
        )
    return load_checkpoint(path)


def load_model(
    name_or_path: str | Path | None = None,
    *,
    device: str = "auto",
    precision: str = "auto",
    mode: str = "exact",
) -> Predictor:
    """Load a model for prediction.

    Parameters
    ----------
    name_or_path : str or Path, optional
        A name out of :data:`BUNDLED`; a ``.pth`` or ``.safetensors`` checkpoint, of ours or in the historical layout; a folder
        that ``save_pretrained`` wrote; or ``hf://owner/name`` on the Hugging Face Hub. None: the base network that ships with
        mrsal, trained on OSIE.
    device, precision, mode
        As for :class:`Predictor`.

    Returns
    -------
    Predictor

    Raises
    ------
    FileError, DataError
        If the file is missing or does not hold the network.
    """
    network, _ = load_network(name_or_path)
    calibration = shipped_calibration(name_or_path)
    return Predictor(network, device=device, precision=precision, mode=mode, calibration=calibration)
