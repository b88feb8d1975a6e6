"""A few small pictures of a video, which show below a curve what is to be seen at each time."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MOST = 64  # pictures
_WIDTH = 240  # pixels of the longer side

Picture = tuple[float, NDArray[np.uint8]]
"""A time in seconds, and a small picture ``(h, w, 3)`` of the frame at that time."""


class FilmStrip:
    """Collects small pictures at about equal distances in time while a video of unknown length is read."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self._step = 0.0  # the shortest time between two pictures, in seconds

    def add(self, time: float, image: NDArray[np.uint8]) -> None:
        """Take the picture of a frame if the last one was taken long enough ago; later frames come later."""
        if self.pictures and time - self.pictures[-1][0] < self._step:
            return
        if len(self.pictures) == MOST:
            self.pictures = self.pictures[::2]
            self._step = (self.pictures[-1][0] - self.pictures[0][0]) / (len(self.pictures) - 1) * 0.999
            if time - self.pictures[-1][0] < self._step:
                return
        small = Image.fromarray(image)
        small.thumbnail((_WIDTH, _WIDTH), reducing_gap=2)
        self.pictures.append((time, np.asarray(small)))
