"""What all commands share: the console, ``--quiet`` and ``--json``, and how a dataclass of options becomes a command.

Commands and jobs print and log through :data:`console`, which ``--quiet`` silences and ``--json`` sends to standard error.
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
from typer.core import TyperCommand, TyperGroup

from mrsal.options import Setting, from_flags, settings_of

console = Console(highlight=False)
errors = Console(highlight=False, stderr=True)
log = logging.getLogger("mrsal")

_results: TextIO | None = None  # standard output before --json redirected it

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("-", "_"),
}


_LONGEST = 1_000  # characters of a message


def readable(message: str) -> str:
    """A message as it is printed, since it may quote what is in a file: control characters are escaped, and its middle is cut.

    >>> readable("expected x, got \\x1b[31m")
    'expected x, got \\\\x1b[31m'
    """
    text = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in message)
    first, *others = text.splitlines() or [""]
    text = "\n".join([first, *others[:5], *["..."] * (len(others) > 5)])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST * 2 // 3]} ... {text[-_LONGEST // 3 :]}"


class Terminal(logging.Handler):
    """Prints the log on the terminal, above the progress bar. A message is one line, which is not wrapped."""

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        if console.quiet and not is_warning:
            return
        where = errors if console.quiet else console
        where.print(readable(record.getMessage()), style="yellow" if is_warning else None, markup=False, soft_wrap=True)


def reset_console() -> None:
    """Undo ``--quiet`` and ``--json`` of an earlier command in the same process."""
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
    """Send what libraries print to standard error, too; Ray, for example, reports workers that died."""
    global _results
    _results = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = None


def print_json(value: Mapping[str, Any]) -> None:
    """Print the result of a command as a JSON object, alone on standard output. NaN and infinities become null."""
    out = _results or sys.stdout
    escaped = (out.encoding or "").lower() not in ("utf-8", "utf8")
    text = json.dumps(_plain(value), indent=1, ensure_ascii=escaped, allow_nan=False, default=str)
    out.write(text + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def one_of(*sources: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """A function that completes names for the shell. Where no name fits, the shell offers files."""

    def fitting(incomplete: str) -> list[str]:
        return [name for names in sources for name in names() if name.startswith(incomplete)]

    return fitting


def networks() -> list[str]:
    """Names of the networks that ship with mrsal."""
    return sorted(path.stem for path in (Path(__file__).parents[1] / "weights").glob("*.safetensors"))


def baselines() -> list[str]:
    """Names of the baselines."""
    from mrsal.inference import BASELINES

    return list(BASELINES)


def protocols() -> list[str]:
    """Names of the protocols of evaluation."""
    from mrsal.metrics import PROTOCOLS

    return list(PROTOCOLS)


def data_sets() -> list[str]:
    """Names of the data sets that can be prepared."""
    from mrsal.datasets import LOADERS

    return list(LOADERS)


def published_sets() -> list[str]:
    """Names of the published data sets."""
    from mrsal.datasets import PUBLISHED

    return list(PUBLISHED)


_COMPLETE = {
    "networks": networks,
    "baselines": baselines,
    "protocols": protocols,
    "data_sets": data_sets,
    "published_sets": published_sets,
}

_QUIET = inspect.Parameter(
    "quiet",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--quiet", help="Print only warnings and errors.", callback=_be_quiet)],
)
_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool,
        typer.Option("--json", help="Print the result as JSON, and the log to standard error.", callback=_leave_stdout),
    ],
)


def command(options: type[Any], *, quiet: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command from a dataclass of options (see :mod:`mrsal.options`) and the decorated function, which gets the options.

    The command has the name of the function, and its docstring as help. If the function takes ``json``, the command has
    ``--json``.

    Parameters
    ----------
    options : type
        The dataclass of options.
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
    """The parameter from which typer makes an option or argument."""
    option, flag, default = setting.option, setting.flag, setting.default
    value: Any = setting.type
    about: dict[str, Any] = {"help": option.help}
    name = f"--{flag}/--no_{flag}" if option.negatable or default is True else f"--{flag}"
    if option.switch:
        value, default = int, int(default)
        about |= {"help": f"{option.help} Without a value: 1.", "metavar": _ZERO_OR_ONE, "parser": _zero_or_one}
    if setting.type in (int, float):
        about |= {"min": option.minimum, "max": option.maximum}
    if option.complete:
        about["autocompletion"] = one_of(*(_COMPLETE[source] for source in option.complete))
    if setting.is_sequence:
        # typer does not support lists of Literals
        value = list[StrEnum(flag, {choice: choice for choice in setting.choices}) if setting.choices else value]  # type: ignore[misc]
        default = default if setting.is_required else list(default) or None
        if not option.argument:
            about["metavar"] = f"<{'|'.join(setting.choices) or setting.type.__name__.lower()}>"
    if setting.is_optional or default is None:
        value = value | None
    return inspect.Parameter(
        flag,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if setting.is_required else default,
        annotation=Annotated[value, typer.Argument(**about) if option.argument else typer.Option(name, **about)],
    )


def _from_typer(setting: Setting, value: Any) -> Any:
    """A value from typer, converted to the type of the field."""
    if setting.is_sequence:
        return tuple(dict.fromkeys(map(str, value or ()))) if setting.choices else tuple(value or ())
    return bool(value) if setting.option.switch else value


_ZERO_OR_ONE = "[0|1]"  # help shows it after a switch, and Command recognises switches by it


def _zero_or_one(text: str) -> int:
    if str(text) not in ("0", "1"):
        raise typer.BadParameter(f"expected 0 or 1, got {text!r}")
    return int(text)


class Command(TyperCommand):
    """A command that may have switches: ``--name``, ``--name 1`` and ``--name=1`` turn one on, and 0 turns it off.

    Typer has no option with an optional value. A command with arguments should have no switch, because the argument after a
    switch without a value would be read as its value.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the value 1 to each switch at the end or before another option."""
        normalise = ctx.token_normalize_func or str
        switches = {normalise(name) for option in self.params if option.metavar == _ZERO_OR_ONE for name in option.opts}
        completed = []
        for argument, following in zip(args, [*args, "--"][1:], strict=True):
            is_bare = normalise(argument) in switches and following.startswith("-")
            completed.append(f"{argument}=1" if is_bare else argument)
        return super().parse_args(ctx, completed)


class Commands(TyperGroup):
    """Several commands, which help lists under the headings of their groups.

    A heading is the ``rich_help_panel`` of a command, which typer shows only if it uses Rich.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Groups of commands come last, so that the first heading is that of the first command."""
        return sorted(super().list_commands(ctx), key=lambda name: isinstance(self.get_command(ctx, name), TyperGroup))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a list for each heading; a line is the first line of the command's docstring."""
        commands: list[tuple[str, Any]] = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        widest = max(len(name) for name, _ in commands)
        for heading in dict.fromkeys(command.rich_help_panel for _, command in commands):
            with formatter.section(heading):
                lines = [(name, command) for name, command in commands if command.rich_help_panel == heading]
                formatter.write_dl([(name.ljust(widest), command.get_short_help_str(100)) for name, command in lines])
