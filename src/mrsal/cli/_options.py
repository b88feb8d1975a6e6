"""What all commands share: the console and the options that mean the same everywhere."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mrsal.errors import InputError

console = Console(highlight=False)
log = logging.getLogger("mrsal")

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("-", "_"),
}


class Mode(StrEnum):
    """How whole images are predicted."""

    exact = "exact"
    fast = "fast"
    crops = "crops"


class Precision(StrEnum):
    """Number format of the network."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Device(StrEnum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Engine(StrEnum):
    """What does the work."""

    local = "local"
    ray = "ray"


DataDir = Annotated[Path, typer.Option("--data_dir", help="Folder with the *.pth.tar files or a native archive.")]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 where the hardware has it.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: a GPU where there is one.")]
EngineOption = Annotated[
    Engine, typer.Option(help="local: this process; ray: many, on this machine or on a cluster (mrsal[ray]).")
]
AddressOption = Annotated[
    str | None, typer.Option(help="Of a Ray cluster, host:6379, or auto on one of its machines; none: this machine.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes for --engine ray. Default: one per GPU, or else per CPU core.")
]


def only_with_ray(engine: Engine, **options: object) -> None:
    """Refuse options that would do nothing."""
    given = [f"--{name}" for name, value in options.items() if value]
    if engine is not Engine.ray and given:
        raise InputError(f"{', '.join(given)} would do nothing without --engine ray")
