"""Compute the historical agreement score of maps that do not depend on the image, on MIT1003's published density maps.

    python benchmarks/agreement_score.py

The data set is in the folder MRSAL_DATA, or in ../shared/data beside the checkout.
"""

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.images import read_grey
from mrsal.inference.simple_models import centre
from mrsal.metrics import agreement_score, cc


def main() -> None:
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    maps = [read_grey(path) for path in sorted((root / "mit1003" / "ALLFIXATIONMAPS").glob("*_fixMap.jpg"))]
    if not maps:
        print(
            f"expected maps in {root}/mit1003/ALLFIXATIONMAPS, got none; set MRSAL_DATA to the folder of mit1003/",
            file=sys.stderr,
        )
        sys.exit(2)

    def gaussian(ground_truth: NDArray, width: float) -> NDArray:
        return centre(np.empty((*ground_truth.shape, 3), np.uint8), width=width)

    predictions = {
        "the ground truth itself": lambda map_: map_,
        "a constant": lambda map_: np.zeros(map_.shape),
        "centre Gaussian, width 0.05 of the side": lambda map_: gaussian(map_, 0.05),
        "centre Gaussian, width 0.15": lambda map_: gaussian(map_, 0.15),
        "centre Gaussian, width 0.25": lambda map_: gaussian(map_, 0.25),
        "centre Gaussian, width 0.5": lambda map_: gaussian(map_, 0.5),
        "noise": lambda map_: np.random.default_rng(0).random(map_.shape),
        "the ground truth upside down in brightness": lambda map_: 255.0 - map_,
    }
    print("| prediction | agreement score | CC |")
    print("| --- | ---: | ---: |")
    for name, predict in predictions.items():
        scores = [(agreement_score(predict(map_), map_), cc(predict(map_), map_)) for map_ in maps]
        agreement, correlation = np.mean(scores, axis=0)
        print(f"| {name} | {agreement:.3f} | {correlation:.2f} |")


if __name__ == "__main__":
    main()
