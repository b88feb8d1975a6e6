"""The folder of a training run: a checkpoint for each epoch, the logs, and the state from which the run can be resumed.

The files are written after each epoch, and the state also when a run is stopped.
"""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from mrsal.errors import FileError, InputError
from mrsal.evaluation import read_history
from mrsal.files import atomic_path, decoding, write_text
from mrsal.metrics import HIGHER_IS_BETTER
from mrsal.model import Network, has_all_values, load_checkpoint, load_safely, save_checkpoint, save_safely
from mrsal.training.method import Method

_STATE = "state.pt"
# a resumed run may have other values of these settings; of batch_size and devices, only the effective batch has to be the same
_MAY_CHANGE = {"epochs", "average", "batch_size", "device", "devices", "patience", "timeout"}


@dataclass
class History:
    """How far a run has come: everything that a resumed run needs besides the weights and the optimiser.

    It holds no state of a random number generator, since the random numbers of a step depend only on the seed and the step.
    """

    epoch: int = 0
    # the number of complete epochs

    step: int = 0
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    seconds: float = 0.0
    # in the current epoch: the number of steps done; the sums of the loss and of the measure, the number of samples; seconds

    best_epoch: int | None = None
    # None: without validation; 0: no epoch was better than the weights that training started from

    best_score: float = float("-inf")
    rows: list[dict[str, float]] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether no step has been done and nothing has been scored."""
        return not (self.epoch or self.step or self.rows)

    def add(self, row: dict[str, float], *, watch: str) -> bool:
        """Add a complete epoch, and return whether it is the best so far by the validation metric ``watch``."""
        self.epoch, self.step, self.totals, self.seconds = int(row["epoch"]), 0, [0.0, 0.0, 0.0], 0.0
        self.rows.append(row)
        score = row.get(f"val_{watch}")
        if score is None:
            return False
        score = score if HIGHER_IS_BETTER.get(watch, True) else -score
        if score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score
        return self.best_epoch == self.epoch

    def check(self) -> None:
        """Raise a ValueError if a value is none that a run leaves, since it may come from a damaged file."""
        counts = (self.epoch, self.step, self.best_epoch or 0, *(row["epoch"] for row in self.rows))
        numbers = (*self.totals, self.seconds, self.best_score, *(value for row in self.rows for value in row.values()))
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError(f"epoch, step, best_epoch and the epochs of the rows are {counts}")
        if len(self.totals) != 3 or not all(isinstance(number, float | int) for number in numbers):
            raise ValueError(f"totals are {self.totals}, or another value is no number")
        if not all(map(math.isfinite, (*self.totals, self.seconds))):
            raise ValueError(f"totals are {self.totals}, and seconds {self.seconds}")
        if len(self.rows) < self.epoch:
            raise ValueError(f"there are {len(self.rows)} rows for {self.epoch} epochs")


def save_epoch(out: Path, network: Network, history: History, *, seed: int, best: bool) -> None:
    """Write the checkpoint of the last complete epoch and the logs. Call :func:`save_state` after this.

    Epoch 0 is the network that training starts from, which has no checkpoint but as the best so far.
    """
    row = history.rows[-1]
    about = {"epoch": history.epoch, "scores": row, "seed": seed}
    if history.epoch:
        save_checkpoint(network, out / f"cnn_epoch_{history.epoch}.pth", about=about)
    if best:
        save_checkpoint(network, out / "cnn_best.pth", about=about)
    names = list(dict.fromkeys(name for r in history.rows for name in r))  # a resumed run may add validation scores
    lines = [",".join(names), *(",".join(f"{r.get(name, '')}" for name in names) for r in history.rows)]
    write_text(out / "metrics.csv", "\n".join(lines) + "\n")
    _write_tensorboard(out / "tensorboard", row)


def save_state(out: Path, method: Method, history: History, settings: dict[str, Any]) -> None:
    """Write the state from which the run can be resumed.

    Parameters
    ----------
    out : Path
        The folder of the run.
    method : Method
        The network, the optimiser and what else the kind of training keeps, after the last step.
    history : History
    settings : dict
        The settings of the run as plain values; those of a resumed run are compared with them.
    """
    state = {
        "history": asdict(history),
        "config": settings,
        "model": method.network.state_dict(),
        "optimiser": method.optimiser.state_dict(),
        **method.state(),
    }
    with atomic_path(out / _STATE) as temporary:
        save_safely(state, temporary)


def restore(out: Path, method: Method, settings: dict[str, Any]) -> History:
    """Load the state of a run, and return its history.

    Raises
    ------
    FileError, DataError
        If ``out`` holds no state of a run, or the state is damaged.
    InputError
        If the run began with other settings.
    """
    path = out / _STATE
    if not path.is_file():
        raise FileError(f"cannot resume the run: {path} does not exist; start a new run without --resume")
    state = load_safely(path)
    with decoding(path, "the state of a training run", remedy="start a new run without --resume"):
        before = dict(state["config"])
    _check_settings(settings, before)
    with decoding(path, "the state of a training run", remedy="start a new run without --resume"):
        method.network.load_state_dict(state["model"])
        _check_optimiser(method.optimiser, state["optimiser"])
        method.optimiser.load_state_dict(state["optimiser"])
        method.load_state(state)
        history = History(**state["history"])
        history.check()
    if history.best_score == float("-inf"):
        history.best_epoch = None  # earlier versions wrote 0
    return history


def _check_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Raise a ValueError if a state is not one of this optimiser, since ``load_state_dict`` takes values of any type."""
    for expected, got in zip(optimiser.state_dict()["param_groups"], state["param_groups"], strict=True):
        for name in expected.keys() & got.keys():  # other versions of torch have other settings
            number = isinstance(expected[name], float) and isinstance(got[name], float | int)
            if not number and type(got[name]) is not type(expected[name]):
                raise ValueError(f"the optimiser has {name}={got[name]!r}")
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    for number, values in state["state"].items():
        for name, value in values.items():
            shape = () if name == "step" else parameters[number].shape
            fits = isinstance(value, torch.Tensor) and value.shape == shape and has_all_values(value)
            if value is not None and not fits:
                raise ValueError(f"{name} of parameter {number} in the optimiser does not fit")


