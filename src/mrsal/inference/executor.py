"""Where the parts of a job are done: one after the other in this process, or by the workers of a cluster."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

TRIES = 3  # how often an item is begun, if workers die of it


class Job(Protocol):
    """A function of numbered items. For a cluster it must be possible to pickle it."""

    def __call__(self, item: int, /) -> Any:
        """The result for an item."""

    def give_up(self, item: int, /) -> Any:
        """The result for an item that killed its worker :data:`TRIES` times; raises an error if that ends the job."""


Execute = Callable[[Job, Sequence[int]], Iterator[tuple[int, Any]]]


def execute_here(job: Job, items: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Each item and its result, in their order, in this process."""
    for item in items:
        yield item, job(item)
