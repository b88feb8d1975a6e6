"""Which fixations and which Gaussian give MIT1003's published density maps? Search both, and print a table.

    python benchmarks/densities.py --root data/mit1003

The fixations of ``fixations.csv`` are blurred with many standard deviations, for each selection of fixations and each rule for
the border below, and compared with ``ALLFIXATIONMAPS/*_fixMap.jpg`` by their correlation. For each row of the table, the
standard deviation is chosen on every other image with a published map, and the scores are of the images between them. Without
--root, the data set is in the folder MRSAL_DATA, or in ../shared/data beside the checkout.

Letters: N fixations, S pixels of a side.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal import datasets, metrics
from mrsal.datasets import FixationDataset, Fixations
from mrsal.evaluation.table_text import markdown_table
from mrsal.images import read_grey

SIGMAS = (16, 20, 22, 23, 24, 25, 26, 27, 28, 32, 36, 40)  # pixels
CUT_OFF = 8  # cycles in the padded image at which the authors' filter halves an amplitude

Curves = NDArray[np.float64]
Rule = Callable[[NDArray[np.float64], int, int, float], Curves]  # centres, side, longer side, sigma -> (N, S)


def gaussians(centres: NDArray[np.float64], side: int, sigma: float) -> Curves:
    """A Gaussian of height 1 around each centre: ``(N, S)``."""
    return np.exp(-0.5 * ((np.arange(side) - centres[:, None]) / sigma) ** 2)


def cut_off(centres: NDArray[np.float64], side: int, longer: int, sigma: float) -> Curves:
    """What is beyond the border is lost, as with zeros around the image."""
    return gaussians(centres, side, sigma)


def renormalised(centres: NDArray[np.float64], side: int, longer: int, sigma: float) -> Curves:
    """What is beyond the border is lost, and every fixation still counts the same."""
    curves = gaussians(centres, side, sigma)
    return curves / curves.sum(axis=1, keepdims=True)


def reflected(centres: NDArray[np.float64], side: int, longer: int, sigma: float) -> Curves:
    """What is beyond the border is mirrored at it."""
    return sum(gaussians(c, side, sigma) for c in (centres, -1 - centres, 2 * side - 1 - centres))  # type: ignore[return-value]


def circular(centres: NDArray[np.float64], side: int, longer: int, sigma: float) -> Curves:
    """What is beyond the border comes in on the other side, as with a Fourier transform of the image as it is."""
    return sum(gaussians(centres + shift, side, sigma) for shift in (-side, 0, side))  # type: ignore[return-value]


def padded_circular(centres: NDArray[np.float64], side: int, longer: int, sigma: float) -> Curves:
    """The same after zeros are added up to the next power of 2, as in ``antonioGaussian.m`` of the authors."""
    period = padded(longer)
    return sum(gaussians(centres + shift, side, sigma) for shift in (-period, 0, period))  # type: ignore[return-value]


RULES: dict[str, Rule] = {
    "cut off (zeros outside)": cut_off,
    "each Gaussian renormalised": renormalised,
    "reflected": reflected,
    "circular": circular,
    "circular, padded to a power of 2": padded_circular,
}


# the fixations of each trial that are taken: from this one up to, and without, that one
SELECTIONS: dict[str, tuple[int, float]] = {
    "all": (0, np.inf),
    "all but the first": (1, np.inf),
    "second to fourth": (1, 4),
    "second to fifth": (1, 5),
    "second to sixth": (1, 6),
    "second to seventh": (1, 7),
    "second to eighth": (1, 8),
}
FOR_EACH_RULE = ("all", "all but the first", "second to sixth")


def padded(longer: int) -> int:
    """The next power of 2."""
    return 1 << (longer - 1).bit_length()


def sigma_of(cut_off: float, longer: int) -> float:
    """The standard deviation in pixels of the Gaussian with this cut-off frequency, in cycles in the padded image."""
    return padded(longer) * np.sqrt(2 * np.log(2)) / (2 * np.pi * cut_off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="the folder of MIT1003, with fixations.csv and ALLFIXATIONMAPS")
    root = parser.parse_args().root
    if root is None:
        shared = os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
        root = Path(shared) / "mit1003"
    dataset = datasets.load("mit1003", root)
    with_map = [i for i, stimulus in enumerate(dataset.stimuli) if stimulus.density_path]
    choosing, reporting = with_map[::2], with_map[1::2]
    plain = next(iter(RULES))
    settings = [(selection, plain) for selection in SELECTIONS]
    settings += [(selection, rule) for rule in RULES if rule != plain for selection in FOR_EACH_RULE]
    scores = {i: correlations(dataset, i, settings) for i in with_map}  # (settings, sigmas)
    rows = []
    means = np.mean([scores[i] for i in choosing], axis=0)  # (settings, sigmas)
    for place, (selection, rule) in enumerate(settings):
        best = int(np.argmax(means[place]))
        of_images = [scores[i][place, best] for i in reporting]
        rows.append(row(selection, rule, SIGMAS[best], of_images, dataset.pixels_per_degree))
    of_images = [own_correlation(dataset, i) for i in reporting]
    rows.append(row("all", "`mrsal prepare`", dataset.pixels_per_degree, of_images, dataset.pixels_per_degree))
    longest = {max(dataset.stimuli[i].shape) for i in with_map}
    print(f"{len(choosing)} images to choose on, {len(reporting)} in the table; longer sides: {sorted(longest)} px")
    print(f"a cut-off frequency of {CUT_OFF} is a sigma of {sigma_of(CUT_OFF, max(longest)):.2f} px")
    place, best = np.unravel_index(np.argmax(means), means.shape)
    print(f"best on the images to choose on: {settings[place]}, {SIGMAS[best]} px, mean CC {means[place, best]:.4f}\n")
    header = ["fixations", "border", "sigma in px", "in degrees", "mean CC", "standard deviation", "smallest"]
    print("\n".join(markdown_table(header, rows, text_columns=2)))


def correlations(dataset: FixationDataset, index: int, settings: list[tuple[str, str]]) -> NDArray[np.float64]:
    """The correlation with the published map for each setting and sigma."""
    stimulus, fixations = dataset.stimuli[index], dataset.fixations_of(index)
    published = unit(read_grey(stimulus.density_path or "").astype(np.float64))
    values = np.empty((len(settings), len(SIGMAS)))
    for place, (selection, rule) in enumerate(settings):
        first, last = SELECTIONS[selection]
        chosen = fixations.where((fixations.order >= first) & (fixations.order < last))
        for k, sigma in enumerate(SIGMAS):
            values[place, k] = np.vdot(unit(blurred(chosen, stimulus.shape, RULES[rule], sigma)), published)
    return values


def own_correlation(dataset: FixationDataset, index: int) -> float:
    """The correlation of the density that mrsal computes by default."""
    published = read_grey(dataset.stimuli[index].density_path or "").astype(np.float64)
    return metrics.cc(dataset.density(index), published)


def blurred(fixations: Fixations, shape: tuple[int, int], rule: Rule, sigma: float) -> NDArray[np.float64]:
    """The sum over fixations of a Gaussian along y times one along x: ``(H, W)``."""
    down = rule(np.floor(fixations.y), shape[0], max(shape), sigma)
    across = rule(np.floor(fixations.x), shape[1], max(shape), sigma)
    return down.T @ across


def unit(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map less its mean, with the norm 1: the correlation of two is the sum of their product."""
    centred = map_ - map_.mean()
    return centred / np.linalg.norm(centred)


def row(selection: str, rule: str, sigma: float, values: list[float], pixels_per_degree: float) -> list[str]:
    spread = [f"{np.mean(values):.4f}", f"{np.std(values):.4f}", f"{np.min(values):.4f}"]
    return [selection, rule, f"{sigma:g}", f"{sigma / pixels_per_degree:.2f}", *spread]


if __name__ == "__main__":
    main()
