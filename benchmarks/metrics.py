"""How fast the default protocol scores maps, against plain NumPy and, where it is installed, pysaliency; equal values beside.

    python benchmarks/metrics.py [--images 20] [--processes 2] [--out metrics.md]

Made-up maps of 1024x768 with 100 fixations each; negatives of sAUC are fixations as many as on MIT1003. Times are
CPU seconds of one core for everything that a score needs, the ground-truth density too. pysaliency is found through
MRSAL_PYSALIENCY_PYTHON; scripts/pysaliency_oracle.py says how to make that environment.
"""

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import mrsal
from mrsal.fixations import density
from mrsal.metrics import score

SHAPE, FIXATIONS, SIGMA, OTHERS = (768, 1024), 100, 24.0, 1002
METRICS = ("density", "AUC", "sAUC", "NSS", "CC", "KL", "SIM", "IG")
ORACLE = Path(__file__).resolve().parents[1] / "scripts" / "pysaliency_oracle.py"


def make(images: int) -> dict[str, NDArray]:
    rng = np.random.default_rng(0)
    maps = np.stack([gaussian_filter(rng.random(SHAPE), 20) for _ in range(images)]).astype(np.float32)
    maps = (maps - maps.min()) / (maps.max() - maps.min())
    at = [rng.choice(m.size, FIXATIONS, p=np.float64(m.ravel()) ** 4 / (np.float64(m) ** 4).sum()) for m in maps]
    y, x = np.divmod(np.concatenate(at), SHAPE[1])
    other_y, other_x = (rng.integers(0, side, OTHERS * FIXATIONS) for side in SHAPE)
    centre = np.outer(*(np.exp(-0.5 * ((np.arange(side) / side - 0.5) / 0.25) ** 2) for side in SHAPE)) + 0.01
    n = np.repeat(np.arange(images), FIXATIONS)
    return {"maps": maps, "x": x, "y": y, "n": n, "other_x": other_x, "other_y": other_y, "baseline": centre}


def ours(data: dict[str, NDArray], i: int) -> dict[str, float]:
    here = data["n"] == i
    x, y, map_ = data["x"][here], data["y"][here], data["maps"][i]
    target = density(x, y, SHAPE, sigma=SIGMA)
    others = {"other_x": data["other_x"], "other_y": data["other_y"]}
    found = score(map_, x=x, y=y, target=target, baseline=data["baseline"], density=map_, **others)
    return found | {"density": float(target.max())}


def plain(data: dict[str, NDArray], i: int) -> dict[str, float]:
    """As one writes it from the formulas, metric by metric."""
    here = data["n"] == i
    x, y, map_ = data["x"][here], data["y"][here], data["maps"][i].astype(np.float64)
    counts = np.zeros(SHAPE)
    np.add.at(counts, (y, x), 1)
    target = gaussian_filter(counts, SIGMA, mode="constant")
    target /= target.sum()
    found = {"density": float(target.max())}
    positive = map_[y, x]
    for name, negative in {"AUC": map_.ravel(), "sAUC": map_[data["other_y"], data["other_x"]]}.items():
        every = np.concatenate([positive, negative])
        _, inverse, repeats = np.unique(every, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(repeats) - (repeats - 1) / 2)[inverse[: len(positive)]]
        found[name] = (ranks.sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))
    found["NSS"] = ((map_ - map_.mean()) / map_.std())[y, x].mean()
    found["CC"] = np.corrcoef(map_.ravel(), target.ravel())[0, 1]
    p, b, eps = map_ / map_.sum(), data["baseline"] / data["baseline"].sum(), 2.2204e-16
    found["KL"] = (target * np.log(eps + target / (p + eps))).sum()
    found["SIM"] = np.minimum(p, target).sum()
    found["IG"] = (np.log2(p[y, x]) - np.log2(b[y, x])).mean()
    return found


def timed(way: Callable[[dict, int], dict], data: dict[str, NDArray], images: int) -> tuple[dict[str, NDArray], float]:
    way(data, 0)
    began = time.process_time()
    rows = [way(data, i) for i in range(images)]
    seconds = time.process_time() - began
    return {name: np.array([row[name] for row in rows]) for name in METRICS}, seconds / images


def with_pysaliency(python: str, data: dict[str, NDArray], images: int) -> tuple[dict[str, NDArray], float]:
    targets = np.stack([density(*(data[a][data["n"] == i] for a in "xy"), SHAPE, sigma=SIGMA) for i in range(images)])
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "inputs.npz", Path(folder) / "values.json"
        np.savez(inputs, **data, targets=targets, densities=data["maps"].astype(np.float64) + 1e-12, sigma=SIGMA)
        subprocess.run([python, ORACLE, inputs, outputs], check=True)
        found = json.loads(outputs.read_text())
    values = {name: np.array(found["values"][name]) for name in METRICS}
    return values, sum(found["seconds"][name] for name in METRICS) / images


def _share(images: int, count: int) -> float:
    data = make(images)
    ours(data, 0)
    began = time.perf_counter()
    for i in range(count):
        ours(data, i % images)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2, help="for the growth over cores; 1: leave it out")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = make(arguments.images)
    ways = {"mrsal": timed(ours, data, arguments.images), "plain NumPy": timed(plain, data, arguments.images)}
    python = os.environ.get("MRSAL_PYSALIENCY_PYTHON")
    if python:
        ways["pysaliency 0.2.22"] = with_pysaliency(python, data, arguments.images)
    reference, fastest = ways["mrsal"]
    lines = [
        f"mrsal {mrsal.__version__}, NumPy {np.__version__}, Python {platform.python_version()}; {arguments.images} maps of "
        f"1024x768, {FIXATIONS} fixations each, {OTHERS * FIXATIONS} shuffled negatives, one core:",
        "",
        "| | CPU ms per image | times mrsal | 1003 images, s | " + " | ".join(METRICS) + " |",
        "| --- | ---: | ---: | ---: |" + " ---: |" * len(METRICS),
    ]
    for name, (values, seconds) in ways.items():
        cells = []
        for metric in METRICS:
            difference = np.abs(values[metric] - reference[metric]).max()
            cells.append(f"{reference[metric].mean():.4g}" if name == "mrsal" else f"{difference:.0e}")
        lines.append(
            f"| {name} | {seconds * 1000:.1f} | {seconds / fastest:.1f} | {seconds * 1003:.0f} | "
            + " | ".join(cells)
            + " |"
        )
    lines += ["", "The last columns: means of mrsal's values, and the largest difference of the others from them.", ""]
    if arguments.processes > 1:
        alone = _share(arguments.images, 2 * arguments.images)
        with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
            together = max(pool.starmap(_share, arguments.processes * [(arguments.images, 2 * arguments.images)]))
        speedup = arguments.processes * alone / together
        lines += [
            f"{arguments.processes} processes, each with as much to do as one alone: {speedup:.2f} times the images/s.",
            "",
        ]
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
