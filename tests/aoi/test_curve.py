"""The curve of a video, read back from the figure."""

import numpy as np
import pytest

from mrsal.aoi import VideoShares, share_curve
from mrsal.aoi.curve import _spread, save_curve
from mrsal.aoi.film_strip import MOST, FilmStrip


def shares(attention, *, step=0.5, names=None):
    """Areas with these shares; NaN where they are hidden."""
    attention = np.asarray(attention, float)
    count, areas = attention.shape
    visible = ~np.isnan(attention)
    names = names or [f"area {k}" for k in range(areas)]
    times = step * np.arange(count)
    attention = np.nan_to_num(attention)
    boxes = np.zeros((count, areas, 4))
    return VideoShares("film.mp4", names, times, np.full(count, step), attention, visible * 0.1, boxes)


def lines(figure):
    """The lines with more than two points."""
    return [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]


def test_a_line_has_the_share_of_each_frame_until_the_next_one_and_gaps():
    nan = np.nan
    result = shares([[0.1, nan], [0.3, 0.2], [0.2, 0.4], [0.2, nan]])
    a, b = lines(share_curve(result))
    np.testing.assert_allclose(a.get_xdata(), [0, 0.5, 0.5, 1, 1, 1.5, 1.5, 2])
    np.testing.assert_allclose(a.get_ydata(), [0.1, 0.1, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(b.get_ydata(), [nan, nan, 0.2, 0.2, 0.4, 0.4, nan, nan])
    dots = [line for line in share_curve(result).axes[0].lines if line.get_marker() == "o"]
    assert [(float(dot.get_xdata()[0]), float(dot.get_ydata()[0])) for dot in dots] == [(0.5, 0.3), (1, 0.4)]


def test_every_area_has_its_name_and_a_line_of_its_own_and_no_name_is_read_as_a_formula():
    names = [f"cost $x_{k}$" for k in range(20)]
    figure = share_curve(shares(np.full((3, 20), 0.1), names=names))
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {name.replace("$", r"\$") for name in names} <= texts
    assert (
        len({(line.get_color(), str(line.get_linestyle()), line._unscaled_dash_pattern) for line in lines(figure)})
        == 20
    )
    never = share_curve(shares([[np.nan], [np.nan]], names=["late"]))
    assert any("late" in text.get_text() and "never" in text.get_text() for text in never.axes[0].texts)


def test_a_long_video_keeps_its_peaks_and_has_minutes():
    values = np.full((50_000, 1), 0.1)
    values[31_234], values[40_000] = 0.9, 0.01
    figure = share_curve(shares(values, step=0.04))
    (line,) = lines(figure)
    found = line.get_ydata()
    assert len(found) < 10_000
    assert (found.max(), found.min()) == (0.9, 0.01)
    assert line.get_xdata()[found.argmax()] == pytest.approx(31_234 * 0.04, abs=2)
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert all(":" in label for label in labels)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_numbers_give_the_same_file(tmp_path, kind):
    result = shares([[0.1, 0.5], [0.2, 0.4]], names=["Πίνακας", "日本"])  # the font has no Chinese letters
    for name in ("a", "b"):
        save_curve(result, tmp_path / name, kind=kind)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")


def test_labels_are_apart_in_their_order():
    places = np.sort(np.random.default_rng(0).uniform(0, 1, 12)) ** 3
    found = _spread(places, 0.06)
    assert np.diff(found).min() >= 0.06 - 1e-9
    assert found.min() >= -1e-9 and found.max() <= 1 + 1e-9
    np.testing.assert_allclose(_spread(np.array([0.1, 0.5, 0.9]), 0.1), [0.1, 0.5, 0.9])


def test_the_pictures_below_are_of_the_middle_of_their_time():
    """Grey frames that get brighter, so that the brightness of a picture says its time."""
    film = [(time, np.full((90, 160, 3), 25 * time, np.uint8)) for time in np.arange(0, 10, 0.5)]
    figure = share_curve(shares(np.full((20, 1), 0.1)), film=film)
    images = figure.axes[1].images
    assert len(images) > 4
    for image in images:
        left, right, *_ = image.get_extent()
        assert image.get_array().mean() / 25 == pytest.approx((left + right) / 2, abs=0.3)
    assert (images[0].get_extent()[0], images[-1].get_extent()[1]) == (0, 10)


@pytest.mark.parametrize("count", [1, MOST, 1000, 12345])
def test_a_strip_has_few_pictures_at_equal_distances(count):
    strip = FilmStrip()
    for i in range(count):
        strip.add(i / 25, np.full((4, 300, 3), i % 256, np.uint8))
    times = [time for time, _ in strip.pictures]
    assert min(count, MOST / 2) <= len(times) <= MOST
    assert times[0] == 0
    if count > 1:
        assert np.diff(times).max() <= 1.2 * np.diff(times).min()
        assert (count - 1) / 25 - times[-1] <= np.diff(times).max()
    assert all(picture.shape[1] <= 240 for _, picture in strip.pictures)
    assert all(picture[0, 0, 0] == round(time * 25) % 256 for time, picture in strip.pictures)
