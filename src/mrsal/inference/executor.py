"""A job consists of numbered items, which are done one by one in this process or by the workers of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

TRIES = 3  # how often an item is started if it kills its workers


class Job(Protocol):
    """A function of numbered items. A cluster needs to be able to pickle it."""

    def __call__(self, item: int, /) -> Any:
        """Do an item and return its result."""

    def give_up(self, item: int, /) -> Any:
        """Return a result for an item that killed its worker :data:`TRIES` times, or raise an error to end the job."""


Execute = Callable[[Job, Sequence[int]], Iterator[tuple[int, Any]]]


def execute_here(job: Job, items: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Do the items in this process; yields each item and its result, in order."""
    for item in items:
        yield item, job(item)
