"""What all long jobs show: a progress bar, and a log that goes to a file too. Apart from them, as they are slow to import."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

log = logging.getLogger("mrsal")


def progress_bar(console: Console) -> Progress:
    """The bar of all long jobs: what, how far, a note, time left. Silent where the output is no terminal."""
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
    """Send the log of a job to a file too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s"))
    before = log.level
    log.setLevel(logging.DEBUG)  # the file holds more than the terminal shows
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