def _check_settings(settings: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuse to resume a run that began with other settings."""
    names = settings.keys() | before.keys()
    changed = sorted(name for name in names - _MAY_CHANGE if settings.get(name) != before.get(name))
    values = [
        name if isinstance(settings.get(name), dict) else f"{name} (was {before.get(name)}, is {settings.get(name)})"
        for name in changed
    ]
    if values:
        raise InputError(
            f"cannot resume the run with other settings: {', '.join(values)}; use those of its config.json, or start a new run"
        )


def save_average(out: Path, count: int) -> Path:
    """Write ``cnn_average.pth``: the mean of the weights after each of the last ``count`` epochs.

    With a momentum of 0.99 at the end and a constant learning rate, the weights move around a minimum; their mean is closer to
    it (Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018). The network has no
    running statistics, such as those of batch normalisation, that would have to be computed again.
    """
    last = int(read_history(out)[-1]["epoch"])
    epochs = range(max(1, last - count + 1), last + 1)
    networks = [load_checkpoint(out / f"cnn_epoch_{epoch}.pth")[0] for epoch in epochs]
    with torch.no_grad():
        for mean, *others in zip(*(network.parameters() for network in networks), strict=True):
            mean.copy_(torch.stack([mean, *others]).double().mean(dim=0))
    path = out / "cnn_average.pth"
    save_checkpoint(networks[0], path, about={"epoch": last, "mean of epochs": list(epochs)})
    return path


def last_run(folder: Path) -> Path | None:
    """The folder of the newest run in ``folder`` that can be resumed, or None."""
    runs = [path.parent for path in folder.glob(f"*/{_STATE}")]
    return max(runs, key=lambda run: run.name, default=None)


def _write_tensorboard(folder: Path, row: dict[str, float]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # takes seconds to import

    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name.replace("val_", "validation/"), value, int(row["epoch"]))
