"""Measure how fast training is, compared with a plain training loop, and whether both reach the same scores.

    python benchmarks/training.py [--device cuda] [--seconds 30] [--epochs 6 --seeds 5] [--osie FOLDER] [--out training.md]

No data are needed: made-up scenes are prepared in a temporary folder, unless OSIE's folder is given. The speeds are measured in
turns of a few steps each, so that other load on the machine affects all of them. Each turn is a new process, since training
changes how a process keeps its memory. With --epochs, both ways train the same small run to its end, and are scored.
"""

import argparse
import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference import header, matrix_peak
from plain import PlainMrCNN
from scipy import stats
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

import mrsal
from mrsal import datasets
from mrsal.datasets.archives.historical import PthArchive, write_pth
from mrsal.datasets.archives.native import NativeArchive, NativeSamples, write_native
from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.synthetic import write_synthetic
from mrsal.evaluation.evaluator import evaluate
from mrsal.inference.predictor import Predictor
from mrsal.model.device import has_bf16, resolve_device
from mrsal.model.network import RGB, MrCNN, channels_last
from mrsal.model.pyramid import to_unit
from mrsal.training import loop
from mrsal.training.config import TrainConfig, fit_input

BATCH, CHUNK = 256, 64
SCORES = ("AUC", "sAUC", "NSS", "CC")


class PlainDataset(Dataset):
    """The samples of a ``train_data.pth.tar`` file, one at a time."""

    def __init__(self, archive: PthArchive, mean: RGB, std: RGB) -> None:
        self.crops, self.labels = archive.samples.crops, archive.samples.labels
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1) for v in (mean, std))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return (self.crops[index] - self.mean) / self.std, self.labels[index]


def plain_loop(
    data: PlainDataset, network: PlainMrCNN, *, device: str, epochs: int, batch_size: int = BATCH
) -> Iterator[int]:
    """Train in fp32, reading loss and accuracy and limiting each filter in every step; yields the samples of each step."""
    network.to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.002, momentum=0.9, weight_decay=2e-4, foreach=False)
    loader = DataLoader(data, batch_size=batch_size, shuffle=True)
    steps, step = epochs * len(loader), 0
    for _ in range(epochs):
        for crops, labels in loader:
            crops, labels = crops.to(device), labels.to(device)
            optimiser.param_groups[0]["momentum"] = 0.9 + 0.09 * step / max(1, steps - 1)
            optimiser.zero_grad()
            output = network(crops)
            loss = F.binary_cross_entropy(output, labels)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                for stream in (network.stream1, network.stream2, network.stream3):
                    for kernel in stream["conv1"].weight:
                        norm = kernel.norm().item()
                        if norm > 0.1:
                            kernel.mul_(0.1 / norm)
            _ = loss.item(), ((output > 0.5) == (labels > 0.5)).float().mean().item()
            step += 1
            yield len(labels)


class Stop(Exception):
    """Ends the training that is measured."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--seconds", type=float, default=30, help="time for each way of training, for the speeds")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--train_images", type=int, default=100)
    parser.add_argument("--test_images", type=int, default=50)
    parser.add_argument("--osie", type=Path, help="folder of OSIE, to train on its images")
    parser.add_argument("--epochs", type=int, default=0, help="also train this number of epochs and score; 0: do not")
    parser.add_argument("--batch_size", type=int, default=64, help="batch size of the scored runs")
    parser.add_argument("--seeds", type=int, default=5, help="number of scored runs for each way")
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    lines = [header(device), ""]
    with tempfile.TemporaryDirectory() as folder:
        dataset = scenes(arguments.osie, arguments.train_images, arguments.test_images, Path(folder))
        write_native(dataset, Path(folder) / "native")
        write_pth(dataset, Path(folder) / "pth")
        lines += speeds(Path(folder), device, arguments.seconds / arguments.rounds, arguments.rounds)
        if arguments.compile:
            lines += alone(compiled, Path(folder), device)
        if arguments.epochs:
            lines += outcomes(
                Path(folder),
                device,
                epochs=arguments.epochs,
                batch_size=arguments.batch_size,
                seeds=arguments.seeds,
            )
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


def scenes(osie: Path | None, train: int, test: int, folder: Path) -> FixationDataset:
    """A data set with ``train`` and ``test`` images: the first ones of OSIE's splits, or made-up scenes."""
    if osie:
        dataset = datasets.load("osie", osie)
        splits = {"train": dataset.splits["train"][:train], "test": dataset.splits["test"][:test]}
    else:
        dataset = datasets.load("folder", write_synthetic(folder / "data", scenes=train + test))
        splits = {"train": np.arange(train), "test": np.arange(train, train + test)}
    return dataclasses.replace(dataset, splits=splits)


