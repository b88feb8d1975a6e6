"""The ground truth of a stimulus, and the training locations that are drawn from it, for both kinds of archive."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset
from mrsal.errors import DataError, InputError
from mrsal.images import read_grey

FIXATED_ABOVE = 0.9  # of the maximum of the density
UNFIXATED_BELOW = 0.1
FIXATED_PER_IMAGE = 10
UNFIXATED_PER_IMAGE = 20


def left_out_text(names: Sequence[str], count: int, reason: str) -> str:
    """Say that the stimuli called ``names``, out of ``count``, are left out, and why; the first three are named."""
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} of {count} images {reason} and are left out: {shown}"


def image_samples(dataset: FixationDataset, index: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Draw the training locations (x, y, label) of a stimulus; they are the same in both kinds of archive with this seed."""
    return sample_locations(ground_truth(dataset, index), np.random.default_rng([seed, index]))


def ground_truth(dataset: FixationDataset, index: int) -> NDArray[np.float64]:
    """Return the density of the fixations on a stimulus, or the authors' published map if there are no fixations."""
    stimulus = dataset.stimuli[index]
    if stimulus.density_path is None or (dataset.fixations.n == index).any():
        return dataset.density(index)
    return check_map(read_grey(stimulus.density_path), stimulus.shape, stimulus.density_path).astype(np.float64)


def check_map(map_: NDArray, shape: tuple[int, int], path: Path) -> NDArray:
    """Return a ground-truth map, after a check that it has the size of its stimulus."""
    if map_.shape != shape:
        raise DataError(
            f"expected a map of {shape[1]}x{shape[0]} pixels, the size of its stimulus, in {path}, "
            f"got {map_.shape[1]}x{map_.shape[0]}; resize the map"
        )
    return map_


def sample_locations(
    density: NDArray,
    rng: np.random.Generator,
    *,
    fixated: int = FIXATED_PER_IMAGE,
    unfixated: int = UNFIXATED_PER_IMAGE,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Draw training locations from a density map, without replacement.

    Parameters
    ----------
    density : array
        ``(H, W)``, non-negative. It is divided by its maximum.
    rng : numpy Generator
        The random numbers.
    fixated, unfixated : int
        The number of locations where the density is above 0.9 and below 0.1 of its maximum. There are fewer if the map has
        fewer such pixels.

    Returns
    -------
    x, y, label : arrays of int64
        The positions in pixels, and the labels: 1 for fixated, 0 for unfixated. The fixated locations come first.

    Raises
    ------
    InputError
        If the map is zero everywhere.
    """
    peak = density.max(initial=0)
    if not peak > 0:
        raise InputError(
            "expected a density map with positive values, got one that is zero everywhere; leave this image out"
        )
    flat = density.ravel() / peak
    hot, cold = np.flatnonzero(flat > FIXATED_ABOVE), np.flatnonzero(flat < UNFIXATED_BELOW)
    picked_hot = rng.choice(hot, min(fixated, len(hot)), replace=False)
    picked_cold = rng.choice(cold, min(unfixated, len(cold)), replace=False)
    y, x = np.divmod(np.concatenate([picked_hot, picked_cold]), density.shape[1])
    label = np.repeat([1, 0], [len(picked_hot), len(picked_cold)])
    return x, y, label
