"""Training Mr-CNN: the paper's schedule and constraint, on Lightning Fabric.

An archive flows in; checkpoints, logs and curves flow out. Section 3.2 of the paper.

Letters: B samples of a batch, S = 3 scales, C = 3 channels, P = 42 the side of a crop.
"""

import contextlib
import ctypes
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mrsal.errors import InputError, Stopped, TrainingError
from mrsal.files import make_folder, remove_leftovers, write_text
from mrsal.model import MrCNN, channels_last, constrain_conv1, to_unit
from mrsal.training.config import Samples, TrainConfig, as_json
from mrsal.training.distributed import launch, on_first, readable_failures
from mrsal.training.run_folder import History, restore, save_average, save_epoch, save_state
from mrsal.training.schedule import epoch_batches, momentum_at

Scores = dict[str, float]
Validate = Callable[[MrCNN], Scores]

_GPU_LOG_EVERY = 10  # steps; reading the loss makes a GPU wait, a CPU not
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's malloc.h
_CPU_CHUNK = 64  # on a CPU: larger chunks are no faster, and fewer of them are harder to share among processes
_HINT = "lower --batch_size. The checkpoints of earlier epochs are complete"


@dataclass(frozen=True)
class TrainingProgress:
    """What a progress display is told every few steps."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    samples_per_second: float


def train(
    samples: Samples,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    validate: Validate | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    should_stop: Callable[[], int] = lambda: 0,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a network and keep a checkpoint per epoch.

    On several processes the batch is ``config.batch_size`` times their number, and each takes a share of its chunks. On CPUs
    the random numbers of a chunk are its own, so that a run on any number of processes is the same up to rounding.

    Parameters
    ----------
    samples : Samples
        Of :class:`mrsal.datasets.archives.native.NativeArchive` or :func:`mrsal.datasets.archives.historical.read_train`.
    out : str or Path
        Folder of the run: ``cnn_epoch_<n>.pth`` (n from 1), ``cnn_best.pth`` when validated,
        ``cnn_average.pth`` at the end, ``metrics.csv``,
        ``tensorboard/``, ``config.json``, and ``state.pt`` for resuming.
    config : TrainConfig, optional
    validate : callable, optional
        Network to scores by name; called after every epoch, on every process.
    resume : bool
        Go on where the run in ``out`` stopped; on a CPU the result is that of an uninterrupted run, to the bit.
    fabric : Fabric, optional
        Of :func:`mrsal.training.launch`, where processes were started before; None: start them as ``config`` has it.
    should_stop : callable, optional
        Asked every few steps; a number that is not 0, of a signal, ends the run on all processes, saved where it stands.
    on_progress, on_epoch : callable, optional
        Told about every few steps and every epoch's row of ``metrics.csv``, on every process.

    Returns
    -------
    Path
        The best checkpoint when validated, otherwise the last.

    Raises
    ------
    InputError
        If the samples are none, or early stopping is asked for without validation.
    TrainingError
        If the loss is not a finite number, memory runs out, or another process is gone. Earlier checkpoints stay.
    Stopped
        If ``should_stop`` said so.
    FileError
        If ``out`` cannot be written.
    """
    config = config or TrainConfig()
    if not len(samples):
        raise InputError("expected at least one training sample, got none")
    if config.patience >= 0 and validate is None:
        raise InputError("early stopping needs validation; add --use_val, or leave the patience at -1")
    fabric = fabric or launch(
        device=config.device, precision=config.precision, devices=config.devices or 1, timeout=config.timeout
    )
    out = Path(out)
    on_first(fabric, lambda: make_folder(out))
    torch.manual_seed(config.seed)
    network = channels_last(MrCNN(config.model))
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.start_momentum,
        weight_decay=config.weight_decay,
        foreach=True,  # one kernel for all parameters, and no waiting for a GPU
    )
    with readable_failures(fabric, hint=_HINT):
        samples = _on_device(samples, fabric.device)
        if fabric.device.type == "cpu":
            keep_freed_memory()
        model, optimiser = fabric.setup(network, optimiser)
        run = _Run(fabric, model, network, optimiser, samples, config, out, should_stop, on_progress)
        run.start(resume=resume)
        while run.history.epoch < config.epochs and not _is_enough(run.history, config):
            row = run.epoch()
            if validate is not None:
                run.save_state()  # so that a failure of the validation costs no epoch
                scores = fabric.broadcast(_validate(network, validate, config))
                row |= {f"val_{name}": float(value) for name, value in scores.items()}
            run.finish_epoch(row)
            if on_epoch:
                on_epoch(row)
        if config.average > 1:
            on_first(fabric, lambda: save_average(out, config.average))
    if run.history.best_epoch:
        return out / "cnn_best.pth"
    return out / f"cnn_epoch_{run.history.epoch}.pth"


def keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next one, instead of having the kernel clear it again.

    A process-wide setting, and no more than a hint: other C libraries know no ``mallopt`` and go on as they are.
    """
    # a TypeError on Windows, which has no library of this process
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _on_device(samples: Samples, device: torch.device) -> Samples:
    """On a GPU that has room for them, samples are kept there, so that crops are cut where they are used."""
    if device.type != "cuda" or samples.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return samples
    return samples.to(device)


@dataclass
class _Run:
    """A run under way: an epoch at a time, from any step of it."""

    fabric: Fabric
    model: torch.nn.Module
    # what Fabric made of the network

    network: MrCNN
    optimiser: torch.optim.Optimizer
    samples: Samples
    config: TrainConfig
    out: Path
    should_stop: Callable[[], int]
    on_progress: Callable[[TrainingProgress], None] | None
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.batch_size = self.config.batch_size * self.fabric.world_size
        self.steps = -(-len(self.samples) // self.batch_size)  # of an epoch
        self.settings = {**as_json(self.config), "effective_batch": self.batch_size}

    def start(self, *, resume: bool) -> None:
        """Take up the state in the run's folder, or leave the first one there."""
        if resume:
            on_first(self.fabric, lambda: remove_leftovers(self.out))
            self.history = restore(self.out, self.network, self.optimiser, self.settings)
            return
        on_first(self.fabric, lambda: write_text(self.out / "config.json", json.dumps(self.settings, indent=1)))
        self.save_state()

    def save_state(self) -> None:
        on_first(self.fabric, lambda: save_state(self.out, self.network, self.optimiser, self.history, self.settings))

    def finish_epoch(self, row: dict[str, float]) -> None:
        best = self.history.add(row, watch=self.config.watch)
        seed = self.config.seed
        on_first(self.fabric, lambda: save_epoch(self.out, self.network, self.history, seed=seed, best=best))
        self.save_state()

    def epoch(self) -> dict[str, float]:
        """One pass over the samples, or what is left of it; returns its row of ``metrics.csv``."""
        config, history, fabric = self.config, self.history, self.fabric
        self.model.train()
        on_cpu = fabric.device.type == "cpu"
        *start, seen = history.totals if fabric.is_global_zero else [0.0] * 3  # of steps before a stop
        totals = torch.tensor(start, device=fabric.device)  # summed loss, correct answers
        began, seen_before, before = time.monotonic(), history.totals[2], history.seconds
        summed = history.totals
        batches = list(epoch_batches(len(self.samples), self.batch_size, seed=config.seed, epoch=history.epoch))
        for step in range(history.step, self.steps):
            momentum = momentum_at(history.epoch * self.steps + step, config.epochs * self.steps, config)
            loss_and_correct, count = self._step(batches[step], history.epoch * self.steps + step, momentum)
            totals += loss_and_correct
            seen += count
            if on_cpu or (step + 1) % _GPU_LOG_EVERY == 0 or step == self.steps - 1:
                summed, signal_number = self._agree(totals, seen)
                history.step, history.totals = step + 1, summed
                history.seconds = before + time.monotonic() - began
                loss, accuracy = summed[0] / summed[2], summed[1] / summed[2]
                self._check(loss, step)
                if self.on_progress:
                    rate = (summed[2] - seen_before) / (time.monotonic() - began)
                    self.on_progress(TrainingProgress(history.epoch + 1, step + 1, self.steps, loss, accuracy, rate))
                if signal_number:
                    self._stop(signal_number)
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.network.parameters()):
            raise TrainingError(  # the last step's doing
                f"weights are no longer finite after epoch {history.epoch + 1}; lower --learning_rate. "
                "The checkpoints of earlier epochs are complete"
            )
        return {
            "epoch": history.epoch + 1,
            "loss": summed[0] / summed[2],
            "accuracy": summed[1] / summed[2],
            "momentum": momentum_at((history.epoch + 1) * self.steps - 1, config.epochs * self.steps, config),
            "seconds": round(history.seconds, 2),
            "samples_per_second": round(len(self.samples) / max(history.seconds, 1e-9), 1),
        }

    def _step(self, index: NDArray[np.int64], step: int, momentum: float) -> tuple[Tensor, int]:
        """A step on this process's chunks of the whole batch; returns their summed loss and correct answers, and their size."""
        fabric, config = self.fabric, self.config
        for group in self.optimiser.param_groups:
            group["momentum"] = momentum
        self.optimiser.zero_grad(set_to_none=True)
        size = _CPU_CHUNK if fabric.device.type == "cpu" else config.batch_size
        chunks = [(i, index[at : at + size]) for i, at in enumerate(range(0, len(index), size))]
        own = chunks[fabric.global_rank :: fabric.world_size]
        rows = np.concatenate([rows for _, rows in own]) if own else index[:1]
        crops, labels = (tensor.to(fabric.device, non_blocking=True) for tensor in self.samples.batch(rows))
        lengths = [len(rows) for _, rows in own] or [1]
        numbers = [i for i, _ in own] or [0]
        totals = torch.zeros(2, device=fabric.device)
        parts = zip(numbers, crops.split(lengths), labels.split(lengths), strict=True)
        for i, x, y in parts:
            torch.manual_seed(_seed_of(config.seed, step, i))  # the same masks on whichever process the chunk is
            waits = fabric.world_size > 1 and i != numbers[-1]  # gradients are exchanged once a step
            with fabric.no_backward_sync(cast(Any, self.model), enabled=waits):
                logits = self.model(to_unit(x)).float()
                loss = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
                if not own:  # nothing to do, but the others wait for a gradient
                    loss = loss * 0
                fabric.backward(loss * fabric.world_size / len(index))  # the mean over processes is that of the batch
            if own:
                with torch.no_grad():
                    totals += torch.stack([loss.detach(), ((logits > 0) == (y > 0.5)).sum()])
        self.optimiser.step()
        if config.conv1_limit:
            constrain_conv1(self.network, config.conv1_limit)
        return totals, len(rows) if own else 0

    def _agree(self, totals: Tensor, seen: float) -> tuple[list[float], int]:
        """Totals over all processes, and a signal if any of them was given one."""
        given = self.should_stop()
        told = totals.new_tensor([seen, given == signal.SIGINT, bool(given) and given != signal.SIGINT])
        *summed, interrupted, ended = self._sum(torch.cat([totals, told])).tolist()
        return summed, signal.SIGINT if interrupted else signal.SIGTERM if ended else 0

    def _sum(self, values: Tensor) -> Tensor:
        return cast(Tensor, self.fabric.all_reduce(values, reduce_op="sum")) if self.fabric.world_size > 1 else values

    def _check(self, loss: float, step: int) -> None:
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {self.history.epoch + 1}, step {step + 1}; lower --learning_rate. "
                "The checkpoints of earlier epochs are complete"
            )

    def _stop(self, signal_number: int) -> None:
        self.save_state()
        where = f"epoch {self.history.epoch + 1}, step {self.history.step} of {self.steps}"
        raise Stopped(f"stopped in {where}; go on with --resume {self.out}", signal_number)


def _seed_of(seed: int, step: int, chunk: int) -> int:
    return int(np.random.SeedSequence([seed, step, chunk]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _validate(network: MrCNN, validate: Validate, config: TrainConfig) -> Scores:
    network.eval()
    scores = validate(network)
    if config.watch not in scores:
        raise InputError(f"cannot watch {config.watch!r}: validation gives {', '.join(scores)}")
    return scores


def _is_enough(history: History, config: TrainConfig) -> bool:
    # a resumed run may have begun without validation
    scored = [row["epoch"] for row in history.rows if f"val_{config.watch}" in row]
    return config.patience >= 0 and sum(epoch > history.best_epoch for epoch in scored) >= config.patience
