"""What all commands share: the console and the options that mean the same everywhere."""

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

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


def print_error(error: Exception) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False).print(f"error: {error}", style="red", markup=False, soft_wrap=True)


DataDir = Annotated[Path, typer.Option("--data_dir", help="Folder with the *.pth.tar files or a native archive.")]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 where the hardware has it.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: a GPU where there is one.")]
