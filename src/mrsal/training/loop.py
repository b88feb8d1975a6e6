"""The training loop, for both kinds of network. It runs on Lightning Fabric."""

import contextlib
import ctypes
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from mrsal.errors import InputError, Stopped, TrainingError
from mrsal.files import make_folder, remove_leftovers, write_text
from mrsal.model import ImprovedNetwork, MrCNN, Network, resolve_precision
from mrsal.training.config import AnyConfig, Samples, TrainConfig, as_json
from mrsal.training.distributed import exchange, from_first, launch, on_first, readable_memory_errors, shared_map
from mrsal.training.features import TrainingImages
from mrsal.training.method import Method
from mrsal.training.run_folder import History, restore, save_average, save_epoch, save_state
from mrsal.training.schedule import epoch_batches

Validate = Callable[[Network], dict[str, float]]

_GPU_LOG_EVERY = 10  # steps, since reading the loss makes a GPU wait; on a CPU the loss is read every step
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # from malloc.h of glibc
_COMPLETE = "The checkpoints of earlier epochs are complete"


@dataclass(frozen=True)
class TrainingProgress:
    """The state of training that is reported every few steps."""

    epoch: int
    step: int
    steps: int
    loss: float
    measure: tuple[str, float]
    # the name and the mean of what is reported beside the loss: the accuracy, or for the improved network the CC

    samples_per_second: float


