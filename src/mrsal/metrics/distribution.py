"""Metrics against a fixation density: CC, SIM, KL divergence."""

import numpy as np
from numpy.typing import ArrayLike

from mrsal.errors import InputError
from mrsal.metrics._checks import as_distribution, as_pair, batched
from mrsal.metrics._kernels import centred, correlation, divergence

_NAMES = ("the prediction", "the ground truth")


@batched("a", "b")
def cc(a: ArrayLike, b: ArrayLike) -> float:
    """Pearson's correlation coefficient between prediction and ground truth.

    Parameters
    ----------
    a : array
        ``(H, W)`` prediction, any range; or a stack of B.
    b : array
        ``(H, W)`` fixation density, any range; or a stack of B. A single map beside a stack serves all of it.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        In [-1, 1]; 0 if the prediction is constant. Higher is better.

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
        raise InputError("the ground truth is constant, so a correlation with it is not defined")
    return correlation(centred(p), centred(q))


@batched("a", "b")
def sim(a: ArrayLike, b: ArrayLike) -> float:
    """Similarity, or histogram intersection: the mass that two distributions share.

    Parameters
    ----------
    a, b : array
        ``(H, W)`` or a stack of B, non-negative; each map is divided by its sum. (The MATLAB code scales to [0, 1] first.)

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        Sum of ``min(p, q)``, in [0, 1]; 1 for equal distributions. Higher is better.

    Raises
    ------
    InputError
        If the shapes differ, or a map is not finite, negative somewhere or 0 everywhere.

    Examples
    --------
    >>> float(sim([[1.0, 1.0]], [[1.0, 3.0]]))
    0.75
    """
    p, q = as_pair(a, b, _NAMES)
    return float(np.minimum(as_distribution(p, _NAMES[0]), as_distribution(q, _NAMES[1])).sum())


@batched("prediction", "ground_truth")
def kl_divergence(prediction: ArrayLike, ground_truth: ArrayLike) -> float:
    """Kullback-Leibler divergence of the prediction from the ground truth.

    Parameters
    ----------
    prediction, ground_truth : array
        ``(H, W)`` or a stack of B, non-negative; each map is divided by its sum.

    Returns
    -------
    float, or ``(B,)`` float64 for a stack
        Sum of ``q log(eps + q / (p + eps))`` in nats, q the ground truth, eps = 2.2204e-16: 0 for equal distributions,
        at most about 36. Lower is better.

    Raises
    ------
    InputError
        If the shapes differ, or a map is not finite, negative somewhere or 0 everywhere.

    References
    ----------
    Bylinskii, Judd, Oliva, Torralba and Durand, "What do different evaluation metrics tell us about saliency models?",
    IEEE PAMI 2019.

    Examples
    --------
    All of the mass where the prediction has a half: log 2.

    >>> round(kl_divergence([[1.0, 1.0]], [[0.0, 1.0]]), 6)
    0.693147
    """
    p, q = as_pair(prediction, ground_truth, _NAMES)
    return divergence(as_distribution(p, _NAMES[0]).ravel(), as_distribution(q, _NAMES[1]).ravel())
