"""What the historical agreement score gives maps that know nothing, on MIT1003's published density maps.

    python benchmarks/agreement_score.py

The data are found through MRSAL_DATA, or at ../shared/data beside the checkout.
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
            f"no maps in {root}/mit1003/ALLFIXATIONMAPS; set MRSAL_DATA to the folder that holds mit1003/",
            file=sys.stderr,
        )
        sys.exit(2)

    def blob(target: NDArray, width: float) -> NDArray:
        return centre(np.empty((*target.shape, 3), np.uint8), width=width)

    predictions = {
        "the ground truth itself": lambda target: target,
        "a constant": lambda target: np.zeros(target.shape),
        "centre Gaussian, width 0.05 of the side": lambda target: blob(target, 0.05),
        "centre Gaussian, width 0.15": lambda target: blob(target, 0.15),
        "centre Gaussian, width 0.25": lambda target: blob(target, 0.25),
        "centre Gaussian, width 0.5": lambda target: blob(target, 0.5),
        "noise": lambda target: np.random.default_rng(0).random(target.shape),
        "the ground truth upside down in brightness": lambda target: 255.0 - target,
    }
    print("| prediction | agreement score | CC |")
    print("| --- | ---: | ---: |")
    for name, predict in predictions.items():
        scores = [(agreement_score(predict(target), target), cc(predict(target), target)) for target in maps]
        agreement, correlation = np.mean(scores, axis=0)
        print(f"| {name} | {agreement:.3f} | {correlation:.2f} |")


if __name__ == "__main__":
    main()
