"""Training Mr-CNN: the paper's schedule and constraint, on Lightning Fabric.

An archive flows in; checkpoints, logs and curves flow out. Section 3.2 of the paper.

Letters: B samples of a batch, S = 3 scales, C = 3 channels, P = 42 the side of a crop.
"""

import contextlib
import ctypes
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mrsal.errors import InputError, TrainingError
from mrsal.files import make_folder
from mrsal.model import RGB, ModelConfig, MrCNN, channels_last, constrain_conv1
from mrsal.patches import to_unit
from mrsal.precision import resolve_device, resolve_precision
from mrsal.runs import History, restore, save_epoch, write_text

Scores = dict[str, float]
Validate = Callable[[MrCNN], Scores]

_GPU_LOG_EVERY = 10  # steps; reading the loss makes a GPU wait, a CPU not
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_CPU_CHUNK = 32  # on a CPU, activations of larger chunks leave the allocator's pool and cost half the speed


class Samples(Protocol):
    """What an archive offers for training."""

    @property
    def mean(self) -> RGB: ...

    @property
    def std(self) -> RGB: ...

    @property
    def value_range(self) -> tuple[float, float]: ...

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> "Samples": ...

    def batch(self, index: NDArray) -> tuple[Tensor, Tensor]:
        """Crops ``(B, S, C, P, P)``, uint8 or float32 in [0, 1], and labels ``(B,)`` float32."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run; the defaults are the paper's."""

    epochs: int = 20

    batch_size: int = 256
    # per process

    learning_rate: float = 0.002

    start_momentum: float = 0.9
    end_momentum: float = 0.99
    # raised linearly per iteration over the whole run

    weight_decay: float = 2e-4

    conv1_limit: float = 0.1
    # largest L2 norm of a first-layer filter; 0 switches the constraint off

    patience: int = -1
    # stop after so many epochs without a better validation score; -1: never

    watch: str = "CC"
    # the validation metric that decides which checkpoint is best

    precision: str = "auto"
    # "fp32"; "bf16"; "auto": bf16 where the hardware has it

    devices: int = 1
    device: str = "auto"
    # "auto", "cpu", "cuda"

    seed: int = 0

    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        checks = {
            "epochs must be at least 1": self.epochs >= 1,
            "batch_size must be at least 1": self.batch_size >= 1,
            "learning_rate must be positive": 0 < self.learning_rate < float("inf"),
            "momentum must lie in [0, 1), start and end": 0 <= self.start_momentum < 1 and 0 <= self.end_momentum < 1,
            "weight_decay must not be negative": self.weight_decay >= 0,
            "conv1_limit must not be negative": self.conv1_limit >= 0,
            "patience must be -1, or at least 1": self.patience == -1 or self.patience >= 1,
            "devices must be at least 1": self.devices >= 1,
        }
        for complaint, fine in checks.items():
            if not fine:
                raise InputError(f"{complaint}; got {self}")


@dataclass(frozen=True)
class Progress:
    """What a progress display is told every few steps."""

    epoch: int
    step: int
    steps: int
    loss: float
    accuracy: float
    samples_per_second: float


def momentum_at(step: int, total: int, config: TrainConfig) -> float:
    """Momentum of iteration ``step`` (0-based) of ``total``: linear, ``end_momentum`` at the last one and never past it."""
    share = step / max(1, total - 1)
    return config.start_momentum + (config.end_momentum - config.start_momentum) * min(share, 1.0)


