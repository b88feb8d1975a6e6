"""Train base and blur on OSIE with the defaults, evaluate them on OSIE's test split and on MIT1003, and write tables.

    python benchmarks/osie.py --work /some/folder

Of MIT1003, the 100 images that have a published map are used. Every step writes its result to the work folder and is skipped if
the result is there, so an interrupted run can be started again and continues. The data sets are in the folder MRSAL_DATA, or in
../shared/data beside the checkout.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

import mrsal
from mrsal import datasets
from mrsal.datasets.archives.example import Example
from mrsal.datasets.archives.historical import write_pth
from mrsal.datasets.archives.native import NativeArchive, write_native
from mrsal.datasets.dataset import FixationDataset
from mrsal.evaluation.evaluator import evaluate
from mrsal.evaluation.limits import CEILING, limits_of
from mrsal.evaluation.report.curves import read_history
from mrsal.evaluation.report.pictures import comparison_picture, sheet
from mrsal.evaluation.report.tables import table_lines
from mrsal.evaluation.scores import Scores
from mrsal.images import save_jpeg
from mrsal.inference.overlay import colour_map
from mrsal.inference.predictor import load_model
from mrsal.inference.simple_models import BASELINES
from mrsal.metrics import PROTOCOLS
from mrsal.model.network import ModelConfig
from mrsal.progress import progress_bar
from mrsal.training import loop
from mrsal.training.config import TrainConfig, fit_input
from mrsal.training.run_folder import save_average

HERE = Path(__file__).parent
TESTS = {
    "OSIE test (100 images)": ("osie", "test", False),
    "MIT1003 (the 100 images with a published map, first fixation of each trial left out)": ("mit1003", "all", True),
}
AVERAGE = TrainConfig().average
console = Console()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for archives, runs and scores")
    parser.add_argument("--variants", nargs="*", default=["base", "blur"], choices=["base", "blur"])
    parser.add_argument("--modes", nargs="+", default=["fast"], choices=["exact", "fast", "crops"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--limits", action="store_true", help="also score the limits, which takes some minutes")
    parser.add_argument("--no_training", action="store_true", help="only evaluate the runs in the work folder")
    arguments = parser.parse_args()
    work: Path = arguments.work
    times = Times(work / "times.json")

    archives = {name: prepare(name, work, times) for name in ("osie", "mit1003")}
    sizes = compare_sizes(work, times)
    results: dict[str, dict[str, Scores]] = {title: {} for title in TESTS}
    for title, (name, split, skip_first) in TESTS.items():
        examples = list(archives[name].examples(split, skip_first=skip_first))
        models: dict[str, Callable[[], Any]] = {label: lambda b=baseline: b for label, baseline in BASELINES.items()}
        models |= limits_of(examples) if arguments.limits else {}
        for label, model in models.items():
            results[title][label] = scored(work, f"{name}-{label.replace(' ', '-')}", model, examples, times)
    for variant in arguments.variants:
        run = work / variant
        if not arguments.no_training:
            train(run, archives["osie"], variant, arguments.epochs)
        rows = read_history(run)
        done = int(rows[-1]["epoch"])
        planned = json.loads((run / "config.json").read_text())["epochs"]
        times.add(f"train {variant}, {done} of {planned} epochs", sum(row["seconds"] for row in rows))
        if done == planned and not (run / "cnn_average.pth").is_file():
            save_average(run, AVERAGE)
        kinds = {f"{done}": f"cnn_epoch_{done}.pth", f"{done}-average": "cnn_average.pth"}
        for mode, (kind, file) in product(arguments.modes, kinds.items()):
            if not (run / file).is_file():
                continue
            label = f"Mr-CNN {variant}, {mode}" + (f", mean of {AVERAGE} epochs" if "average" in kind else "")
            label += f", stopped at epoch {done} of {planned}" if done < planned else ""
            predictor = load_model(run / file, mode=mode)
            for title, (name, split, skip_first) in TESTS.items():
                examples = list(archives[name].examples(split, skip_first=skip_first))
                key = f"{name}-{variant}-{kind}-{mode}"
                draw = partial(draw_ten, work / key)
                results[title][label] = scored(work, key, lambda p=predictor: p, examples, times, draw=draw)
    for table in results.values():
        if CEILING in table:
            table[CEILING] = table.pop(CEILING)
    write_report(work / "report.md", results, times, sizes)
    console.print(f"wrote {work / 'report.md'}")


class Times:
    """The seconds that each step took, in a file, so that they survive an interruption."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}

    def add(self, step: str, seconds: float) -> None:
        self.seconds[step] = round(seconds, 1)
        self.path.write_text(json.dumps(self.seconds, indent=1))

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.add(step, time.monotonic() - began)


def data_root() -> Path:
    root = Path(os.environ.get("MRSAL_DATA") or HERE.resolve().parents[1] / "shared" / "data")
    if not root.is_dir():
        sys.exit(f"expected a folder with osie/ and mit1003/ at {root}, got none; set MRSAL_DATA to its path")
    return root


def prepare(name: str, work: Path, times: Times) -> NativeArchive:
    out = work / f"{name}-native"
    work.mkdir(parents=True, exist_ok=True)
    if not out.is_dir():
        dataset = datasets.load(name, data_root() / name)
        if name == "mit1003":
            dataset = with_published_maps(dataset)
        with progress_bar(console) as bar, times.measure(f"prepare {name}, native"):
            task = bar.add_task(f"preparing {name}", total=len(dataset), note="")
            write_native(dataset, out, progress=lambda n: bar.update(task, advance=n))
    with times.measure(f"open {name}, native"):
        archive = NativeArchive(out)
    return archive


