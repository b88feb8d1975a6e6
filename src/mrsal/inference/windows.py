"""Very tall or very wide images, such as screenshots of pages that scroll, are predicted window by window. Needs no torch.

A network sees an image at a fixed size, where a page of 400x8000 pixels would be 38 pixels wide. Nobody looks at such a page
as a whole either, but at one part after the other. So the network predicts windows that overlap by half; where two overlap, the
map is their mean, in which a window counts less towards its ends.

The values of one window need to be comparable with those of the next. Mr-CNN's probabilities are. The improved network scores
every pixel before it makes a density of the scores, and these are: on pairs of photographs, the difference between the scores
of the two agrees with how the network divides attention between them in one image (r = 0.9). Where people look in any image is
part of the scores. It is kept across the image and left out along it, since every part of a page can be in the middle of the
screen.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import ArchiveImage
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage, SaliencyModel

LONGEST = 3  # longer side over shorter side of an image that is predicted as a whole
_WINDOW = 4 / 3  # the same for a window, whose longer side lies along the image
_NARROWEST = 64  # pixels of the shorter side of an image that is predicted in windows; less is a line, not a page


def windows_of(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """The rows and columns of each window, all of the same size; none if an image of this shape is predicted as a whole.

    Images are divided if one side is more than three times as long as the other. No phone is so long, nor is any stimulus of
    OSIE, MIT1003, SUN and EyeCrowd: the longest has 2.53.
    """
    shorter, longer = sorted(shape)
    if longer <= LONGEST * shorter or shorter < _NARROWEST:
        return []
    length = round(_WINDOW * shorter)
    count = math.ceil((longer - length) / (length / 2)) + 1
    starts = np.round(np.linspace(0, longer - length, count)).astype(int).tolist()
    parts = [slice(start, start + length) for start in starts]
    whole = slice(0, shorter)
    return [(part, whole) if shape[0] == longer else (whole, part) for part in parts]


def joined(shape: tuple[int, int], windows: Sequence[tuple[slice, slice]], values: Sequence[NDArray]) -> NDArray:
    """The values of windows as one map of this shape: ``(H, W)`` float64, without steps where a window begins or ends."""
    along = int(shape[1] > shape[0])  # the axis along which the windows follow each other
    length = values[0].shape[along]
    weight = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    total, weights = np.zeros(shape), np.zeros(max(shape))
    for window, part in zip(windows, values, strict=True):
        total[window] += (weight if along else weight[:, None]) * part
        weights[window[along]] += weight
    return total / (weights if along else weights[:, None])


class WindowedModel(SaliencyModel):
    """A network that predicts an image as a whole, or in the windows of :func:`windows_of`.

    Stimuli of archives are predicted as a whole, from the scaled copies in the archive.
    """

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        """Read and scale an image; one that is predicted in windows is only read."""
        prepared = super().prepare(image, name=name)
        pixels = prepared.pixels
        if windows_of(prepared.shape) and not isinstance(image, ArchiveImage):
            return prepared
        return replace(prepared, network_input=self._scaled(pixels))

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """Predict images that :meth:`prepare` returned; the maps have the same order."""
        whole = [image for image in images if image.network_input is not None]
        maps = iter(self._predict_whole(whole) if whole else [])
        return [self._predict_windows(image) if image.network_input is None else next(maps) for image in images]

    def _predict_windows(self, image: PreparedImage) -> SaliencyMap:
        windows = windows_of(image.shape)
        parts = [np.ascontiguousarray(image.pixels[window]) for window in windows]
        values: list[NDArray] = []
        for start in range(0, len(parts), self.batch_size):
            batch = parts[start : start + self.batch_size]
            shape: tuple[int, int] = batch[0].shape[:2]
            values += self._comparable_values([self._scaled(part) for part in batch], shape)
        together = joined(image.shape, windows, values)
        if not self.gives_density:
            return image.map(together.astype(np.float32), windows=len(windows))
        log_density = np.log(together) - math.log(together.sum())
        relative = together / together.max()
        return image.map(relative.astype(np.float32), log_density=log_density.astype(np.float32), windows=len(windows))

    @abstractmethod
    def _scaled(self, pixels: NDArray[np.uint8]) -> Any:
        """The input of the network from the pixels of an image or window."""

    @abstractmethod
    def _predict_whole(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """Predict images whose ``network_input`` is that of :meth:`_scaled`."""

    @abstractmethod
    def _comparable_values(self, inputs: Sequence[Any], shape: tuple[int, int]) -> list[NDArray]:
        """Positive values of windows of this shape, ``(h, w)`` each, from what :meth:`_scaled` returned.

        The longer side of a window lies along the image.
        """


def comparable_density(scores: NDArray, priors: Sequence[Sequence[float]]) -> NDArray:
    """The values of a window from the scores of the improved network.

    Parameters
    ----------
    scores : array
        ``(h, w)``: the log-density up to a constant that is the same for all windows.
    priors : two sequences of float
        What the prior of the network adds to the scores of the rows and of the columns, at points of equal distance.
    """
    rows = scores.shape[0] > scores.shape[1]
    prior, length = (priors[0], scores.shape[0]) if rows else (priors[1], scores.shape[1])
    points = (np.arange(length) + 0.5) * (len(prior) / length) - 0.5
    along = np.interp(points, np.arange(len(prior)), prior)
    return np.exp(scores - (along[:, None] if rows else along[None, :]))
