"""Run mrsal on files with one seeded change, and print a line of JSON for each run that did not end as it should.

    python tests/mutated_commands.py native/archive.json:17          one run
    python tests/mutated_commands.py native/archive.json:0-99        a hundred

A case is a file below the folder of examples that :func:`write_examples` makes. Its runs share this process, whose memory is
limited. ``tests/cli/test_mutations.py`` runs all cases.
"""

import faulthandler
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from mutations import mutated
from PIL import Image
from tiny_data import write_folder
from tiny_improved import tiny_improved
from tiny_network import WIDTHS, tiny

from mrsal import cli, datasets, evaluation, model
from mrsal.datasets import FixationDataset
from mrsal.datasets.archives import historical, native, sampling
from mrsal.evaluation import job as evaluate_job
from mrsal.inference.adjustment import KNOTS, Adjustment, CentrePrior

SECONDS = 10
MEMORY = 2 * 2**30
STATUSES = (0, 1, 2)  # of docs/cli.md, without those of a signal
LINES, CHARACTERS = 8, 2000

EVALUATE = "evaluate --model_path centre --num_saved_images 0 --out_dir out --data_dir"
TRAIN = "train --epochs 1 --device cpu --out_dir out --data_dir"
PREPARE = "prepare folder --out out/archive --root"
PREDICT = "predict --format npy --out out --mode fast --device cpu"

# what is damaged, and the commands that read it, in the folder with the first part of its name
CASES: dict[str, tuple[str, ...]] = {
    "native/archive.json": (f"{EVALUATE} . --split all", f"{TRAIN} .", f"{EVALUATE} . --num_saved_images 1"),
    "native/samples.npy": (f"{TRAIN} .",),
    "native/originals.npy": (f"{EVALUATE} . --model_path spectral-residual",),
    "native/level_150.npy": (f"{TRAIN} .",),
    "native/fixations.npz": (f"{EVALUATE} . --split all",),
    "native/originals.bin": (f"{EVALUATE} . --model_path spectral-residual",),
    "historical/train_data.pth.tar": (f"{TRAIN} .",),
    "historical/test_data.pth.tar": (f"{EVALUATE} .", f"{EVALUATE} . --num_saved_images 1"),
    "historical/ALLFIXATIONMAPS/s3_fixMap.jpg": (f"{EVALUATE} .",),
    "csv/fixations.csv": (f"{PREPARE} .",),
    "csv/splits.csv": (f"{PREPARE} .",),
    "csv/pixels_per_degree.txt": (f"{PREPARE} .",),
    "tsv/fixations.tsv": (f"{PREPARE} .",),
    "jsonl/fixations.jsonl": (f"{PREPARE} .",),
    "parquet/fixations.parquet": (f"{PREPARE} .",),
    "boxes/plain.json": (
        "check image.png --boxes plain.json --model uniform --rule a>b",
        "aoi image.png --boxes plain.json --model uniform --out out/shares.csv --out out/shares.png",
    ),
    "boxes/list.json": (
        "aoi image.png --boxes list.json --model centre --json",
        "aoi image.png --boxes list.json --model centre --compare image.png --out out/report.html --out out/report.pdf",
    ),
    "boxes/coco.json": ("aoi image.png --boxes coco.json --model uniform --out out/shares.csv",),
    "boxes/label_studio.json": ("aoi image.png --boxes label_studio.json --model uniform",),
    **{
        f"film/{name}": (
            f"aoi film.mkv --boxes {name} --model uniform --every 3 --out out/shares.csv",
            f"check film.mkv --boxes {name} --model uniform --every 3 --rule a>0",
        )
        for name in ("keys.json", "keys.csv", "tracks.xml", "label_studio.json", "gt.txt")
    },
    "film/film.mkv": (
        "check film.mkv --boxes keys.json --model uniform --rule a>0",
        f"{PREDICT} film.mkv --model centre --format overlay",
    ),
    **{
        f"images/image{suffix}": (f"{PREDICT} image{suffix} --model centre --format overlay --format figure-svg",)
        for suffix in (".png", ".jpg", ".webp", ".gif", ".tif", ".bmp")
    },
    "checkpoints/network.pth": (f"{PREDICT} image.png --model network.pth",),
    "checkpoints/network.safetensors": (f"{PREDICT} image.png --model network.safetensors",),
    "checkpoints/folder/model.safetensors": (f"{PREDICT} image.png --model folder",),
    "checkpoints/folder/config.json": (f"{PREDICT} image.png --model folder",),
    "checkpoints/improved.safetensors": (f"{PREDICT} image.png --model improved.safetensors",),
    "adjusted/density.json": (f"{PREDICT} image.png --model densities --adjustment density.json",),
    "adjusted/map.json": (f"{PREDICT} image.png --model spectral-residual --adjustment map.json",),
    "maps/maps.hdf5": (f"{PREDICT} image.png --model maps.hdf5",),
    "maps/folder/image.npy": (f"{PREDICT} image.png --model folder",),
    "pysaliency/stimuli.hdf5": ("prepare pysaliency --out out/archive --root .",),
    "pysaliency/fixations.hdf5": ("prepare pysaliency --out out/archive --root .",),
    "embedded/stimuli.hdf5": ("prepare pysaliency --out out/archive --root .",),
    "submission/submission.hdf5": ("submit image.png --dry_run submission.hdf5",),
    "scores/one.csv": ("compare one.csv other.csv --resamples 100 --out out",),
    "resumed/run/metrics.csv": (f"{EVALUATE} archive --model_path run/cnn_epoch_1.pth --mode fast",),
    "resumed/run/state.pt": (f"{TRAIN} archive --epochs 2 --resume run",),
}
WRITTEN = {"embedded": "images", "resumed": "run"}  # besides "out", the folder that the commands of a group write into


