"""Command lines that were written for Mr-CNN name one of its modes; the improved network has none. Needs no torch."""

import logging
from functools import cache
from typing import get_args

from mrsal.errors import InputError
from mrsal.model import Mode

log = logging.getLogger("mrsal")


def ignore_mode(mode: str | None) -> None:
    """Accept a mode of Mr-CNN where it does not apply, with one warning in the log for each process.

    Raises
    ------
    InputError
        If there is no such mode.
    """
    if mode is not None and mode not in get_args(Mode):
        raise InputError(f"expected a mode out of {', '.join(get_args(Mode))}, got {mode!r}")
    if mode is not None:
        _say_ignored(mode)


@cache  # so once, however many images and videos there are
def _say_ignored(mode: str) -> None:
    log.warning("the improved network has no modes; mode %s is for Mr-CNN (--model mrcnn) and is ignored", mode)
