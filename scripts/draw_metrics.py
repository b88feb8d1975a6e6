"""Draw the figures of docs/metrics.md from made-up fixations: the scores of ten maps, and which pixels contribute to them.

    python scripts/draw_metrics.py docs/images

The files are metrics-table.png and metrics-where.png. All scores are computed by mrsal.metrics.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mrsal import metrics
from mrsal.datasets.fixations import fixation_density

SHAPE = (300, 400)
SPREAD = 12.0  # standard deviation of the fixations around a spot in pixels
SIGMA = 16.0  # standard deviation of the Gaussian of the ground truth in pixels
SPOTS = ((95.0, 85.0, 0.5), (285.0, 120.0, 0.3), (200.0, 240.0, 0.2))  # x, y, share of the fixations
FALSE_ALARM = (345.0, 245.0)
ELSEWHERE = 0.06  # share of the fixations that are uniformly distributed
FIXATIONS, OTHERS = 150, 3000
METRICS = ("AUC", "sAUC", "NSS", "IG", "CC", "SIM", "KL", "agreement")
BLUE, ORANGE, INK, GREY = "#0072B2", "#D55E00", "#1f2a33", "#66727c"
WORSE_TO_BETTER = LinearSegmentedColormap.from_list("worse to better", [ORANGE, "#F7F7F7", BLUE])
Map = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """The data of one image: its fixations, their density, the fixations on other images, and the centre bias."""

    x: Map
    y: Map
    other_x: Map
    other_y: Map
    truth: Map
    centre: Map


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    scene, maps = make_scene(), make_maps()
    scores = {name: score(map_, scene) for name, map_ in maps.items()}
    draw_table(scene, maps, scores).savefig(arguments.out / "metrics-table.png", dpi=150, facecolor="white")
    wrong = maps["a spot missed,\na false alarm"]
    draw_where(scene, wrong).savefig(arguments.out / "metrics-where.png", dpi=150, facecolor="white")


def make_scene(seed: int = 0) -> Scene:
    """Fixations around three spots and a few anywhere; those on other images are near the centre."""
    rng = np.random.default_rng(seed)
    height, width = SHAPE
    spot = rng.choice(len(SPOTS), FIXATIONS, p=[share for _, _, share in SPOTS])
    places = np.array(SPOTS)[spot, :2] + rng.normal(0, SPREAD, (FIXATIONS, 2))
    lost = rng.random(FIXATIONS) < ELSEWHERE
    places[lost] = rng.uniform((0, 0), (width, height), (int(lost.sum()), 2))
    others = rng.normal((width / 2, height / 2), (width * 0.2, height * 0.2), (OTHERS, 2))
    others = others[((others >= 0) & (others < (width, height))).all(axis=1)]
    x, y = places.T
    return Scene(x, y, *others.T, fixation_density(x, y, SHAPE, sigma=SIGMA), gaussian(width / 2, height / 2, 0.2))


def make_maps() -> dict[str, Map]:
    """Ten predictions for the same scene, each a density; all but the last two depend on the spots."""
    height, width = SHAPE
    anywhere = np.full(SHAPE, 1 / (height * width))
    centre = gaussian(width / 2, height / 2, 0.2)
    truth = spots(SPREAD)
    sure = truth**3
    x, y = FALSE_ALARM
    wrong = 0.8 * spots(SPREAD, missed=2) + 0.2 * gaussian_at(x, y, SPREAD)
    return {
        "the density\nof the fixations": truth,
        "the same, blurred\nas the ground truth": spots(float(np.hypot(SPREAD, SIGMA))),
        "blurred a lot": spots(50.0),
        "over-confident": sure / sure.sum(),
        "half uniform": (truth + anywhere) / 2,
        "a spot missed": spots(SPREAD, missed=2),
        "a spot missed,\na false alarm": wrong,
        "times the\ncentre bias": truth * centre / (truth * centre).sum(),
        "only the centre": centre,
        "uniform": anywhere,
    }


def spots(spread: float, *, missed: int | None = None) -> Map:
    """The density that the fixations are drawn from, with another spread, or without one of its spots."""
    chosen = [spot for i, spot in enumerate(SPOTS) if i != missed]
    peaks = sum(share * gaussian_at(x, y, spread) for x, y, share in chosen)
    return (1 - ELSEWHERE) * peaks / np.sum(peaks) + ELSEWHERE / (SHAPE[0] * SHAPE[1])


def gaussian_at(x: float, y: float, spread: float) -> Map:
    rows, columns = np.indices(SHAPE) + 0.5
    peak = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
    return peak / peak.sum()


def gaussian(x: float, y: float, width: float) -> Map:
    """A Gaussian whose deviations are a share of the sides."""
    rows, columns = np.indices(SHAPE) + 0.5
    peak = np.exp(-(((columns - x) / SHAPE[1]) ** 2 + ((rows - y) / SHAPE[0]) ** 2) / (2 * width**2))
    return peak / peak.sum()


def score(map_: Map, scene: Scene) -> dict[str, float]:
    """The metrics of the default protocol and the historical score."""
    data = {"x": scene.x, "y": scene.y, "target": scene.truth}
    others = {"other_x": scene.other_x, "other_y": scene.other_y, "baseline": scene.centre, "density": map_}
    return metrics.score(map_, **data, **others) | metrics.score(map_, protocol="historical", **data)


def draw_table(scene: Scene, maps: dict[str, Map], scores: dict[str, dict[str, float]]) -> Figure:
    """Draw a row per map with its picture, name and scores; white is the score of the uniform map, blue the best score."""
    figure = Figure(figsize=(11.6, 0.74 * len(maps) + 0.7))
    cells = figure.add_axes((0.235, 0.01, 0.76, 0.92), xlim=(0, len(METRICS)), ylim=(len(maps), 0))
    cells.axis("off")
    height, top = 0.92 / len(maps), 0.93
    for row, (name, map_) in enumerate(maps.items()):
        picture = figure.add_axes((0.002, top - (row + 1) * height + 0.003, 0.085, height - 0.006))
        show(picture, np.sqrt(map_), scene, size=0.6)
        picture.spines[:].set_visible(False)
        figure.text(0.092, top - (row + 0.5) * height, name, va="center", fontsize=10.5, color=INK, linespacing=1.15)
    for column, metric in enumerate(METRICS):
        column_scores = np.array([scores[name][metric] for name in maps])
        sign = 1 if metrics.HIGHER_IS_BETTER[metric] else -1
        gain = sign * (column_scores - scores["uniform"][metric])
        shade = np.clip(gain / max(gain.max(), 0.1), -1, 1)
        arrow = "↑" if sign > 0 else "↓"
        cells.text(
            column + 0.5, -0.18, f"{metric} {arrow}", ha="center", va="bottom", fontsize=10.5, color=INK, weight="bold"
        )
        for row, (number, strength) in enumerate(zip(column_scores, shade, strict=True)):
            best = np.isclose(sign * number, (sign * column_scores).max(), atol=5e-4)
            colour = WORSE_TO_BETTER(0.5 + 0.42 * strength)
            cells.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=2.5))
            dark = abs(strength) > 0.75
            weight = {"weight": "bold" if best else "normal", "color": "white" if dark else INK}
            cells.text(column + 0.5, row + 0.5, f"{number:.2f}", ha="center", va="center", fontsize=11, **weight)
    return figure


def draw_where(scene: Scene, map_: Map) -> Figure:
    """Draw which fixations or pixels raise or lower each score of a map that misses a spot and has a false alarm."""
    figure = Figure(figsize=(10.4, 9.4))
    panels = figure.subplots(3, 3)
    figure.subplots_adjust(0.005, 0.008, 0.995, 0.935, wspace=0.05, hspace=0.26)
    scores = score(map_, scene)
    fixated, other = (scene.y.astype(int), scene.x.astype(int)), (scene.other_y.astype(int), scene.other_x.astype(int))
    z, t = ((values - values.mean()) / values.std() for values in (map_, scene.truth))
    first, second, *rest = panels.flat

    show(first, np.sqrt(map_), scene)
    title(first, "The map, and the fixations", "it misses a spot and invents another")
    second.imshow(np.sqrt(scene.truth), cmap="inferno", vmin=0)
    title(second, "The ground truth", "density of the fixations, for CC, SIM and KL")
    dots(rest[0], map_, scene, share_below(map_[fixated], map_) - 0.5)
    title(rest[0], f"AUC {scores['AUC']:.2f}", "share of all pixels with less, at each fixation")
    dots(rest[1], map_, scene, share_below(map_[fixated], map_[other]) - 0.5)
    title(rest[1], f"sAUC {scores['sAUC']:.2f}", "share of other images' fixations with less")
    dots(rest[2], map_, scene, z[fixated])
    title(rest[2], f"NSS {scores['NSS']:.2f}", "z-score of the map, at each fixation")
    dots(rest[3], map_, scene, np.log2(map_ / scene.centre)[fixated])
    title(rest[3], f"IG {scores['IG']:.2f} bit", "log2(map / centre bias), at each fixation")
    pixels(rest[4], z * t)
    title(rest[4], f"CC {scores['CC']:.2f}", "product of the z-scores of map and truth")
    pixels(rest[5], np.minimum(map_, scene.truth))
    title(rest[5], f"SIM {scores['SIM']:.2f}", "the smaller of map and truth")
    pixels(rest[6], -scene.truth * np.log(scene.truth / map_ + 1e-16))
    title(rest[6], f"KL {scores['KL']:.2f}", "truth · log(truth / map); orange is a loss")
    for panel in panels.flat:
        panel.set(xticks=[], yticks=[], xlim=(0, SHAPE[1]), ylim=(SHAPE[0], 0))
        panel.spines[:].set_color("#c5ccd2")
    return figure


def share_below(values: Map, population: Map) -> Map:
    """The share of the population that is smaller than each value; a tie counts one half. The mean of the shares is the AUC."""
    ordered = np.sort(population, axis=None)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * ordered.size)


def show(axes: Axes, map_: Map, scene: Scene, *, size: float = 4.0) -> None:
    axes.imshow(map_, cmap="inferno", vmin=0)
    axes.scatter(scene.x, scene.y, s=size, c="#7fd4ff", linewidths=0)
    axes.set(xticks=[], yticks=[], xlim=(0, SHAPE[1]), ylim=(SHAPE[0], 0))


def dots(axes: Axes, map_: Map, scene: Scene, values: Map) -> None:
    """Draw the fixations on a pale map: blue ones raise the score, and orange ones lower it."""
    axes.imshow(np.sqrt(map_), cmap="Greys", vmin=0, vmax=3 * np.sqrt(map_.max()))
    limit = np.abs(values).max()
    norm = TwoSlopeNorm(0, min(values.min() / 2, -limit / 5), limit / 2)
    axes.scatter(scene.x, scene.y, c=values, s=15, cmap=WORSE_TO_BETTER, norm=norm)


def pixels(axes: Axes, values: Map) -> None:
    """Draw the contribution of each pixel, blue if it raises the score. Roots are drawn, so that small ones are visible."""
    roots = np.sign(values) * np.sqrt(np.abs(values))
    limit = np.abs(roots).max()
    axes.imshow(roots, cmap=WORSE_TO_BETTER, vmin=-limit, vmax=limit)


def title(axes: Axes, headline: str, text: str) -> None:
    axes.set_title(headline, fontsize=12, color=INK, weight="bold", loc="left", pad=21)
    axes.text(0, 1.025, text, transform=axes.transAxes, fontsize=9.5, color=GREY, va="bottom")


if __name__ == "__main__":
    main()
