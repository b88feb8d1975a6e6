"""How many pictures per second `mrsal predict` writes, in this process and with Ray workers, and what a large set needs.

    python benchmarks/scaling.py [--images 96] [--workers 1 2] [--mode fast] [--out scaling.md]

Needs no data: it makes JPEG files of 800x600 pixels, blurred noise that compresses about as photographs do. Every row reads
the same files and writes 16-bit PNG maps, in a process of its own. The times are those of the whole command; as starting Ray
costs seconds whatever the number of pictures, every row is also run on a few, and the difference tells the rate.
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
    parser.add_argument("--out", type=Path, help="write the tables here too")
    arguments = parser.parse_args()
    if arguments.images <= FEW:
        parser.error(f"expected more than {FEW} images, got {arguments.images}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = make_pictures(folder / "pictures", arguments.images)
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
            few, all_ = (
                timed([*options, "--mode", arguments.mode], files, out / str(len(files)), threads)
                for files in (pictures[:FEW], pictures)
            )
            rate = (len(pictures) - FEW) / (all_ - few)
            reference = reference or rate
            lines.append(f"| {way} | {max(0.0, few - FEW / rate):.1f} | {rate:.2f} | {rate / reference:.2f} |")
            print(lines[-1], file=sys.stderr)
        same = len(
            {bytes_of(folder / way / str(len(pictures)), len(pictures)) for way, (_, n) in ways.items() if n == 1}
        )
        lines += ["", "The maps of Ray's workers and of one core are the same files, byte for byte." if same == 1 else
                  "THE MAPS DIFFER."]  # fmt: skip
        lines += ["", *of_one_picture(pictures, folder / "one process, one core" / str(len(pictures)))]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


def make_pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{i:04}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        noise = np.random.default_rng(i).normal(size=(600, 800, 3))
        smooth = sum(gaussian_filter(noise, (s, s, 0)) * s for s in (1, 4, 16))
        pixels = 128 + 40 * smooth / smooth.std()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def timed(options: list[str], files: list[Path], out: Path, threads: int) -> float:
    """Seconds of a whole command."""
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


def of_one_picture(pictures: list[Path], out: Path) -> list[str]:
    """What the arithmetic for large sets needs to know."""
    began = time.perf_counter()
    for path in pictures:
        read_image(path)
    reading = (time.perf_counter() - began) / len(pictures)
    maps = list(out.glob("*.png"))
    began = time.perf_counter()
    for path in maps:
        with Image.open(path) as image:
            image.load()
            image.save(out / "again.png", compress_level=1)
    writing = (time.perf_counter() - began) / len(maps)
    jpeg, png = (np.mean([path.stat().st_size for path in paths]) / 1e3 for paths in (pictures, maps))
    return [
        f"One picture: {jpeg:.0f} kB of JPEG, decoded in {reading * 1e3:.1f} ms; its map: {png:.0f} kB of 16-bit PNG, "
        f"read and encoded again in {writing * 1e3:.1f} ms, one core each."
    ]


if __name__ == "__main__":
    main()
