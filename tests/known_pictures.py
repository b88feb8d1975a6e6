"""Pictures of one colour, as bytes and in tars, and a predictor whose map of a picture is known."""

import io
import tarfile

import numpy as np
from PIL import Image

from mrsal.images import to_image
from mrsal.saliency_map import SaliencyMap


class Brightness:
    """A predictor whose maps are known: how bright a picture is."""

    def predict_many(self, images, *, mode):
        for image in images:
            pixels = to_image(image)
            yield SaliencyMap((pixels.mean(axis=2) / 255).astype(np.float32), pixels)


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
