"""Earth mover's distance between a prediction and a fixation density; needs the extra ``mrsal[emd]``."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mrsal._extras import optional
from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_pair, batched

_NAMES = ("the prediction", "the ground truth")


@batched("prediction", "ground_truth")
def emd(prediction: ArrayLike, ground_truth: ArrayLike, *, reduction: int = 32, match_histogram: bool = False) -> float:
    """Earth mover's distance: how far, on average, the mass of one map has to move to become the other.

    Parameters
    ----------
    prediction, ground_truth : array
        ``(H, W)`` or a stack of B, non-negative. Each is reduced, then divided by its sum.
    reduction : int
        Maps are reduced to ``ceil(H / reduction)`` by ``ceil(W / reduction)`` cells, bicubic and antialiased. 32, that of the
        MATLAB code [1]_, leaves 32 x 24 cells of 1024 x 768 pixels; halving it takes sixteen times the memory.
    match_histogram : bool
        Give the reduced prediction the values of the reduced ground truth, cell by cell in the order of their ranks, as the
        MATLAB code does: only the prediction's ranks count then. Equal cells get the mean of their values.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        In pixels of the stimulus, from 0 to its diagonal; the MATLAB code gives cells, 1 / 32 of that. Lower is better. Unlike
        the other metrics it forgives a small shift: mass next to where it should be costs its distance only.

    Raises
    ------
    InputError
        If POT is not installed, the shapes differ, a map is not finite, negative somewhere or 0 everywhere, or ``reduction`` is
        below 1.

    Notes
    -----
    A stimulus whose sides are no multiples of ``reduction`` has cells a little smaller than that; distances are taken between
    the centres of the cells as they are. What bicubic resampling puts below 0 becomes 0. The MATLAB code matches histograms of
    256 bins by interpolation; here ranks are exact.

    References
    ----------
    .. [1] ``EMD.m`` of the MIT saliency benchmark, https://github.com/cvzoya/saliency. Here solved exactly by POT: Flamary et
       al., "POT: Python optimal transport", JMLR 2021.

    Examples
    --------
    All mass moves three pixels to the right:

    >>> round(emd([[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]], reduction=1), 6)
    3.0
    """
    ot = optional("ot", extra="emd", purpose="earth mover's distances")
    if reduction < 1:
        raise InputError(f"expected a reduction of 1 or more, got {reduction}")
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
    scaled = (map_ / map_.max()).astype(np.float32)  # Pillow knows no float64
    return np.asarray(Image.fromarray(scaled).resize(size, Image.Resampling.BICUBIC), np.float64).clip(0)


def _matched(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of q in the order of p."""
    _, group, size = np.unique(p.ravel(), return_inverse=True, return_counts=True)
    ordered = np.sort(q, axis=None)
    means = np.add.reduceat(ordered, np.cumsum(size) - size) / size
    return means[group.ravel()].reshape(p.shape)
