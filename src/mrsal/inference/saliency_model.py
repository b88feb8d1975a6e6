"""The interface of all models: they take an image and its name, and return a saliency map.

Networks, exported networks, stored maps, baselines and Python functions are all a :class:`SaliencyModel`, so the rest of mrsal
never asks what kind of model it has. :func:`mrsal.inference.open_model` opens one by its name or path.
"""

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets import ArchiveImage
from mrsal.errors import InputError, MrsalError
from mrsal.images import image_size, read_image, to_image
from mrsal.inference.calibration import ShareCalibration
from mrsal.inference.saliency_map import SaliencyMap

Item = TypeVar("Item")


@dataclass(frozen=True)
class PreparedImage:
    """An image that is ready for a model.

    Parameters
    ----------
    name : str
        The name by which stored maps and fitted baselines find the image; may be empty.
    shape : (int, int)
        The height and width in pixels.
    read : callable
        A function that returns the pixels, ``(H, W, 3)`` uint8. It reads them once and keeps them.
    network_input : any
        What :meth:`SaliencyModel.prepare` computed for the network, such as scaled copies of the image.
    """

    name: str
    shape: tuple[int, int]
    read: Callable[[], NDArray[np.uint8]]
    network_input: Any = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """The pixels: ``(H, W, 3)`` uint8."""
        return self.read()

    def map(self, values: NDArray, *, log_density: NDArray | None = None, windows: int = 1) -> SaliencyMap:
        """A saliency map of this image; parameters as for :class:`SaliencyMap`.

        Raises
        ------
        InputError
            If ``values`` does not have the size of the image.
        """
        if np.shape(values) != self.shape:
            raise InputError(f"{self.name or 'the image'}: expected a map of {self.shape}, got {np.shape(values)}")
        return SaliencyMap(values, self.read, log_density=log_density, windows=windows)


class SaliencyModel(ABC):
    """A model: anything that gives a saliency map for an image.

    A subclass needs to define :meth:`predict_prepared`; everything else has defaults.

    Attributes
    ----------
    mode : str
        How a network is applied to an image; empty for a model that has no modes.
    modes : tuple of str
        The modes that :meth:`with_mode` accepts.
    video_mode : str or None
        The mode for the frames of a video, unless the user chooses another.
    batch_size : int
        The number of images that the model predicts together.
    is_network : bool
        Whether a mode that a user chooses is for this model; other models ignore it.
    gives_density : bool
        Whether the maps are densities, which are used as they are, and not values that only rank the pixels.
    calibration : ShareCalibration or None
        How the model's shares of attention differ from measured shares; None if this was not measured.
    """

    mode: str = ""
    modes: tuple[str, ...] = ()
    video_mode: str | None = None
    batch_size: int = 1
    is_network: bool = False
    gives_density: bool = False
    calibration: ShareCalibration | None = None

    @abstractmethod
    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """Predict images that :meth:`prepare` returned; the maps have the same order."""

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        """Read an image and compute the input of the network; may be called in any thread.

        Parameters
        ----------
        image : path, PIL image, array or ArchiveImage
            ``(H, W, 3)`` or ``(H, W)``, uint8, or float in [0, 1]; of any size.
        name : str
            The name of the image. Empty: the file name, if ``image`` is a path.
        """
        if isinstance(image, ArchiveImage):
            return PreparedImage(name, image.shape, cache(image.read))
        if isinstance(image, str | Path):
            return PreparedImage(name or Path(image).name, image_size(image), cache(lambda: read_image(image)))
        pixels = to_image(image)
        height, width, _ = pixels.shape
        return PreparedImage(name, (height, width), lambda: pixels)

    def predict(self, image: object, *, name: str = "") -> SaliencyMap:
        """Predict where people look in an image; parameters as for :meth:`prepare`."""
        return self.predict_prepared([self.prepare(image, name=name)])[0]

    def predict_many(self, images: Iterable[object], *, batch_size: int | None = None) -> Iterator[SaliencyMap]:
        """Predict many images of any sizes, in order; the next images are read while the model runs.

        Raises
        ------
        FileError, DataError, InputError
            If an image cannot be read, after the maps of the images before it.
        """
        for _, result in predict_stream(self, images, batch_size=batch_size):
            if isinstance(result, MrsalError):
                raise result
            yield result

    def __call__(self, image: object) -> NDArray:
        """Return ``predict(image).values``, so that a model can be used as a function."""
        return self.predict(image).values

    def with_mode(self, mode: str | None) -> Self:
        """This model in another mode; None keeps the mode.

        Raises
        ------
        InputError
            If the model has no such mode.
        """
        if mode in (None, self.mode):
            return self
        expected = f"expected one of the modes {', '.join(self.modes)}" if self.modes else "this model has no modes"
        raise InputError(f"{expected}, got {mode!r}")

    def require(self, names: Iterable[str]) -> None:
        """Check, before a long job starts, that the model can predict images with these names.

        Raises
        ------
        DataError
            If it cannot. Models that look at the image itself can predict any image.
        """
        del names

    def about(self) -> Mapping[str, str]:
        """Settings for a report, such as the mode."""
        return {"mode": self.mode} if self.mode else {}


