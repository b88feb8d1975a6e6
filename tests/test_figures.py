"""All figures have one style, which ends with the block, and files that open anywhere."""

import base64
import io
import re

import matplotlib
import numpy as np
import pytest
from messages import naming
from PIL import Image

from mrsal._version import __version__
from mrsal.errors import InputError
from mrsal.figures import DPI, figure_style, new_figure, save_figure, text_width


def picture_of_stripes(width=100.0):
    figure = new_figure(width, width / 2)
    axes = figure.add_axes((0, 0, 1, 1))
    stripes = np.tile(np.array([0, 255], np.uint8), 1000)[None].repeat(10, axis=0)
    axes.imshow(stripes, cmap="gray", aspect="auto", interpolation="none")
    axes.set_axis_off()
    return figure


def test_a_png_has_300_dots_per_inch_and_reduces_pictures_smoothly(tmp_path):
    save_figure(picture_of_stripes, tmp_path / "a.png", title="stripes", description="black and white")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (int(100 / 25.4 * DPI), int(50 / 25.4 * DPI))
        assert (image.text["Title"], image.text["Software"]) == ("stripes", f"mrsal {__version__}")
        grey = np.asarray(image.convert("L"))[20:-20, 20:-20]
    assert abs(grey.mean() - 127.5) < 5
    assert grey.std() < 80  # 127 if every other stripe were left out


def test_an_svg_holds_every_pixel(tmp_path):
    save_figure(picture_of_stripes, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    (png,) = re.findall(r"data:image/png;base64,([^\"]+)", text)
    with Image.open(io.BytesIO(base64.b64decode(png))) as image:
        assert image.size == (2000, 10)
    assert "pixelated" not in text


def test_the_style_ends_with_its_block():
    before = dict(matplotlib.rcParams)
    with pytest.raises(ZeroDivisionError), figure_style():
        assert matplotlib.rcParams["svg.fonttype"] == "none"
        raise ZeroDivisionError
    assert dict(matplotlib.rcParams) == before


def test_the_width_of_a_text_grows_with_the_text_and_the_size():
    assert text_width("attention attention") == pytest.approx(2 * text_width("attention"), rel=0.1)
    assert text_width("attention", 16) == pytest.approx(2 * text_width("attention", 8), rel=0.01)
    assert 8 < text_width("attention") < 16  # millimetres


def test_another_ending_is_refused_before_anything_is_drawn(tmp_path):
    def draw():
        raise AssertionError("drawn")

    with pytest.raises(InputError, match=naming(".pdf", ".svg", ".png", "a.eps")):
        save_figure(draw, tmp_path / "a.eps")
