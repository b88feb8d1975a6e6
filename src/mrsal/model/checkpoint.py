"""Weights on disk: our ``*.pth`` and ``*.safetensors``, and the historical ``*.pth``; read safely, written whole.

A ``*.pth`` is a plain state dict in the historical layout, so that older scripts read ours and we read theirs. The
configuration rides in the state dict's own metadata, which ``load_state_dict`` ignores.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrsal.errors import DataError, FileError, InputError, first_line
from mrsal.files import atomic_path
from mrsal.model.architecture import (
    ARCHITECTURES,
    Network,
    architecture_of,
    header_of,
    improvements_of,
    stored_improved_config,
    title_of,
)
from mrsal.model.improved import ImprovedNetwork
from mrsal.model.network import ModelConfig, MrCNN
from mrsal.model.options import IMPROVED

FORMAT_VERSION = 1
_HEADER = "mrsal"
_NAMES = {MrCNN: "Mr-CNN", ImprovedNetwork: "the improved network"}


def save_checkpoint(
    model: Network, path: str | Path, *, about: dict[str, Any] | None = None, half: bool = False
) -> Path:
    """Write weights and configuration; ``.pth`` or ``.safetensors`` by the ending.

    Parameters
    ----------
    model : MrCNN or ImprovedNetwork
    path : str or Path
    about : dict, optional
        Plain values to keep with the weights, such as epoch and metrics.
    half : bool
        Store ``.safetensors`` in half precision, for half the size; they are read back as float32.

    Returns
    -------
    Path
        Of the file, complete and synced.
    """
    path = Path(path)
    text = json.dumps(
        {"version": FORMAT_VERSION, **header_of(model), "about": about or {}}, default=float
    )  # NumPy's numbers become plain ones, which load_checkpoint does not refuse
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(path) as temporary:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import save_file

            try:  # streams that share weights would be refused as aliases
                save_file({k: v.half() if half else v.clone() for k, v in weights.items()}, temporary, {_HEADER: text})
            except SafetensorError as error:
                raise FileError(f"cannot write {path}: {first_line(error)}; is the disk full?") from error
        else:
            state = model.state_dict()
            state.update(weights)
            state._metadata = {"": {_HEADER: json.loads(text)}}  # type: ignore[attr-defined]
            save_safely(state, temporary)
    return path


def load_checkpoint(path: str | Path) -> tuple[Network, dict[str, Any]]:
    """Read a checkpoint of ours or one in the historical layout, on the CPU, in evaluation mode.

    Parameters
    ----------
    path : str or Path
        ``.pth`` (a ``module.`` prefix is accepted; the variant is told by the parameter names) or ``.safetensors``.

    Returns
    -------
    model : MrCNN or ImprovedNetwork
        Which of them the file's header says; a file without a header holds Mr-CNN.
    about : dict
        What was kept with the weights; empty for a historical file.

    Raises
    ------
    FileError
        If there is no such file.
    DataError
        If it is damaged, holds anything but tensors and plain values, or does not fit the network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"no checkpoint at {path}; give the path of a .pth or .safetensors file")
    weights, header = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    model = _network(path, header, weights)
    _check_fit(path, model, weights)
    model.load_state_dict(weights)
    return model.eval(), header.get("about", {})


def check_improvements(model: Network, improvements: int | None, path: str | Path) -> None:
    """Refuse a ``--improvements`` that contradicts the checkpoint, since it would score another network."""
    found = improvements_of(model)
    if improvements is not None and improvements != found:
        raise InputError(
            f"{path} holds {title_of(model)}, which is --improvements {found}, "
            f"but --improvements {improvements} was given; correct it, or leave the flag out"
        )


def save_safely(value: Any, path: Path) -> None:
    """``torch.save`` that says :class:`FileError` on a full disk."""
    try:
        torch.save(value, path)
    except RuntimeError as error:
        raise FileError(f"cannot write {path}: {first_line(error)}; is the disk full?") from error


