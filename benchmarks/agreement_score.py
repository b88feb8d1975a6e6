"""What the historical agreement score gives to maps that know nothing: the numbers of ``docs/agreement-score.md``.

    python benchmarks/agreement_score.py

Reads the published density maps of 100 MIT1003 images in ``$MRSAL_DATA/mit1003/ALLFIXATIONMAPS``, or in ``../shared/data``
beside the checkout, and prints a markdown table. Exits with 2 where there are none.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mrsal import metrics
from mrsal.baselines import centre
from mrsal.images import read_grey

PIXELS_PER_DEGREE = 35  # MIT1003
WIDTHS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 1.0)

Map = NDArray[np.generic]


def candidates() -> dict[str, Callable[[NDArray[np.uint8]], Map]]:
    """Name -> function of the ground truth; only the first few look at more than its size."""
    rng = np.random.default_rng(0)
    maps: dict[str, Callable[[NDArray[np.uint8]], Map]] = {
        "the ground truth itself": lambda truth: truth,
        "the ground truth, blurred by one degree more": lambda truth: gaussian_filter(
            truth.astype(float), PIXELS_PER_DEGREE
        ),
        "the ground truth, square root of every value": lambda truth: np.sqrt(truth.astype(float)),
        "the ground truth, inverted": lambda truth: 255 - truth,
        "constant": lambda truth: np.zeros(truth.shape),
        "uniform noise": lambda truth: rng.random(truth.shape),
    }
    for width in WIDTHS:
        maps[f"Gaussian in the centre, {width:g} of each side"] = lambda truth, width=width: centre(
            np.broadcast_to(truth[..., None], (*truth.shape, 3)), width=width
        )
    return maps


def main() -> int:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("MRSAL_DATA") or beside) / "mit1003" / "ALLFIXATIONMAPS"
    paths = sorted(folder.glob("*_fixMap.jpg"))
    if not paths:
        print(
            f"expected published density maps (*_fixMap.jpg) in {folder}, found none; "
            "set MRSAL_DATA to the folder that holds mit1003",
            file=sys.stderr,
        )
        return 2
    truths = [read_grey(path) for path in paths]
    dark = np.mean([np.mean(truth < 0.1 * 255) for truth in truths])
    print(f"{len(truths)} maps; on average {dark:.0%} of a map's pixels are below a tenth of 255.\n")
    print("| map | agreement score: mean | lowest | highest | CC: mean |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, make in candidates().items():
        maps = [make(truth) for truth in truths]
        scores = [metrics.agreement_score(m, truth) for m, truth in zip(maps, truths, strict=True)]
        cc = np.mean([metrics.cc(m, truth) for m, truth in zip(maps, truths, strict=True)])
        print(f"| {name} | {np.mean(scores):.3f} | {min(scores):.3f} | {max(scores):.3f} | {cc:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
