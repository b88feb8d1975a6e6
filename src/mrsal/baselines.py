"""What a model has to beat: maps that need no learning. The same call as a :class:`mrsal.Predictor`: image to map."""

import numpy as np
from numpy.typing import NDArray


def uniform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same value everywhere: every location is as likely as any other. ``(H, W)`` float32."""
    return np.ones(image.shape[:2], np.float32)


def centre(image: NDArray[np.uint8], *, width: float = 0.25) -> NDArray[np.float32]:
    """A Gaussian in the middle: people look there whatever is shown.

    Parameters
    ----------
    image : array
        ``(H, W, 3)``; only its size matters.
    width : float
        Standard deviation along each axis, in units of that side.

    Returns
    -------
    array
        ``(H, W)`` float32 in (0, 1].
    """
    height, columns, _ = image.shape
    y = ((np.arange(height) + 0.5) / height - 0.5) / width
    x = ((np.arange(columns) + 0.5) / columns - 0.5) / width
    return np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 2).astype(np.float32)


BASELINES = {"uniform": uniform, "centre": centre}
