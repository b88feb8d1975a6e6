"""The improved network: every step from the published data sets to the weights and scores of docs/results.md.

    python benchmarks/improved.py features --work DIR      # what the stream's first stages give, computed once
    python benchmarks/improved.py train --work DIR --name frozen              # the readout, the stream as it is
    python benchmarks/improved.py train --work DIR --name tuned --start frozen --stream_rate 1e-4     # both
    python benchmarks/improved.py evaluate --work DIR --name tuned            # validation; --test for the test sets

A run saves its state after every epoch and goes on from there when it is started again. The data are found through
MRSAL_DATA, or at ../shared/data beside the checkout. Training pictures are those of OSIE, of the SUN scenes and of EyeCrowd;
choices are made on their validation pictures, and MIT1003 is only ever scored on.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mrsal.datasets import FixationDataset, load
from mrsal.datasets.sun import SIGMA_SHARE
from mrsal.improved import ImprovedNetwork, Stream, level_size, load_imagenet_weights

SETS = ("osie", "sun", "crowd")
FROZEN = 4  # the stages of the stream that are never trained; what they give is stored


def data_root() -> Path:
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not root.is_dir():
        sys.exit(f"no data at {root}; set MRSAL_DATA to the folder that holds osie/, sun/, crowd/ and mit1003/")
    return root


def sigma_of(data: FixationDataset, index: int) -> float:
    """Standard deviation of a picture's fixation density as a share of its longer side."""
    longer = max(data.stimuli[index].shape)
    return SIGMA_SHARE if data.name == "sun" else data.pixels_per_degree / longer


def level_of(image: np.ndarray, longer: int) -> Tensor:
    """``(H, W, 3)`` uint8 to ``(1, 3, h, w)`` in [0, 1]."""
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    size = level_size(*image.shape[:2], longer)
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def features(work: Path, resolutions: list[int]) -> None:
    """Store what the stream's first stages give for each picture and its mirror image, float16."""
    stream = Stream().eval()
    load_imagenet_weights(stream)
    stream.to(memory_format=torch.channels_last)
    (work / "cache").mkdir(parents=True, exist_ok=True)
    for name in SETS:
        data = load(name, data_root() / name)
        members = np.sort(np.concatenate([data.split("train"), data.split("val")]))
        for longer in resolutions:
            path = work / "cache" / f"{name}-{longer}.pt"
            if path.is_file():
                continue
            began, stored = time.monotonic(), {}
            for n, i in enumerate(members):
                level = level_of(data.stimuli[i].read(), longer)
                both = torch.cat([level, level.flip(-1)]).contiguous(memory_format=torch.channels_last)
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                    stored[int(i)] = stream.until(both, FROZEN).half().contiguous()  # (2, C, h, w)
                if n % 50 == 0:
                    print(f"{name} {longer}: {n}/{len(members)}, {time.monotonic() - began:.0f} s", flush=True)
            torch.save(stored, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("features")
    one.add_argument("--work", type=Path, required=True)
    one.add_argument("--resolutions", type=int, nargs="+", default=[640, 416, 256])
    arguments = parser.parse_args()
    if arguments.command == "features":
        features(arguments.work, arguments.resolutions)


if __name__ == "__main__":
    main()
