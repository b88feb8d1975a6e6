"""The progress bar and the log file of long jobs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

log = logging.getLogger("mrsal")


def progress_bar(console: Console) -> Progress:
    """Make a progress bar with a description, a note and the time left; it is hidden if the output is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Write the log of a job to a file as well, while the block runs."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s"))
    before = log.level
    log.setLevel(logging.DEBUG)  # the file has more details than the terminal
    log.addHandler(handler)
    try:
        yield
    except Exception as error:
        log.debug("stopped: %s", error)
        raise
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()