def write_examples(root: Path) -> None:
    """Write a folder of sound files for each group of cases."""
    own = write_folder(root / "csv", count=4)
    (own / "splits.csv").write_text("stimulus,split\ns0,train\ns1,train\ns2.png,val\ns3.png,test\n")
    table = (own / "fixations.csv").read_text()
    for kind, text in (("tsv", table.replace(",", "\t")), ("jsonl", _json_lines(table)), ("parquet", "")):
        shutil.copytree(own / "stimuli", root / kind / "stimuli")
        if text:
            (root / kind / f"fixations.{kind}").write_text(text)
    dataset = datasets.load("folder", own)
    native.write_native(dataset, root / "native")
    historical.write_pth(dataset, root / "historical")
    _write_with_libraries(root, dataset, table)
    picture = Image.open(own / "stimuli" / "s0.png")
    for group in ("boxes", "checkpoints", "adjusted", "maps", "submission"):
        (root / group).mkdir(exist_ok=True)
        picture.save(root / group / "image.png")
    (root / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".gif"):
        more = {"exif": exif} if suffix in (".jpg", ".png", ".webp") else {}
        picture.save(root / "images" / f"image{suffix}", **more)
    _write_boxes(root / "boxes", picture.size)
    _write_film(root / "film")
    _write_models(root)
    rng = np.random.default_rng(0)
    values = rng.random(picture.size[::-1])
    for folder, map_ in ((root / "maps" / "folder", values), (root / "adjusted" / "densities", values / values.sum())):
        folder.mkdir()
        np.save(folder / "image.npy", map_)
    (root / "scores").mkdir()
    for name in ("one", "other"):
        rows = {metric: rng.random(8) for metric in ("AUC", "NSS")}
        evaluation.Scores(tuple(f"s{i}" for i in range(8)), rows).save(root / "scores" / f"{name}.csv")
    for group in root.iterdir():
        (group / "notes.txt").write_text("of the user\n")


def _json_lines(table: str) -> str:
    header, *rows = (line.split(",") for line in table.splitlines())
    values = [[*row[:2], *map(float, row[2:])] for row in rows]
    return "\n".join(json.dumps(dict(zip(header, row, strict=True))) for row in values) + "\n"


