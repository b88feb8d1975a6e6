"""Open anything that gives saliency maps: a network, an exported network, stored maps, a baseline or a Python function."""

import importlib
import sys
from pathlib import Path
from typing import Any

from mrsal.errors import InputError
from mrsal.inference.adjustment import Adjustment, with_adjustment
from mrsal.inference.saliency_model import FunctionModel, SaliencyModel
from mrsal.inference.simple_models import BASELINES

RUNTIMES = ("auto", "torch", "onnx")


def open_model(
    name: str | Path,
    *,
    improvements: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
    runtime: str = "auto",
    resize: bool = False,
    adjustment: Adjustment | str | Path | None = None,
) -> SaliencyModel:
    """Open a model by its name or path.

    Parameters
    ----------
    name : str
        The name of a baseline (:data:`BASELINES`); a folder or HDF5 file of maps; a Python function as
        ``package.module:function``, whose code is run; an exported network (``.onnx``); or any network that
        :func:`mrsal.load_model` can load.
    improvements : int, optional
        The variant that a network has to be. It is ignored for exported networks and for models that are not networks.
    device, precision
        As for :func:`mrsal.load_model`. They are ignored for models that are not networks.
    mode : str, optional
        How a network is applied to an image. None: the default of the network. It is ignored for baselines, stored maps and
        functions, so that a command can pass the mode on whatever the model is.
    runtime : str
        ``"onnx"`` runs an exported network without torch, and ``"torch"`` runs a checkpoint. ``"auto"`` chooses by the
        suffix ``.onnx``.
    resize : bool
        Whether to resize stored maps to the size of the image.
    adjustment : Adjustment, str or Path, optional
        Numbers that turn the maps of this very model into densities of a data set, or the file of them that
        ``mrsal evaluate --adjust`` wrote. The result is an :class:`mrsal.inference.Adjusted`.

    Raises
    ------
    InputError, FileError, DataError
        If there is no such model, a network cannot be run with these options, or the adjustment is not for such a model.
    """
    name = str(name)
    model = _opened(name, improvements, device, precision, mode, runtime, resize)
    return model if adjustment is None else with_adjustment(model, adjustment, name=name)


def _opened(
    name: str, improvements: int | None, device: str, precision: str, mode: str | None, runtime: str, resize: bool
) -> SaliencyModel:
    """The model itself."""
    if runtime not in RUNTIMES:
        raise InputError(f"expected one of the runtimes {', '.join(RUNTIMES)}, got {runtime!r}")
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
    from mrsal.model import SCHEME, WEIGHTS_FILE, check_improvements, load_network, shipped_name

    # a name that ships comes before a folder of that name, such as a checkout of mrsal
    is_maps = shipped_name(name) is None and path.is_dir() and not (path / WEIGHTS_FILE).is_file()
    if is_maps or path.suffix.lower() in SUFFIXES:
        return open_maps(path, resize=resize)
    if ":" in name and not name.startswith(SCHEME) and not path.exists():
        return load_function(name)
    network, _ = load_network(name)
    check_improvements(network, improvements, name)
    calibration = shipped_calibration(name)
    return predictor_of(network, device=device, precision=precision, mode=mode, calibration=calibration)


def load_function(name: str) -> FunctionModel:
    """Import a Python function and use it as a model: ``"package.module:function"``.

    The function is called with an ``(H, W, 3)`` uint8 RGB image and must return an ``(H, W)`` array or tensor with higher
    values where people look more. Modules in the current folder are found, too.

    Raises
    ------
    InputError
        If there is no such function, or, when it is called, it returns something else.

    Warnings
    --------
    This imports and runs the code of the module with all your rights, so use only code that you trust.
    """
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute):
        raise InputError(f"expected package.module:function, got {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as python -m does; it stays there, since the function may import when it is called
    try:
        function: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(f"cannot import {module_name!r}: {error}; start in its folder, or install it") from error
    for part in attribute.split("."):
        if not hasattr(function, part):
            raise InputError(f"{module_name} has no {attribute!r}; check the name after the colon")
        function = getattr(function, part)
    if not callable(function) or isinstance(function, type):
        raise InputError(
            f"expected a function, or an object that can be called, got a {type(function).__name__}: {name}"
        )

    return FunctionModel(function, name=name)
