"""Earth mover's distance between a prediction and a fixation density; needs the extra ``mrsal[emd]``."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_pair, as_unit_range, batched

_NAMES = ("the prediction", "the ground truth")


@batched("prediction", "ground_truth")
def emd(prediction: ArrayLike, ground_truth: ArrayLike, *, reduction: int = 32) -> float:
    """Earth mover's distance: how far, on average, the mass of one map has to move to become the other.

    Parameters
    ----------
    prediction, ground_truth : array
        ``(H, W)`` or a stack of B, any range. Each is reduced, scaled to [0, 1] by its own minimum and maximum and divided by
        its sum, as the MATLAB code does it; a constant map stands for a uniform one.
    reduction : int
        Maps are reduced to ``ceil(H / reduction)`` by ``ceil(W / reduction)`` cells, bicubic and antialiased. The time grows
        with the fourth power or more of what is left: 32, that of the MATLAB code, leaves 32 x 24 cells of 1024 x 768 pixels.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        In pixels of the stimulus, from 0 to its diagonal; the MATLAB code gives cells, 1 / 32 of that. Lower is better. Unlike
        the other metrics it forgives a small shift: mass next to where it should be costs its distance only.

    Raises
    ------
    InputError
        If POT is not installed, the shapes differ, a value is not finite, the ground truth is constant, or ``reduction`` is
        below 1.

    Notes
    -----
    A stimulus whose sides are no multiples of ``reduction`` has cells a little smaller than that; distances are taken
    between the centres of the cells as they are.

    References
    ----------
    Rubner, Tomasi and Guibas, "The earth mover's distance as a metric for image retrieval", IJCV 2000. Solved exactly by
    POT: Flamary et al., "POT: Python optimal transport", JMLR 2021.

    Examples
    --------
    All mass moves three pixels to the right:

    >>> round(emd([[1.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]], reduction=1), 6)  # doctest: +SKIP
    3.0
    """
    try:
        import ot
    except ImportError:
        raise InputError("EMD needs the package POT; install it with: pip install 'mrsal[emd]'") from None
    if reduction < 1:
        raise InputError(f"expected a reduction of 1 or more, got {reduction}")
    p, q = as_pair(prediction, ground_truth, _NAMES)
    if np.ptp(q) == 0:
        raise InputError("the ground truth is constant, so there is no density to move mass to")
    height, width = p.shape
    masses = [_mass(_reduce(map_, reduction)) for map_ in (p, q)]
    rows, columns = masses[0].shape
    y, x = np.mgrid[:rows, :columns]
    places = np.stack([y.ravel() * (height / rows), x.ravel() * (width / columns)], axis=1)
    costs = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    return float(ot.emd2(masses[0].ravel(), masses[1].ravel(), costs, numItermax=10_000_000))


def _reduce(map_: NDArray[np.float64], reduction: int) -> NDArray[np.float64]:
    if reduction == 1:
        return map_
    scaled = as_unit_range(map_)  # what is left in float32 is precise whatever the map's range is
    height, width = map_.shape
    size = -(-width // reduction), -(-height // reduction)
    image = Image.fromarray(scaled.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64)


def _mass(map_: NDArray[Any]) -> NDArray[np.float64]:
    scaled = as_unit_range(map_)
    return as_distribution(scaled if scaled.any() else np.ones_like(scaled), _NAMES[0])
