"""Measure how many images per second `mrsal predict` predicts, in one process and with Ray workers.

    python benchmarks/scaling.py [--images 96] [--workers 1 2] [--mode fast] [--out scaling.md]

No data are needed: the images are JPEG files of 800x600 pixels with blurred noise, which are about as large as photographs.
Every row runs the command on the same files and writes 16-bit PNG maps. The whole command is timed. The start, which takes
seconds with Ray, is the same for any number of images, so every row is also run on a few images; the difference gives the rate.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

import mrsal
from mrsal.images import read_image

FEW = 8
SHARD = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--mode", default="fast", choices=["fast", "exact"])
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    arguments = parser.parse_args()
    if arguments.images <= FEW:
        parser.error(f"expected more than {FEW} images, got {arguments.images}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = make_images(folder / "images", arguments.images)
        lines = [
            f"mrsal {mrsal.__version__}, torch {torch.__version__}, Python {platform.python_version()}, "
            f"{os.cpu_count()} CPU cores ({torch.backends.cpu.get_cpu_capability()}), mode {arguments.mode}.",
            "",
            "| way | start, s | images/s | times one process, one core |",
            "| --- | ---: | ---: | ---: |",
        ]
        ways = {"one process, one core": (["--engine", "local"], 1)}
        ways["one process, all cores"] = (["--engine", "local"], os.cpu_count() or 1)
        for count in arguments.workers:
            ways[f"Ray, workers: {count}"] = (
                ["--engine", "ray", "--workers", str(count), "--shard_size", str(SHARD)],
                1,
            )
        reference = 0.0
        for way, (options, threads) in ways.items():
            out = folder / way
            few_seconds, all_seconds = (
                timed([*options, "--mode", arguments.mode], files, out / str(len(files)), threads)
                for files in (images[:FEW], images)
            )
            rate = (len(images) - FEW) / (all_seconds - few_seconds)
            reference = reference or rate
            lines.append(f"| {way} | {max(0.0, few_seconds - FEW / rate):.1f} | {rate:.2f} | {rate / reference:.2f} |")
            print(lines[-1], file=sys.stderr)
        same = len({bytes_of(folder / way / str(len(images)), len(images)) for way, (_, n) in ways.items() if n == 1})
        lines += ["", "The maps of Ray's workers and of one core are the same files, byte for byte." if same == 1 else
                  "THE MAPS DIFFER."]  # fmt: skip
        lines += ["", *of_one_image(images, folder / "one process, one core" / str(len(images)))]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


def make_images(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{i:04}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        noise = np.random.default_rng(i).normal(size=(600, 800, 3))
        smooth = sum(gaussian_filter(noise, (s, s, 0)) * s for s in (1, 4, 16))
        pixels = 128 + 40 * smooth / smooth.std()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def timed(options: list[str], files: list[Path], out: Path, threads: int) -> float:
    """The seconds that a whole command takes."""
    listed = out.with_name(f"{out.name}.txt")
    out.parent.mkdir(exist_ok=True)
    listed.write_text("\n".join(map(str, files)))
    command = [
        str(Path(sys.executable).with_name("mrsal")),
        "predict",
        f"@{listed}",
        "--out",
        str(out),
        "--format",
        "png",
        *options,
    ]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--device", "cpu", "--quiet"], check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)}
    )
    return time.perf_counter() - began


def bytes_of(out: Path, count: int) -> bytes:
    maps = sorted(out.glob("*.png"))
    assert len(maps) == count, f"expected {count} maps in {out}, got {len(maps)}"
    return b"".join(path.read_bytes() for path in maps)


def of_one_image(images: list[Path], out: Path) -> list[str]:
    """Measure the sizes of files and the times of reading and writing, from which the needs of large sets follow."""
    began = time.perf_counter()
    for path in images:
        read_image(path)
    reading = (time.perf_counter() - began) / len(images)
    maps = list(out.glob("*.png"))
    began = time.perf_counter()
    for path in maps:
        with Image.open(path) as image:
            image.load()
            image.save(out / "again.png", compress_level=1)
    writing = (time.perf_counter() - began) / len(maps)
    jpeg, png = (np.mean([path.stat().st_size for path in paths]) / 1e3 for paths in (images, maps))
    return [
        f"One image: {jpeg:.0f} kB of JPEG, decoded in {reading * 1e3:.1f} ms; its map: {png:.0f} kB of 16-bit PNG, "
        f"read and encoded again in {writing * 1e3:.1f} ms, one core each."
    ]


if __name__ == "__main__":
    main()
