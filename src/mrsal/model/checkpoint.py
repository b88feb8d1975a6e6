"""Checkpoints: ``*.pth`` and ``*.safetensors`` of mrsal, and historical ``*.pth``. Reading them never runs code from a file.

A ``*.pth`` is a plain state dict in the historical layout, so that older scripts can read it, and mrsal reads theirs. The
configuration is in the metadata of the state dict, which ``load_state_dict`` ignores.
"""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mrsal.errors import DataError, FileError, InputError, first_line
from mrsal.files import atomic_path, decoding
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
_REMEDY = "save or download it again"
_HEADER = "mrsal"
_NAMES = {MrCNN: "Mr-CNN", ImprovedNetwork: "the improved network"}


def save_checkpoint(
    network: Network, path: str | Path, *, about: dict[str, Any] | None = None, half: bool = False
) -> Path:
    """Write the weights and the configuration of a network to a file.

    Parameters
    ----------
    network : MrCNN or ImprovedNetwork
    path : str or Path
        The file, which ends in ``.pth`` or ``.safetensors``.
    about : dict, optional
        Plain values to save with the weights, such as the epoch and scores.
    half : bool
        Whether to store the weights of a ``.safetensors`` file in half precision, which halves its size. They are read as
        float32.

    Returns
    -------
    Path
        The path of the complete file.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(
        {"version": FORMAT_VERSION, **header_of(network), "about": about or {}}, default=float
    )  # numbers of NumPy become plain ones, which load_checkpoint accepts
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        if path.suffix == ".safetensors":
            from safetensors import SafetensorError
            from safetensors.torch import save_file

            # copies, since safetensors refuses tensors that share memory, as shared streams do
            copies = {name: value.half() if half else value.clone() for name, value in weights.items()}
            try:
                save_file(copies, temporary, {_HEADER: text})
            except SafetensorError as error:
                raise _cannot_write(path, error) from error
        else:
            state = network.state_dict()
            state.update(weights)
            state._metadata = {"": {_HEADER: json.loads(text)}}  # type: ignore[attr-defined]
            save_safely(state, temporary)
    return path


def load_checkpoint(path: str | Path) -> tuple[Network, dict[str, Any]]:
    """Read a checkpoint of mrsal or one in the historical layout.

    Parameters
    ----------
    path : str or Path
        A ``.pth`` or ``.safetensors`` file. Names of parameters may begin with ``module.``. Without a configuration, the
        variant follows from these names.

    Returns
    -------
    network : MrCNN or ImprovedNetwork
        The network on the CPU, in evaluation mode; its type is in the header of the file, and without a header it is Mr-CNN.
    about : dict
        The values that were saved with the weights; empty for a historical file.

    Raises
    ------
    FileError
        If the file does not exist.
    DataError
        If the file is damaged, holds anything but tensors and plain values, or does not fit the network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"there is no checkpoint at {path}; give the path of a .pth or .safetensors file")
    weights, header = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    network = _network(path, header, weights)
    _check_fit(path, network, weights)
    network.load_state_dict(weights)
    return network.eval(), header.get("about", {})


def check_improvements(network: Network, improvements: int | None, path: str | Path) -> None:
    """Refuse a value of ``--improvements`` that contradicts the checkpoint, since the user expects another network.

    Raises
    ------
    InputError
        If it does.
    """
    stored = improvements_of(network)
    if improvements is not None and improvements != stored:
        raise InputError(
            f"{path} holds {title_of(network)}, which is --improvements {stored}, "
            f"got --improvements {improvements}; correct the option, or leave it out"
        )


def save_safely(value: Any, path: Path) -> None:
    """Like ``torch.save``, but raises a :class:`FileError` if the disk is full."""
    try:
        torch.save(value, path)
    except RuntimeError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: Exception) -> FileError:
    return FileError(f"cannot write {path} ({first_line(error)}); check whether the disk is full")


