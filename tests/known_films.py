"""Videos of a white square on black, whose place in each frame is known."""

from fractions import Fraction

import numpy as np
import pytest

SQUARE = 12  # pixels


def square_at(x, y, *, shape):
    """A black frame with a white square: ``(H, W, 3)`` uint8."""
    picture = np.zeros((*shape, 3), np.uint8)
    picture[y : y + SQUARE, x : x + SQUARE] = 255
    return picture


def overlap(place, box):
    """The part of the square at a place that lies in a box of x, y, width and height."""
    (x, y), (left, top, width, height) = place, box
    across = max(0, min(x + SQUARE, left + width) - max(x, left))
    down = max(0, min(y + SQUARE, top + height) - max(y, top))
    return across * down / SQUARE**2


def timed_film(path, pictures, times, *, rotation=0):
    """Write frames with times in milliseconds: lossless, or as H.264 in MP4."""
    av = pytest.importorskip("av")
    codec, pix_fmt = ("libx264", "yuv420p") if path.suffix == ".mp4" else ("ffv1", "bgr0")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for picture, time in zip(pictures, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
