"""What makes Mr-CNN better while it keeps to the paper: one change at a time, three seeds each, on OSIE's validation images.

    python benchmarks/paper_network.py train --work DIR --variants paper norm1 --seeds 0 1 2
    python benchmarks/paper_network.py table --work DIR

A full run has 20 epochs of 15,000 samples in batches of 256. Here a run has 5 epochs in batches of 64 (``--epochs``,
``--batch_size``): as many steps, with the same momentum in each, for a quarter of the time. DIR keeps the archive, the runs and
their scores; what is there is not done again. The data are found through MRSAL_DATA, or at ../shared/data beside the checkout.

The changes are those in which a plain implementation of the method, as course work has it, differs from mrsal, and some that
such an implementation suggests. They are made here and not in the package, which has only what turned out to be better.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from improved import archive
from torch import Tensor, nn

import mrsal
from mrsal.datasets import NativeArchive
from mrsal.model import MrCNN, constrain_conv1
from mrsal.training import loop, paper
from mrsal.training.config import fit_input

METRICS = ("AUC", "sAUC", "NSS", "CC", "IG")


@dataclass(frozen=True)
class Variant:
    """One way to train Mr-CNN."""

    about: str
    standardised: bool = True  # whether the network's input has mean 0 and deviation 1, or else is in [0, 1]
    times: float = 1.0  # by what the standardised input is multiplied
    start: Callable[[MrCNN, Tensor], None] = lambda network, x: None  # changes the initial weights; x: (B, S, C, P, P)
    constrain: Callable[[MrCNN, float], None] = constrain_conv1  # after each step
    limit: float = 0.1


@torch.no_grad()
def to_norm_1(network: MrCNN, limit: float) -> None:
    """Scale the filters of the first layer whose L2 norm exceeds ``limit`` to a norm of 1, as course work has it."""
    for stream in network.streams:
        weight = stream.conv1.weight  # (filters, C, 7, 7)
        norm = torch.linalg.vector_norm(weight, dim=(1, 2, 3), keepdim=True)
        weight.copy_(torch.where(norm > limit, weight / norm, weight))


def as_pytorch(network: MrCNN, x: Tensor) -> None:
    """Initial weights as PyTorch draws them: uniform, with a third of the variance that He et al. propose, or less."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()


@torch.no_grad()
def even(network: MrCNN, x: Tensor) -> None:
    """Initial weights scaled layer by layer so that each layer gives values of variance 1 on samples (Mishkin and Matas 2016).

    The first layer is constrained, and what it lacks in size is made up for in the second.
    """
    constrain_conv1(network, 0.1)
    network.eval()
    layers = [layer for stream in network.streams for layer in (stream.conv2, stream.conv3, stream.fc)]
    for layer in [*layers, network.fc]:
        found: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _, __, output, found=found: found.append(output))
        network(x)
        hook.remove()
        layer.weight.div_(found[0].std())
    network.train()


VARIANTS = {
    "paper": Variant("as mrsal trains: filters above 0.1 are scaled to 0.1, He's weights, standardised input"),
    "norm1": Variant("filters above 0.1 are scaled to 1", constrain=to_norm_1),
    "pytorch": Variant("initial weights as PyTorch draws them", start=as_pytorch),
    "unit": Variant("input in [0, 1]", standardised=False),
    "plain": Variant("all three", standardised=False, start=as_pytorch, constrain=to_norm_1),
    "even": Variant("initial weights of later layers scaled to an even variance", start=even),
    "norm1-pytorch": Variant("filters to 1, PyTorch's weights", start=as_pytorch, constrain=to_norm_1),
    "times10": Variant("standardised input times 10, so that more signal passes filters of norm 0.1", times=10.0),
    "times60": Variant("standardised input times 60, about what pixels from 0 to 255 are", times=60.0),
    "free": Variant("no limit on the filters", limit=0.0),
}


def train(work: Path, name: str, seed: int, *, epochs: int, batch_size: int) -> None:
    """Train one network, and score it on the validation images after its last epoch and with the mean of its last three."""
    out = work / f"runs-{epochs}x{batch_size}" / f"{name}-{seed}"
    if (out / "scores.json").is_file():
        return
    variant, data = VARIANTS[name], archive(work, "osie")
    config = mrsal.TrainConfig(epochs=epochs, batch_size=batch_size, seed=seed, conv1_limit=variant.limit)
    if variant.standardised:
        config = fit_input(config, data.samples)
        red, green, blue = config.model.std
        divisor = (red / variant.times, green / variant.times, blue / variant.times)
        config = replace(config, model=replace(config.model, std=divisor))
    torch.manual_seed(seed)
    network = MrCNN(config.model)
    rows = np.random.default_rng(seed).choice(len(data.samples), 256, replace=False)
    variant.start(network, paper.to_unit(data.samples.batch(rows)[0]))
    paper.constrain_conv1 = variant.constrain
    loop.keep_freed_memory()
    mrsal.train(
        data.samples,
        out,
        config,
        start=network,
        resume=(out / "state.pt").is_file(),
        on_epoch=lambda row: print(name, seed, row, flush=True),
    )
    found = {file: scores(out / file, data) for file in (f"cnn_epoch_{epochs}.pth", "cnn_average.pth")}
    (out / "scores.json").write_text(json.dumps(found, indent=1))
    print(name, seed, found, flush=True)


def scores(checkpoint: Path, data: NativeArchive) -> dict[str, float]:
    predictor = mrsal.load_model(checkpoint, mode="fast", device="cpu")
    means = mrsal.evaluate(predictor, data.examples("val")).mean()
    return {metric: means[metric] for metric in METRICS}


def table(work: Path) -> Iterator[str]:
    """The scores of all runs: mean and standard deviation over seeds, and the paired difference from ``paper``."""
    for folder in sorted(work.glob("runs-*")):
        found: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
        for path in sorted(folder.glob("*/scores.json")):
            name, _, seed = path.parent.name.rpartition("-")
            for file, row in json.loads(path.read_text()).items():
                kind = "mean of three epochs" if "average" in file else "last epoch"
                found.setdefault((name, kind), {})[int(seed)] = row
        yield f"{folder.name}\n"
        yield f"| variant | weights | seeds | {' | '.join(METRICS)} |"
        yield f"| --- | --- | ---: | {' | '.join('---:' for _ in METRICS)} |"
        for name, kind in sorted(found, key=lambda key: list(VARIANTS).index(key[0])):
            runs, base = found[name, kind], found.get(("paper", kind), {})
            cells = []
            for metric in METRICS:
                values = [row[metric] for row in runs.values()]
                spread = f" ±{statistics.stdev(values):.3f}" if len(values) > 1 else ""
                pairs = [row[metric] - base[seed][metric] for seed, row in runs.items() if seed in base]
                gain = f" ({statistics.mean(pairs):+.3f})" if pairs and name != "paper" else ""
                cells.append(f"{statistics.mean(values):.3f}{spread}{gain}")
            yield f"| {name} | {kind} | {len(runs)} | {' | '.join(cells)} |"
        yield ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "table"])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch_size", type=int, default=64)
    given = parser.parse_args()
    if given.what == "table":
        print("\n".join(table(given.work)))
        return
    for seed in given.seeds:
        for name in given.variants:
            train(given.work, name, seed, epochs=given.epochs, batch_size=given.batch_size)


if __name__ == "__main__":
    main()