def _write_with_libraries(root: Path, dataset: FixationDataset, table: str) -> None:
    """The files of libraries that may not be installed."""
    try:
        from pyarrow import csv, parquet

        (root / "table.csv").write_text(table)
        parquet.write_table(csv.read_csv(root / "table.csv"), root / "parquet" / "fixations.parquet")
        (root / "table.csv").unlink()
    except ImportError:
        pass
    try:
        import h5py

        from mrsal.datasets import pysaliency
    except ImportError:
        return
    shutil.copytree(dataset.stimuli[0].path.parent, root / "pysaliency" / "stimuli")
    moved = datasets.load("folder", _with_table(root / "pysaliency", table))
    pysaliency.save(moved, root / "pysaliency")
    pysaliency.save(dataset, root / "embedded", embed=True)
    height, width = dataset.stimuli[0].shape
    density = np.full((height, width), -np.log(height * width), np.float32)
    for group, name in (("maps", "maps"), ("submission", "submission")):
        (root / group).mkdir()
        with h5py.File(root / group / f"{name}.hdf5", "w") as file:
            file["image.png"] = density
            file["other.png"] = density[::2, ::2]
            file["other.png"].attrs["original_shape"] = (height, width)


def _with_table(folder: Path, table: str) -> Path:
    (folder / "fixations.csv").write_text(table)
    return folder


def _write_boxes(folder: Path, size: tuple[int, int]) -> None:
    width, height = size
    boxes = {"a": [2, 3, 20, 10], "b": [30, 20, 15.5, 8]}
    listed = [
        dict(zip(("name", "x", "y", "width", "height"), (name, *box), strict=True)) for name, box in boxes.items()
    ]
    coco = {
        "images": [{"id": 7, "file_name": "image.png", "width": width, "height": height}],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": 2, "bbox": box} for i, box in enumerate(boxes.values())
        ],
        "categories": [{"id": 2, "name": "face"}],
    }
    value = {"x": 10, "y": 20, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["a"]}
    result = {"type": "rectanglelabels", "original_width": width, "original_height": height, "value": value}
    task = {
        "id": 1,
        "annotations": [{"id": 1, "result": [result]}],
        "data": {"image": "/data/upload/8ed3b6a1-image.png"},
    }
    for name, content in (("plain", boxes), ("list", listed), ("coco", coco), ("label_studio", [task])):
        (folder / f"{name}.json").write_text(json.dumps(content))


def _write_film(folder: Path) -> None:
    """A video of six frames, and areas that move in it in every format; nothing if PyAV is not installed."""
    try:
        from known_films import square_at, timed_film

        film = [square_at(5 * i, 9, shape=(40, 60)) for i in range(6)]
        folder.mkdir()
        timed_film(folder / "film.mkv", film, range(0, 240, 40))
    except ImportError:
        return
    boxes = [[2 + 4 * i, 9, 14, 10.5] for i in range(3)]
    keys = [{"time": 0.08 * i, "area": box} for i, box in enumerate(boxes)]
    (folder / "keys.json").write_text(json.dumps({"a": [*keys, {"time": 0.2, "area": None}], "b": boxes[0]}))
    rows = [f"a,{2 * i},{','.join(map(str, box))}" for i, box in enumerate(boxes)]
    (folder / "keys.csv").write_text("\n".join(["name,frame,x,y,width,height", *rows, "a,5,,,,"]) + "\n")
    mot = [f"{2 * i + 1},1,{','.join(map(str, box))},1,1,1" for i, box in enumerate(boxes)]
    (folder / "gt.txt").write_text("\n".join(mot) + "\n")
    (folder / "labels.txt").write_text("a\n")
    sides = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    shapes = [
        f'<box frame="{2 * i}" keyframe="1" outside="{int(i == 2)}" xtl="{a}" ytl="{b}" xbr="{c}" ybr="{d}"/>'
        for i, (a, b, c, d) in enumerate(sides)
    ]
    size = "<original_size><width>60</width><height>40</height></original_size>"
    (folder / "tracks.xml").write_text(
        f'<annotations><meta><task>{size}</task></meta><track id="0" label="a">{"".join(shapes)}</track></annotations>'
    )
    sequence = [
        {
            "frame": 2 * i + 1,
            "enabled": i < 2,
            "x": x,
            "y": y,
            "width": w,
            "height": h,
            "rotation": 0,
            "time": (2 * i + 1) / 25,
        }
        for i, (x, y, w, h) in enumerate(boxes)
    ]
    value = {"framesCount": 6, "duration": 0.24, "sequence": sequence, "labels": ["a"]}
    result = {"id": "r", "type": "videorectangle", "value": value}
    task = {
        "id": 1,
        "annotations": [{"id": 1, "result": [result]}],
        "data": {"video": "/data/upload/8ed3b6a1-film.mkv"},
    }
    (folder / "label_studio.json").write_text(json.dumps([task]))


