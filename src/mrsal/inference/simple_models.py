"""Baselines that need no learning: functions from an image to a map, which every model should beat."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

from mrsal.images import min_max_scaled

_WIDTH, _SIGMA = 64, 2.5  # as in the MATLAB code that Hou and Zhang published


def uniform(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The same value everywhere, ``(H, W)`` float32: all locations are equally likely."""
    return np.ones(image.shape[:2], np.float32)


def centre(image: NDArray[np.uint8], *, width: float = 0.25) -> NDArray[np.float32]:
    """A Gaussian in the middle of the image, where people look whatever it shows.

    Parameters
    ----------
    image : array
        ``(H, W, 3)``; only its size is used.
    width : float
        The standard deviation along each axis, in units of that side.

    Returns
    -------
    array
        ``(H, W)`` float32 in (0, 1].
    """
    height, columns, _ = image.shape
    y = ((np.arange(height) + 0.5) / height - 0.5) / width
    x = ((np.arange(columns) + 0.5) / columns - 0.5) / width
    return np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 2).astype(np.float32)


def spectral_residual(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The parts of the image where its log spectrum differs from the local average of the log spectrum.

    Parameters
    ----------
    image : array
        ``(H, W, 3)`` uint8.

    Returns
    -------
    array
        ``(H, W)`` float32 in [0, 1]; 0 everywhere for an image of a single colour.

    Notes
    -----
    As in the authors' code: the image is grey and 64 pixels wide; its log amplitude minus the 3x3 average of the log amplitude
    is transformed back with the original phase, squared, and smoothed with a standard deviation of 2.5 pixels. Departures:
    amplitudes below 1e-8 are raised to 1e-8, as the logarithm of rounding errors is noise; the smoothing mirrors the border
    instead of adding black and is not cut to 10x10 pixels; and the map is resized to the size of the image (bilinear).

    References
    ----------
    Hou and Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007.
    """
    height, width, _ = image.shape
    size = (_WIDTH, max(1, round(height * _WIDTH / width)))
    grey = np.asarray(Image.fromarray(image).convert("L").resize(size, Image.Resampling.BICUBIC), np.float64) / 255
    if np.ptp(grey) == 0:
        return np.zeros((height, width), np.float32)
    spectrum = np.fft.fft2(grey)
    log_amplitude = np.log(np.maximum(np.abs(spectrum), 1e-8))
    residual = log_amplitude - uniform_filter(log_amplitude, 3, mode="nearest")
    saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    smooth = min_max_scaled(gaussian_filter(saliency, _SIGMA).astype(np.float32), dtype=np.float32)
    return np.asarray(Image.fromarray(smooth).resize((width, height), Image.Resampling.BILINEAR))


BASELINES = {"uniform": uniform, "centre": centre, "spectral-residual": spectral_residual}
