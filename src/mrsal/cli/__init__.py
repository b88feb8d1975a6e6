"""The command line: ``mrsal prepare``, ``train``, ``evaluate``, ``compare`` and so on; and what ``train.py``, ``eval.py`` run.

Options are spelled with underscores, as users of the method know them; hyphens do as well.

A file per family of commands, which are plain functions; here they are registered.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mrsal import __version__
from mrsal.cli._options import CONTEXT, console, log, print_error
from mrsal.cli.areas import aoi, check
from mrsal.cli.evaluating import compare, evaluate, submit
from mrsal.cli.predicting import predict
from mrsal.cli.serving import serve
from mrsal.cli.training import demo, prepare, train
from mrsal.errors import MrsalError

app = typer.Typer(
    help="Predict where people look in a picture; train, evaluate and compare models that do.",
    context_settings=CONTEXT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (demo, predict, serve, aoi, check, prepare, train, evaluate, compare, submit):
    app.command()(command)


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
    """Entry point of ``eval.py``."""
    _run(_single(evaluate))


def _single(command: Callable[..., Any]) -> typer.Typer:
    alone = typer.Typer(
        add_completion=False, context_settings=CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    alone.command()(command)
    return alone


class _ConsoleHandler(logging.Handler):
    """The log on the terminal, above any progress bar; a line stays a line when the output is a file."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        console.print(record.getMessage(), style=style, markup=False, soft_wrap=True)


def _run(application: typer.Typer) -> None:
    """Run with one line of explanation instead of a traceback, and exit status 1."""
    handler = _ConsoleHandler(logging.INFO)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)  # the log files of the jobs hold more than the terminal shows
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: log.warning("warning: %s", message)
            application()
    except MrsalError as error:
        print_error(error)
        sys.exit(1)
    finally:
        log.removeHandler(handler)
