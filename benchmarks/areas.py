"""How near the predicted share of attention of an area is to the measured one, as a Markdown table.

    python benchmarks/areas.py --data_dir osie-native --boxes 10

Draws boxes at random on the test images of an archive of ``mrsal prepare``, each side from a tenth to half of the image's, and
compares the share of the fixations in them (first ones left out) with that of the bundled network's density (fast mode), of a
Gaussian in the middle, and of the box's surface. The design effect is the variance of the measured share between observers over
the binomial one: what an interval loses by taking fixations as independent.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

import mrsal
from mrsal.aoi.areas import Area, attention_shares
from mrsal.datasets.archives.example import Example
from mrsal.datasets.archives.native import NativeArchive
from mrsal.inference.simple_models import centre, uniform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True, help="an archive that mrsal prepare has made")
    parser.add_argument("--boxes", type=int, default=10, help="on each image")
    arguments = parser.parse_args()
    examples = [
        e for e in NativeArchive(arguments.data_dir).examples("test", skip_first=True) if e.fixations is not None
    ]
    predictor, rng = mrsal.load_model(mode="fast"), np.random.default_rng(0)
    rows: dict[str, list[NDArray]] = {"mrcnn-osie": [], "centre": [], "surface": []}
    effects = []
    for example in examples:
        height, width = example.shape
        areas = [random_box(f"{i}", width, height, rng) for i in range(arguments.boxes)]
        inside = np.array([within(area, example) for area in areas])  # (boxes, fixations)
        measured = inside.mean(axis=1)
        effects += [variances(hits, example.fixations.subject) for hits in inside]
        blank = np.zeros((height, width, 3), np.uint8)
        maps = {
            "mrcnn-osie": predictor.predict(example.image).values,
            "centre": centre(blank),
            "surface": uniform(blank),
        }
        for name, map_ in maps.items():
            shares = attention_shares(map_, areas, observers=1, fixations=inside.shape[1])
            low, high = np.array([share.interval for share in shares]).T
            predicted = np.array([share.attention for share in shares])
            rank = spearmanr(predicted, measured).statistic if np.ptp(predicted) and np.ptp(measured) else np.nan
            held = (measured >= low - 1e-9) & (measured <= high + 1e-9)
            rows[name].append(np.array([np.abs(predicted - measured).mean(), rank, held.mean()]))
    print(f"{len(examples)} images, {arguments.boxes} boxes on each")
    print(
        "\n| predicted by | mean absolute error | rank correlation in an image | measured share in the 95 % interval |"
    )
    print("| --- | ---: | ---: | ---: |")
    for name, values in rows.items():
        error, rank, held = np.nanmean(values, axis=0)
        print(f"| {name} | {100 * error:.1f} points | {rank:.2f} | {100 * held:.0f} % |")
    between, binomial = np.sum(effects, axis=0)
    print(f"\ndesign effect: {between / binomial:.2f}")


def random_box(name: str, width: int, height: int, rng: np.random.Generator) -> Area:
    """A box inside the image."""
    w, h = rng.uniform(0.1, 0.5) * width, rng.uniform(0.1, 0.5) * height
    return Area(name, rng.uniform(0, width - w), rng.uniform(0, height - h), w, h)


def within(area: Area, example: Example) -> NDArray[np.bool_]:
    """Which fixations lie in an area: ``(N,)``."""
    x, y = example.fixations.x, example.fixations.y
    return (x >= area.x0) & (x < area.x1) & (y >= area.y0) & (y < area.y1)


def variances(hits: NDArray[np.bool_], subject: NDArray) -> tuple[float, float]:
    """Of the share of hits: with observers as clusters (ratio estimator), and binomial."""
    share = hits.mean()
    residuals = np.array([(hits[subject == one] - share).sum() for one in np.unique(subject)])
    clusters = len(residuals)
    between = clusters / (clusters - 1) * (residuals**2).sum() / len(hits) ** 2
    return float(between), float(share * (1 - share) / len(hits))


if __name__ == "__main__":
    main()
