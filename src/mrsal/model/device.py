"""Which device and which number format to compute with."""

from typing import Literal, get_args

import torch

from mrsal.errors import InputError
from mrsal.model.options import Device, Precision

DEVICES: tuple[str, ...] = get_args(Device)
PRECISIONS: tuple[str, ...] = get_args(Precision)


def resolve_device(device: str) -> str:
    """``"auto"`` becomes ``"cuda"`` where there is a GPU and ``"cpu"`` elsewhere; an absent GPU is an error."""
    if device not in DEVICES:
        raise InputError(f"expected a device out of {', '.join(DEVICES)}, got {device!r}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device is available; use --device cpu, or auto")
    return device


def resolve_precision(precision: str, device: str) -> Literal["32-true", "bf16-mixed"]:
    """Fabric's name for a precision: ``"32-true"`` or ``"bf16-mixed"``; ``"auto"`` is bf16 where it is native."""
    if precision not in PRECISIONS:
        raise InputError(f"expected a precision out of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        precision = "bf16" if has_bf16(resolve_device(device)) else "fp32"
    return "bf16-mixed" if precision == "bf16" else "32-true"


def has_bf16(device: str) -> bool:
    """Whether the device multiplies bf16 in hardware; without that it is far slower than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