def load_safely(path: str | Path, *, mmap: bool = False) -> Any:
    """Like ``torch.load`` on the CPU, but builds only tensors and plain containers, and never runs code from the file.

    Raises
    ------
    FileError
        If the file cannot be opened.
    DataError
        If it is damaged, or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        # only the name is taken from torch's message, since the rest says how to load the file in spite of this
        name = re.search(r"GLOBAL (\S+)", str(error))
        raise DataError(
            f"{path} was not loaded{f', since it contains {name[1]}' if name else ''}: expected a torch file with nothing but "
            "tensors and plain values, since anything else could run code"
        ) from error
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise FileError(f"cannot open {path}: {error.strerror}") from error
    except Exception as error:  # a damaged file can raise any of a dozen types
        raise DataError(f"cannot read {path}; it is damaged or not a torch file ({first_line(error)})") from error


def _read_pth(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    state = load_safely(path)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DataError(
            f"{path} is not a state dict: expected names of parameters with tensors, got {type(state).__name__}"
        )
    metadata = getattr(state, "_metadata", {})
    ours = metadata.get("", {}) if isinstance(metadata, dict) else {}
    return dict(state), ours.get(_HEADER, {}) if isinstance(ours, dict) else {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    with decoding(path, "a safetensors file", remedy=_REMEDY), safe_open(path, framework="pt") as file:
        header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
        return {name: file.get_tensor(name).float() for name in file.keys()}, header  # noqa: SIM118


def _network(path: Path, header: dict[str, Any], weights: dict[str, Tensor]) -> Network:
    with decoding(path, "the configuration of a network in its header", remedy=_REMEDY):
        newer = header.get("version", FORMAT_VERSION) > FORMAT_VERSION
        architecture = architecture_of(header)
        if not newer and architecture == IMPROVED:
            return ImprovedNetwork(stored_improved_config(header, weights))
        if not newer and architecture in ARCHITECTURES:
            return MrCNN(_stored_config(header, weights) if header else _historical_config(weights))
    if not newer:
        raise DataError(
            f"{path} holds a network of the architecture {architecture!r}, and this mrsal knows {', '.join(ARCHITECTURES)}; "
            "upgrade with: pip install -U mrsal"
        )
    raise DataError(f"{path} was written by a newer mrsal; upgrade with: pip install -U mrsal")


def _stored_config(header: dict[str, Any], weights: dict[str, Tensor]) -> ModelConfig:
    """The configuration in a header, checked before a network takes memory for widths that the tensors do not have."""
    config = ModelConfig.from_dict(header["config"])
    for name, width in _widths(weights).items():
        if getattr(config, name) != width:
            raise ValueError(f"it has {name}={getattr(config, name)}, but the tensors have {width}")
    return config


def _historical_config(weights: dict[str, Tensor]) -> ModelConfig:
    """The configuration of a file without a header, from the names and shapes of its parameters."""
    variant = "base"
    if "stream1.blur.root_sigma" in weights:
        variant = "blur"
    elif "stream1.blur1.sqrt_sigma" in weights:
        variant = "historical-blur"
    return ModelConfig(variant=variant, trained_range=None, **_widths(weights))


def _widths(weights: dict[str, Tensor]) -> dict[str, Any]:
    """The widths that the tensors have, as fields of the configuration; empty if a bias is missing or unusable."""
    biases = [weights.get(f"{layer}.bias") for layer in ("stream1.conv1", "stream1.conv2", "stream1.conv3", "fc")]
    if not all(bias is not None and _is_plain(bias) and bias.dim() == 1 and len(bias) for bias in biases):
        return {}
    *channels, hidden = (len(bias) for bias in biases if bias is not None)
    return {"channels": tuple(channels), "hidden": hidden}


def _check_fit(path: Path, network: Network, got: dict[str, Tensor]) -> None:
    """Refuse weights whose names, shapes, types or values do not fit the network."""
    expected = network.state_dict()
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
    complaints += [f"not dense floating-point numbers: {', '.join(odd[:4])}"] if odd else []
    if complaints:
        raise DataError(f"{path} does not hold the weights of {_NAMES[type(network)]}: {'; '.join(complaints)}")
    broken = [name for name, value in got.items() if not torch.isfinite(value).all()]
    if broken:
        raise DataError(f"{path} holds values that are not finite in {', '.join(broken[:4])}")


def _is_plain(value: Tensor) -> bool:
    return value.is_floating_point() and has_all_values(value)


def has_all_values(value: Tensor) -> bool:
    """Whether a tensor from a file is dense and has a number in the file for each value.

    One number can stand for any shape if its strides are 0, and such a tensor takes terabytes when it is copied.
    """
    if value.layout != torch.strided or value.is_meta:
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()
