"""A pool of Ray workers that run any callable on numbered items; a worker that dies is replaced."""

import logging
import os
import pickle
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal._extras import optional
from mrsal.errors import InputError, MrsalError
from mrsal.inference.executor import TRIES, Execute, Job
from mrsal.inference.options import PredictOptions

log = logging.getLogger("mrsal")


_BLOCKS = 10_000  # tasks that Ray is given at most, each of one or several shards
_STORE = 200 * 2**20  # bytes of shared memory for Ray on this machine; only numbers of shards and reports go through it


class _Tries:
    """How often each item was begun, in a process that survives those that do them."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def begin(self, item: int) -> int:
        self.counts[item] += 1
        return self.counts[item]


class _Worker:
    """What Ray keeps in a process of its own: a job, and what the job has loaded."""

    def __init__(self, job: Job, begin: Callable[[int], int]) -> None:
        self.job, self.begin = job, begin

    def __call__(self, batch: dict[str, NDArray]) -> dict[str, NDArray]:
        results = [pickle.dumps((int(item), self._result(int(item)))) for item in batch["item"]]
        return {"result": np.array(results, dtype=object)}

    def _result(self, item: int) -> Any:
        """The result of the job, or its error. Ray itself would try for ever what kills its worker."""
        try:
            return self.job(item) if self.begin(item) <= TRIES else self.job.give_up(item)
        except MrsalError as error:
            return error


def run_on_workers(job: Job, items: Sequence[int], count: int, resources: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """Each item and its result, as they are done; the first error of ours ends the job."""
    import ray
    from ray import data
    from ray.exceptions import RayError

    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()

    def begin(item: int) -> int:
        return ray.get(tries.begin.remote(item))

    logging.getLogger("ray.data").setLevel(logging.ERROR)
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


def import_ray() -> None:
    """Make sure that Ray is installed."""
    optional("ray.data", extra="ray", purpose="the workers of --engine ray")


@contextmanager
def on_ray(
    *,
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float = PredictOptions.gpus_per_worker,
    device: str = "auto",
) -> Iterator[Execute]:
    """What :func:`mrsal.inference.executor.execute_here` does, by the workers of a Ray cluster.

    Parameters
    ----------
    address : str, optional
        The address of a cluster, ``"host:6379"``, or ``"auto"`` on one of its machines. None: this machine, without set-up.
    workers : int, optional
        The number of processes. None: as many as the GPUs have room for, or else one per CPU core.
    gpus_per_worker : float
        0.25 puts four workers on each GPU.
    device : str
        ``"cpu"`` leaves the GPUs alone.

    Yields
    ------
    execute : callable
        Takes a job and its items; gives each item and its result as they are done, in any order.

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
    """Connect to a cluster, or start Ray here, and leave it at the end; a connection that is there is used."""
    import ray

    if ray.is_initialized():
        yield False
        return
    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unless someone wants it
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what ends a job comes as an exception, too
        os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever runs beside them keeps workers from starting
        cores = max(workers or 1, os.cpu_count() or 1)
        options |= {"include_dashboard": False, "object_store_memory": _STORE, "num_cpus": cores}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"no Ray cluster at {address}: {error}; start one with: ray start --head"
            if address
            else f"Ray cannot start here: {error}"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray's own ends the process with another status
    try:
        yield address is None
    finally:
        ray.shutdown()


def pool(workers: int | None, gpus_per_worker: float, device: str, *, started: bool) -> tuple[int, dict[str, Any]]:
    """How many workers, and what each of them takes."""
    import ray

    if (workers is not None and workers < 1) or gpus_per_worker <= 0:
        raise InputError(f"expected at least 1 worker with more than 0 GPUs, got {workers} with {gpus_per_worker:g}")
    there = ray.cluster_resources()
    gpus = 0 if device == "cpu" else int(there.get("GPU", 0))
    if not gpus and device == "cuda":
        raise InputError("device cuda was asked for, but Ray sees no GPU; see: ray status")
    room = int(gpus / gpus_per_worker) if gpus else int(there.get("CPU", 1))
    if not room:
        raise InputError(f"a worker needs {gpus_per_worker:g} GPUs, and there are {gpus}; lower --gpus_per_worker")
    count = workers or room
    if count > room:
        kind = f"{gpus} GPUs, {gpus_per_worker:g} for each worker" if gpus else f"{room} CPU cores"
        if started:
            raise InputError(f"{count} workers were asked for, and there is room for {room}: {kind}")
        log.warning("%d workers were asked for, and there is room for %d: %s", count, room, kind)
    return count, ({"num_gpus": gpus_per_worker} if gpus else {"num_cpus": 1.0})
