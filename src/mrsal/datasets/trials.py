"""What the loaders of published data sets share: collect the fixations of trials, and leave out stimuli that nobody viewed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mrsal.datasets.dataset import Stimulus
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError, MrsalError

log = logging.getLogger("mrsal")

UNKNOWN_ORDER = 1  # not 0, because it is not known that the fixation is the first of its trial


class Trials:
    """Collects fixations trial by trial; a trial is the viewing of a stimulus by an observer."""

    def __init__(self) -> None:
        self._columns: dict[str, list] = {name: [] for name in ("x", "y", "n", "subject", "order", "duration")}

    def add(
        self,
        n: int,
        subject: int,
        x: ArrayLike,
        y: ArrayLike,
        *,
        duration: ArrayLike = np.nan,
        order: ArrayLike | None = None,
    ) -> None:
        """Add the fixations of a trial, in order of time.

        Parameters
        ----------
        n, subject : int
            The index of the stimulus, and of the observer.
        x, y : array-like
            The positions in pixels of the stimulus, 0-based.
        duration : array-like
            The durations in seconds.
        order : array-like, optional
            The place of each fixation in the trial, if some were left out.
        """
        xs = np.asarray(x, np.float64).ravel()
        column = {"x": xs, "y": y, "n": n, "subject": subject, "duration": duration}
        column["order"] = np.arange(len(xs)) if order is None else order
        for name, values in column.items():
            flat = np.asarray(values, np.float64).ravel()
            if len(flat) not in (1, len(xs)):
                raise ValueError(f"{len(flat)} values of {name} and {len(xs)} of x in a trial")
            self._columns[name].append(np.broadcast_to(flat, xs.shape))

    def fixations(self) -> Fixations:
        """All fixations that were added."""
        parts = {name: np.concatenate([*column, np.empty(0)]) for name, column in self._columns.items()}
        return Fixations.create(**parts)


@contextmanager
def expecting(what: str, path: Path) -> Iterator[None]:
    """In the block, values of a file are used; whatever is wrong with them becomes a :class:`DataError` that names the file."""
    try:
        yield
    except MrsalError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"expected {what} in {path}, got another layout ({reason}); download it again") from error


def first_that_exists(root: Path, places: Sequence[str], *, what: str) -> Path:
    """The first of several places below ``root``, for layouts with a folder that may have been left out when unpacking."""
    for place in places:
        if (root / place).exists():
            return root / place
    raise FileError(
        f"expected {what} at {' or '.join(str(root / place) for place in places)}, found none; check --root"
    )


def keep_viewed(stimuli: Sequence[Stimulus], fixations: Fixations) -> tuple[tuple[Stimulus, ...], Fixations]:
    """Leave out the stimuli without fixations, and say so in the log."""
    viewed = np.bincount(fixations.n, minlength=len(stimuli)) > 0
    if viewed.all():
        return tuple(stimuli), fixations
    log.info("left out %d of %d stimuli, on which there are no fixations", (~viewed).sum(), len(stimuli))
    place = np.cumsum(viewed) - 1
    kept = replace(fixations, n=place[fixations.n])
    return tuple(stimulus for stimulus, keep in zip(stimuli, viewed, strict=True) if keep), kept