def load_safely(path: str | Path, *, mmap: bool = False) -> Any:
    """``torch.load`` that only ever builds tensors and plain containers; never runs code from the file."""
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))  # the rest of torch's message says how to load it all the same
        raise DataError(
            f"{path} was refused: it holds more than tensors and plain values, so loading it could run code, "
            f"or it is no torch file{f' (found {named[1]})' if named else ''}"
        ) from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileError(f"cannot open {path}: {error.strerror}") from error
    except Exception as error:  # a damaged file can end in any of a dozen kinds, some without a message
        reason = first_line(error)
        raise DataError(f"{path} cannot be read; it is truncated or no torch file ({reason})") from error


def _read_pth(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    state = load_safely(path)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DataError(f"{path} is no state dict: expected parameter names and tensors, got {type(state).__name__}")
    metadata = getattr(state, "_metadata", {})
    ours = metadata.get("", {}) if isinstance(metadata, dict) else {}
    return dict(state), ours.get(_HEADER, {}) if isinstance(ours, dict) else {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            return {name: file.get_tensor(name).float() for name in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is damaged or no safetensors file: {error}") from error


def _network(path: Path, header: dict[str, Any], weights: dict[str, Tensor]) -> Network:
    try:
        newer = header.get("version", FORMAT_VERSION) > FORMAT_VERSION
        architecture = architecture_of(header)
        if not newer and architecture == IMPROVED:
            return ImprovedNetwork(stored_improved_config(header, weights))
        if not newer and architecture in ARCHITECTURES:
            return MrCNN(_stored_config(header, weights) if header else _historical_config(weights))
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:  # the last one: no memory for it
        raise DataError(f"{path} has a damaged configuration: {error}") from error
    if not newer:
        raise DataError(
            f"{path} holds a network of the architecture {architecture!r}, and this mrsal knows {', '.join(ARCHITECTURES)}; "
            "upgrade with: pip install -U mrsal"
        )
    raise DataError(f"{path} was written by a newer mrsal; upgrade with: pip install -U mrsal")


def _stored_config(header: dict[str, Any], weights: dict[str, Tensor]) -> ModelConfig:
    """The configuration in a header; checked before the network takes memory for widths that the tensors do not have."""
    config = ModelConfig.from_dict(header["config"])
    for name, width in _widths(weights).items():
        if getattr(config, name) != width:
            raise ValueError(f"it says {name}={getattr(config, name)}, but the tensors have {width}")
    return config


def _historical_config(weights: dict[str, Tensor]) -> ModelConfig:
    """A file without a header: the parameter names tell the variant, their shapes the widths, nothing the range of values."""
    ours, theirs = "stream1.blur.root_sigma" in weights, "stream1.blur1.sqrt_sigma" in weights
    variant = "blur" if ours else "historical-blur" if theirs else "base"
    return ModelConfig(variant=variant, trained_range=None, **_widths(weights))


def _widths(weights: dict[str, Tensor]) -> dict[str, Any]:
    """The widths that the tensors have, as fields of the configuration; empty where a bias is missing or odd."""
    biases = [weights.get(f"{layer}.bias") for layer in ("stream1.conv1", "stream1.conv2", "stream1.conv3", "fc")]
    if not all(bias is not None and _is_plain(bias) and bias.dim() == 1 and len(bias) for bias in biases):
        return {}
    *channels, hidden = (len(bias) for bias in biases if bias is not None)
    return {"channels": tuple(channels), "hidden": hidden}


def _check_fit(path: Path, model: Network, got: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    shapes = [
        f"{name} is {tuple(got[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in sorted(expected.keys() & got.keys())
        if got[name].shape != expected[name].shape
    ]
    odd = [name for name, value in got.items() if not _is_plain(value)]
    complaints = [f"missing {', '.join(missing[:4])}"] if missing else []
    complaints += [f"unknown {', '.join(unknown[:4])}"] if unknown else []
    complaints += shapes[:4]
    complaints += [f"no dense floating-point numbers in {', '.join(odd[:4])}"] if odd else []
    if complaints:
        raise DataError(f"{path} does not hold the weights of {_NAMES[type(model)]}: {'; '.join(complaints)}")
    broken = [name for name, value in got.items() if not torch.isfinite(value).all()]
    if broken:
        raise DataError(f"{path} holds values that are not finite in {', '.join(broken[:4])}")


def _is_plain(value: Tensor) -> bool:
    return value.is_floating_point() and value.layout == torch.strided and not value.is_meta
