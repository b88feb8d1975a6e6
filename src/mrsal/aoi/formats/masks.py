"""Masks in image files: black is outside, white is inside, and grey is a part of a pixel."""

import base64
import binascii
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.formats.reading import MOST_PIXELS, Reading, mask
from mrsal.aoi.shapes import Mask
from mrsal.errors import DataError
from mrsal.images import image_size, read_grey_values


def read(paths: list[Path], reading: Reading) -> None:
    """Read one area from each file; it has the name of the file."""
    for path in paths:
        try:
            height, width = image_size(path)
            reading.check_size(width, height)
            reading.add(mask(path.stem, _parts(read_grey_values(path))))
        except ValueError as error:
            raise DataError(f"{path.name} is no mask, black outside and white inside: {error}") from error


def mask_of_base64(name: str, text: str, x0: int, y0: int) -> Mask | None:
    """A mask in an image file that is written as text, as in LabelMe."""
    try:
        content = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise DataError(f"expected the mask of {name!r} as base64, got something else: {error}") from error
    height, width = image_size(content)
    if height * width > MOST_PIXELS:
        raise DataError(f"expected a mask of at most {MOST_PIXELS // 10**6} million pixels, got {width}x{height}")
    return mask(name, _parts(read_grey_values(content)), x0, y0)


def _parts(values: NDArray[np.float64]) -> NDArray:
    """The part of each pixel that is inside. Two values are outside and inside; more are parts, if the largest is white."""
    largest = values.max()
    if ((values == 0) | (values == largest)).all():
        return values > 0
    if largest not in (1, 255, 65535):
        raise DataError(
            f"expected 0 and one more value, or grey up to white, got values up to {largest:g}; if it is a map of labels, save "
            "a mask for each label"
        )
    return (values / largest).astype(np.float32)