class FunctionModel(SaliencyModel):
    """A Python function as a model.

    Parameters
    ----------
    function : callable
        A function of an ``(H, W, 3)`` uint8 image that returns an ``(H, W)`` array or tensor of numbers, higher where people
        look more.
    name : str
        The name for error messages. Empty: the name of the function.
    """

    def __init__(self, function: Callable[[NDArray[np.uint8]], Any], *, name: str = "") -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        prepared = super().prepare(image, name=name)
        _ = prepared.pixels  # read now, since this may run in a thread
        return prepared

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        return [image.map(self._values(image)) for image in images]

    def _values(self, image: PreparedImage) -> NDArray:
        result = self.function(image.pixels)
        if hasattr(result, "detach"):  # a torch tensor, on any device
            result = result.detach().cpu().double().numpy()
        values = np.asarray(result)
        if values.dtype.kind not in "biuf" or values.shape != image.shape:
            raise InputError(
                f"{self.name}: expected numbers of shape {image.shape} for {image.name or 'the image'}, "
                f"got {values.dtype} {values.shape}"
            )
        if not np.isfinite(values).all():
            raise InputError(f"{self.name}: the map of {image.name or 'the image'} has values that are NaN or infinite")
        return values if values.dtype.kind == "f" else values.astype(np.float64)


def as_model(model: SaliencyModel | Callable[[NDArray[np.uint8]], Any]) -> SaliencyModel:
    """Make a model of a function; a model is returned as it is.

    Raises
    ------
    InputError
        If it is neither a model nor a function.
    """
    if isinstance(model, SaliencyModel):
        return model
    if not callable(model) or isinstance(model, type):
        raise InputError(f"expected a model, or a function from an image to a map, got {model!r}")
    return FunctionModel(model)


def predict_stream(
    model: SaliencyModel,
    items: Iterable[Item],
    *,
    read: Callable[[Item], object] = lambda item: item,
    name: Callable[[Item], str] = lambda item: "",
    batch_size: int | None = None,
) -> Iterator[tuple[Item, SaliencyMap | MrsalError]]:
    """Predict a stream of images of any length; the next images are read and scaled in threads while the model runs.

    Nothing else in mrsal reads ahead: ``predict_many`` and the jobs of this package use this function.

    Parameters
    ----------
    model : SaliencyModel
        The model.
    items : iterable
        The images, or items from which ``read`` gets them.
    read : callable
        A function from an item to an image as :meth:`SaliencyModel.prepare` takes it; called in threads.
    name : callable
        A function from an item to the name of its image.
    batch_size : int, optional
        The number of images that the model predicts together. None: the default of the model.

    Yields
    ------
    item : any
        Each item, in order.
    result : SaliencyMap or MrsalError
        The map, or the error if the image cannot be read or predicted.
    """
    size = model.batch_size if batch_size is None else batch_size
    if size < 1:
        raise InputError(f"expected a batch_size of at least 1, got {batch_size}")

    def prepare(item: Item) -> PreparedImage:
        return model.prepare(read(item), name=name(item))

    batch: list[tuple[Item, PreparedImage]] = []
    for item, future in _ahead(prepare, items, count=2 * size + 2):
        try:
            batch.append((item, future.result()))
        except MrsalError as error:
            yield from _predicted(model, batch)
            batch = []
            yield item, error
        if len(batch) == size:
            yield from _predicted(model, batch)
            batch = []
    yield from _predicted(model, batch)


def _predicted(
    model: SaliencyModel, batch: Sequence[tuple[Item, PreparedImage]]
) -> Iterator[tuple[Item, SaliencyMap | MrsalError]]:
    """Predict a batch; if that fails, predict its images one by one."""
    if not batch:
        return
    try:
        maps: Sequence[SaliencyMap | MrsalError] = model.predict_prepared([image for _, image in batch])
    except MrsalError as error:
        if len(batch) > 1:  # the error may be about one image only
            for pair in batch:
                yield from _predicted(model, [pair])
            return
        maps = [error]
    for (item, _), map_ in zip(batch, maps, strict=True):
        yield item, map_


def _ahead(
    function: Callable[[Item], PreparedImage], items: Iterable[Item], *, count: int
) -> Iterator[tuple[Item, "Future[PreparedImage]"]]:
    """Items and their results, which threads compute; yields them in order and begins at most ``count`` ahead."""
    waiting: deque[tuple[Item, Future[PreparedImage]]] = deque()
    with ThreadPoolExecutor(max_workers=min(count, os.cpu_count() or 1)) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) == count:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()
