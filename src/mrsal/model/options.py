"""Options of all commands that run a network. Imports no torch, so that the command line starts quickly."""

from dataclasses import dataclass
from typing import Annotated, Literal

from mrsal.options import Option, check

Mode = Literal["exact", "fast", "crops"]
Precision = Literal["auto", "fp32", "bf16"]
Device = Literal["auto", "cpu", "cuda"]

IMPROVED = "ImprovedNetwork"  # what the header of a file calls the architecture of the improved network
DEFAULT_MODEL = "mrcnn"  # what every command uses where no model is named


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Where and how a network computes."""

    precision: Annotated[Precision, Option("auto: bf16 where the hardware has it.")] = "auto"
    device: Annotated[Device, Option("auto: a GPU where there is one.")] = "auto"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class MapOptions(DeviceOptions):
    """How whole images are predicted."""

    mode: Annotated[
        Mode | None,
        Option(
            "Of Mr-CNN only; fast is several times faster and nearly exact. Default: exact, but fast for exported networks."
        ),
    ] = None
