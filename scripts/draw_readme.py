"""Draws the picture at the top of the README with the network that ships: a photograph, and a page with areas of interest.

python scripts/draw_readme.py docs/images/attention.jpg
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from draw_page import DESIGN, draw_design
from matplotlib.cbook import get_sample_data
from PIL import Image

from mrsal import load_model
from mrsal.aoi import Rectangle, measure
from mrsal.images import read_image

HEIGHT, GAP = 470, 12  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    predictor = load_model(device="cpu")
    photograph = get_sample_data("grace_hopper.jpg", asfileobj=False)  # public domain, part of matplotlib
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.png"
        draw_design(page, "#d62839", "white")
        areas = [Rectangle(name, *map(float, box)) for name, box in DESIGN.items()]
        pictures = [
            read_image(photograph),
            predictor.predict(photograph).overlay(),
            measure(page, areas, predictor).picture(),
        ]
    scaled = [Image.fromarray(picture).resize(_size(picture), Image.Resampling.LANCZOS) for picture in pictures]
    width = sum(picture.width for picture in scaled) + GAP * (len(scaled) - 1)
    sheet = Image.new("RGB", (width, HEIGHT), "white")
    left = 0
    for picture in scaled:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    sheet.save(arguments.out, quality=90)


def _size(picture: np.ndarray) -> tuple[int, int]:
    return round(picture.shape[1] * HEIGHT / picture.shape[0]), HEIGHT


if __name__ == "__main__":
    main()
