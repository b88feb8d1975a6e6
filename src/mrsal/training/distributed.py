"""One run on several processes: starting them, letting one write what all wait for, sharing out work, and stopping together.

Lightning Fabric starts the processes or finds those that torchrun or Slurm started; every process runs the same code.
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

from mrsal.errors import InputError, MrsalError, TrainingError
from mrsal.model import resolve_device, resolve_precision

T = TypeVar("T")
R = TypeVar("R")

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGUSR1")  # Ctrl-C, the end of a job, and Slurm's warning before it


def launch(*, device: str, precision: str, devices: int, timeout: float) -> Fabric:
    """Start the processes of a run, or join those that torchrun or Slurm started.

    Parameters
    ----------
    device, precision : str
        As for :class:`mrsal.TrainConfig`.
    devices : int
        Processes on this machine, a GPU each; outside of torchrun and Slurm, which have their own say.
    timeout : float
        Seconds after which a process that waits for the others gives up.

    Returns
    -------
    Fabric
        Launched. Its backend is NCCL on GPUs and Gloo on CPUs.

    Raises
    ------
    InputError
        If more GPUs are asked for than there are.
    """
    devices, nodes = _layout(devices)
    accelerator = resolve_device(device)
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise InputError(f"{devices} processes on this machine need a GPU each, {torch.cuda.device_count()} are there")
    several = devices * nodes > 1
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its banners are for those who debug it
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        precision=resolve_precision(precision, device),
        strategy=DDPStrategy(timeout=timedelta(seconds=timeout), gradient_as_bucket_view=True) if several else "auto",
    )
    fabric.launch()
    if several:
        atexit.register(_part)
    return fabric


def _part() -> None:
    """End the threads that talk to the other processes while the interpreter is whole.

    Gloo ends them when the last reference to the group is gone, and cycles in the wrapped model may hold one. A thread that is
    still there when the interpreter is torn down can abort a process that has done all its work.
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        gc.collect()


def is_started_by_another() -> bool:
    """Whether torchrun, Slurm, or the first process of a run started this process."""
    return TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or "LOCAL_RANK" in os.environ


def _layout(devices: int) -> tuple[int, int]:
    """Processes on each machine, and machines, as torchrun or Slurm has them; else so many on this one."""
    if TorchElasticEnvironment.detect():
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        return local, int(os.environ["WORLD_SIZE"]) // local
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_NNODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return devices, 1


def on_first(fabric: Fabric, job: Callable[[], T]) -> T:
    """Run a job on the first process while the others wait; its result, or its error, is that of all."""
    result: Any = None
    error: MrsalError | None = None
    if fabric.is_global_zero:
        try:
            result = job()
        except MrsalError as complaint:
            error = complaint
    result, error = fabric.broadcast((result, error))
    if error:
        raise error
    return result


def first_only(job: Callable[..., None]) -> Callable[..., None]:
    """The same job, done by the first process only."""
    return cast(Callable[..., None], rank_zero_only(job))


def shared_map(fabric: Fabric) -> Callable[[Callable[[T], R], Iterable[T]], list[R]]:
    """Like :class:`map`, but each process takes a share of the items, and all get all results, in order.

    An error of one process is raised on all of them.
    """

    def map_over(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        items, world = list(items), fabric.world_size
        own: list[R] = []
        error: MrsalError | None = None
        try:
            own = [function(item) for item in items[fabric.global_rank :: world]]
        except MrsalError as complaint:
            error = complaint
        parts: list[Any] = [(own, error)]
        if world > 1:
            parts = [None] * world
            torch.distributed.all_gather_object(parts, (own, error))
        for _, problem in parts:
            if problem:
                raise problem
        return [parts[i % world][0][i // world] for i in range(len(items))]

    return map_over


@contextmanager
def readable_failures(fabric: Fabric, *, hint: str) -> Iterator[None]:
    """Turn what torch says when memory runs out, or another process is gone, into a :class:`TrainingError` of one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MrsalError):
            raise
        text = str(error)
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
            said = f": {_first_line(text)}" if text else ""
            raise TrainingError(f"out of memory{_on(fabric)}{said}; {hint}") from error
        if fabric.world_size > 1 and _is_about_others(error):
            raise TrainingError(
                f"lost another process of this run{_on(fabric)}: it stopped, or did not answer in time ({_first_line(text)}); "
                "what it said itself is above or in its own log"
            ) from error
        raise


def _is_about_others(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, torch.distributed.DistError) or any(
        word in text for word in ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    )


def _on(fabric: Fabric) -> str:
    return f" on process {fabric.global_rank} of {fabric.world_size}" if fabric.world_size > 1 else ""


def _first_line(text: str) -> str:
    """Of what a library says, without the place in its source that Gloo puts in front."""
    return re.sub(r"^\[\S+:\d+\] ", "", (text.splitlines() or [""])[0]).rstrip(".")[:200]


@contextmanager
def catch_signals() -> Iterator[Callable[[], int]]:
    """Note requests to stop instead of dying of them; yields a function that tells the signal's number, 0 if there was none.

    A second Ctrl-C interrupts at once. Outside of the main thread, where Python allows no handlers, nothing is caught.
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