def with_published_maps(dataset: FixationDataset) -> FixationDataset:
    """The part of a data set whose stimuli have a published map, without splits."""
    chosen = np.array([i for i, stimulus in enumerate(dataset.stimuli) if stimulus.density_path is not None], np.int64)
    fixations = dataset.fixations.where(np.isin(dataset.fixations.n, chosen))
    return replace(
        dataset,
        stimuli=tuple(dataset.stimuli[i] for i in chosen),
        fixations=replace(fixations, n=np.searchsorted(chosen, fixations.n)),
        splits={},
    )


def compare_sizes(work: Path, times: Times) -> dict[str, float]:
    """The sizes of OSIE's two archives in megabytes. The historical one is written once, measured and removed."""
    note, pth = work / "sizes.json", work / "osie-pth"
    if not note.is_file():
        with times.measure("prepare osie, pth"):
            write_pth(datasets.load("osie", data_root() / "osie"), pth)
        folders = {"native": work / "osie-native", "pth": pth}
        sizes = {kind: size_of(folder) / 1e6 for kind, folder in folders.items()}
        note.write_text(json.dumps(sizes))
        for path in pth.glob("*.pth.tar"):
            path.unlink()
    return json.loads(note.read_text())


def size_of(folder: Path) -> int:
    """The size of all files in a folder in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def train(run: Path, archive: NativeArchive, variant: str, epochs: int) -> None:
    if (run / f"cnn_epoch_{epochs}.pth").is_file():
        return
    config = TrainConfig(epochs=epochs, model=ModelConfig(variant=variant))
    with progress_bar(console) as bar:
        task = bar.add_task(f"training {variant}", total=None, note="")

        def on_progress(state: loop.TrainingProgress) -> None:
            done = (state.epoch - 1) * state.steps + state.step
            note = f"epoch {state.epoch}  loss {state.loss:.4f}  {state.samples_per_second:.0f} samples/s"
            bar.update(task, total=epochs * state.steps, completed=done, note=note)

        config = fit_input(config, archive.samples)
        resume = (run / "state.pt").is_file()
        loop.keep_freed_memory()  # as mrsal train does
        loop.train(archive.samples, run, config, resume=resume, on_progress=on_progress)


def scored(
    work: Path,
    key: str,
    model: Callable[[], Any],
    examples: list[Example],
    times: Times,
    *,
    draw: Callable[[list[tuple[Example, NDArray, dict[str, float]]]], None] | None = None,
) -> Scores:
    """The scores of a model, from the work folder if they are there; ``draw`` gets every tenth part of the images."""
    path = work / f"scores-{key}.csv"
    if not path.is_file():
        samples: list[tuple[Example, NDArray, dict[str, float]]] = []
        with progress_bar(console) as bar, times.measure(f"evaluate {key}"):
            task = bar.add_task(f"evaluating {key}", total=len(examples), note="")

            def on_image(example: Example, map_: NDArray, row: dict[str, float]) -> None:
                bar.update(task, advance=1)
                if bar.tasks[task].completed % (len(examples) // 10) == 0:
                    samples.append((example, map_, row))

            scores = evaluate(model(), examples, agreement=True, name=key, on_image=on_image)
        scores.save(path)
        if draw:
            draw(samples)
    return Scores.load(path)


def draw_ten(stem: Path, samples: list[tuple[Example, NDArray, dict[str, float]]]) -> None:
    """Draw ten comparisons with their stimuli, and without stimuli for the repository, which must not contain them."""
    comparisons, maps = [], []
    for example, map_, row in samples:
        caption = f"{example.name}  sAUC {row['sAUC']:.2f}  CC {row['CC']:.2f}"
        comparisons.append(comparison_picture(example.stimulus(), map_, example.ground_truth(), caption=caption))
        gutter = np.full((map_.shape[0], 8, 3), 255, np.uint8)
        maps.append(np.hstack([colour_map(map_), gutter, colour_map(example.ground_truth())]))
    save_jpeg(sheet(comparisons, width=1200), stem.with_name(f"{stem.name}-comparisons.jpg"))
    Image.fromarray(sheet(maps, width=400, columns=2)).save(stem.with_name(f"{stem.name}-maps.png"))


def write_report(path: Path, results: dict[str, dict[str, Scores]], times: Times, sizes: dict[str, float]) -> None:
    lines = [
        f"mrsal {mrsal.__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} CPU cores ({torch.backends.cpu.get_cpu_capability()}), float32, seed 0.",
        "",
    ]
    for title, table in results.items():
        lines += [f"## {title}", "", *table_lines(table), ""]
    lines += [PROTOCOLS["tuebingen"].description, "", "## Time", "", "| step | seconds |", "| --- | ---: |"]
    lines += [f"| {step} | {seconds:.1f} |" for step, seconds in times.seconds.items()]
    share = sizes["native"] / sizes["pth"]
    lines += [
        "",
        f"OSIE takes {sizes['native']:.0f} MB as a native archive and {sizes['pth']:.0f} MB as `*.pth.tar` files: "
        f"{share:.0%}.",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
