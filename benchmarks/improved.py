"""The improved network: every step from the published data sets to the weights and scores of docs/results.md.

    python benchmarks/improved.py train --work DIR --name base                  # like mrsal train --improvements 2
    python benchmarks/improved.py train --work DIR --name osie --sets osie      # one change at a time
    python benchmarks/improved.py train --work DIR --name again --start base --seed 1 --epochs 4
    python benchmarks/improved.py average --work DIR --name mean --names base again
    python benchmarks/improved.py evaluate --work DIR --name base               # on the validation images
    python benchmarks/improved.py evaluate --work DIR --name base --sets osie-test mit1003-100

DIR keeps the archives, the features of the images and the runs. A run that was interrupted goes on when its command is given
again. The data are found through MRSAL_DATA, or at ../shared/data beside the checkout. Training images are those of OSIE, of
the SUN scenes and of EyeCrowd; choices are made on their validation images, and MIT1003 is only ever scored on.
"""

import argparse
import csv
import json
import os
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

import mrsal
from mrsal.datasets import FixationDataset, NativeArchive, fixation_density, load, write_native
from mrsal.evaluation import comparison_picture, sheet
from mrsal.evaluation.baselines import CentreBias
from mrsal.metrics import protocol, score
from mrsal.model import ImprovedConfig, ImprovedNetwork, load_checkpoint, save_checkpoint
from mrsal.training.loop import TrainingProgress

SETS = ("osie", "sun", "crowd")
SETTINGS = {
    field.name: field.default
    for field in fields(mrsal.ImprovedTrainConfig)
    if isinstance(field.default, int | float | tuple) and field.name not in ("patience", "timeout", "average")
}


def data_root() -> Path:
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not root.is_dir():
        sys.exit(f"no data at {root}; set MRSAL_DATA to the folder that holds osie/, sun/, crowd/ and mit1003/")
    return root


# ---------------------------------------------------------------------------------------------------------------- training


def archive(work: Path, name: str) -> NativeArchive:
    if not (work / "archives" / name).is_dir():
        write_native(load(name, data_root() / name), work / "archives" / name)
    return NativeArchive(work / "archives" / name)


def train(work: Path, name: str, sets: list[str], start: str, settings: dict) -> None:
    out = work / "runs" / name
    config = mrsal.ImprovedTrainConfig(**settings)
    note(out, {"name": name, "sets": sets, "start": start, **settings})
    images = mrsal.TrainingImages([archive(work, part) for part in sets], work / "features")
    network = load_run(work, start) if start else None
    began, cpu = time.monotonic(), time.process_time()

    def on_progress(state: TrainingProgress) -> None:
        if state.step % 25 == 0:
            minutes = (time.monotonic() - began) / 60
            print(
                f"epoch {state.epoch} step {state.step}/{state.steps}: loss {state.loss:.4f}, {minutes:.1f} min",
                flush=True,
            )

    mrsal.train(
        images,
        out,
        config,
        start=network,
        resume=(out / "state.pt").is_file(),
        on_progress=on_progress,
        on_epoch=lambda row: print(name, row, flush=True),
    )
    print(
        f"{name}: {(time.monotonic() - began) / 60:.1f} min, {(time.process_time() - cpu) / 60:.1f} min of processor time"
    )


