"""Write a network to a file for others: an ONNX file that gives whole maps without PyTorch, or a safetensors file of weights.

The ONNX file is the ``fast`` mode of :class:`mrsal.Predictor` without the scaling of the image. Its inputs are the image at
the three scales of the method, ``image_400``, ``image_250`` and ``image_150``, each ``(B, s, s, 3)`` uint8 RGB, and
``size``, the height and width of the maps in pixels, ``(2,)`` int64. Its output is ``map``, ``(B, height, width)`` float32
in [0, 1].

The caller scales the image, because no ONNX operator scales as Pillow does, with which networks are trained: the antialiased
``Resize`` of ONNX differs by up to 5 of 255 levels. The map is enlarged by an ordinary ``Resize``, which equals that of
PyTorch.

This is the file of Mr-CNN; that of the improved network is described in ``onnx_improved.py``.

Letters: B images, s the side of a scaled image, R x K rows and columns of the grid.
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
from mrsal.inference import onnx_improved
from mrsal.inference.onnx_predictor import FORMAT_VERSION, HEADER, MODE, PRIORS, OnnxPredictor, import_onnxruntime
from mrsal.inference.predictor import predictor_of
from mrsal.model import (
    SCALES,
    Grid,
    ImprovedNetwork,
    MrCNN,
    Network,
    grid_logits,
    header_of,
    load_network,
    save_checkpoint,
    to_unit,
)

SUFFIXES = (".onnx", ".safetensors")
TOLERANCE = 1e-4
OPSET = 18

_DOCUMENTATION = (
    "image_400, image_250, image_150: (batch, side, side, 3) uint8 RGB, the image scaled to these sides, bicubic and "
    "antialiased, as by Pillow. size: (2,) int64, height and width of the maps. "
    "map: (batch, height, width) float32 in [0, 1]."
)
_PROBES = ((61, 84), (300, 200))  # height and width in pixels of the images on which a file is verified


class ScaledImageNetwork(nn.Module):
    """The network with all that follows it: from scaled images to maps in the size of the original images.

    Parameters
    ----------
    network : MrCNN
        The network, in evaluation mode.
    """

    def __init__(self, network: MrCNN) -> None:
        super().__init__()
        self.network = network
        self.grid = Grid.cells((SCALES[0], SCALES[0]))  # its relative centres are the same for every shape

    def forward(self, image_400: Tensor, image_250: Tensor, image_150: Tensor, size: Tensor) -> Tensor:
        levels = [to_unit(image).permute(0, 3, 1, 2) for image in (image_400, image_250, image_150)]
        traceable = unwrap(grid_logits)  # inference mode cannot be exported
        probabilities = torch.sigmoid(traceable(self.network, levels, self.grid, mode=MODE))  # (B, R, K)
        height, width = size.tolist()
        full = F.interpolate(probabilities[:, None], (height, width), mode="bicubic", align_corners=False)[:, 0]
        # bicubic interpolation overshoots; Predictor clips to the same limits
        low, high = (limit(probabilities, dim=(1, 2), keepdim=True) for limit in (torch.amin, torch.amax))
        return torch.minimum(torch.maximum(full, low), high)


def export_model(name_or_path: str | Path, out: Path) -> float:
    """Write a network as an ONNX or a safetensors file.

    Parameters
    ----------
    name_or_path : str or Path
        The network, as for :func:`mrsal.load_model`.
    out : Path
        The file to write; its suffix, ``.onnx`` or ``.safetensors``, decides the format.

    Returns
    -------
    float
        The largest difference between the maps of the file and those of the network when the file was verified; 0 for
        safetensors, which hold the weights themselves.

    Raises
    ------
    InputError
        If the suffix is neither of the two, or ``mrsal[onnx]`` is not installed.
    FileError, DataError
        If the network cannot be read, or the file cannot be written.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"expected a file name that ends in {' or '.join(SUFFIXES)}, got {out.name!r}")
    network, about = load_network(name_or_path)
    if suffix == ".onnx":
        return export_onnx(network, out)
    save_checkpoint(network, out, about=about)
    return 0.0


def export_onnx(network: Network, out: Path) -> float:
    """Write a network as ONNX and verify it in onnxruntime; returns the largest difference of the maps.

    The graph is a :class:`ScaledImageNetwork`, or for the improved network a
    :class:`mrsal.inference.onnx_improved.ScaledLevelsNetwork`. The metadata of the file contain architecture and configuration
    of the network as JSON, under the key ``mrsal``.
    """
    onnx = _import_onnx()
    import_onnxruntime()
    if isinstance(network, ImprovedNetwork):
        arguments, documentation = onnx_improved.export_arguments(network), onnx_improved.DOCUMENTATION
    else:
        arguments, documentation = _export_arguments(network), _DOCUMENTATION
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            **arguments,
            dynamo=True,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # with dynamo=True there always is one
    model = program.model_proto
    del model.graph.value_info[:]  # shapes between the nodes, which runtimes infer themselves
    for output in model.graph.output:  # a map, or a number for each image
        for dimension, name in zip(output.type.tensor_type.shape.dim[1:], ("height", "width"), strict=False):
            dimension.dim_param = name
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]  # the places in our code, with the paths of this machine
    header = {"version": FORMAT_VERSION, **header_of(network)}
    if isinstance(network, ImprovedNetwork):
        header[PRIORS] = network.prior_of_sides()
    onnx.helper.set_model_props(model, {HEADER: json.dumps(header)})
    model.doc_string = documentation
    with atomic_path(out) as temporary:
        onnx.save(model, temporary)
        difference = _verify(network, temporary)
        if not difference <= TOLERANCE:  # true for NaN, too
            raise DataError(
                f"{out} was not written: its maps in onnxruntime differ from the network's by {difference:.1g}, more than "
                f"{TOLERANCE:.0e}; please report this, with the versions that mrsal doctor prints"
            )
    return difference


def _export_arguments(network: MrCNN) -> dict[str, Any]:
    """What ``torch.onnx.export`` needs to write Mr-CNN, as named arguments."""
    scaled = [torch.zeros(2, scale, scale, 3, dtype=torch.uint8) for scale in SCALES]
    batch = {0: torch.export.Dim("batch")}
    return {
        "model": ScaledImageNetwork(network).eval(),
        "args": (*scaled, torch.tensor([60, 84])),
        "input_names": [*(f"image_{scale}" for scale in SCALES), "size"],
        "output_names": ["map"],
        "dynamic_shapes": (batch, batch, batch, None),
    }


def _verify(network: Network, path: Path) -> float:
    """The largest difference between both maps on images of noise, which show every error, in several sizes."""
    mode = None if isinstance(network, ImprovedNetwork) else MODE
    in_torch = predictor_of(network, device="cpu", precision="fp32", mode=mode)
    in_onnxruntime = OnnxPredictor(path, device="cpu", threads=torch.get_num_threads())
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in _PROBES]
    return max(float(np.abs(in_torch(image) - in_onnxruntime(image)).max()) for image in images)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings about its own deprecations and its log of packages that are not installed."""
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
    optional("onnxscript", extra="onnx", purpose="exports to ONNX")  # torch uses it to write ONNX
    return optional("onnx", extra="onnx", purpose="exports to ONNX")
