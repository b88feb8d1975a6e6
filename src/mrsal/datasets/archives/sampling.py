"""Training locations in an image and its ground-truth map, for both kinds of archive."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset
from mrsal.errors import DataError, InputError
from mrsal.images import read_grey


def image_samples(dataset: FixationDataset, index: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """The training locations (x, y, label) of one image; the same in every archive made with this seed."""
    return sample_locations(ground_truth(dataset, index), np.random.default_rng([seed, index]))


def ground_truth(dataset: FixationDataset, index: int) -> NDArray[np.float64]:
    """Density of an image: from its fixations, or the authors' published map where only that is known."""
    stimulus = dataset.stimuli[index]
    if stimulus.density_path is None or (dataset.fixations.n == index).any():
        return dataset.density(index)
    return check_map(read_grey(stimulus.density_path), stimulus.shape, stimulus.density_path).astype(np.float64)


def check_map(map_: NDArray, shape: tuple[int, int], path: Path) -> NDArray:
    """Refuse a ground-truth map of another size than its stimulus."""
    if map_.shape != shape:
        raise DataError(
            f"{path} is {map_.shape[1]}x{map_.shape[0]} pixels, but its stimulus is {shape[1]}x{shape[0]}; "
            "the map must have the stimulus's size"
        )
    return map_


FIXATED_ABOVE = 0.9
UNFIXATED_BELOW = 0.1
FIXATED_PER_IMAGE = 10
UNFIXATED_PER_IMAGE = 20


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
        ``(H, W)``, non-negative; scaled here to a maximum of 1.
    rng : numpy Generator
    fixated, unfixated : int
        How many where the map is above 0.9 and below 0.1; fewer where the map has fewer such pixels.

    Returns
    -------
    x, y, label : arrays of int64
        Pixel positions, and 1 for fixated, 0 for not; fixated ones first.

    Raises
    ------
    InputError
        If the map is empty.
    """
    peak = density.max(initial=0)
    if not peak > 0:
        raise InputError("cannot sample from a density map that is zero everywhere")
    flat = density.ravel() / peak
    hot, cold = np.flatnonzero(flat > FIXATED_ABOVE), np.flatnonzero(flat < UNFIXATED_BELOW)
    picked_hot = rng.choice(hot, min(fixated, len(hot)), replace=False)
    picked_cold = rng.choice(cold, min(unfixated, len(cold)), replace=False)
    y, x = np.divmod(np.concatenate([picked_hot, picked_cold]), density.shape[1])
    label = np.repeat([1, 0], [len(picked_hot), len(picked_cold)])
    return x, y, label
