"""Predict with onnxruntime instead of PyTorch, from a file that ``mrsal export`` wrote.

Imports NumPy, PIL and, when a predictor is made, onnxruntime, but never torch. Needs ``pip install 'mrsal[onnx]'``; for a GPU,
install onnxruntime-gpu in place of onnxruntime.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError, first_line
from mrsal.images import resize
from mrsal.inference.ignored_mode import ignore_mode
from mrsal.inference.levels import scaled_levels
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage
from mrsal.inference.windows import WindowedModel, comparable_density
from mrsal.model import IMPROVED

FORMAT_VERSION = 3  # files of version 1 scaled the image themselves; those of version 2 could not predict windows
HEADER = "mrsal"
PRIORS = "priors"  # in the header of the improved network: what its prior adds to rows and columns
MODE = "fast"

_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxPredictor(WindowedModel):
    """A network ready to predict whole images, without torch.

    Mr-CNN predicts as :class:`mrsal.Predictor` does in its ``fast`` mode, the improved network as
    :class:`mrsal.inference.DensityPredictor` does.

    Parameters
    ----------
    path : str or Path
        An ``.onnx`` file of ``mrsal export``.
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if the installed onnxruntime can use one.
    precision : str
        ``"auto"`` or ``"fp32"``, the precision of the file.
    mode : str, optional
        None or ``"fast"``, the mode of the file. The improved network has no modes and ignores them.
    threads : int
        The number of CPU threads; 0: one per core.

    Attributes
    ----------
    mode : str
        ``"fast"``; empty for the improved network.
    config : dict
        The configuration of the network, such as variant, mean and std, as from
        :meth:`mrsal.model.ModelConfig.to_dict` or :meth:`mrsal.model.ImprovedConfig.to_dict`.

    Raises
    ------
    InputError
        If onnxruntime or the device is missing, or another precision or mode is asked for.
    FileError, DataError
        If the file is missing, damaged, of another version, or not a network of mrsal.
    """

    is_network = True

    mode = MODE
    modes: tuple[str, ...] = (MODE,)

    def __init__(
        self,
        path: str | Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        mode: str | None = None,
        threads: int = 0,
    ) -> None:
        onnxruntime = import_onnxruntime()
        path = Path(path)
        if precision not in ("auto", "fp32"):
            raise InputError(
                f"an exported network computes in fp32, got {precision!r}; leave the precision out, or use torch"
            )
        if not path.is_file():
            raise FileError(f"no file at {path}; expected an .onnx file, as written by: mrsal export MODEL FILE.onnx")
        providers = _providers(onnxruntime, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors are raised, so they need not be logged
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        except Exception as error:  # the errors of onnxruntime have no common base
            reason = first_line(error)
            raise DataError(f"{path} is damaged, or not an ONNX file that onnxruntime can run: {reason}") from error
        architecture, self.config, self._priors = _header(path, self._session.get_modelmeta().custom_metadata_map)
        self._is_improved = architecture == IMPROVED
        if self._is_improved:
            self.mode, self.modes, self.gives_density = "", (), True
        self.with_mode(mode)  # refuses one that the file does not have
        self._sides: dict[str, int] = {}
        if self._is_improved:
            return
        shapes = {value.name: value.shape for value in self._session.get_inputs() if value.name != "size"}
        self._sides |= {name: int(shape[1]) for name, shape in shapes.items()}  # by the name of the scaled image

    def with_mode(self, mode: str | None) -> Self:
        if self._is_improved:
            ignore_mode(mode)
        else:
            _check_mode(mode)
        return self

    def _scaled(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray]:
        size = {"size": np.array(pixels.shape[:2])}
        if self._is_improved:
            resolutions = self.config["resolutions"]
            levels = scaled_levels(pixels, resolutions)
            return {f"image_{r}": level[None] for r, level in zip(resolutions, levels, strict=True)} | size
        return {input_: resize(pixels, side, side)[None] for input_, side in self._sides.items()} | size

    def _predict_whole(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        return [self._predict_one(image) for image in images]

    def _comparable_values(self, inputs: Sequence[dict[str, NDArray]], shape: tuple[int, int]) -> list[NDArray]:
        if not self._is_improved:
            return [self._session.run(["map"], input_)[0][0] for input_ in inputs]
        results = (self._session.run(["log_density", "log_sum"], input_) for input_ in inputs)
        return [comparable_density(log_density[0] + log_sum[0], self._priors) for log_density, log_sum in results]

    def _predict_one(self, image: PreparedImage) -> SaliencyMap:
        outputs = ["map", "log_density"] if self._is_improved else ["map"]
        values, *log_density = (output[0] for output in self._session.run(outputs, image.network_input))
        return image.map(values, log_density=log_density[0] if log_density else None)

    def about(self) -> Mapping[str, str]:
        return {"mode": f"{self.mode}, exported" if self.mode else "exported"}


def import_onnxruntime() -> Any:
    """Import the package, or raise an error that says how to install it."""
    return optional("onnxruntime", extra="onnx", purpose="exported networks")


def _check_mode(mode: str | None) -> None:
    if mode not in (None, MODE):
        raise InputError(
            f"an exported network predicts in mode fast only, got {mode!r}; leave the mode out, or use torch"
        )


def _providers(onnxruntime: Any, device: str) -> list[str]:
    if device not in ("auto", *_PROVIDERS):
        raise InputError(f"expected one of the devices auto, {', '.join(_PROVIDERS)}, got {device!r}")
    has_gpu = _PROVIDERS["cuda"][0] in onnxruntime.get_available_providers()
    if device == "cuda" and not has_gpu:
        raise InputError("this onnxruntime cannot use a GPU; install onnxruntime-gpu in its place, or use --device cpu")
    return _PROVIDERS["cuda" if has_gpu and device != "cpu" else "cpu"]


def _header(path: Path, metadata: dict[str, str]) -> tuple[str, dict[str, Any], list[list[float]]]:
    """Architecture (empty for Mr-CNN), configuration, and the prior of rows and columns (empty for Mr-CNN)."""
    try:
        header = json.loads(metadata[HEADER])
        version, architecture, config = int(header["version"]), header.get("architecture", ""), dict(header["config"])
        priors = [list(map(float, prior)) for prior in header.get(PRIORS, [])]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{path} was not written by mrsal export; its metadata do not describe a network") from error
    if version > FORMAT_VERSION:
        raise DataError(f"{path} was written by a newer mrsal; upgrade with: pip install -U mrsal")
    if version < FORMAT_VERSION:
        raise DataError(f"{path} was written by an older mrsal; write it again: mrsal export MODEL {path.name}")
    if architecture not in ("", IMPROVED):
        raise DataError(
            f"{path} holds a network of the architecture {architecture!r}; upgrade with: pip install -U mrsal"
        )
    return architecture, config, priors
