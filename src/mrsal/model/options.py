"""The options that all commands with a network share. This file imports no torch, so that the command line starts quickly."""

from dataclasses import dataclass
from typing import Annotated, Literal

from mrsal.options import Option, check

Mode = Literal["exact", "fast", "crops"]
Precision = Literal["auto", "fp32", "bf16"]
Device = Literal["auto", "cpu", "cuda"]

IMPROVED = "ImprovedNetwork"  # what the header of a file calls the architecture of the improved network
DEFAULT_MODEL = "mrsal"  # what every command uses where no model is named


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """The device and the number format for computing."""

    precision: Annotated[Precision, Option("auto: bf16 if the hardware supports it, otherwise fp32.")] = "auto"
    device: Annotated[Device, Option("auto: a GPU if there is one, otherwise the CPU.")] = "auto"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class MapOptions(DeviceOptions):
    """The way in which whole images are predicted."""

    mode: Annotated[
        Mode | None,
        Option(
            "For Mr-CNN only; fast is several times faster and nearly exact. Default: exact, or fast for exported networks."
        ),
    ] = None
