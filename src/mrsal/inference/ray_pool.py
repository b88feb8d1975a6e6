"""A pool of Ray workers that do the items of a job; a worker that dies is replaced."""

import logging
import os
import pickle
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal._extras import optional
from mrsal.errors import InputError, MrsalError
from mrsal.inference.executor import TRIES, Execute, Job
from mrsal.inference.options import PredictOptions

log = logging.getLogger("mrsal")

_BLOCKS = 10_000  # the most tasks for Ray, each of one or several items
_STORE = (
    200 * 2**20
)  # bytes of shared memory for Ray on this machine, which only numbers and small reports pass through

# for the processes that Ray starts on this machine
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent anywhere unless the user wants it
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # whatever ends a job is raised as an exception, too
    "RAY_worker_niceness": "0",  # a higher one keeps workers from starting while the machine is busy
}


class _Tries:
    """How often each item was started, counted in a process that survives the workers."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def begin(self, item: int) -> int:
        self.counts[item] += 1
        return self.counts[item]


class _Worker:
    """The job, and what it has loaded, in a process of its own."""

    def __init__(self, job: Job, begin: Callable[[int], int]) -> None:
        self.job, self.begin = job, begin

    def __call__(self, batch: dict[str, NDArray]) -> dict[str, NDArray]:
        results = [pickle.dumps((int(item), self._result(int(item)))) for item in batch["item"]]
        return {"result": np.array(results, dtype=object)}

    def _result(self, item: int) -> Any:
        """The result of the job, or its error. Ray itself would repeat an item that kills its worker without end."""
        try:
            return self.job(item) if self.begin(item) <= TRIES else self.job.give_up(item)
        except MrsalError as error:
            return error


def run_on_workers(job: Job, items: Sequence[int], count: int, resources: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """Do the items; yields each item and its result as it is done, in any order. The first :class:`MrsalError` ends the job."""
    import ray
    from ray import data
    from ray.exceptions import RayError

    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()

    def begin(item: int) -> int:
        return ray.get(tries.begin.remote(item))

    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.ERROR)
    context = data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    with data.DataContext.current(context):
        dataset = data.from_items(
            [{"item": item} for item in items], override_num_blocks=min(len(items), _BLOCKS)
        ).map_batches(
            _Worker,
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(count, len(items))),
            fn_constructor_args=(job, begin),
            **resources,
        )
    try:
        for row in dataset.iter_rows():
            item, result = pickle.loads(row["result"])
            if isinstance(result, MrsalError):
                raise result
            yield item, result
    except RayError as error:
        raise MrsalError(f"Ray stopped: {error}") from error
    finally:
        logger.setLevel(level)


def import_ray() -> None:
    """Raise an error if Ray is not installed."""
    optional("ray.data", extra="ray", purpose="the workers of --engine ray")


@contextmanager
def on_ray(
    *,
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float = PredictOptions.gpus_per_worker,
    device: str = "auto",
) -> Iterator[Execute]:
    """Do jobs with the workers of a Ray cluster, as :func:`mrsal.inference.execute_here` does them in this process.

    Parameters
    ----------
    address : str, optional
        The address of a cluster such as ``"host:6379"``, or ``"auto"`` on one of its machines. None: use this machine only.
    workers : int, optional
        The number of workers. None: as many as the GPUs have room for, or one per CPU core if there is no GPU.
    gpus_per_worker : float
        The share of a GPU for each worker: 0.25 puts four workers on each GPU.
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``. ``"cpu"`` uses no GPU.

    Yields
    ------
    execute : callable
        A function of a job and its items that yields each item and its result as it is done, in any order.

    Raises
    ------
    InputError
        If Ray is missing, cannot be reached, or has no room for the workers.
    """
    import_ray()
    with connected(address, workers) as started:
        count, resources = pool(workers, gpus_per_worker, device, started=started)

        def execute(job: Job, items: Sequence[int]) -> Iterator[tuple[int, Any]]:
            return run_on_workers(job, items, count, resources)

        yield execute


@contextmanager
def connected(address: str | None, workers: int | None) -> Iterator[bool]:
    """Connect to a cluster, or start Ray on this machine, and disconnect at the end; an existing connection is used as it is.

    Yields whether Ray was started on this machine.
    """
    import ray

    if ray.is_initialized():
        yield False
        return
    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        cores = max(workers or 1, os.cpu_count() or 1)
        options |= {"include_dashboard": False, "object_store_memory": _STORE, "num_cpus": cores}
    handler, variables = signal.getsignal(signal.SIGTERM), set(os.environ)
    try:
        with _environment({} if address else _ENVIRONMENT):
            ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"no Ray cluster at {address}: {error}; start one with: ray start --head"
            if address
            else f"Ray cannot start here: {error}"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # with that of Ray the process would end with another status
    added = set(os.environ) - variables  # by Ray, which needs them until it is shut down
    try:
        yield address is None
    finally:
        ray.shutdown()
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables that the user has not set, and remove them at the end."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def pool(workers: int | None, gpus_per_worker: float, device: str, *, started: bool) -> tuple[int, dict[str, Any]]:
    """The number of workers, and the resources for each of them."""
    import ray

    if (workers is not None and workers < 1) or gpus_per_worker <= 0:
        raise InputError(f"expected at least 1 worker with more than 0 GPUs, got {workers} with {gpus_per_worker:g}")
    resources = ray.cluster_resources()
    gpus = 0 if device == "cpu" else int(resources.get("GPU", 0))
    if not gpus and device == "cuda":
        raise InputError("expected a GPU for device cuda, but Ray finds none; see: ray status")
    room = int(gpus / gpus_per_worker) if gpus else int(resources.get("CPU", 1))
    if not room:
        raise InputError(
            f"each worker needs {gpus_per_worker:g} GPUs, but the cluster has {gpus}; lower --gpus_per_worker"
        )
    count = workers or room
    if count > room:
        kind = f"{gpus} GPUs, {gpus_per_worker:g} for each worker" if gpus else f"{room} CPU cores"
        if started:
            raise InputError(f"expected at most {room} workers, got {count}: this machine has {kind}")
        log.warning("%d workers were asked for, but the cluster has room for %d: %s", count, room, kind)
    return count, ({"num_gpus": gpus_per_worker} if gpus else {"num_cpus": 1.0})
