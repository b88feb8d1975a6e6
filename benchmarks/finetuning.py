"""How much a trained network gains from a few images of one's own data set: the numbers of docs/results.md.

    python benchmarks/finetuning.py --work DIR                       # MIT1003 as one's own data, from the network that ships
    python benchmarks/finetuning.py --work DIR --data sun --start CHECKPOINT    # to choose settings: neither was tested on

Each of several draws takes some images at random, 80 % of them for training and 20 % for validation, and fine-tunes the network
on them as ``mrsal train --init`` does. Start and result are scored on the same images, which no draw contains: of MIT1003 the
100 whose published maps are at hand (without first fixations), of the other data sets the validation images. MIT1003 is a test
set for the network that ships; here a part of it plays the data of a user, and no setting was chosen on it.
"""

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from improved import data_root
from rich.console import Console

import mrsal
from mrsal.datasets import FixationDataset, NativeArchive, load, write_native
from mrsal.training import TrainOptions, train_job

METRICS = ("IG", "AUC", "sAUC", "NSS", "CC", "KL", "SIM")


def parts(data: FixationDataset) -> tuple[np.ndarray, np.ndarray]:
    """The images that a draw may take, and those that are scored."""
    if data.name != "mit1003":
        return data.split("train"), data.split("val")
    scored = np.array([stimulus.density_path is not None for stimulus in data.stimuli])
    return np.flatnonzero(~scored), np.flatnonzero(scored)


def drawn(data: FixationDataset, images: int, seed: int) -> FixationDataset:
    """The data set with a draw as its training and validation images, and the images to score as its test images."""
    candidates, scored = parts(data)
    chosen = np.random.default_rng(seed).permutation(candidates)[:images]
    count = max(1, round(0.2 * images))
    return replace(data, splits={"train": np.sort(chosen[count:]), "val": np.sort(chosen[:count]), "test": scored})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", default="mit1003", choices=["mit1003", "osie", "sun", "crowd"])
    parser.add_argument("--start", default="mrsal")
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning_rate", type=float)
    parser.add_argument("--stream_rate", type=float)
    given = parser.parse_args()
    data = load(given.data, data_root() / given.data)
    if data.name == "mit1003":
        data = data.without_first_fixations()
    settings = {name: getattr(given, name) for name in ("epochs", "learning_rate", "stream_rate")}
    rows: list[dict[str, float | str | int]] = []
    for seed in range(given.draws):
        folder = given.work / f"{data.name}-{given.images}-{seed}"
        if not folder.is_dir():
            write_native(drawn(data, given.images, seed), folder, seed=seed)
        began = time.monotonic()
        options = TrainOptions(
            data_dir=folder, out_dir=given.work, init=given.start, use_val=True, seed=seed, **settings
        )
        run = train_job(options, console=Console(quiet=True))
        minutes = (time.monotonic() - began) / 60
        examples = list(NativeArchive(folder).examples("test"))
        networks = {"start": mrsal.load_model(given.start), "fine-tuned": mrsal.load_model(run / "cnn_best.pth")}
        scores = {name: mrsal.evaluate(network, examples) for name, network in networks.items()}
        for metric in METRICS:
            before, after = (scores[name].values[metric] for name in networks)
            gain = after - before
            half = 1.96 * gain.std(ddof=1) / len(gain) ** 0.5
            rows.append({"draw": seed, "metric": metric, "before": before.mean(), "after": after.mean(), "half": half})
        line = "  ".join(
            f"{r['metric']} {r['before']:.3f} -> {r['after']:.3f} (±{r['half']:.3f})" for r in rows[-len(METRICS) :]
        )
        print(f"draw {seed}, {given.images} images, {minutes:.1f} min: {line}", flush=True)
    with (given.work / f"finetuning-{data.name}-{given.images}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for metric in METRICS:
        mine = [row for row in rows if row["metric"] == metric]
        before, after = (np.mean([float(row[key]) for row in mine]) for key in ("before", "after"))
        print(f"{metric}: {before:.3f} -> {after:.3f}, mean of {given.draws} draws")


if __name__ == "__main__":
    main()
