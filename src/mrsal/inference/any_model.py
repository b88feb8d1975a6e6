"""Open anything that gives saliency maps: a network, an exported network, stored maps, a baseline or a Python function."""

import importlib
import sys
from pathlib import Path
from typing import Any

from mrsal.errors import InputError
from mrsal.inference.saliency_model import FunctionModel, SaliencyModel
from mrsal.inference.simple_models import BASELINES

RUNTIMES = ("auto", "torch", "onnx")


def open_model(
    name: str,
    *,
    improvements: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
    runtime: str = "auto",
    resize: bool = False,
) -> SaliencyModel:
    """Open whatever gives saliency maps.

    Parameters
    ----------
    name : str
        The name of a baseline (:data:`BASELINES`); a folder or HDF5 file of maps; ``package.module:function``, which runs that
        code; an exported network (``.onnx``); or a network, as :func:`mrsal.load_model` takes it.
    improvements : int, optional
        The variant that the network has to be.
    device, precision
        As for :func:`mrsal.load_model`.
    mode : str, optional
        How a network is applied to an image. None: the model's own choice.
    runtime : str
        ``"onnx"`` runs an exported network without torch, ``"torch"`` a checkpoint; ``"auto"`` goes by the suffix ``.onnx``.
    resize : bool
        Bring stored maps to the size of the image.

    Raises
    ------
    InputError, FileError, DataError
        If there is no such model, or an option does not apply to it.
    """
    if runtime not in RUNTIMES:
        raise InputError(f"expected a runtime out of {', '.join(RUNTIMES)}, got {runtime!r}")
    path = Path(name)
    if runtime == "onnx" or (runtime == "auto" and path.suffix.lower() == ".onnx"):
        from mrsal.inference.onnx_predictor import OnnxPredictor

        return OnnxPredictor(path, device=device, precision=precision, mode=mode)
    if name in BASELINES:
        return FunctionModel(BASELINES[name], name=name)
    # imported here, since an exported network runs without torch
    from mrsal.datasets import SUFFIXES
    from mrsal.inference.calibration import shipped_calibration
    from mrsal.inference.predictor import predictor_of
    from mrsal.inference.stored_maps import open_maps
    from mrsal.model import SCHEME, WEIGHTS_FILE, check_improvements, load_network

    is_maps = path.is_dir() and not (path / WEIGHTS_FILE).is_file()
    if is_maps or path.suffix.lower() in SUFFIXES:
        return open_maps(path, resize=resize)
    if ":" in name and not name.startswith(SCHEME) and not path.exists():
        return load_function(name)
    network, _ = load_network(name)
    check_improvements(network, improvements, name)
    calibration = shipped_calibration(name)
    return predictor_of(network, device=device, precision=precision, mode=mode, calibration=calibration)


def load_function(name: str) -> FunctionModel:
    """Take any Python function as a model: ``"package.module:function"``.

    It is called with an ``(H, W, 3)`` uint8 RGB picture and is to return an ``(H, W)`` array or tensor, higher where people
    look more. Modules in the current folder are found too.

    Raises
    ------
    InputError
        If there is no such function, or (when it is called) it returns something else.

    Warnings
    --------
    This imports and runs the code that ``name`` points at, with all your rights: name only code that you trust.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise InputError(f"expected package.module:function, got {name!r}")
    here = str(Path.cwd())
    sys.path.insert(0, here)  # as python -m does it
    try:
        function: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(f"cannot import {module_name!r}: {error}; start where it lies, or install it") from error
    finally:
        sys.path.remove(here)
    for part in attribute.split("."):
        if not hasattr(function, part):
            raise InputError(f"{module_name} has no {attribute!r}; check the name behind the colon")
        function = getattr(function, part)
    if not callable(function) or isinstance(function, type):
        raise InputError(f"{name} is a {type(function).__name__}; expected a function, or an object that can be called")

    return FunctionModel(function, name=name)
