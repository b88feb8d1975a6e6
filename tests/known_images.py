"""Images of one colour, as bytes and in tars, and a model whose map of an image is known."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from mrsal.inference.saliency_model import SaliencyModel


class Brightness(SaliencyModel):
    """A model whose maps are known: the brightness of the image."""

    def __init__(self):
        self.calls = 0

    def predict_prepared(self, images):
        self.calls += len(images)
        return [image.map((image.pixels.mean(axis=2) / 255).astype(np.float32)) for image in images]


def encoded(value, kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", (8, 6), (value,) * 3).save(file, kind)
    return file.getvalue()


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return path


def grey_ramp(size=64):
    """A grey image that gets brighter from left to right: ``(H, W, 3)`` uint8."""
    return np.repeat(np.tile(np.linspace(40, 215, size).astype(np.uint8), (size, 1))[..., None], 3, axis=2)


def film(path, images):
    """A lossless video with ten frames per second."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], "bgr0"
        for pixels in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path
