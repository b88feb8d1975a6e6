"""Photographs below each other, predicted as a whole and in windows: the numbers of docs/predict.md.

    python benchmarks/windows.py

The first 12 landscape photographs of the 100 of MIT1003 with a published map are put one below the other, 3, 4, 6 or all 12 of
them in an image. The score is the mean correlation (CC) of the part of the map on each photograph with its measured density
(24 pixels at full size, without first fixations). The data are found as by benchmarks/improved.py.
"""

import numpy as np
from improved import data_root
from PIL import Image

import mrsal
from mrsal.datasets import fixation_density, load
from mrsal.inference import windows
from mrsal.metrics import cc

SHAPE = (384, 512)  # of a photograph in a stack, half of its size in MIT1003
COUNT = 12
SIGMA = 12.0


def main() -> None:
    data = load("mit1003", data_root() / "mit1003").without_first_fixations()
    chosen = [i for i, s in enumerate(data.stimuli) if s.density_path is not None and s.shape == (768, 1024)][:COUNT]
    photographs = [
        Image.fromarray(data.stimuli[i].read()).resize(SHAPE[::-1], Image.Resampling.BICUBIC) for i in chosen
    ]
    points = [data.fixations_of(i) for i in chosen]
    measured = [fixation_density(p.x / 2, p.y / 2, SHAPE, sigma=SIGMA) for p in points]
    height = SHAPE[0]

    def mean_cc(model: mrsal.Predictor, stacked: int, longest: float) -> float:
        windows.LONGEST = longest
        scores = []
        for first in range(0, COUNT, stacked):
            image = np.concatenate([np.asarray(p) for p in photographs[first : first + stacked]])
            map_ = model.predict(image).density
            parts = [map_[k * height : (k + 1) * height] for k in range(stacked)]
            scores += [cc(part, truth) for part, truth in zip(parts, measured[first:], strict=False)]
        return float(np.mean(scores))

    for name in ("mrsal", "mrcnn"):
        model = mrsal.load_model(name)
        print(f"{name}, a photograph on its own: {mean_cc(model, 1, np.inf):.2f}", flush=True)
        for stacked in (3, 4, 6, 12):
            whole, divided = mean_cc(model, stacked, np.inf), mean_cc(model, stacked, 1.0)
            print(
                f"{name}, aspect ratio {stacked * 0.75:g}: {whole:.2f} as a whole, {divided:.2f} in windows", flush=True
            )


if __name__ == "__main__":
    main()
