"""What files must survive: a disk that is full, and a pickle that runs code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file can grow beyond ``limit`` bytes: what a full disk is to whoever writes."""
    resource = pytest.importorskip("resource", reason="limits the size of files as POSIX systems do")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Hostile:
    """Unpickling it creates a folder; a real one would do worse."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)