def train(
    samples: Samples | TrainingImages,
    out: str | Path,
    config: AnyConfig | None = None,
    *,
    start: Network | None = None,
    validate: Validate | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    should_stop: Callable[[], int] = lambda: 0,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a network and save a checkpoint after each epoch.

    With several processes, the batch has ``config.batch_size`` samples for each of them, and each process computes a share of
    its chunks. On CPUs each chunk has its own random numbers, so a run gives the same weights, up to rounding, on any number of
    processes. The random number generators of torch are afterwards as they were before.

    Parameters
    ----------
    samples : Samples or TrainingImages
        For Mr-CNN the samples of an archive, such as :attr:`mrsal.datasets.NativeArchive.samples`; for the improved network the
        images of archives.
    out : str or Path
        The folder for the run: ``cnn_epoch_<n>.pth`` (n from 1), ``cnn_best.pth`` with validation, ``cnn_average.pth`` at the
        end, ``metrics.csv``, ``tensorboard/``, ``config.json``, and ``state.pt``, from which the run is resumed.
    config : TrainConfig or ImprovedTrainConfig, optional
        The settings, whose type says which network is trained.
    start : MrCNN or ImprovedNetwork, optional
        The network whose weights training starts from, with the architecture in ``config``; dropout may differ. With validation
        it is scored as epoch 0, so that the best checkpoint is never worse. None: start anew.
    validate : callable, optional
        A function from the network to scores by name. It is called after every epoch, on every process.
    resume : bool
        Whether to continue the run in ``out`` where it stopped. On a CPU the weights are then exactly those of an
        uninterrupted run.
    fabric : Fabric, optional
        The Fabric of processes that run already; by default they are started with the settings of ``config``.
    should_stop : callable, optional
        A function that is called every few steps. If it returns the number of a signal instead of 0, the run is saved and
        stopped on all processes.
    on_progress, on_epoch : callable, optional
        Functions that are called every few steps, and after each epoch with its row of ``metrics.csv``, on every process.

    Returns
    -------
    Path
        The best checkpoint with validation, otherwise the last.

    Raises
    ------
    InputError
        If there are no samples, early stopping is used without validation, or ``start`` has another architecture.
    TrainingError
        If the loss is not finite, memory runs out, or another process of the run is lost. Earlier checkpoints are kept.
    Stopped
        If ``should_stop`` returned a signal.
    FileError
        If ``out`` cannot be written.
    """
    config = config or TrainConfig()
    if not len(samples):
        raise InputError("expected at least one training sample, got none; prepare the data set again")
    if config.patience >= 0 and validate is None:
        raise InputError("early stopping needs validation; add --use_val, or set the patience to -1")
    fabric = fabric or launch(
        device=config.device, precision=config.precision, devices=config.devices or 1, timeout=config.timeout
    )
    out = Path(out)
    on_first(fabric, lambda: make_folder(out))
    gpus = [fabric.device] if fabric.device.type == "cuda" else []
    with (
        torch.random.fork_rng(gpus),
        readable_memory_errors(fabric, hint=f"lower --batch_size. {_COMPLETE}"),
    ):
        torch.manual_seed(config.seed)
        method = method_of(samples, config, start, fabric)
        run = _Run(fabric, method, config, out, should_stop, on_progress)
        run.start(resume=resume)

        def scores() -> dict[str, float]:
            assert validate is not None
            found = from_first(fabric, _validate(method.saved, validate, config))
            return {f"val_{name}": float(value) for name, value in found.items()}

        if start is not None and validate is not None and run.history.is_new:
            run.finish_epoch({"epoch": 0, **scores()})
            if on_epoch:
                on_epoch(run.history.rows[0])
        while run.history.epoch < config.epochs and not _is_enough(run.history, config):
            row = run.epoch()
            if validate is not None:
                run.save_state()  # if the validation fails, the epoch is not lost
                row |= scores()
            run.finish_epoch(row)
            if on_epoch:
                on_epoch(row)
        if config.average > 1:
            on_first(fabric, lambda: save_average(out, config.average))
    if run.history.best_epoch is not None:
        return out / "cnn_best.pth"
    return out / f"cnn_epoch_{run.history.epoch}.pth"


def method_of(samples: Samples | TrainingImages, config: AnyConfig, start: Network | None, fabric: Fabric) -> Method:
    """How the network of these settings is trained; for the improved network, this computes the features of its images."""
    if start is not None and replace(start.config, dropout=config.model.dropout) != config.model:
        raise InputError("expected weights of the architecture in the settings; use model=start.config in them")
    if isinstance(config, TrainConfig):
        from mrsal.training.paper import PaperMethod

        if isinstance(samples, TrainingImages) or isinstance(start, ImprovedNetwork):
            raise InputError("expected samples and weights of Mr-CNN with a TrainConfig; use an ImprovedTrainConfig")
        return PaperMethod(samples, config, start=start, device=fabric.device)
    from mrsal.training.improved import ImprovedMethod, frozen_stream, sides_of

    if not isinstance(samples, TrainingImages) or isinstance(start, MrCNN):
        raise InputError(
            "expected TrainingImages and an improved network with an ImprovedTrainConfig; use a TrainConfig"
        )
    bf16 = resolve_precision(config.precision, config.device) == "bf16-mixed"
    samples.store_features(
        frozen_stream(start).to(fabric.device),
        sides_of(config),
        device=fabric.device,
        bf16=bf16,
        map_over=shared_map(fabric),
    )
    return ImprovedMethod(samples, config, start=start, device=fabric.device, bf16=bf16)


def keep_freed_memory() -> None:
    """Let glibc keep the memory that a step frees for the next step, instead of having the kernel clear it again.

    This setting holds for the whole process, so only a command may call this, in its own process, and no function of the
    library. It only affects speed, and has no effect with other C libraries, which have no ``mallopt``.
    """
    # Windows has no library with the symbols of the process, which is a TypeError
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


@dataclass
class _Run:
    """The state of a training run, which can be continued from any step."""

    fabric: Fabric
    method: Method
    config: AnyConfig
    out: Path
    should_stop: Callable[[], int]
    on_progress: Callable[[TrainingProgress], None] | None
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        config, method = self.config, self.method
        self.batch_size = config.batch_size * self.fabric.world_size
        self.steps = -(-method.count // self.batch_size)  # in an epoch
        self.settings = {**as_json(config), "effective_batch": self.batch_size}
        with exchange(self.fabric):
            # the network as Fabric wraps it, on the device, and an optimiser of its parameters
            self.model, self.optimiser = self.fabric.setup(method.module, method.optimiser)

    def start(self, *, resume: bool) -> None:
        """Load the state in the folder of the run, or write the first one."""
        if resume:
            on_first(self.fabric, lambda: remove_leftovers(self.out))
            self.history = restore(self.out, self.method, self.settings)
            return
        on_first(self.fabric, lambda: write_text(self.out / "config.json", json.dumps(self.settings, indent=1)))
        self.save_state()

    def save_state(self) -> None:
        on_first(self.fabric, lambda: save_state(self.out, self.method, self.history, self.settings))

    def finish_epoch(self, row: dict[str, float]) -> None:
        """Write what an epoch leaves; epoch 0 is the network that training starts from."""
        best = self.history.add(row, watch=self.config.watch)
        seed = self.config.seed
        on_first(self.fabric, lambda: save_epoch(self.out, self.method.saved, self.history, seed=seed, best=best))
        self.save_state()

    def epoch(self) -> dict[str, float]:
        """Do one pass over the samples, or the rest of it in a resumed run, and return its row of ``metrics.csv``."""
        config, history, fabric = self.config, self.history, self.fabric
        self.model.train()
        on_cpu = fabric.device.type == "cpu"
        *start, seen = history.totals if fabric.is_global_zero else [0.0] * 3  # of the steps before a stop
        totals = torch.tensor(start, device=fabric.device)  # summed loss and measure
        began, seen_before, before = time.monotonic(), history.totals[2], history.seconds
        summed = history.totals
        batches = list(epoch_batches(self.method.count, self.batch_size, seed=config.seed, epoch=history.epoch))
        for step in range(history.step, self.steps):
            passed = history.epoch * self.steps + step
            self.method.schedule(passed, config.epochs * self.steps)
            sums, count = self._step(batches[step], passed)
            totals += sums
            seen += count
            if on_cpu or (step + 1) % _GPU_LOG_EVERY == 0 or step == self.steps - 1:
                summed, signal_number = self._agree(totals, seen)
                history.step, history.totals = step + 1, summed
                history.seconds = before + time.monotonic() - began
                loss, measure = summed[0] / summed[2], (self.method.measure, summed[1] / summed[2])
                self._check(loss, step)
                if self.on_progress:
                    rate = (summed[2] - seen_before) / (time.monotonic() - began)
                    self.on_progress(TrainingProgress(history.epoch + 1, step + 1, self.steps, loss, measure, rate))
                if signal_number:
                    self._stop(signal_number)
        if not all(bool(torch.isfinite(parameter).all()) for parameter in self.method.network.parameters()):
            # the loss does not show this after the last step
            raise TrainingError(
                f"the weights are not finite after epoch {history.epoch + 1}; lower --learning_rate. {_COMPLETE}"
            )
        return {
            "epoch": history.epoch + 1,
            "loss": summed[0] / summed[2],
            self.method.measure: summed[1] / summed[2],
            **self.method.schedule((history.epoch + 1) * self.steps - 1, config.epochs * self.steps),
            "seconds": round(history.seconds, 2),
            "samples_per_second": round(self.method.count / max(history.seconds, 1e-9), 1),
        }

    def _step(self, index: NDArray[np.int64], step: int) -> tuple[Tensor, int]:
        """Do a step with the chunks of the batch that belong to this process.

        Returns
        -------
        sums : Tensor
            ``(2,)``: the sums of the loss and of the measure over these chunks.
        count : int
            The number of samples in them.
        """
        fabric, method = self.fabric, self.method
        self.optimiser.zero_grad(set_to_none=True)
        chunks = list(enumerate(method.chunks(index)))
        own = chunks[fabric.global_rank :: fabric.world_size]
        totals = torch.zeros(2, device=fabric.device)
        # without a chunk there is nothing to compute, but the others wait for this process's gradient, which is then 0
        weight = fabric.world_size if own else 0
        mine = own or chunks[:1]
        for i, rows in mine:
            # so that the random numbers of a chunk are the same on any process
            torch.manual_seed(_seed_of(self.config.seed, step, i))
            sums = self._backward(rows, weight=weight, total=len(index), is_last=i == mine[-1][0])
            if own:
                totals += sums
        method.before_step()
        self.optimiser.step()
        method.after_step()
        return totals, sum(len(rows) for _, rows in own)

    def _backward(self, rows: NDArray[np.int64], *, weight: int, total: int, is_last: bool) -> Tensor:
        """Add the gradient of a chunk; with the last chunk of a step, exchange the gradients with the other processes.

        Parameters
        ----------
        rows : array
            The indices of the samples of the chunk.
        weight, total : int
            The loss is multiplied by ``weight`` and divided by ``total``, so that its mean over the processes is the mean over
            the batch.
        is_last : bool
            Whether this is the last chunk of the step on this process.

        Returns
        -------
        Tensor
            ``(2,)``: the sums of the loss and of the measure over the chunk.
        """
        waits = self.fabric.world_size > 1 and not is_last
        with exchange(self.fabric), self.fabric.no_backward_sync(cast(Any, self.model), enabled=waits):
            loss, measure = self.method.losses(self.model, rows)
            self.fabric.backward(loss * weight / total)
        return torch.stack([loss.detach(), measure])

    def _agree(self, totals: Tensor, seen: float) -> tuple[list[float], int]:
        """The totals over all processes, and a signal to stop if any of the processes got one."""
        number = self.should_stop()
        requests = totals.new_tensor([seen, number == signal.SIGINT, bool(number) and number != signal.SIGINT])
        *summed, interrupted, ended = self._sum(torch.cat([totals, requests])).tolist()
        return summed, signal.SIGINT if interrupted else signal.SIGTERM if ended else 0

    def _sum(self, values: Tensor) -> Tensor:
        if self.fabric.world_size == 1:
            return values
        with exchange(self.fabric):
            return cast(Tensor, self.fabric.all_reduce(values, reduce_op="sum"))

    def _check(self, loss: float, step: int) -> None:
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} in epoch {self.history.epoch + 1}, step {step + 1}; lower --learning_rate. {_COMPLETE}"
            )

    def _stop(self, signal_number: int) -> None:
        self.save_state()
        place = f"epoch {self.history.epoch + 1}, step {self.history.step} of {self.steps}"
        raise Stopped(f"stopped in {place} and saved; continue with --resume {self.out}", signal_number)


def _seed_of(seed: int, step: int, chunk: int) -> int:
    return int(np.random.SeedSequence([seed, step, chunk]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _validate(network: Network, validate: Validate, config: AnyConfig) -> dict[str, float]:
    network.eval()
    scores = validate(network)
    if config.watch not in scores:
        raise InputError(
            f"cannot find the best epoch by {config.watch!r}; choose with --val_metric one of {', '.join(scores)}, which the "
            "validation images allow"
        )
    return scores


def _is_enough(history: History, config: AnyConfig) -> bool:
    # only epochs with a validation score count, since a resumed run may have begun without validation
    scored = [row["epoch"] for row in history.rows if f"val_{config.watch}" in row]
    best = history.best_epoch or 0
    return config.patience >= 0 and sum(epoch > best for epoch in scored) >= config.patience