def samples_in(folder: Path) -> NativeSamples:
    return NativeArchive(folder / "native").samples


def plain_data(folder: Path) -> PlainDataset:
    samples = samples_in(folder)
    return PlainDataset(PthArchive(folder / "pth"), samples.mean, samples.std)


def speeds(folder: Path, device: str, stretch: float, rounds: int) -> list[str]:
    rates: dict[str, list[float]] = {way: [] for way in ("plain", *precisions(device))}
    for _ in range(rounds):
        for way, measured in rates.items():
            measured.append(alone(plain_rate if way == "plain" else our_rate, folder, device, stretch, way))
    reference = statistics.median(rates["plain"])
    lines = [
        f"Batch size {BATCH}, medians of {rounds} turns:",
        "",
        "| way | samples/s | times the plain loop | 20 epochs of 15,000 samples | GFLOP/s | share of a matrix product's |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    flop, peaks = sample_flop(), {precision: matrix_peak(device, precision) for precision in precisions(device)}
    for way, measured in rates.items():
        rate = statistics.median(measured)
        work, peak = rate * flop, peaks.get(way, peaks["fp32"])
        cells = (
            f"{rate:.0f}",
            f"{rate / reference:.2f}",
            f"{300_000 / rate:.0f} s",
            f"{work / 1e9:.0f}",
            f"{work / peak:.0%}",
        )
        lines.append(f"| {label(way)} | " + " | ".join(cells) + " |")
    return [*lines, "", f"A sample takes {flop / 1e9:.2f} GFLOP, forward and backward.", ""]


def sample_flop() -> float:
    """The number of floating-point operations of the network for a sample, forward and backward."""
    network = MrCNN()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 3, 3, 42, 42)).sum().backward()
    return counter.get_total_flops() / 2


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """Call ``work`` in a new process and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def plain_rate(folder: Path, device: str, stretch: float, _: str) -> float:
    steps = plain_loop(plain_data(folder), plain_start(), device=device, epochs=1000)
    next(steps)  # the first step is not counted
    began, samples = time.perf_counter(), 0
    for count in steps:
        samples += count
        if time.perf_counter() - began > stretch:
            break
    return samples / (time.perf_counter() - began)


def our_rate(folder: Path, device: str, stretch: float, precision: str) -> float:
    if device != "cuda":
        loop.keep_freed_memory()  # as mrsal train does
    samples = samples_in(folder)
    config = fit_input(TrainConfig(epochs=1000, precision=precision, device=device), samples)
    marks: list[
        tuple[int, int, float]
    ] = []  # epoch, samples of the epoch so far, time; from the end of the first step on

    def on_progress(state: loop.TrainingProgress) -> None:
        marks.append((state.epoch, min(state.step * config.batch_size, len(samples)), time.perf_counter()))
        if marks[-1][2] - marks[0][2] > stretch:
            raise Stop

    with tempfile.TemporaryDirectory() as run, contextlib.suppress(Stop):
        loop.train(samples, run, config, on_progress=on_progress)
    # the time between epochs, in which training writes checkpoints, is not counted, since the epochs are very short here
    steps = [(b[1] - a[1], b[2] - a[2]) for a, b in pairwise(marks) if a[0] == b[0]]
    return sum(count for count, _ in steps) / sum(taken for _, taken in steps)


def precisions(device: str) -> list[str]:
    return ["fp32", "bf16"] if has_bf16(device) else ["fp32"]


def label(way: str) -> str:
    return "plain loop, fp32" if way == "plain" else f"mrsal, {way}"


def compiled(folder: Path, device: str, steps: int = 5) -> list[str]:
    """Measure the network alone, forward and backward, in the chunks of training on a CPU, with and without torch.compile."""
    samples = samples_in(folder)
    crops, labels = (tensor.to(device) for tensor in samples.batch(np.arange(BATCH) % len(samples)))
    if device == "cpu":
        loop.keep_freed_memory()
    crops, kind = to_unit(crops), torch.bfloat16 if has_bf16(device) else torch.float32
    size = CHUNK if device == "cpu" else BATCH
    lines = ["| network alone | samples/s | first two steps, s |", "| --- | ---: | ---: |"]
    for way in ("eager", "torch.compile"):
        network = channels_last(MrCNN().to(device)).train()
        runs = torch.compile(network) if way == "torch.compile" else network

        def step(network: MrCNN = network, runs: Callable = runs) -> None:
            network.zero_grad(set_to_none=True)
            for x, y in zip(crops.split(size), labels.split(size), strict=True):
                with torch.autocast(device, kind, enabled=kind is torch.bfloat16):
                    logits = runs(x)
                F.binary_cross_entropy_with_logits(logits.float(), y).backward()
            if device == "cuda":
                torch.cuda.synchronize()

        began = time.perf_counter()
        step()
        step()
        start, began = time.perf_counter() - began, time.perf_counter()
        for _ in range(steps):
            step()
        rate = steps * BATCH / (time.perf_counter() - began)
        lines.append(f"| {way}, {'bf16' if kind is torch.bfloat16 else 'fp32'} | {rate:.0f} | {start:.1f} |")
    return [*lines, ""]


def outcomes(folder: Path, device: str, *, epochs: int, batch_size: int, seeds: int) -> list[str]:
    """Train and score the same runs in all ways, with the same first weights and channel statistics, once for each seed."""
    native, data = NativeArchive(folder / "native"), plain_data(folder)
    examples = list(native.examples("test"))
    config = fit_input(TrainConfig(epochs=epochs, batch_size=batch_size, device=device), native.samples)

    def scored(network: MrCNN) -> list[float]:
        mean = evaluate(Predictor(network, mode="fast", device=device), examples).mean()
        return [mean[metric] for metric in SCORES]

    scores: dict[str, list[list[float]]] = {way: [] for way in ("plain", *precisions(device))}
    for seed in range(seeds):
        plain = plain_start(seed)
        for _ in plain_loop(data, plain, device=device, epochs=epochs, batch_size=batch_size):
            pass
        trained = MrCNN(config.model)
        trained.load_state_dict(plain.state_dict())
        scores["plain"].append(scored(trained))
        for precision in precisions(device):
            run_config = dataclasses.replace(config, seed=seed, precision=precision)
            run = loop.train(native.samples, folder / f"run-{precision}-{seed}", run_config)
            scores[precision].append(scored(mrsal.load_model(run, device=device).network))
        print(f"seed {seed}: " + "; ".join(f"{label(way)} {runs[-1]}" for way, runs in scores.items()), flush=True)

    lines = [
        f"{epochs} epochs on {len(native.samples)} samples in batches of {batch_size}, {seeds} seeds, scores on "
        f"{len(examples)} images. Mean and standard deviation over seeds, and the difference between runs that start from the "
        "same weights, with intervals that are right for all four of a row at 95 % (Student's t, Bonferroni):",
        "",
        "| way | " + " | ".join(SCORES) + " |",
        "| --- |" + " ---: |" * len(SCORES),
    ]
    reference = np.array(scores["plain"])
    for way, runs in scores.items():
        mean, spread = np.mean(runs, axis=0), np.std(runs, axis=0, ddof=1)
        lines.append(
            f"| {label(way)} | " + " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)) + " |"
        )
    for precision in precisions(device):
        gaps = np.array(scores[precision]) - reference
        half = stats.t.ppf(1 - 0.025 / len(SCORES), seeds - 1) * gaps.std(axis=0, ddof=1) / np.sqrt(seeds)
        cells = [f"{m:+.3f} [{m - h:+.3f}, {m + h:+.3f}]" for m, h in zip(gaps.mean(axis=0), half, strict=True)]
        lines.append(f"| {label(precision)}, less plain | " + " | ".join(cells) + " |")
    return [*lines, ""]


def plain_start(seed: int = 0) -> PlainMrCNN:
    """The plain network with the same first weights as mrsal's training."""
    network = PlainMrCNN()
    torch.manual_seed(seed)  # after the line above, which draws random numbers too
    network.load_state_dict(MrCNN().state_dict())
    return network


if __name__ == "__main__":
    main()