def epoch_batches(count: int, batch_size: int, *, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Indices of an epoch's batches: a new permutation each epoch, the same for the same seed; the last may be short."""
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


def train(
    samples: Samples,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    validate: Validate | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> Path:
    """Train a network and keep a checkpoint per epoch.

    Parameters
    ----------
    samples : Samples
        Of :class:`mrsal.native.NativeArchive` or :func:`mrsal.archive.read_train`.
    out : str or Path
        Folder of the run: ``cnn_epoch_<n>.pth`` (n from 1), ``cnn_best.pth`` when validated, ``metrics.csv``,
        ``tensorboard/``, ``config.json``, and ``state.pt`` for resuming.
    config : TrainConfig, optional
    validate : callable, optional
        Network to scores by name; called after every epoch.
    resume : bool
        Go on after the last complete epoch found in ``out``; on a CPU the result is that of an uninterrupted run.
    on_progress, on_epoch : callable, optional
        Told about every few steps and every epoch's row of ``metrics.csv``.

    Returns
    -------
    Path
        The best checkpoint when validated, otherwise the last.

    Raises
    ------
    InputError
        If the samples are none, or early stopping is asked for without validation.
    TrainingError
        If the loss is not a finite number. Earlier checkpoints stay.
    FileError
        If ``out`` cannot be written.
    """
    config = config or TrainConfig()
    if not len(samples):
        raise InputError("expected at least one training sample, got none")
    if config.patience >= 0 and validate is None:
        raise InputError("early stopping needs validation; add --use_val, or leave the patience at -1")
    out = make_folder(out)
    fabric = Fabric(
        accelerator=resolve_device(config.device),
        devices=config.devices,
        precision=resolve_precision(config.precision, config.device),
    )
    fabric.launch()
    torch.manual_seed(config.seed)
    network = channels_last(MrCNN(config.model))
    optimiser = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.start_momentum,
        weight_decay=config.weight_decay,
        foreach=True,  # one kernel for all parameters, and no waiting for a GPU
    )
    samples = _on_device(samples, fabric.device)
    if fabric.device.type == "cpu":
        _keep_freed_memory()
    model, optimiser = fabric.setup(network, optimiser)
    history = restore(out, network, optimiser, _settings(config)) if resume else History()
    if not resume:
        write_text(out / "config.json", json.dumps(_settings(config), indent=1))

    steps = -(-len(samples) // config.batch_size)
    for epoch in range(history.epoch, config.epochs):
        if _should_stop(history, config):
            break
        began = time.monotonic()
        loss, accuracy = _epoch(fabric, model, optimiser, samples, config, epoch, steps, on_progress)
        seconds = time.monotonic() - began
        row = {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": accuracy,
            "momentum": momentum_at((epoch + 1) * steps - 1, config.epochs * steps, config),
            "seconds": round(seconds, 2),
            "samples_per_second": round(len(samples) / seconds, 1),
        }
        if validate is not None:
            row |= {f"val_{name}": float(value) for name, value in _validate(network, validate, config).items()}
        save_epoch(out, network, optimiser, history, row, _settings(config), watch=config.watch)
        if on_epoch:
            on_epoch(row)
    if history.best_epoch:
        return out / "cnn_best.pth"
    return out / f"cnn_epoch_{history.epoch}.pth"


def _keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next one, instead of having the kernel clear it again, which costs a tenth.

    A process-wide setting, and no more than a hint: other C libraries know no ``mallopt`` and go on as they are.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _on_device(samples: Samples, device: torch.device) -> Samples:
    """On a GPU that has room for them, samples are kept there, so that crops are cut where they are used."""
    if device.type != "cuda" or samples.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return samples
    return samples.to(device)


def _epoch(
    fabric: Fabric,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    samples: Samples,
    config: TrainConfig,
    epoch: int,
    steps: int,
    on_progress: Callable[[Progress], None] | None,
) -> tuple[float, float]:
    """One pass over the samples; returns mean loss and accuracy."""
    model.train()
    totals = torch.zeros(2, device=fabric.device)  # summed loss, correct answers
    log_every = 1 if fabric.device.type == "cpu" else _GPU_LOG_EVERY
    seen, began = 0, time.monotonic()
    batches = epoch_batches(len(samples), config.batch_size, seed=config.seed, epoch=epoch)
    for step, index in enumerate(batches):
        for group in optimiser.param_groups:
            group["momentum"] = momentum_at(epoch * steps + step, config.epochs * steps, config)
        optimiser.zero_grad(set_to_none=True)
        crops, labels = (tensor.to(fabric.device, non_blocking=True) for tensor in samples.batch(index))
        chunk = _CPU_CHUNK if fabric.device.type == "cpu" else len(index)
        for x, y in zip(crops.split(chunk), labels.split(chunk), strict=True):
            logits = model(to_unit(x)).float()
            loss = F.binary_cross_entropy_with_logits(logits, y, reduction="sum")
            fabric.backward(loss / len(index))
            with torch.no_grad():
                totals += torch.stack([loss.detach(), ((logits > 0) == (y > 0.5)).sum()])
        optimiser.step()
        if config.conv1_limit:
            constrain_conv1(cast(MrCNN, model.module), config.conv1_limit)
        seen += len(index)
        if (step + 1) % log_every == 0 or step == steps - 1:
            loss_so_far, accuracy = (totals / seen).tolist()
            if not np.isfinite(loss_so_far):
                raise TrainingError(
                    f"the loss is {loss_so_far} in epoch {epoch + 1}, step {step + 1}; lower --learning_rate. "
                    "The checkpoints of earlier epochs are complete"
                )
            if on_progress:
                rate = seen / (time.monotonic() - began)
                on_progress(Progress(epoch + 1, step + 1, steps, loss_so_far, accuracy, rate))
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):  # the last step's doing
        raise TrainingError(
            f"weights are no longer finite after epoch {epoch + 1}; lower --learning_rate. "
            "The checkpoints of earlier epochs are complete"
        )
    return loss_so_far, accuracy


def _validate(network: MrCNN, validate: Validate, config: TrainConfig) -> Scores:
    network.eval()
    scores = validate(network)
    if config.watch not in scores:
        raise InputError(f"cannot watch {config.watch!r}: validation gives {', '.join(scores)}")
    return scores


def _should_stop(history: History, config: TrainConfig) -> bool:
    return config.patience >= 0 and history.epoch - history.best_epoch >= config.patience and history.epoch > 0


def _settings(config: TrainConfig) -> dict[str, Any]:
    """The settings as JSON holds them."""
    return json.loads(json.dumps(asdict(config)))


def fit_input(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The same settings for a network that takes the channel statistics of these samples off its input."""
    model = replace(config.model, mean=samples.mean, std=samples.std, trained_range=samples.value_range)
    return replace(config, model=model)
