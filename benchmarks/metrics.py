"""Measure the time of all metrics of the tuebingen protocol, with fixation densities, and compare their results.

    python benchmarks/metrics.py --images 1003 --processes 1 2 4

The maps are synthetic, 1024 x 768 float32, with 100 fixations each; the shuffled negatives of each map are the fixations on
1002 others. Three implementations are compared: mrsal.metrics.score; definitions from textbooks in NumPy, SciPy and
scikit-learn, on a few images; and pysaliency, on the same images, if MRSAL_PYSALIENCY_PYTHON is the path of its Python
interpreter (scripts/pysaliency_oracle.py tells how to install it). Each uses one core, and CPU time is measured, which depends
little on other load. Wall time over the number of processes is measured at the end.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import pearsonr
from sklearn.metrics import roc_auc_score

from mrsal import metrics
from mrsal.datasets.fixations import fixation_density, fixation_map

ROOT = Path(__file__).resolve().parents[1]
SHAPE, FIXATIONS, OTHERS, SIGMA = (768, 1024), 100, 1002, 24.0
THREADS = "OMP_NUM_THREADS"
COLUMNS = metrics.PROTOCOLS["tuebingen"].metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1003, help="number of images for the wall time")
    parser.add_argument("--few", type=int, default=5, help="number of images for the comparison")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, os.cpu_count() or 1])
    arguments = parser.parse_args()
    if os.environ.get(THREADS) != "1":  # one core each; NumPy reads it when it is imported, so the program starts again
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {THREADS: "1", "OPENBLAS_NUM_THREADS": "1"})
    few = [make_scene(i) for i in range(arguments.few)]

    ways: dict[str, tuple[float, list[dict[str, float]]]] = {
        "mrsal": timed(ours, few),
        "textbook": timed(textbook, few),
    }
    python = os.environ.get("MRSAL_PYSALIENCY_PYTHON")
    if python:
        ways["pysaliency"] = pysaliency(python, few)
    mrsal_seconds, mrsal_rows = ways["mrsal"]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}")
    print(f"\n| | CPU ms/image | times mrsal | {' | '.join(COLUMNS)} |")
    print(f"| --- | ---: | ---: |{' ---: |' * len(COLUMNS)}")
    for name, (seconds, rows) in ways.items():
        means = " | ".join(f"{np.mean([row[metric] for row in rows]):.6f}" for metric in COLUMNS)
        print(f"| {name} | {seconds * 1e3:.1f} | {seconds / mrsal_seconds:.1f} | {means} |")
    for name, (_, rows) in ways.items():
        gap = max(abs(row[m] - own[m]) for row, own in zip(rows, mrsal_rows, strict=True) for m in COLUMNS)
        print(f"\nlargest difference of any score of any image, {name} to mrsal: {gap:.1e}")

    print(f"\n{arguments.images} images:\n\n| processes | wall s | images/s |\n| ---: | ---: | ---: |")
    for processes in arguments.processes:
        seconds = over_processes(arguments.images, processes)
        print(f"| {processes} | {seconds:.1f} | {arguments.images / seconds:.1f} |")


def make_scene(seed: int) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    coarse = gaussian_filter(rng.random((SHAPE[0] // 16, SHAPE[1] // 16)), 2)
    map_ = np.kron(coarse, np.ones((16, 16)))
    map_ = (gaussian_filter(map_, 6, truncate=2) - map_.min()).clip(1e-3).astype(np.float32)
    height, width = SHAPE
    weights = (map_.astype(np.float64) ** 2).ravel()
    y, x = np.divmod(rng.choice(weights.size, FIXATIONS, p=weights / weights.sum()), width)
    rng, count = np.random.default_rng(0), OTHERS * FIXATIONS  # one set for all scenes
    other_x, other_y = (
        rng.normal(0.5, 0.2, count).clip(0, 0.999) * width,
        rng.normal(0.5, 0.2, count).clip(0, 0.999) * height,
    )
    baseline = np.outer(*(np.exp(-(np.linspace(-1, 1, n) ** 2) / 0.5) for n in SHAPE))
    return {"map": map_, "x": x + 0.5, "y": y + 0.5, "other_x": other_x, "other_y": other_y, "baseline": baseline}


def ours(scene: dict[str, NDArray[Any]]) -> dict[str, float]:
    map_, x, y = scene["map"], scene["x"], scene["y"]
    ground_truth = fixation_density(x, y, SHAPE, sigma=SIGMA)
    others = {"other_x": scene["other_x"], "other_y": scene["other_y"]}
    return metrics.score(map_, x=x, y=y, target=ground_truth, **others, baseline=scene["baseline"], density=map_)


def textbook(scene: dict[str, NDArray[Any]]) -> dict[str, float]:
    map_ = scene["map"].astype(np.float64)
    fixated = scene["y"].astype(int), scene["x"].astype(int)
    others = scene["other_y"].astype(int), scene["other_x"].astype(int)
    ground_truth = gaussian_filter(fixation_map(scene["x"], scene["y"], SHAPE), SIGMA, mode="constant")
    p, q, b = map_ / map_.sum(), ground_truth / ground_truth.sum(), scene["baseline"] / scene["baseline"].sum()

    def auc(negatives: NDArray[np.float64]) -> float:
        labels = np.r_[np.ones(FIXATIONS), np.zeros(negatives.size)]
        return float(roc_auc_score(labels, np.r_[map_[fixated], negatives.ravel()]))

    return {
        "IG": np.mean(np.log2(p[fixated]) - np.log2(b[fixated])),
        "AUC": auc(map_),
        "sAUC": auc(map_[others]),
        "NSS": ((map_ - map_.mean()) / map_.std())[fixated].mean(),
        "CC": pearsonr(map_.ravel(), ground_truth.ravel()).statistic,
        "KL": (q * np.log(2.2204e-16 + q / (p + 2.2204e-16))).sum(),
        "SIM": np.minimum(p, q).sum(),
    }


def timed(
    score: Callable[[dict[str, NDArray[Any]]], dict[str, float]], scenes: list[dict[str, NDArray[Any]]]
) -> tuple[float, list[dict[str, float]]]:
    """CPU seconds per image, and the scores. The first image is computed once before."""
    score(scenes[0])
    began = time.process_time()
    rows = [score(scene) for scene in scenes]
    return (time.process_time() - began) / len(scenes), rows


def pysaliency(python: str, scenes: list[dict[str, NDArray[Any]]]) -> tuple[float, list[dict[str, float]]]:
    """CPU seconds per image, and the scores. The conversion of the inputs to float64 is not counted."""
    maps = np.stack([scene["map"] for scene in scenes])
    targets = np.stack([fixation_density(scene["x"], scene["y"], SHAPE, sigma=SIGMA) for scene in scenes])
    inputs = {"maps": maps, "densities": maps, "targets": targets, "sigma": SIGMA, "baseline": scenes[0]["baseline"]}
    inputs |= {axis: np.concatenate([scene[axis] for scene in scenes]) for axis in ("x", "y")}
    inputs |= {"n": np.repeat(np.arange(len(scenes)), FIXATIONS)}
    inputs |= {name: scenes[0][name] for name in ("other_x", "other_y")}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "inputs.npz", Path(folder) / "values.json"]
        np.savez(files[0], **inputs)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([python, ROOT / "scripts" / "pysaliency_oracle.py", *files], check=True, env=environment)
        answer = json.loads(files[1].read_text())
    seconds = {name: value / len(scenes) for name, value in answer["seconds"].items() if name in ("density", *COLUMNS)}
    print("pysaliency, ms/image: " + ", ".join(f"{k} {v * 1e3:.0f}" for k, v in seconds.items()), file=sys.stderr)
    return sum(seconds.values()), [{m: answer["values"][m][i] for m in COLUMNS} for i in range(len(scenes))]


def over_processes(images: int, processes: int) -> float:
    """Wall seconds for scoring ``images`` images, without the start of processes and the making of scenes."""
    context = get_context("spawn")
    shares = [images // processes + (i < images % processes) for i in range(processes)]
    with context.Pool(processes) as pool:
        pool.map(
            partial(work, 1), range(processes), chunksize=1
        )  # every process makes its scene before the time is measured
        began = time.perf_counter()
        pool.starmap(work, [(share, i) for i, share in enumerate(shares)], chunksize=1)
        return time.perf_counter() - began


_scenes: dict[int, dict[str, NDArray[Any]]] = {}


def work(count: int, seed: int) -> float:
    """Score a scene ``count`` times, each time a new copy, which is in no cache."""
    scene = _scenes.setdefault(0, _scenes.get(0) or make_scene(seed))
    return sum(ours(scene | {"map": scene["map"].copy()})["AUC"] for _ in range(count))


if __name__ == "__main__":
    main()
