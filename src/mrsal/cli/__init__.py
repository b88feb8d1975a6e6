"""The command line: ``mrsal prepare``, ``train``, ``evaluate``, ``compare`` and so on; and what ``train.py``, ``eval.py`` run.

Options are spelled with underscores, as users of the method know them; hyphens do as well.

A file per family of commands, which are plain functions; here they are registered.
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
from mrsal.cli._options import CONTEXT, Command, Terminal, console, errors, log, speak_normally
from mrsal.cli.areas import aoi, check
from mrsal.cli.checking import doctor
from mrsal.cli.evaluating import compare, evaluate, submit
from mrsal.cli.exporting import export
from mrsal.cli.predicting import predict
from mrsal.cli.serving import serve
from mrsal.cli.training import demo, prepare, train
from mrsal.errors import MrsalError, Stopped, TrainingError

STOPPED = 75  # EX_TEMPFAIL of sysexits.h: worth another try

app = typer.Typer(
    help="Predict where people look in a picture; train, evaluate and compare models that do.",
    context_settings=CONTEXT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_USING = (demo, predict, serve, aoi, check)
_SCIENCE = (prepare, train, evaluate, compare, submit, export, doctor)
for command in (*_USING, *_SCIENCE):
    app.command(cls=Command)(command)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
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
    """Entry point of ``eval.py``, which adds the score that users of the method know."""
    _run(_single(evaluate, agreement=True))


def _single(command: Callable[..., Any], **defaults: Any) -> typer.Typer:
    """A command by itself, with other defaults for some of its options."""
    alone = typer.Typer(
        add_completion=False, context_settings=CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    alone.command(cls=Command, context_settings={**CONTEXT, "default_map": defaults})(command)
    return alone


def _end(number: int, _: FrameType | None) -> None:
    """Exit so that unfinished files are removed; if that takes too long, a second signal ends it at once."""
    signal.signal(number, signal.SIG_DFL)
    sys.exit(128 + number)


def _run(application: typer.Typer) -> None:
    """Run with one line of explanation instead of a traceback.

    The exit status is 0 if all went well, 1 if something failed or the answer is no, 2 if the command or its input is wrong,
    75 if a run was told to stop and is saved, 130 if the user stopped it, and 143 if something else ended it.
    """
    if not faulthandler.is_enabled() and sys.__stderr__:
        faulthandler.enable(sys.__stderr__)  # a memory-mapped file that shrinks under us is a bus error: say where
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every console and pipe takes ↑ or a name in Greek
    handler = Terminal(logging.INFO)
    speak_normally()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)  # the log files of the jobs hold more than the terminal shows
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: log.warning("warning: %s", message)
            application()
    except Stopped as request:
        log.warning("%s", request)
        sys.exit(130 if request.signal == signal.SIGINT else STOPPED)
    except MrsalError as error:
        errors.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1 if isinstance(error, TrainingError) else 2)
    finally:
        signal.signal(signal.SIGTERM, before)
        log.removeHandler(handler)
