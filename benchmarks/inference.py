"""Measure how fast whole images are predicted, compared with a plain loop over crops, and how the cost grows.

    python benchmarks/inference.py [--device cuda] [--repeats 5] [--out inference.md]

No data are needed: the image is random, which does not affect the times. Every repeat measures each row once, so that other
load on the machine affects all rows. The tables have medians, and ratios within this run.
"""

import argparse
import multiprocessing
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from plain import PlainMrCNN, plain_map
from torch.utils.flop_counter import FlopCounterMode

import mrsal
from mrsal.inference.predictor import Predictor
from mrsal.model.dense import grid_logits
from mrsal.model.device import has_bf16, resolve_device
from mrsal.model.grid import Grid
from mrsal.model.pyramid import Pyramid

SHAPE = (600, 800)
IMPROVED = "mrsal"  # the improved network; the other rows are of Mr-CNN
MODES = ("crops", "exact", "fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch_size", type=int, help="number of images in a batch; default: 1 on a CPU, 32 on a GPU")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    batch = arguments.batch_size or (1 if device == "cpu" else 32)
    parts = [lambda: [header(device), ""], lambda: ratios(device, batch, arguments.repeats)]
    parts += [memory] if device == "cpu" else []
    parts += [lambda: growth(device)]
    text = ""
    for part in parts:
        lines = "\n".join(part()) + "\n"
        print(lines, flush=True)
        text += lines
    if arguments.out:
        arguments.out.write_text(text)


def header(device: str) -> str:
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} CPU cores"
    capability = "" if device == "cuda" else f" ({torch.backends.cpu.get_cpu_capability()})"
    return (
        f"mrsal {mrsal.__version__}, torch {torch.__version__}, Python {platform.python_version()}, {name}{capability}."
    )


