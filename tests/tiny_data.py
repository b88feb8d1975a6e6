"""The tiny data set that the fixtures of ``conftest.py`` are made of: ten pictures, three observers."""

from pathlib import Path

import numpy as np
from PIL import Image

# height and width; odd, even, square, portrait and narrower than a crop
SIZES = [(61, 83), (90, 121), (83, 64), (50, 50), (47, 99), (120, 90), (75, 75), (41, 55), (99, 81), (64, 97)]
OBSERVERS, FIXATIONS, PIXELS_PER_DEGREE = 3, 4, 6.0


def write_folder(root: Path, *, count: int = len(SIZES)) -> Path:
    """The first ``count`` as ``stimuli/s<i>.png``, ``fixations.csv`` and ``pixels_per_degree.txt`` under ``root``."""
    rng = np.random.default_rng(7)
    (root / "stimuli").mkdir(parents=True)
    rows = ["stimulus,subject,x,y,start_s,end_s"]
    for i, (height, width) in enumerate(SIZES[:count]):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(root / "stimuli" / f"s{i}.png")
        for observer in range(OBSERVERS):
            for k in range(FIXATIONS):
                x, y = rng.uniform(0, width), rng.uniform(0, height)
                rows.append(f"s{i},o{observer},{x:.3f},{y:.3f},{k * 0.3:.2f},{k * 0.3 + 0.2:.2f}")
    (root / "fixations.csv").write_text("\n".join(rows) + "\n")
    (root / "pixels_per_degree.txt").write_text(f"{PIXELS_PER_DEGREE}\n")
    return root
