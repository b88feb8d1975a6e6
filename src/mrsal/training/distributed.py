"""A run on several processes: how they start, share work, wait for the first one to write, and stop together.

Lightning Fabric starts the processes, or joins those that torchrun or Slurm started. Every process runs the same code.
"""

import atexit
import gc
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.utilities.rank_zero import rank_zero_only

from mrsal.errors import InputError, MrsalError, TrainingError, first_line
from mrsal.model import resolve_device, resolve_precision

T = TypeVar("T")
R = TypeVar("R")

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")  # Ctrl-C, the end of a job, and the warning that Slurm sends before it


def launch(*, device: str, precision: str, devices: int, timeout: float) -> Fabric:
    """Start the processes of a run, or join those that torchrun or Slurm started.

    Parameters
    ----------
    device, precision : str
        As for :class:`mrsal.TrainConfig`.
    devices : int
        The number of processes on this machine, with one GPU for each. It is ignored under torchrun and Slurm, which set the
        number themselves.
    timeout : float
        The number of seconds after which a process that waits for another one gives up.

    Returns
    -------
    Fabric
        A Fabric whose processes run. They exchange data through NCCL on GPUs and through Gloo on CPUs.

    Raises
    ------
    InputError
        If the machine has fewer GPUs than that.
    """
    devices, nodes = _layout(devices)
    accelerator = resolve_device(device)
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise InputError(
            f"expected a GPU for each of the {devices} processes on this machine, found {torch.cuda.device_count()}; "
            "start fewer processes, or use --device cpu"
        )
    several = devices * nodes > 1
    with _no_banners():
        fabric = Fabric(
            accelerator=accelerator,
            devices=devices,
            num_nodes=nodes,
            precision=resolve_precision(precision, device),
            strategy=DDPStrategy(timeout=timedelta(seconds=timeout), gradient_as_bucket_view=True)
            if several
            else "auto",
        )
        fabric.launch()
    if several:
        atexit.register(_leave)
    return fabric


@contextmanager
def _no_banners() -> Iterator[None]:
    """Keep Fabric from printing how it starts processes, which helps only those who debug it."""
    logger = logging.getLogger("lightning_fabric")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _leave() -> None:
    """End the threads that talk to the other processes while the interpreter is still whole.

    Gloo ends them when the last reference to the process group is gone, and reference cycles in the wrapped network may hold
    one. A thread that still runs when the interpreter shuts down can abort a process that has done all its work.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()


def is_started_by_another() -> bool:
    """Whether torchrun, Slurm, or the first process of the run started this process."""
    return TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "LOCAL_RANK" in os.environ


def _layout(devices: int) -> tuple[int, int]:
    """The number of processes on each machine, and of machines: as torchrun or Slurm set them, else ``devices`` on this one."""
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return devices, 1


def on_first(fabric: Fabric, job: Callable[[], T]) -> T:
    """Run a function on the first process while the others wait; all get its result, or raise its error."""
    result: Any = None
    error: MrsalError | None = None
    if fabric.is_global_zero:
        try:
            result = job()
        except MrsalError as failure:
            error = failure
    result, error = from_first(fabric, (result, error))
    if error:
        raise error
    return result


def from_first(fabric: Fabric, value: T) -> T:
    """The value that the first process has."""
    with exchange(fabric):
        return fabric.broadcast(value)


def first_only(job: Callable[..., None]) -> Callable[..., None]:
    """The same function, which does nothing on any other process than the first."""
    return cast(Callable[..., None], rank_zero_only(job))


def shared_map(fabric: Fabric) -> Callable[[Callable[[T], R], Iterable[T]], list[R]]:
    """Like :class:`map`, but each process does a share of the items, and all get all results, in order.

    An error of one process is raised on all of them.
    """

    def map_over(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        items, world = list(items), fabric.world_size
        own: list[R] = []
        error: MrsalError | None = None
        try:
            own = [function(item) for item in items[fabric.global_rank :: world]]
        except MrsalError as failure:
            error = failure
        parts: list[Any] = [(own, error)]
        if world > 1:
            parts = [None] * world
            with exchange(fabric):
                torch.distributed.all_gather_object(parts, (own, error))
        for _, problem in parts:
            if problem:
                raise problem
        return [parts[i % world][0][i // world] for i in range(len(items))]

    return map_over


@contextmanager
def exchange(fabric: Fabric) -> Iterator[None]:
    """Surround a block in which this process waits for others; if one of them is lost, raise a :class:`TrainingError`."""
    try:
        yield
    except RuntimeError as error:
        if fabric.world_size == 1 or _is_out_of_memory(error) or not _is_of_the_backend(error):
            raise
        raise TrainingError(
            f"lost another process of this run{_place(fabric)}: it stopped, or did not answer in time ({_reason(error)}); "
            "look for its own message above or in its log"
        ) from error


def _is_of_the_backend(error: RuntimeError) -> bool:
    """Whether an exchange of data failed: NCCL and the store have types of errors of their own, and Gloo has none."""
    is_gloo = torch.distributed.is_initialized() and torch.distributed.get_backend() == "gloo"
    return isinstance(error, torch.distributed.DistError) or (is_gloo and type(error) is RuntimeError)


@contextmanager
def readable_memory_errors(fabric: Fabric, *, hint: str) -> Iterator[None]:
    """Raise a :class:`TrainingError` of one line, which ends in ``hint``, if the block runs out of memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        reason = f": {_reason(error)}" if str(error) else ""
        raise TrainingError(f"out of memory{_place(fabric)}{reason}; {hint}") from error


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out. Only torch's allocator on the CPU has no type for it, and raises a plain RuntimeError."""
    is_plain = type(error) is RuntimeError
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (is_plain and "DefaultCPUAllocator" in str(error))


def _reason(error: Exception) -> str:
    """The first line of an error, without the place in its source that Gloo puts in front."""
    return re.sub(r"^\[\S+:\d+\] ", "", first_line(error)).rstrip(".")[:200]


def _place(fabric: Fabric) -> str:
    return f" on process {fabric.global_rank} of {fabric.world_size}" if fabric.world_size > 1 else ""


@contextmanager
def catch_signals() -> Iterator[Callable[[], int]]:
    """Note requests to stop instead of ending at once; yields a function that returns the signal's number, or 0.

    A second Ctrl-C interrupts at once. Outside of the main thread, where Python allows no signal handlers, nothing is caught.
    """
    caught = 0

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal caught
        if number == signal.SIGINT and caught == signal.SIGINT:
            raise KeyboardInterrupt
        caught = number

    numbers = [getattr(signal, name) for name in _STOP_SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield lambda: caught
    finally:
        for number, old in before.items():
            signal.signal(number, old)
