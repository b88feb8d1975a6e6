"""Predict with onnxruntime instead of torch: the file that ``mrsal export`` wrote flows in, an image's map flows out.

Imports NumPy, PIL and, when a predictor is made, onnxruntime; never torch. Needs ``pip install 'mrsal[onnx]'``, and for a GPU
onnxruntime-gpu in the place of onnxruntime.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError, first_line
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage, SaliencyModel

FORMAT_VERSION = 1
HEADER = "mrsal"
MODE = "fast"

_PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}


class OnnxPredictor(SaliencyModel):
    """A network ready to predict whole images, as :class:`mrsal.Predictor` does in its ``fast`` mode, without torch.

    Parameters
    ----------
    path : str or Path
        An ``.onnx`` file of ``mrsal export``.
    device : str
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if the installed onnxruntime can use one.
    precision : str
        ``"auto"`` or ``"fp32"``: that of the file.
    mode : str, optional
        None or ``"fast"``.
    threads : int
        Of the CPU; 0: as many as there are cores.

    Attributes
    ----------
    mode : str
        ``"fast"``.
    config : dict
        What the network is: variant, mean, std and so on, as :meth:`mrsal.model.network.ModelConfig.to_dict` gives it.

    Raises
    ------
    InputError
        If onnxruntime is missing, or the device, or for another precision or mode.
    FileError, DataError
        If the file is missing, damaged, or no saliency network.
    """

    mode = MODE
    modes = (MODE,)

    def __init__(
        self,
        path: str | Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        mode: str | None = None,
        threads: int = 0,
    ) -> None:
        _check_mode(mode)
        onnxruntime = import_onnxruntime()
        path = Path(path)
        if precision not in ("auto", "fp32"):
            raise InputError(f"an exported network computes in fp32, got {precision!r}; leave it out, or use torch")
        if not path.is_file():
            raise FileError(f"no file at {path}; give an .onnx file, which this writes: mrsal export MODEL FILE.onnx")
        providers = _providers(onnxruntime, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # what goes wrong is raised
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=providers)
        except Exception as error:  # onnxruntime's own kinds have no common base
            reason = first_line(error)
            raise DataError(f"{path} is damaged or no ONNX file that onnxruntime runs ({reason})") from error
        self.config = _config(path, self._session.get_modelmeta().custom_metadata_map)

    def with_mode(self, mode: str | None) -> Self:
        _check_mode(mode)
        return self

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        prepared = super().prepare(image, name=name)
        _ = prepared.pixels  # read here, which may be a thread
        return prepared

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        return [image.map(self._session.run(["map"], {"image": image.pixels[None]})[0][0]) for image in images]

    def about(self) -> Mapping[str, str]:
        return {"mode": f"{self.mode}, exported"}


def import_onnxruntime() -> Any:
    """The package, or an error that says how to get it."""
    return optional("onnxruntime", extra="onnx", purpose="exported networks")


def _check_mode(mode: str | None) -> None:
    if mode not in (None, MODE):
        raise InputError(
            f"an exported network predicts in the mode fast only, got {mode!r}; leave it out, or use torch"
        )


def _providers(onnxruntime: Any, device: str) -> list[str]:
    if device not in ("auto", *_PROVIDERS):
        raise InputError(f"expected a device out of auto, {', '.join(_PROVIDERS)}, got {device!r}")
    there = _PROVIDERS["cuda"][0] in onnxruntime.get_available_providers()
    if device == "cuda" and not there:
        raise InputError("this onnxruntime cannot use a GPU; install onnxruntime-gpu in its place, or use --device cpu")
    return _PROVIDERS["cuda" if there and device != "cpu" else "cpu"]


def _config(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata[HEADER])
        version, config = int(header["version"]), dict(header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} was not written by mrsal export; its metadata say nothing of a network") from error
    if version > FORMAT_VERSION:
        raise DataError(f"{path} was written by a newer mrsal; upgrade with: pip install -U mrsal")
    return config
