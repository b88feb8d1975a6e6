"""The folder of a training run: a checkpoint per epoch, logs, and the state from which a run goes on.

After each epoch, and when a run is stopped, network, optimiser and figures flow in; files flow out, and back in when the run
is resumed.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from mrsal.errors import DataError, FileError, InputError
from mrsal.evaluation import read_history
from mrsal.files import atomic_path, write_text
from mrsal.metrics import HIGHER_IS_BETTER
from mrsal.model import MrCNN, load_checkpoint, load_safely, save_checkpoint, save_safely

_STATE = "state.pt"
# what a resumed run need not share; instead of batch_size and devices it is the effective batch that counts
_MAY_CHANGE = {"epochs", "average", "batch_size", "device", "devices", "patience", "timeout"}


@dataclass
class History:
    """Where a run stands; everything that a resumed run needs besides weights and optimiser.

    Random numbers need no place here: those of a step follow from the seed and the step.
    """

    epoch: int = 0
    # complete ones

    step: int = 0
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    seconds: float = 0.0
    # of the epoch under way: steps done, summed loss, correct answers, samples, time

    best_epoch: int = 0
    best_score: float = float("-inf")
    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, row: dict[str, float], *, watch: str) -> bool:
        """Take up a complete epoch; returns whether it is the best one by the validation metric ``watch``."""
        self.epoch, self.step, self.totals, self.seconds = int(row["epoch"]), 0, [0.0, 0.0, 0.0], 0.0
        self.rows.append(row)
        score = row.get(f"val_{watch}")
        if score is None:
            return False
        score = score if HIGHER_IS_BETTER.get(watch, True) else -score
        if score > self.best_score:
            self.best_epoch, self.best_score = self.epoch, score
        return self.best_epoch == self.epoch


def save_epoch(out: Path, network: MrCNN, history: History, *, seed: int, best: bool) -> None:
    """Write the last complete epoch's checkpoint and the logs. The state is for :func:`save_state`, after this."""
    row = history.rows[-1]
    about = {"epoch": history.epoch, "scores": row, "seed": seed}
    save_checkpoint(network, out / f"cnn_epoch_{history.epoch}.pth", about=about)
    if best:
        save_checkpoint(network, out / "cnn_best.pth", about=about)
    names = list(dict.fromkeys(name for r in history.rows for name in r))  # a resumed run may add validation
    lines = [",".join(names), *(",".join(f"{r.get(name, '')}" for name in names) for r in history.rows)]
    write_text(out / "metrics.csv", "\n".join(lines) + "\n")
    _write_tensorboard(out / "tensorboard", row)


def save_state(
    out: Path, network: MrCNN, optimiser: torch.optim.Optimizer, history: History, settings: dict[str, Any]
) -> None:
    """Write the state that a resumed run starts from.

    Parameters
    ----------
    out : Path
        The run's folder.
    network, optimiser
        As they are after the last step.
    history : History
    settings : dict
        Those of the run, as JSON holds them; a resumed run is compared with them.
    """
    state = {
        "history": asdict(history),
        "config": settings,
        "model": network.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic_path(out / _STATE) as temporary:
        save_safely(state, temporary)


def restore(out: Path, network: MrCNN, optimiser: torch.optim.Optimizer, settings: dict[str, Any]) -> History:
    """Bring network and optimiser to where a run stopped; returns its history.

    Raises
    ------
    FileError, DataError
        If there is no state of a run in ``out``, or it is damaged.
    InputError
        If the run began with other settings that matter.
    """
    path = out / _STATE
    if not path.is_file():
        raise FileError(f"nothing to resume: {path} does not exist; start the run without --resume")
    state = load_safely(path)
    try:
        then = state["config"]
        changed = sorted(name for name in settings if name not in _MAY_CHANGE and settings[name] != then[name])
        if changed:
            values = (
                name if isinstance(settings[name], dict) else f"{name} (then {then[name]}, now {settings[name]})"
                for name in changed
            )
            raise InputError(f"cannot resume with another {', '.join(values)} than the run began with")
        network.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        return History(**state["history"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path} is no state of a training run: {error}") from error


def save_average(out: Path, count: int) -> Path:
    """Write ``cnn_average.pth``: the mean of the weights after each of the last ``count`` epochs.

    With a momentum of 0.99 at the end and a constant learning rate, weights wander about a minimum; their mean is nearer to it
    (Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018). Nothing in the network
    keeps statistics that would have to be computed anew.
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
    """The newest run in ``folder`` that can be resumed; None if there is none."""
    runs = [path.parent for path in folder.glob(f"*/{_STATE}")]
    return max(runs, key=lambda run: run.name, default=None)


def _write_tensorboard(folder: Path, row: dict[str, float]) -> None:
    from torch.utils.tensorboard import SummaryWriter  # a slow import

    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name.replace("val_", "validation/"), value, int(row["epoch"]))