def _write_models(root: Path) -> None:
    torch.manual_seed(0)
    network = model.MrCNN(tiny())
    for suffix in (".pth", ".safetensors"):
        model.save_checkpoint(
            network, root / "checkpoints" / f"network{suffix}", about={"epoch": 1, "scores": {"CC": 0.5}}
        )
    model.save_pretrained(network, root / "checkpoints" / "folder")
    model.save_checkpoint(tiny_improved(), root / "checkpoints" / "improved.safetensors", half=True)
    common = {"blur": 0.02, "centre_weight": 0.5, "centre": CentrePrior(0.5, 0.5, 0.2, 0.2, 0.1), "data": "d"}
    common |= {"images": 3, "fixations": 9, "model": "", "exponent": 0.8, "gain_before": 0.1, "gain_after": 0.2}
    for name, curve in (("density", ()), ("map", tuple(np.linspace(0, 3, len(KNOTS))))):
        Adjustment(**common, curve=curve).save(root / "adjusted" / f"{name}.json")
    shutil.copytree(root / "native", root / "resumed" / "archive")
    run_mrsal([*TRAIN.split(), str(root / "resumed" / "archive"), "--out_dir", str(root / "run")])
    (run,) = (root / "run" / "trained").iterdir()
    shutil.copytree(run, root / "resumed" / "run")
    shutil.rmtree(root / "run")


def run_mrsal(arguments: list[str]) -> int:
    """Run a command in this process; the exit status."""
    sys.argv = ["mrsal", *arguments]
    try:
        cli.main()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


class TooLong(BaseException):
    """A command took longer than :data:`SECONDS`."""


def _stop(*_: int | FrameType | None) -> None:
    raise TooLong


