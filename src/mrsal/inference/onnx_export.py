"""A network in a file that others can run: ONNX, with everything from an image's pixels to its map; or safetensors.

A :class:`WholeImage` is the ``fast`` mode of :class:`mrsal.Predictor` as one graph: it takes pictures of any size as
decoders give them, ``image``, ``(B, H, W, 3)`` uint8, and gives their maps, ``map``, ``(B, H, W)`` float32 in [0, 1]. So
a program in any language needs this file and an ONNX runtime, and nobody has to write the scaling anew.

Scaling is what makes that hard. ONNX's own antialiased ``Resize`` differs from Pillow's, with which networks are trained,
by up to 5 of 255 levels, and even one level at one pixel in a thousand moves a map by 2e-4. So the graph scales as Pillow does,
to the last bit: weights of 22 binary digits, columns first, rounded to whole levels in between. As a product with a matrix,
in float64, these are plain operations that every runtime has. The time grows with the pixels: it is little up to 1
megapixel, and more than the network's own from 4.

Letters: B images, C channels, H x W pixels, s side of a scaled image, R x K rows and columns of the grid.
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mrsal._extras import optional
from mrsal.errors import DataError, InputError
from mrsal.files import atomic_path
from mrsal.inference.onnx_predictor import FORMAT_VERSION, HEADER, MODE, OnnxPredictor, import_onnxruntime
from mrsal.inference.predictor import Predictor
from mrsal.model import SCALES, Grid, ImprovedNetwork, MrCNN, grid_logits, load_network, save_checkpoint

SUFFIXES = (".onnx", ".safetensors")
TOLERANCE = 1e-4
OPSET = 18

_PILLOW, _TORCH = -0.5, -0.75  # the parameter of the cubic: of Pillow's scaling, and of torch's that enlarges maps
_DIGITS = 22  # binary, of Pillow's weights
_PROBES = ((61, 84), (300, 200))  # height and width of the pictures on which a file is verified


class WholeImage(nn.Module):
    """The network with all that stands before and after it: ``(B, H, W, 3)`` uint8 to ``(B, H, W)`` float32 in [0, 1].

    Parameters
    ----------
    network : MrCNN
        In evaluation mode.
    """

    def __init__(self, network: MrCNN) -> None:
        super().__init__()
        self.network = network
        self.grid = Grid.cells((SCALES[0], SCALES[0]))  # the same relative centres for every shape

    def forward(self, image: Tensor) -> Tensor:
        _, H, W, _ = image.shape
        levels = [level.float() / 255 for level in scale_as_pillow(image.permute(0, 3, 1, 2))]
        trace = unwrap(grid_logits)  # what runs in inference mode cannot be exported
        logits = trace(self.network, levels, self.grid, mode=MODE)  # (B, R, K)
        return _enlarge(torch.sigmoid(logits), H, W)


def scale_as_pillow(pixels: Tensor) -> list[Tensor]:
    """``(B, C, H, W)`` uint8 to ``(B, C, s, s)`` float64 for each scale s: whole numbers, the very levels that Pillow gives."""
    _, _, H, W = pixels.shape
    columns = _to_levels(pixels.double() @ _weights(W).T).split(SCALES, dim=3)  # each (B, C, H, s)
    rows = _weights(H).split(SCALES)  # each (s, H)
    return [_to_levels(down @ across) for down, across in zip(rows, columns, strict=True)]


def _to_levels(values: Tensor) -> Tensor:
    return (values + 0.5).floor().clamp(0, 255)


def _weights(side: int) -> Tensor:
    """``(sum of s, side)``: how much each pixel adds to each one of the scaled images; antialiased where those are smaller."""
    size = torch.cat([torch.full((s, 1), s) for s in SCALES])
    to = torch.cat([2 * torch.arange(s)[:, None] + 1 for s in SCALES])  # twice the centres
    of = 2 * torch.arange(side) + 1
    distance = (to * side - of * size).double() / (2 * size.clamp(min=side))  # whole numbers as long as can be
    weights = _cubic(distance, _PILLOW)
    weights = weights / weights.sum(dim=1, keepdim=True)
    return (weights * 2**_DIGITS + 0.5).floor() / 2**_DIGITS


def _enlarge(probabilities: Tensor, height: int, width: int) -> Tensor:
    """``(B, R, K)`` to ``(B, H, W)``, bicubic, within the values of the grid; as :class:`mrsal.Predictor` does it."""
    padded = F.pad(probabilities[:, None], (2, 2, 2, 2), mode="replicate")[:, 0]  # the cubic reaches two cells beyond
    _, R, K = padded.shape
    full = _taps(height, R) @ padded @ _taps(width, K).T
    low, high = (bound(probabilities, dim=(1, 2), keepdim=True) for bound in (torch.amin, torch.amax))
    return torch.minimum(torch.maximum(full, low), high)


def _taps(side: int, padded: int) -> Tensor:
    """``(side, padded)``: how much each cell, of which two at either end repeat the border, adds to each pixel."""
    cells = padded - 4
    centres = (2 * torch.arange(side)[:, None] + 1) * cells / (2 * side) - 0.5
    return _cubic(centres - torch.arange(-2, cells + 2), _TORCH)


def _cubic(distance: Tensor, a: float) -> Tensor:
    """Keys' kernel, "Cubic convolution interpolation for digital image processing", 1981."""
    t = distance.abs()
    near, far = ((a + 2) * t - (a + 3)) * t * t + 1, (((t - 5) * t + 8) * t - 4) * a
    return torch.where(t < 1, near, torch.where(t < 2, far, 0.0))