def random_image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def seconds(work: Callable[[], object]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def ratios(device: str, batch: int, repeats: int) -> list[str]:
    """Measure every mode and precision, and the plain loop, from the pixels to the map."""
    base = mrsal.load_model("mrcnn", device=device, precision="fp32").network
    plain = PlainMrCNN().to(device).eval()
    plain.load_state_dict(base.state_dict())
    mean, std = base.mean.cpu(), base.std.cpu()
    precisions = ["fp32", "bf16"] if has_bf16(device) else ["fp32"]
    image, images = random_image(), [random_image(seed) for seed in range(batch)]

    rows: dict[tuple[str, str], tuple[Callable[[], object], int]] = {
        ("plain crop loop", "fp32"): (lambda: plain_map(plain, image, mean, std), 1)
    }
    for precision in precisions:
        improved = mrsal.load_model(IMPROVED, device=device, precision=precision)
        rows[IMPROVED, precision] = (lambda p=improved: list(p.predict_many(images, batch_size=batch)), batch)
        predictor = mrsal.load_model("mrcnn", device=device, precision=precision)
        for mode in MODES:
            rows[mode, precision] = (
                lambda p=predictor, m=mode: list(p.predict_many(images, mode=m, batch_size=batch)),
                batch,
            )
    times: dict[tuple[str, str], list[float]] = {row: [] for row in rows}
    for repeat in range(repeats + 1):  # the first repeat is not counted
        for row, (work, count) in rows.items():
            if row[0] in ("plain crop loop", "crops") and repeat > 3:
                continue
            taken = seconds(work) / count
            if repeat:
                times[row].append(taken)
    reference = statistics.median(times["plain crop loop", "fp32"])
    lines = [
        f"One {SHAPE[1]}x{SHAPE[0]} image" + (f", {batch} at a time" if batch > 1 else "") + ", from pixels to map:",
        "",
        "| way | precision | seconds | images/s | times the plain loop |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for (mode, precision), taken in times.items():
        median = statistics.median(taken)
        lines.append(f"| {mode} | {precision} | {median:.3g} | {1 / median:.3g} | {reference / median:.1f} |")
    lines += ["", *equality(base, image, plain, mean, std), ""]
    lines += [*work_done(device, precisions, times), ""]
    return lines


def equality(
    base: torch.nn.Module, image: np.ndarray, plain: PlainMrCNN, mean: torch.Tensor, std: torch.Tensor
) -> list[str]:
    """Show that the plain loop and ``exact`` give the same probabilities."""
    predictor = Predictor(base, device=next(base.parameters()).device.type, precision="fp32")
    pyramid = Pyramid.from_image(image)
    levels = [level[None] for level in pyramid.tensors(predictor.device)]
    exact = torch.sigmoid(grid_logits(base, levels, Grid.cells(pyramid.shape), mode="exact"))[0]
    difference = (exact - plain_map(plain, image, mean, std)).abs().max().item()
    return [f"Largest difference between exact and the plain loop in fp32, over 2,500 probabilities: {difference:.1e}."]


def work_done(device: str, precisions: list[str], times: dict[tuple[str, str], list[float]]) -> list[str]:
    """Count the floating-point operations of the network, and compare their rate with that of a large matrix product."""
    lines = [
        "| way | precision | GFLOP per image | GFLOP/s | share of a matrix product's |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    pyramid = Pyramid.from_image(random_image())
    for precision in precisions:
        peak = matrix_peak(device, precision)
        predictor = mrsal.load_model("mrcnn", device=device, precision=precision)
        improved = mrsal.load_model(IMPROVED, device=device, precision=precision)
        works = {mode: partial(predictor.with_mode(mode).grid_map, pyramid, Grid.cells(SHAPE)) for mode in MODES}
        for mode, work in {IMPROVED: lambda p=improved: p.predict(random_image()), **works}.items():
            with FlopCounterMode(display=False) as counter:
                work()
            flop = counter.get_total_flops()
            rate = flop / statistics.median(times[mode, precision])
            lines.append(f"| {mode} | {precision} | {flop / 1e9:.0f} | {rate / 1e9:.0f} | {rate / peak:.0%} |")
    return lines


def matrix_peak(device: str, precision: str) -> float:
    size = 2048 if device == "cpu" else 8192
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a = torch.rand(size, size, device=device, dtype=kind)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32  # the same as in convolutions
    for _ in range(2):
        a @ a
    taken = min(seconds(lambda: [a @ a for _ in range(5)]) for _ in range(3))
    torch.backends.cuda.matmul.allow_tf32 = before
    return 5 * 2 * size**3 / taken


def growth(device: str) -> list[str]:
    """Measure the time for several numbers of images, grid sizes and batch sizes."""
    precision = "bf16" if has_bf16(device) else "fp32"
    predictor = mrsal.load_model("mrcnn", device=device, precision=precision)
    pyramid = Pyramid.from_image(random_image())
    lines = [
        f"How the cost grows ({precision}, seconds):",
        "",
        "| what | how many | exact | fast |",
        "| --- | ---: | ---: | ---: |",
    ]

    def add(what: str, count: int, work: Callable[[str], object]) -> None:
        taken = {}
        for mode in ("exact", "fast"):
            work(mode)
            taken[mode] = min(seconds(lambda m=mode: work(m)) for _ in range(2))
        lines.append(f"| {what} | {count} | {taken['exact']:.3g} | {taken['fast']:.3g} |")

    for count in (1, 2, 4):
        images = [random_image(seed) for seed in range(count)]
        add("images", count, lambda mode, images=images: list(predictor.predict_many(images, mode=mode)))
    for size in (10, 25, 50, 100):
        grid = Grid.cells(SHAPE, size)
        add(
            "points along each side of the grid",
            size,
            lambda mode, grid=grid: predictor.with_mode(mode).grid_map(pyramid, grid),
        )
    images = [random_image(seed) for seed in range(4)]
    for size in (1, 2, 4):
        add(
            "4 images, batch",
            size,
            lambda mode, size=size: list(predictor.predict_many(images, mode=mode, batch_size=size)),
        )
    return [*lines, ""]


def memory() -> list[str]:
    """Measure the peak resident memory of a new process that predicts one image."""
    lines = ["Peak memory in MB of a process that predicts one image, before the prediction and after it:", ""]
    lines += ["| way | with the model loaded | peak |", "| --- | ---: | ---: |"]
    context = multiprocessing.get_context("spawn")
    for mode in (IMPROVED, "exact", "fast"):
        with context.Pool(1) as pool:
            before, after = pool.apply(_peak, (mode,))
        lines.append(f"| {mode} | {before:.0f} | {after:.0f} |")
    return [*lines, ""]


def _peak(mode: str) -> tuple[float, float]:
    predictor = mrsal.load_model(IMPROVED if mode == IMPROVED else "mrcnn", device="cpu")
    before = _high_water()
    predictor.predict(random_image(), mode=mode if predictor.modes else None)
    return before, _high_water()


def _high_water() -> float:
    """The peak memory of this process in MB; ``getrusage`` would include that of its parent."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
