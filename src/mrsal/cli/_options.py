"""What all commands share: the console, how loud it is, and the options that mean the same everywhere.

``--quiet`` and ``--json`` work wherever a command takes them: what a command and its jobs print and log goes through
:data:`console`, which they silence or send to standard error.
"""

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from typer.core import TyperCommand

from mrsal.errors import InputError

console = Console(highlight=False)
errors = Console(highlight=False, stderr=True)
log = logging.getLogger("mrsal")

_results: TextIO | None = None  # standard output, as --json found it

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("-", "_"),
}


class Terminal(logging.Handler):
    """The log on the terminal, above any progress bar; a line stays a line when the output is a file."""

    def emit(self, record: logging.LogRecord) -> None:
        is_wrong = record.levelno >= logging.WARNING
        if console.quiet and not is_wrong:
            return
        where = errors if console.quiet else console
        where.print(record.getMessage(), style="yellow" if is_wrong else None, markup=False, soft_wrap=True)


def speak_normally() -> None:
    """Before a command says otherwise; one process may run several."""
    console.quiet = console.stderr = False


def _be_quiet(quiet: bool) -> bool:
    console.quiet = console.quiet or quiet
    return quiet


def _leave_stdout(context: typer.Context, wanted: bool) -> bool:
    if wanted:
        console.stderr = True
        context.with_resource(_only_results_on_stdout())
    return wanted


@contextmanager
def _only_results_on_stdout() -> Iterator[None]:
    """What other libraries print goes to standard error, too: Ray, for one, tells of workers that died."""
    global _results
    _results = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = None


def print_json(value: Mapping[str, Any]) -> None:
    """The result of a command for a program: one object, the only thing on standard output; what is not a number is null."""
    out = _results or sys.stdout
    escaped = (out.encoding or "").lower() not in ("utf-8", "utf8")
    text = json.dumps(_plain(value), indent=1, ensure_ascii=escaped, allow_nan=False, default=str)
    out.write(text + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def one_of(*sources: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """Names that a shell offers to complete; where none fits, it offers files."""

    def fitting(incomplete: str) -> list[str]:
        return [name for names in sources for name in names() if name.startswith(incomplete)]

    return fitting


def networks() -> list[str]:
    """Names of the networks that ship with mrsal."""
    return sorted(path.stem for path in (Path(__file__).parents[1] / "weights").glob("*.safetensors"))


def baselines() -> list[str]:
    """Names of the models that need no learning."""
    from mrsal.inference import BASELINES

    return list(BASELINES)


def protocols() -> list[str]:
    """Names of the sets of conventions."""
    from mrsal.metrics import PROTOCOLS

    return list(PROTOCOLS)


def data_sets() -> list[str]:
    """Names of the data sets that can be prepared."""
    from mrsal.datasets import LOADERS

    return list(LOADERS)


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
ModeOption = Annotated[
    Mode | None,
    typer.Option(
        help="fast is several times faster and nearly exact. Default: exact, but fast for exported networks.",
        show_default=False,
    ),
]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 where the hardware has it.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: a GPU where there is one.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say only what went wrong.", callback=_be_quiet)]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON, and all else on standard error.", callback=_leave_stdout),
]
EngineOption = Annotated[
    Engine, typer.Option(help="local: this process; ray: many, on this machine or on a cluster (mrsal[ray]).")
]
AddressOption = Annotated[
    str | None, typer.Option(help="Of a Ray cluster, host:6379, or auto on one of its machines; none: this machine.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes for --engine ray. Default: one per GPU, or else per CPU core.")
]


_ZERO_OR_ONE = "[0|1]"  # what help shows behind a switch, and what tells a switch from other options


def switch(name: str, *, help: str) -> Any:
    """An option that is on with ``--name``, ``--name 1`` or ``--name=1``, and off with ``--name 0`` or ``--name=0``.

    For a parameter of type ``int`` with the default 0, of a command whose class is :class:`Command`.
    """
    return typer.Option(name, metavar=_ZERO_OR_ONE, parser=_zero_or_one, help=f"{help} The name alone means 1.")


def _zero_or_one(text: str) -> int:
    if str(text) not in ("0", "1"):
        raise typer.BadParameter(f"expected 0 or 1, got {text!r}")
    return int(text)


class Command(TyperCommand):
    """A command whose options may be made by :func:`switch`. Typer has no option whose value can be left out.

    A command that takes arguments should have no switch: the argument behind a bare switch would be read as its value.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a 1 to each switch that stands at the end or before another option."""
        normalise = ctx.token_normalize_func or str
        switches = {normalise(name) for option in self.params if option.metavar == _ZERO_OR_ONE for name in option.opts}
        completed = []
        for argument, following in zip(args, [*args, "--"][1:], strict=True):
            is_bare = normalise(argument) in switches and following.startswith("-")
            completed.append(f"{argument}=1" if is_bare else argument)
        return super().parse_args(ctx, completed)


def only_with_ray(engine: Engine, **options: object) -> None:
    """Refuse options that would do nothing."""
    given = [f"--{name}" for name, value in options.items() if value]
    if engine is not Engine.ray and given:
        raise InputError(f"{', '.join(given)} would do nothing without --engine ray")
