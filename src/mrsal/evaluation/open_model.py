"""Open anything that can be scored: a network, an exported network, stored maps, a baseline or a function."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mrsal.datasets import SUFFIXES, Example
from mrsal.errors import InputError
from mrsal.evaluation.baselines import BASELINES
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.baselines.observers import InterObserver
from mrsal.evaluation.baselines.simple import uniform
from mrsal.evaluation.evaluator import Model
from mrsal.evaluation.stored_maps import open_maps
from mrsal.inference import OnnxPredictor, Predictor
from mrsal.model import SCHEME, WEIGHTS_FILE, check_improvements, load_network


def load_callable(name: str) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
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

    def model(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        result = function(image)
        result = result.detach().cpu().double().numpy() if isinstance(result, torch.Tensor) else np.asarray(result)
        if result.dtype.kind not in "biuf" or result.shape != image.shape[:2]:
            raise InputError(f"{name}: expected numbers of shape {image.shape[:2]}, got {result.dtype} {result.shape}")
        if not np.isfinite(result).all():
            raise InputError(f"{name}: its map holds values that are NaN or infinite")
        return result.astype(np.float64)

    return model


FLOOR, CEILING = "uniform", "observers"


def limits_of(examples: list[Example]) -> dict[str, Callable[[], Model]]:
    """Floor and ceiling, as far as the data allow; fitted when they are asked for."""
    limits: dict[str, Callable[[], Model]] = {FLOOR: lambda: uniform}
    located = [example for example in examples if example.fixations is not None]
    if len(located) > 1:
        limits["centre bias"] = lambda: CentreBias(located)
    if len(located) == len(examples) > 1 and all(len(np.unique(e.fixations.subject)) > 1 for e in located):  # type: ignore[union-attr]
        limits[CEILING] = lambda: InterObserver(located)
    return limits


def open_model(
    name: str,
    *,
    improvements: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    mode: str | None = None,
    resize: bool = False,
) -> Any:
    """Open whatever can be scored: a baseline's name, a folder or HDF5 file of maps, ``package.module:function`` (which runs
    that code), an exported network, or a network by its name or checkpoint. ``mode`` None is exact, fast for exported ones."""
    path = Path(name)
    if name in BASELINES:
        return BASELINES[name]
    if path.suffix.lower() == ".onnx":
        return OnnxPredictor(path, device=device, precision=precision, mode=mode)
    is_maps = path.is_dir() and not (path / WEIGHTS_FILE).is_file()
    if is_maps or path.suffix.lower() in SUFFIXES:
        return open_maps(path, resize=resize)
    if ":" in name and not name.startswith(SCHEME) and not path.exists():
        return load_callable(name)
    network, _ = load_network(name)
    check_improvements(network, improvements, name)
    return Predictor(network, device=device, precision=precision, mode=mode or "exact")
