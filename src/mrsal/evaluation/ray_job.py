"""Score images with the workers of a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mrsal.errors import MrsalError
from mrsal.evaluation.task import ScoringTask, ShareOut
from mrsal.inference import TRIES, connected, import_ray, pool, run_on_workers


@contextmanager
def scoring_on_ray(*, address: str | None = None, workers: int | None = None) -> Iterator[ShareOut]:
    """The ``share_out`` of :func:`mrsal.evaluation.evaluate_job`: images are scored by workers, each with the archive opened.

    Parameters
    ----------
    address, workers
        As for :func:`predict_on_ray`; on GPUs one worker each. The archive has the same path on all machines.
    """
    import_ray()
    with connected(address, workers) as started:

        def share_out(task: ScoringTask) -> Callable[[Sequence[int]], Iterator[dict[str, float]]]:
            count, resources = pool(workers, 1.0, task.opening.get("device", "auto"), started=started)

            def rows(images: Sequence[int]) -> Iterator[dict[str, float]]:
                waiting: dict[int, dict[str, float]] = {}
                following = iter(images)
                due = next(following, None)
                for image, row in run_on_workers(_Score(task), images, count, resources):
                    waiting[image] = row
                    while due in waiting:
                        yield waiting.pop(due)
                        due = next(following, None)

            return rows

        yield share_out


@dataclass(frozen=True)
class _Score:
    """Scores images, one at a time, in whatever process it is."""

    task: ScoringTask

    @cached_property
    def scorer(self) -> Callable[[int], dict[str, float]]:
        return self.task.scorer()

    def __call__(self, image: int) -> tuple[int, dict[str, Any]]:
        return image, self.scorer(image)

    def give_up(self, image: int) -> tuple[int, dict[str, Any]]:
        """Instead of a call, when too many workers died of it: a mean over the others would be of another data set."""
        name = self.task.examples()[image].name
        raise MrsalError(f"the worker died {TRIES} times with {name}, which may need more memory")