def note(run: Path, recipe: dict) -> None:
    """Say in the folder of a run how it was made; the manifest of a network that ships is written from this."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "recipe.json").write_text(json.dumps(recipe, default=asdict, indent=1))


def load_run(work: Path, name: str) -> ImprovedNetwork:
    """The network after the last epoch of a run, or the checkpoint or shipped network of that name."""
    epochs = sorted((work / "runs" / name).glob("cnn_epoch_*.pth"), key=lambda path: int(path.stem.rpartition("_")[2]))
    network = load_checkpoint(epochs[-1])[0] if epochs else mrsal.load_model(name, device="cpu").network
    assert isinstance(network, ImprovedNetwork)
    return network.eval().to(memory_format=torch.channels_last)


def average(work: Path, name: str, names: list[str]) -> None:
    """The mean of the weights of several runs that started from the same weights, as a run of its own."""
    networks = [load_run(work, part) for part in names]
    with torch.no_grad():
        for mean, *others in zip(*(network.parameters() for network in networks), strict=True):
            mean.copy_(torch.stack([mean, *others]).mean(dim=0))
    note(work / "runs" / name, {"name": name, "mean of": names})
    save_checkpoint(networks[0], work / "runs" / name / "cnn_epoch_1.pth", about={"mean of": names})


# ------------------------------------------------------------------------------------------------------------------ the scores


def examples_of(name: str) -> tuple[FixationDataset, list[int]]:
    """A data set and the pictures to score: ``"osie-val"``, ``"osie-test"``, ``"mit1003-100"``, ``"mit1003-all"`` and so on."""
    base, part = name.split("-")
    data = load(base, data_root() / base)
    if base != "mit1003":
        return data, data.split(part).tolist()
    data = data.without_first_fixations()
    members = [i for i, s in enumerate(data.stimuli) if part == "all" or s.density_path is not None]
    return data, members


@torch.inference_mode()
def evaluate(work: Path, name: str, sets: list[str], *, others: list[str], sigma: float | None) -> None:
    """Score a run's weights at the size of the pictures, by the protocol "tuebingen"; one row per picture.

    With ``others``, the mean of the densities of several runs is scored. ``sigma`` in pixels replaces that of the protocol.
    """
    networks = [load_run(work, part) for part in (name, *others)]
    label = "+".join((name, *others)) + (f"-{sigma:g}px" if sigma else "")
    for part in sets:
        path = work / "runs" / label / f"scores-{part}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        data, members = examples_of(part)
        scored = [
            SimpleNamespace(name=data.stimuli[i].name, fixations=data.fixations_of(i), shape=data.stimuli[i].shape)
            for i in members
        ]
        for example in scored:
            example.pyramid = example  # all that the centre bias asks of it is the shape
        bias, rules = CentreBias(scored), protocol("tuebingen")
        relative = [(e.fixations.x / e.shape[1], e.fixations.y / e.shape[0]) for e in scored]
        rows = []
        for n, (i, example) in enumerate(zip(members, scored, strict=True)):
            H, W = example.shape
            x = torch.from_numpy(data.stimuli[i].read().copy()).permute(2, 0, 1)[None].float() / 255
            with torch.autocast("cpu", torch.bfloat16):
                map_ = torch.stack([network(x)[0].exp() for network in networks]).mean(dim=0).numpy().astype(np.float64)
            elsewhere = [relative[m] for m in range(len(scored)) if m != n]
            blur = sigma or rules.sigma(data.name, data.degree_of(i))
            points = example.fixations
            row = score(
                map_,
                protocol=rules,
                x=points.x,
                y=points.y,
                target=fixation_density(points.x, points.y, example.shape, sigma=blur),
                other_x=np.minimum(np.concatenate([o[0] for o in elsewhere]) * W, W - 1e-6),
                other_y=np.minimum(np.concatenate([o[1] for o in elsewhere]) * H, H - 1e-6),
                baseline=bias.density(example.shape, leave_out=example.name),
                density=map_,
            )
            rows.append({"name": example.name, **row})
            if n % 100 == 0:
                print(part, n, flush=True)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        values = np.array([[row[metric] for metric in rules.metrics] for row in rows])
        half = 1.96 * values.std(0, ddof=1) / np.sqrt(len(rows))
        line = "  ".join(f"{m} {v:.3f} ±{h:.3f}" for m, v, h in zip(rules.metrics, values.mean(0), half, strict=True))
        print(f"{label} on {part} ({len(rows)}): {line}", flush=True)


@torch.inference_mode()
def draw(work: Path, name: str, part: str, out: Path, count: int) -> None:
    """Predicted beside measured densities of a scored set: the worst third by CC, then evenly from the rest, worst first.

    The pictures are those of the data sets, so the file is for whoever ran this and not for the repository.
    """
    network, (data, members) = load_run(work, name), examples_of(part)
    with (work / "runs" / name / f"scores-{part}.csv").open() as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    order = sorted(members, key=lambda i: float(rows[data.stimuli[i].name]["CC"]))
    rest = np.linspace(count // 3, len(order) - 1, count - count // 3).round().astype(int)
    drawn = []
    for i in [*order[: count // 3], *(order[n] for n in rest)]:
        stimulus, points, row = data.stimuli[i], data.fixations_of(i), rows[data.stimuli[i].name]
        image = stimulus.read()
        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            map_ = network(x)[0].exp().numpy()
        target = fixation_density(points.x, points.y, stimulus.shape, sigma=data.degree_of(i))
        caption = f"{stimulus.name}  " + "  ".join(f"{m} {float(row[m]):.2f}" for m in ("CC", "NSS", "IG", "sAUC"))
        drawn.append(comparison_picture(image, map_, target, caption=caption))
    Image.fromarray(sheet(drawn, width=760, columns=3)).save(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name)
        one.add_argument("--work", type=Path, required=True)
        one.add_argument("--name", required=True, help="of the run")
        return one

    one = command("train")
    one.add_argument("--sets", nargs="+", default=list(SETS))
    one.add_argument(
        "--start", default="", help="name of the run, or of the network, whose weights this one starts from"
    )
    for name, default in SETTINGS.items():
        many = isinstance(default, tuple)
        one.add_argument(
            f"--{name}", type=type((*default, 0.0)[0]) if many else type(default), nargs="+" if many else None
        )
    one.add_argument("--resolutions", type=int, nargs="+")
    one = command("average")
    one.add_argument("--names", nargs="+", required=True, help="of the runs whose weights are averaged")
    one = command("evaluate")
    one.add_argument("--sets", nargs="+", default=["osie-val", "sun-val", "crowd-val"])
    one.add_argument(
        "--mean_with", nargs="+", default=[], help="other runs whose densities are averaged with this one's"
    )
    one.add_argument("--sigma", type=float, help="of the measured density, in pixels, instead of the protocol's")
    one = command("draw")
    one.add_argument("--part", default="osie-val")
    one.add_argument("--out", type=Path, required=True, help="a .png file")
    one.add_argument("--count", type=int, default=30)
    given = vars(parser.parse_args())
    work, name = given["work"], given["name"]
    if given["command"] == "train":
        settings = {key: given[key] for key in SETTINGS if given[key] is not None}
        settings = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
        if given["resolutions"]:
            settings["model"] = ImprovedConfig(resolutions=tuple(given["resolutions"]))
        train(work, name, given["sets"], given["start"], settings)
    elif given["command"] == "average":
        average(work, name, given["names"])
    elif given["command"] == "evaluate":
        evaluate(work, name, given["sets"], others=given["mean_with"], sigma=given["sigma"])
    else:
        draw(work, name, given["part"], given["out"], given["count"])


if __name__ == "__main__":
    main()
