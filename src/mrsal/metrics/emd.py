"""The earth mover's distance between a prediction and a fixation density; it needs the extra ``mrsal[emd]``."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mrsal._extras import optional
from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_pair, batched

_NAMES = ("the prediction", "the ground truth")


@batched("prediction", "ground_truth")
def emd(prediction: ArrayLike, ground_truth: ArrayLike, *, reduction: int = 32, match_histogram: bool = False) -> float:
    """Compute the earth mover's distance: how far the mass of one map has to move, on average, to become the other map.

    Parameters
    ----------
    prediction, ground_truth : array
        ``(H, W)`` or a stack of B, non-negative. Each map is reduced, then divided by its sum.
    reduction : int
        The factor by which maps are reduced, to ``ceil(H / reduction)`` by ``ceil(W / reduction)`` cells, bicubic and
        antialiased. The default is that of the MATLAB code [1]_ and turns 1024 x 768 pixels into 32 x 24 cells. Half of it
        takes sixteen times the memory.
    match_histogram : bool
        Whether the cells of the reduced prediction first get the values of the reduced ground truth in the order of their
        ranks, as in the MATLAB code. Then only the ranks of the prediction count. Equal cells get the mean of their values.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The distance in pixels of the stimulus, from 0 to its diagonal. The MATLAB code measures in cells, 1 / 32 of that.
        Lower is better. Unlike the other metrics, it forgives a small shift: misplaced mass costs only its distance.

    Raises
    ------
    InputError
        If POT is not installed, the shapes differ, a map is not finite, has negative values or is 0 everywhere, or
        ``reduction`` is below 1.

    Notes
    -----
    If the sides of a stimulus are not multiples of ``reduction``, its cells are a little smaller than that. Distances are
    measured between the centres of these cells. Values that bicubic resampling moves below 0 become 0. The MATLAB code matches
    histograms of 256 bins by interpolation; here ranks are exact.

    References
    ----------
    .. [1] ``EMD.m`` of the MIT saliency benchmark, https://github.com/cvzoya/saliency. The exact solution here is
       from POT: Flamary et al., "POT: Python optimal transport", JMLR 2021.

    Examples
    --------
    All mass moves three pixels to the right:

    >>> round(emd([[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]], reduction=1), 6)
    3.0
    """
    ot = optional("ot", extra="emd", purpose="earth mover's distances")
    if reduction < 1:
        raise InputError(f"expected a reduction of at least 1, got {reduction}; 32 is usual")
    maps = as_pair(prediction, ground_truth, _NAMES)
    p, q = (_reduce(as_distribution(map_, name), reduction) for map_, name in zip(maps, _NAMES, strict=True))
    if match_histogram:
        p = _matched(p, q)
    (height, width), (rows, columns) = maps[0].shape, p.shape
    y, x = np.indices(p.shape).reshape(2, -1)
    x, y = x * (width / columns), y * (height / rows)
    costs = np.hypot(x[:, None] - x, y[:, None] - y)
    return float(ot.emd2(p.ravel() / p.sum(), q.ravel() / q.sum(), costs, numItermax=10_000_000))


def _reduce(map_: NDArray[np.float64], reduction: int) -> NDArray[np.float64]:
    if reduction == 1:
        return map_
    height, width = map_.shape
    size = -(-width // reduction), -(-height // reduction)
    scaled = (map_ / map_.max()).astype(np.float32)  # Pillow has no float64
    return np.asarray(Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC), np.float64).clip(0)


def _matched(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the values of q into the order of p."""
    _, group, size = np.unique(p.ravel(), return_inverse=True, return_counts=True)
    ordered = np.sort(q, axis=None)
    means = np.add.reduceat(ordered, np.cumsum(size) - size) / size
    return means[group.ravel()].reshape(p.shape)
