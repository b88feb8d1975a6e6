"""What all commands share: the console, how loud it is, and how a dataclass of options becomes a command.

``--quiet`` and ``--json`` work wherever a command takes them: what a command and its jobs print and log goes through
:data:`console`, which they silence or send to standard error.
"""

import inspect
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

from mrsal.options import Setting, from_flags, settings_of

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


_COMPLETE = {"networks": networks, "baselines": baselines, "protocols": protocols, "data_sets": data_sets}

_QUIET = inspect.Parameter(
    "quiet",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--quiet", help="Say only what went wrong.", callback=_be_quiet)],
)
_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option(
            "--json", help="Print the result as JSON, and all else on standard error.", callback=_leave_stdout
        ),
    ],
)


def command(options: type[Any], *, quiet: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a dataclass of options (see :mod:`mrsal.options`) and a function that is called with one of them.

    Name and help of the command are those of the function. If it takes ``json``, the command has ``--json``.

    Parameters
    ----------
    options : type
        The dataclass.
    quiet : bool
        Whether the command has ``--quiet``.
    """
    settings = {setting.flag: setting for setting in settings_of(options)}

    def make(run: Callable[..., None]) -> Callable[..., None]:
        has_json = "json" in inspect.signature(run).parameters

        def made(**typed: Any) -> None:
            values = {flag: _from_typer(setting, typed[flag]) for flag, setting in settings.items()}
            run(from_flags(options, values), **({"json": typed["json"]} if has_json else {}))

        parameters = [_parameter(setting) for setting in settings.values()]
        parameters += [_QUIET] * quiet + [_JSON] * has_json
        made.__name__, made.__doc__, made.__annotations__ = run.__name__, run.__doc__, {}
        made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return made

    return make


def _parameter(setting: Setting) -> inspect.Parameter:
    """A setting as typer takes it."""
    option, flag, default = setting.option, setting.flag, setting.default
    value: Any = setting.type
    about: dict[str, Any] = {"help": option.help}
    names = [f"--{flag}/--no_{flag}" if default is True else f"--{flag}"]
    if option.switch:
        value, default = int, int(default)
        about |= {"help": f"{option.help} The name alone means 1.", "metavar": _ZERO_OR_ONE, "parser": _zero_or_one}
    if setting.type in (int, float):
        about |= {"min": option.minimum, "max": option.maximum}
    if option.complete:
        about["autocompletion"] = one_of(*(_COMPLETE[source] for source in option.complete))
    if setting.is_sequence:
        # typer knows no lists of Literals
        value = list[StrEnum(flag, {choice: choice for choice in setting.choices}) if setting.choices else value]  # type: ignore[misc]
        default = default if setting.is_required else list(default) or None
    if setting.is_optional or default is None:
        value = value | None
    return inspect.Parameter(
        flag,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if setting.is_required else default,
        annotation=Annotated[value, typer.Argument(**about) if option.argument else typer.Option(*names, **about)],
    )


def _from_typer(setting: Setting, value: Any) -> Any:
    """What typer made of the words, in the type of the field."""
    if setting.is_sequence:
        return tuple(str(single) if setting.choices else single for single in value or ())
    return bool(value) if setting.option.switch else value


_ZERO_OR_ONE = "[0|1]"  # what help shows behind a switch, and what tells a switch from other options


def _zero_or_one(text: str) -> int:
    if str(text) not in ("0", "1"):
        raise typer.BadParameter(f"expected 0 or 1, got {text!r}")
    return int(text)


class Command(TyperCommand):
    """A command that may have switches, which are on with ``--name``, ``--name 1`` or ``--name=1``, and off with 0.

    Typer has no option whose value can be left out. A command that takes arguments should have no switch: the argument behind
    a bare switch would be read as its value.
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