class Runner:
    """Runs the commands of a case on damaged files, and says what was wrong."""

    def __init__(self, root: Path, group: str) -> None:
        self.folder, self.group = root / group, group
        self.streams = root.parent / "streams.txt"
        self.written, self.kept = Path(WRITTEN.get(group, "out")), root.parent / "kept" / group
        os.chdir(self.folder)
        if self.written.exists() and not self.kept.exists():
            shutil.copytree(self.written, self.kept)
        self.before = self.hashes()

    def hashes(self) -> dict[str, bytes]:
        """A hash of each file of the group, but for what its commands are to write."""
        places = (Path("out"), self.written)
        found = [p for p in Path().rglob("*") if p.is_file() and not any(p.is_relative_to(place) for place in places)]
        found += [p for p in Path("..").glob("*") if p.is_file()]
        return {str(p): hashlib.blake2b(p.read_bytes()).digest() for p in found}

    def restore(self) -> None:
        """Remove what a command wrote."""
        for place in (Path("out"), self.written):
            shutil.rmtree(place, ignore_errors=True)
        if self.kept.exists():
            shutil.copytree(self.kept, self.written)

    def sound(self, case: str) -> None:
        """Run the commands of a case on the sound file; each has to succeed."""
        for command in CASES[case]:
            problem, text = self._watched(command)
            self.restore()
            if problem or not text.startswith("0\n"):
                raise SystemExit(f"{command} fails on sound files: {problem} {text}")

    def run(self, case: str, seed: int) -> list[str]:
        """The problems of the run with this seed."""
        path = Path(case.partition("/")[2])
        rng = random.Random(f"{case}:{seed}")
        sound = path.read_bytes()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            damaged, change = mutated(path, rng)
        command = CASES[case][seed % len(CASES[case])]
        reports = evaluate_job.write_report
        if seed % 10:  # the charts of a report take most of the time of an evaluation
            evaluate_job.write_report = lambda *_, **__: None
        path.write_bytes(damaged)
        expected = dict(self.before)
        if str(path) in expected:
            expected[str(path)] = hashlib.blake2b(damaged).digest()
        try:
            problem, text = self._watched(command)
            after = self.hashes()
        finally:
            if path.parent.exists():
                path.write_bytes(sound)
            evaluate_job.write_report = reports
        problems = [problem] if problem else []
        if after != expected:
            changed = sorted(name for name in after.keys() | expected if after.get(name) != expected.get(name))
            problems.append(f"other files changed: {changed[:3]}")
        status, _, printed = text.partition("\n")
        if not problem and int(status) not in STATUSES:
            problems.append(f"exit status {status}")
        said = [line for line in printed.splitlines() if not line.startswith("epoch ")]
        if "Traceback" in printed:
            problems.append("a traceback")
        if problem is None and int(status) and (len(said) > LINES or len(printed) > CHARACTERS):
            problems.append(f"a message of {len(said)} lines and {len(printed)} characters")
        self.restore()
        return [f"{case}:{seed} ({change}) {command}\n{p}\n{printed[-3000:]}" for p in problems]

    def _watched(self, command: str) -> tuple[str | None, str]:
        """Run a command; what ended it otherwise than by an exit status, and its status and output."""
        stream = os.open(self.streams, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        kept = os.dup(1), os.dup(2)
        problem, status = None, -1
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True, file=kept[1])  # where no signal is heard
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            os.dup2(stream, 1), os.dup2(stream, 2)
            status = run_mrsal(command.split())
        except TooLong:
            problem = f"took more than {SECONDS} s"
        except BaseException as error:
            import traceback

            where = "".join(traceback.format_exception(error)[-4:])
            problem = f"an exception: {type(error).__name__}: {str(error)[:300]}\n{where[-2500:]}"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.flush(), sys.stderr.flush()
            os.dup2(kept[0], 1), os.dup2(kept[1], 2)
            for descriptor in (*kept, stream):
                os.close(descriptor)
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
        if more * (1 if sys.platform == "darwin" else 1024) > MEMORY:
            problem = f"took {more / 2**20:.1f} GB"
        printed = self.streams.read_bytes().decode("utf-8", "replace")
        return problem, f"{status}\n{printed}"


def _limit_memory() -> None:
    """Whatever takes more than :data:`MEMORY` in addition fails from here on."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))


def _wanted(arguments: list[str]) -> Iterator[tuple[str, int]]:
    for argument in arguments:
        case, _, seeds = argument.rpartition(":")
        first, _, last = seeds.partition("-")
        yield from ((case, seed) for seed in range(int(first), int(last or first) + 1))


def main(arguments: list[str]) -> None:
    wanted = list(_wanted(arguments))
    root = Path(tempfile.mkdtemp(prefix="mutations-")) / "files"
    model.ModelConfig = partial(model.ModelConfig, **WIDTHS)  # what is trained is tiny
    sampling.sample_locations = partial(sampling.sample_locations, fixated=1, unfixated=2)
    signal.signal(signal.SIGALRM, _stop)
    write_examples(root)
    runners: dict[str, Runner] = {}
    cases = [case for case in dict.fromkeys(case for case, _ in wanted) if (root / case).exists()]
    for case in cases:
        group = case.partition("/")[0]
        runners[case] = Runner(root, group)
        runners[case].sound(case)
    _limit_memory()
    for case, seed in wanted:
        if case not in cases:
            print(json.dumps({"case": case, "seed": seed, "skipped": True}), flush=True)
            continue
        print(json.dumps({"case": case, "seed": seed}), flush=True)
        os.chdir(runners[case].folder)
        began = time.monotonic()
        problems = runners[case].run(case, seed)
        done = {"case": case, "seed": seed, "problems": problems, "seconds": round(time.monotonic() - began, 3)}
        print(json.dumps(done), flush=True)
    shutil.rmtree(root.parent, ignore_errors=True)


if __name__ == "__main__":
    warnings.simplefilter("default")
    main(sys.argv[1:])
