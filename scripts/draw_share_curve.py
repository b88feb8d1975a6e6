"""Draw the curve in docs/areas.md: the shares of areas over a made-up advertisement, as the network that ships predicts them.

    python scripts/draw_share_curve.py docs/images/areas-film.png

A bottle moves from left to right, then a headline appears, and a logo stays in the corner.
"""

import argparse
import tempfile
from pathlib import Path

import av
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mrsal import load_model
from mrsal.aoi import MovingArea, Rectangle, measure_video

WIDTH, HEIGHT, RATE, SECONDS = 480, 270, 12, 6
STOP, APPEARS = 4.0, 3.0  # seconds: the bottle stops, and the headline appears
BOTTLE = (46, 130)  # pixels
START, END = (20.0, 120.0), (215.0, 120.0)
LOGO, HEADLINE = (395, 20, 65, 30), (40, 30, 250, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    bottle = [(time, Rectangle("bottle", *bottle_at(time), *BOTTLE)) for time in (0, STOP)]
    areas = [
        MovingArea("bottle", bottle),
        MovingArea("headline", [(APPEARS, Rectangle("headline", *HEADLINE))]),
        Rectangle("logo", *LOGO),
    ]
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write(film)
        measure_video(film, areas, load_model(device="cpu"), out=[arguments.out])


def bottle_at(time: float) -> tuple[float, float]:
    """The upper left corner of the bottle."""
    share = min(time / STOP, 1)
    return START[0] + share * (END[0] - START[0]), START[1] + share * (END[1] - START[1])


def picture(time: float) -> Image.Image:
    """A frame of the advertisement."""
    rows = np.linspace((236, 226, 208), (176, 150, 120), HEIGHT)[:, None]
    page = Image.fromarray(np.broadcast_to(rows, (HEIGHT, WIDTH, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(page)
    font = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
    x, y, w, h = LOGO
    pen.rounded_rectangle((x, y, x + w, y + h), 8, fill="#2b4a6f")
    pen.text((x + w / 2, y + h / 2), "acme", fill="white", font=ImageFont.truetype(font, 16), anchor="mm")
    left, top = bottle_at(time)
    pen.rounded_rectangle((left, top + 40, left + BOTTLE[0], top + BOTTLE[1]), 10, fill="#0d7a4f")
    pen.rectangle((left + 15, top, left + 31, top + 45), fill="#0d7a4f")
    pen.rectangle((left + 3, top + 65, left + BOTTLE[0] - 3, top + 105), fill="#f7e9b0")
    pen.text((left + 23, top + 85), "soda", fill="#8c1c13", font=ImageFont.truetype(font, 13), anchor="mm")
    if time >= APPEARS:
        x, y, w, h = HEADLINE
        pen.text((x + w / 2, y + h / 2), "Thirsty?", fill="#8c1c13", font=ImageFont.truetype(font, 50), anchor="mm")
    return page


def write(path: Path) -> None:
    """Write the advertisement."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(RATE * SECONDS):
            film.mux(stream.encode(av.VideoFrame.from_image(picture(index / RATE))))
        film.mux(stream.encode(None))


if __name__ == "__main__":
    main()
