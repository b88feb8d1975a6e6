"""The command line: the commands of ``mrsal``, and the scripts ``train.py`` and ``eval.py``.

The files of this package define the commands, and this one puts them together. Options are written with underscores, as in
earlier implementations of the method, or with hyphens.
"""

import faulthandler
import io
import logging
import signal
import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Annotated, Any

import typer

from mrsal._version import __version__
from mrsal.cli._options import CONTEXT, Command, Commands, Terminal, console, errors, log, readable, reset_console
from mrsal.cli.areas import aoi, check
from mrsal.cli.checking import doctor
from mrsal.cli.data_sets import download, info, list_, show
from mrsal.cli.evaluating import compare, evaluate, submit
from mrsal.cli.exporting import export
from mrsal.cli.predicting import predict
from mrsal.cli.reproducing import cvpr2015
from mrsal.cli.serving import serve
from mrsal.cli.training import demo, prepare, train
from mrsal.errors import MrsalError, Stopped, TrainingError

STOPPED = 75  # EX_TEMPFAIL of sysexits.h: the run can be continued

app = typer.Typer(
    cls=Commands,
    help="Predict where people look in images, and train, evaluate and compare models.",
    context_settings=CONTEXT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_GROUPS = {
    "Use a model": (demo, predict, serve, aoi, check, export, doctor),
    "Train and evaluate": (prepare, train, evaluate, compare, submit),
}
for heading, commands in _GROUPS.items():
    for command in commands:
        app.command(cls=Command, rich_help_panel=heading)(command)

_INNER: dict[str, tuple[str, dict[str, Callable[..., None]]]] = {
    "datasets": (
        "List, download and show published data sets.",
        {"list": list_, "info": info, "download": download, "show": show},
    ),
    "reproduce": ("Repeat the experiment of a paper.", {"cvpr2015": cvpr2015}),
}
for group, (text, members) in _INNER.items():
    inner = typer.Typer(cls=Commands, help=text, context_settings=CONTEXT, no_args_is_help=True, rich_markup_mode=None)
    for name, command in members.items():
        inner.command(name, cls=Command, rich_help_panel="Commands")(command)
    app.add_typer(inner, name=group, rich_help_panel="Train and evaluate")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit()


def main() -> None:
    """Entry point of ``mrsal``."""
    _run(app)


def train_script() -> None:
    """Entry point of ``train.py``."""
    _run(_single(train))


def evaluate_script() -> None:
    """Entry point of ``eval.py``, where ``--agreement`` is on by default."""
    _run(_single(evaluate, agreement=True))


def _single(command: Callable[..., Any], **defaults: Any) -> typer.Typer:
    """A program with one command, which has ``defaults`` for some of its options."""
    alone = typer.Typer(
        add_completion=False, context_settings=CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    alone.command(cls=Command, context_settings={**CONTEXT, "default_map": defaults})(command)
    return alone


def _end(number: int, _: FrameType | None) -> None:
    """Exit in a way that removes unfinished files. A second signal ends the process at once."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)


def _run(application: typer.Typer) -> None:
    """Run, and print one line instead of a traceback if there is an error.

    The exit status is 0 if all went well, 1 if something failed or the answer is no, 2 if the command or its input is wrong,
    75 if a signal stopped a training run that can be continued, 130 if the user pressed Ctrl-C, and 143 after SIGTERM.
    """
    if not faulthandler.is_enabled() and sys.__stderr__:
        faulthandler.enable(sys.__stderr__)  # shows where, if a memory-mapped file shrinks and causes a bus error
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every console and pipe takes ↑ or a name in Greek
    handler = Terminal(logging.INFO)
    reset_console()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)  # the log files of the jobs contain more than the terminal shows
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: log.warning("warning: %s", message)
            application()
    except Stopped as request:
        log.warning("%s", request)
        sys.exit(130 if request.signal == signal.SIGINT else STOPPED)
    except MrsalError as error:
        errors.print(readable(f"error: {error}"), style="red", markup=False, soft_wrap=True)
        sys.exit(1 if isinstance(error, TrainingError) else 2)
    finally:
        signal.signal(signal.SIGTERM, before)
        log.removeHandler(handler)