def export_model(name_or_path: str | Path, out: Path) -> float:
    """Write a network as ``out``.

    Parameters
    ----------
    name_or_path : str or Path
        As for :func:`mrsal.load_model`.
    out : Path
        ONNX or safetensors: what its suffix says, ``.onnx`` or ``.safetensors``.

    Returns
    -------
    float
        The largest difference to the network that was found when the file was verified; 0 for safetensors, which hold the same.

    Raises
    ------
    InputError
        If the suffix is another or ``mrsal[onnx]`` not installed.
    FileError, DataError
        If the network cannot be read, or the file not be written.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"expected a name that ends in {' or '.join(SUFFIXES)}, got {out.name!r}")
    network, about = load_network(name_or_path)
    if suffix == ".onnx" and isinstance(network, ImprovedNetwork):
        raise InputError(f"{name_or_path} is the improved network, which cannot be exported to ONNX yet; export mrcnn")
    if suffix == ".onnx":
        return export_onnx(network, out)
    save_checkpoint(network, out, about=about)
    return 0.0


def export_onnx(network: MrCNN, out: Path) -> float:
    """Write a :class:`WholeImage` as ONNX; returns the largest difference found when it was verified in onnxruntime.

    The metadata of the file hold the configuration under the key ``mrsal``, as JSON.
    """
    onnx = _import_onnx()
    import_onnxruntime()
    whole = WholeImage(network).eval()
    names = {0: "batch", 1: "height", 2: "width"}
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            whole,
            (torch.zeros(2, 60, 84, 3, dtype=torch.uint8),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["map"],
            dynamic_shapes={"image": {axis: torch.export.Dim(name) for axis, name in names.items()}},
            verbose=False,
        )
    assert program is not None  # the exporter of torch.export always gives one
    model = program.model_proto
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, model.graph):
        del part.metadata_props[:]  # where in our code it came from, with the paths of this machine
    header = {"version": FORMAT_VERSION, "config": network.config.to_dict()}
    onnx.helper.set_model_props(model, {HEADER: json.dumps(header)})
    model.doc_string = "image: (batch, height, width, 3) uint8 RGB. map: (batch, height, width) float32 in [0, 1]."
    with atomic_path(out) as temporary:
        onnx.save(model, temporary)
        difference = _verify(network, temporary)
        if not difference <= TOLERANCE:  # NaN, too
            raise DataError(
                f"{out} was not written: in onnxruntime its maps differ by {difference:.1g} from the network's, more than "
                f"{TOLERANCE:.0e}; please report it with the versions that mrsal doctor prints"
            )
    return difference


def _verify(network: MrCNN, path: Path) -> float:
    """The largest difference between both on pictures of several sizes, of noise, where each error shows."""
    ours = Predictor(network, device="cpu", precision="fp32", mode=MODE)
    theirs = OnnxPredictor(path, device="cpu", threads=torch.get_num_threads())
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in _PROBES]
    return max(float(np.abs(ours(picture) - theirs(picture)).max()) for picture in pictures)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of its own deprecations, and logs which packages it does without."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(before)


def _import_onnx() -> Any:
    optional("onnxscript", extra="onnx", purpose="exports to ONNX")  # torch writes ONNX with it
    return optional("onnx", extra="onnx", purpose="exports to ONNX")
