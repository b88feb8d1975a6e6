"""The metrics that compare a map with a fixation density: CC, SIM and KL divergence."""

import numpy as np
from numpy.typing import ArrayLike

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_pair, batched
from mrsal.metrics._kernels import centred, correlation, divergence

_NAMES = ("the prediction", "the ground truth")


@batched("a", "b")
def cc(a: ArrayLike, b: ArrayLike) -> float:
    """Compute Pearson's correlation coefficient between prediction and ground truth.

    Parameters
    ----------
    a : array
        The prediction: ``(H, W)`` or a stack of B, with any range.
    b : array
        The fixation density: ``(H, W)`` or a stack of B, with any range. If only one of the two is a stack, each of its maps is
        compared with the other.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The coefficient, in [-1, 1]; it is 0 if the prediction is constant. Higher is better.

    Raises
    ------
    InputError
        If the shapes differ, a value is not finite, or the ground truth is constant.

    Examples
    --------
    >>> float(cc([[0.0, 1.0], [2.0, 3.0]], [[1.0, 3.0], [5.0, 7.0]]))
    1.0
    """
    p, q = as_pair(a, b, _NAMES)
    if np.ptp(q) == 0:
        raise InputError("the ground truth is constant, so a correlation with it is not defined; leave this image out")
    return correlation(centred(p), centred(q))


@batched("a", "b")
def sim(a: ArrayLike, b: ArrayLike) -> float:
    """Compute the similarity, or histogram intersection: the mass that two distributions share.

    Parameters
    ----------
    a, b : array
        ``(H, W)`` or a stack of B, non-negative. Each map is divided by its sum. (The MATLAB code first scales it to [0, 1].)

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The sum of ``min(p, q)``, in [0, 1]; it is 1 for equal distributions. Higher is better.

    Raises
    ------
    InputError
        If the shapes differ, or a map is not finite, has negative values or is 0 everywhere.

    Examples
    --------
    >>> float(sim([[1.0, 1.0]], [[1.0, 3.0]]))
    0.75
    """
    p, q = as_pair(a, b, _NAMES)
    return float(np.minimum(as_distribution(p, _NAMES[0]), as_distribution(q, _NAMES[1])).sum())


@batched("prediction", "ground_truth")
def kl_divergence(prediction: ArrayLike, ground_truth: ArrayLike) -> float:
    """Compute the Kullback-Leibler divergence of the prediction from the ground truth.

    Parameters
    ----------
    prediction, ground_truth : array
        ``(H, W)`` or a stack of B, non-negative. Each map is divided by its sum.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        The sum of ``q log(eps + q / (p + eps))`` in nats, where q is the ground truth and eps = 2.2204e-16. It is 0 for equal
        distributions and at most about 36. Lower is better.

    Raises
    ------
    InputError
        If the shapes differ, or a map is not finite, has negative values or is 0 everywhere.

    References
    ----------
    Bylinskii, Judd, Oliva, Torralba and Durand, "What do different evaluation metrics tell us about saliency models?",
    IEEE PAMI 2019.

    Examples
    --------
    All fixations are where the prediction has half of its mass, which gives log 2:

    >>> round(kl_divergence([[1.0, 1.0]], [[0.0, 1.0]]), 6)
    0.693147
    """
    p, q = as_pair(prediction, ground_truth, _NAMES)
    return divergence(as_distribution(p, _NAMES[0]).ravel(), as_distribution(q, _NAMES[1]).ravel())
