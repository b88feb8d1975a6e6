"""Figures are read back from their files: text, sizes in millimetres, and contours that hold the shares that they name."""

import re
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.text import Text
from messages import naming
from PIL import Image, ImageDraw

from mrsal.errors import InputError
from mrsal.images import read_image
from mrsal.inference.figure import Colours, Layout
from mrsal.inference.saliency_map import SaliencyMap

MM = 25.4 / 72  # of a point
SVG = "{http://www.w3.org/2000/svg}"


def peaks(height=300, width=400, *, spread=0.12):
    """A map with a large and a small peak on a noisy image."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    y0, x0 = 0.4 * height / max(height, width), 0.35 * width / max(height, width)
    density = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 2 / spread**2)
    density += 0.4 * np.exp(-((x - 2.2 * x0) ** 2 + (y - y0) ** 2) / spread**2)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return SaliencyMap(density / density.max(), image, log_density=np.log(density / density.sum()))


@pytest.fixture
def svg(tmp_path):
    """Save a figure as SVG and parse it."""

    def parsed(map_, **options):
        return ElementTree.parse(map_.save_figure(tmp_path / "a.svg", **options)).getroot()

    return parsed


def points(root, name):
    """The lines of a path in an SVG: arrays ``(N, 2)`` in millimetres of the page."""
    (group,) = (element for element in root.iter(f"{SVG}g") if element.get("id") == name)
    (path,) = group.iter(f"{SVG}path")
    pieces = [re.findall(r"[-+.\d]+", piece) for piece in path.get("d").split("M")[1:]]
    return [np.array(piece, float).reshape(-1, 2) * MM for piece in pieces]


def texts(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("share", [25, 50, 75])
def test_a_contour_in_the_file_encloses_its_share(svg, share):
    map_ = peaks()
    height, width = map_.values.shape
    layout = Layout((height, width), 2, 180)
    scale = width / layout.picture[0]
    inside = Image.new("1", (width, height))
    for line in points(svg(map_), f"contour-{share}"):
        corners = (line - layout.corner(0)) * scale
        one = Image.new("1", (width, height))
        ImageDraw.Draw(one).polygon([tuple(corner - 0.5) for corner in corners], fill=1)
        inside = Image.fromarray(np.asarray(inside) ^ np.asarray(one))
    assert map_.density[np.asarray(inside)].sum() == pytest.approx(share / 100, abs=0.01)


def test_the_svg_has_its_text_as_text_and_a_title_and_where_it_is_from(svg):
    root = svg(peaks())
    assert {"25 %", "50 %", "75 %", "100 px", "Prediction", "Density relative to uniform", "0", "1"} <= {*texts(root)}
    about = ElementTree.tostring(root, encoding="unicode")
    assert "Predicted attention" in about and "mrsal" in about and "25, 50 and 75 %" in about
    assert "dc:date" not in about and "pixelated" not in about


def test_the_pdf_has_its_text_as_text_in_a_font_that_journals_take(tmp_path):
    pdfium = pytest.importorskip("pypdfium2")
    path = peaks().save_figure(tmp_path / "a.pdf", pixels_per_degree=20)
    with pdfium.PdfDocument(path) as document:
        size = np.array(document[0].get_size()) * MM
        text = document[0].get_textpage().get_text_range()
        assert document.get_metadata_dict()["CreationDate"] == ""
    assert size[0] == pytest.approx(180, abs=0.01)
    assert "Density (% per square degree)" in text and "75 %" in text and "5°" in text
    content = path.read_bytes()
    assert b"/FontFile2" in content and b"/Type3" not in content


@pytest.mark.parametrize(
    ("pixels_per_degree", "label", "pixels"),
    [(None, "100 px", 100), (20, "5°", 100), (35, "2°", 70), (400, "0.2°", 80), (1, "100°", 100)],
)
def test_the_scale_is_as_long_as_it_says(svg, pixels_per_degree, label, pixels):
    root = svg(peaks(), pixels_per_degree=pixels_per_degree)
    assert label in texts(root)
    ((start, end),) = points(root, "scale-bar")
    assert end - start == pytest.approx([pixels * Layout((300, 400), 2, 180).picture[0] / 400, 0], abs=1e-3)


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_the_same_map_gives_the_same_file_in_every_thread_and_leaves_no_trace(tmp_path, suffix):
    before = dict(matplotlib.rcParams)
    with ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(lambda i: peaks().save_figure(tmp_path / f"{i}{suffix}"), range(4)))
    assert len({path.read_bytes() for path in paths}) == 1
    assert dict(matplotlib.rcParams) == before
    assert Gcf.get_num_fig_managers() == 0


@pytest.mark.parametrize(
    ("shape", "is_stacked"),
    [
        ((300, 400), False),
        ((400, 300), False),
        ((60, 600), True),
        ((600, 60), False),
        ((30, 40), False),
        ((900, 8), False),
    ],
)
@pytest.mark.parametrize("width", [180, 85])
def test_everything_has_its_place_whatever_the_shape(shape, is_stacked, width):
    figure = peaks(*shape).figure(width=width)
    across, down = figure.get_size_inches() * 25.4
    assert across <= width + 1e-6 and down <= 240
    layout = Layout(shape, 2, width)
    assert layout.is_stacked == is_stacked
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    page = figure.bbox
    first, second, bar = (axes.get_window_extent(renderer) for axes in figure.axes)
    for box in (first, second):
        assert box.width / box.height == pytest.approx(shape[1] / shape[0], rel=1e-3)
    assert second.y1 < first.y0 if is_stacked else second.x0 > first.x1
    assert bar.y1 < second.y0 and bar.x0 == pytest.approx(second.x0)
    inside = figure.axes[0]
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent(renderer)
            assert box.x0 >= page.x0 and box.x1 <= page.x1 and box.y0 >= page.y0 and box.y1 <= page.y1, text
            if text.axes is inside:  # the texts below the left picture end before those below the right one
                assert is_stacked or box.x1 <= second.x0, text


def test_a_picture_keeps_its_pixels_up_to_500_dots_per_inch():
    small, large = peaks(30, 40).figure(), peaks(2000, 3000).figure(width=85)
    assert small.axes[0].images[0].get_array().shape == (30, 40, 3)
    assert small.axes[1].images[0].get_array().shape == (30, 40)
    dots = large.axes[0].images[0].get_array().shape[1] / (Layout((2000, 3000), 2, 85).picture[0] / 25.4)
    assert dots == pytest.approx(500, rel=0.01)


def test_the_density_is_relative_to_uniform_or_per_square_degree():
    map_ = peaks()
    assert map_.figure().axes[1].images[0].get_array().mean() == pytest.approx(1, rel=1e-5)
    per_degree = map_.figure(pixels_per_degree=20).axes[1].images[0].get_array()
    assert per_degree.mean() * (300 / 20) * (400 / 20) == pytest.approx(100, rel=1e-5)


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("top", [1e-6, 0.003, 0.9, 1.0, 1.7, 4.99, 5.0, 23, 480, 1e5])
def test_the_numbers_of_a_bar_are_few_and_apart(top, root):
    colours = Colours(np.array([[0, top]]), "", root, "inferno")
    ticks = colours.ticks(0.14)
    assert ticks[0] == 0 and ticks[-1] <= top * (1 + 1e-9)
    assert 2 <= len(ticks) <= 8
    assert (np.diff(colours.norm()(np.array(ticks))) >= 0.14 - 1e-9).all()


def test_a_map_that_is_the_same_everywhere_has_a_figure_without_contours(svg):
    map_ = SaliencyMap(np.full((30, 40), 0.5, np.float32), np.zeros((30, 40, 3), np.uint8))
    root = svg(map_)
    assert "75 %" not in texts(root)


def test_a_figure_that_is_saved_as_png_looks_like_the_map(tmp_path):
    map_ = peaks()
    layout = Layout((300, 400), 2, 180)
    picture = read_image(map_.save_figure(tmp_path / "a.png")) / 255.0
    scale = 300 / 25.4
    (left, top), (wide, high) = layout.corner(1), layout.picture
    shown = picture[
        round((top + 1) * scale) : round((top + high - 1) * scale),
        round((left + 1) * scale) : round((left + wide - 1) * scale),
    ]
    row, column = np.unravel_index(shown.sum(axis=2).argmax(), shown.shape[:2])
    peak = np.unravel_index(map_.density.argmax(), map_.density.shape)
    assert np.array([row / shown.shape[0], column / shown.shape[1]]) == pytest.approx(
        np.array(peak) / (300, 400), abs=0.03
    )


def test_the_ending_decides_what_is_saved(tmp_path):
    map_ = peaks()
    assert map_.save(tmp_path / "a.pdf").read_bytes() == map_.save_figure(tmp_path / "b.pdf").read_bytes()
    assert map_.save(tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert np.load(map_.save(tmp_path / "a.npy")).shape == (300, 400)
    with pytest.raises(InputError, match=naming(".npy", ".pdf", "a.jpg")):
        map_.save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=naming(".png", ".pdf", "a.npy")):
        map_.save_figure(tmp_path / "a.npy")


@pytest.mark.parametrize("options", [{"colormap": "nope"}, {"pixels_per_degree": 0}, {"width": 5}])
def test_wrong_options_are_refused_and_nothing_is_written(tmp_path, options):
    with pytest.raises(InputError):
        peaks().save_figure(tmp_path / "a.pdf", **options)
    assert not list(tmp_path.iterdir())


def test_a_map_with_negative_values_is_no_density():
    with pytest.raises(InputError, match=naming("-1")):
        SaliencyMap(np.array([[-1.0, 2.0]]), np.zeros((1, 2, 3), np.uint8)).figure()
