"""Draw docs/images/figure.png, the figure that ``mrsal predict --format figure`` makes of a photograph in the public domain.

python scripts/draw_figure.py docs/images
"""

import argparse
import tempfile
from pathlib import Path

from matplotlib.cbook import get_sample_data
from PIL import Image

import mrsal
from mrsal.images import read_image

ROWS = slice(0, 400)  # of the photograph: the head and the shoulders
WIDTH = 1000  # pixels of the picture, which is smaller than that of the command


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    photograph = read_image(get_sample_data("grace_hopper.jpg", asfileobj=False))[ROWS]
    with tempfile.TemporaryDirectory() as folder:
        file = mrsal.load_model().predict(photograph).save_figure(Path(folder) / "figure.png")
        with Image.open(file) as picture:
            size = WIDTH, round(picture.height * WIDTH / picture.width)
            page = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        page.quantize(256, palette=page.quantize(256)).save(out / "figure.png", optimize=True)  # a third of the bytes


if __name__ == "__main__":
    main()
