"""The choice of the device and of the number format for computing."""

from typing import Literal, get_args

import torch

from mrsal.errors import InputError
from mrsal.model.options import Device, Precision

DEVICES: tuple[str, ...] = get_args(Device)
PRECISIONS: tuple[str, ...] = get_args(Precision)


def resolve_device(device: str) -> str:
    """The device to use: ``"auto"`` is ``"cuda"`` if there is a GPU, else ``"cpu"``.

    Raises
    ------
    InputError
        If the device is not known, or there is no GPU for ``"cuda"``.
    """
    if device not in DEVICES:
        raise InputError(f"the device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is available; use --device cpu or --device auto")
    return device


def resolve_precision(precision: str, device: str) -> Literal["32-true", "bf16-mixed"]:
    """The precision as Lightning Fabric names it. ``"auto"`` is bf16 if the hardware supports it, else fp32."""
    if precision not in PRECISIONS:
        raise InputError(f"the precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        precision = "bf16" if has_bf16(resolve_device(device)) else "fp32"
    return "bf16-mixed" if precision == "bf16" else "32-true"


def has_bf16(device: str) -> bool:
    """Whether the hardware multiplies bf16 numbers; otherwise bf16 is far slower than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
