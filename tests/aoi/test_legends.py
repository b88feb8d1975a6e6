"""Colours of differences and heatmaps, and their legends."""

import numpy as np
import pytest

from mrsal.aoi import legends
from mrsal.aoi.areas import attention_shares, compare_shares
from mrsal.aoi.difference import difference_map
from mrsal.aoi.legends import difference_picture, heat_pictures
from mrsal.aoi.shapes import Rectangle
from mrsal.aoi.study import Attention
from mrsal.inference import SaliencyMap

SHAPE = 60, 100


def attention(change=(), *, grey=200, areas=(), shape=SHAPE):
    """A uniform map, on which places ``(rows, columns, factor)`` are changed."""
    values = np.ones(shape)
    for rows, columns, factor in change:
        values[slice(*rows), slice(*columns)] *= factor
    values /= values.sum()
    saliency = SaliencyMap(values, np.full((*shape, 3), grey, np.uint8))
    return Attention("page.png", saliency, attention_shares(values, areas))


LESS, MORE = ((0, 20), (0, 40), 0.5), ((40, 60), (60, 100), 1.5)


@pytest.mark.parametrize("grey", [0, 120, 255])
def test_more_is_red_less_is_blue_and_the_same_has_no_colour(grey):
    a, b = attention(grey=grey), attention([LESS, MORE], grey=grey)
    assert difference_map(a.saliency, b.saliency)[30, 50] == pytest.approx(0, abs=1e-12)
    picture, _ = difference_picture(a, b, width=100)
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    assert (red - blue)[50, 80] > 50 and (red - blue)[10, 20] < -50
    assert np.ptp(picture[30, 50]) == 0
    assert (difference_picture(a, a, width=100)[0] == picture[30, 50]).all()


def test_the_legend_has_the_colours_of_the_picture_and_0_in_its_middle():
    white = 255  # which fades to the paper of the legend
    picture, legend = difference_picture(attention(grey=white), attention([LESS, MORE], grey=white), width=100)
    assert legend.ticks == ((0, "-1"), (0.25, "-0.5"), (0.5, "0"), (0.75, "+0.5"), (1, "+1"))
    for y, x, tick in ((50, 80, 0.75), (10, 20, 0.25), (30, 50, 0.5)):
        assert picture[y, x] == pytest.approx(legend.colours[round(tick * (len(legend.colours) - 1))], abs=2)
    assert legend.gradient.count("#") == len(legend.colours)


@pytest.mark.parametrize(("factor", "end"), [(1.01, 1), (2.9, 2), (3.3, 4), (9, 8), (15, 20)])
def test_the_scale_ends_at_a_round_number_and_is_never_shorter_than_1(factor, end):
    spot = ((0, 6), (0, 20), factor)  # 2 % of the surface
    _, legend = difference_picture(attention(), attention([spot]), width=100)
    largest = 100 * 60 * factor / (6000 + 120 * (factor - 1)) - 1
    assert float(legend.ticks[-1][1]) == -float(legend.ticks[0][1]) == end, largest


def test_areas_are_labelled_on_the_picture():
    areas = [Rectangle("cta", 60, 40, 40, 20)]
    a, b = attention(areas=areas), attention([LESS, MORE], areas=areas)
    plain, _ = difference_picture(a, b, width=100)
    labelled, _ = difference_picture(a, b, compare_shares(a.shares, b.shares), width=100)
    assert (plain != labelled).any()
    assert (plain[:15, :50] == labelled[:15, :50]).all()


def test_of_many_areas_those_that_change_most_have_labels_and_names_are_shortened(monkeypatch):
    drawn = []
    monkeypatch.setattr(legends, "with_areas", lambda picture, areas, labels, **_: drawn.append(labels) or picture)
    areas = [Rectangle(f"{'long ' * 9}{k}", 3 * k, 0, 3, 60) for k in range(33)]
    gain = np.linspace(1, 2, 100)
    b = SaliencyMap(np.ones(SHAPE) * gain, np.zeros((*SHAPE, 3), np.uint8))
    a = attention(areas=areas)
    differences = compare_shares(a.shares, attention_shares(b, areas))
    difference_picture(a, Attention("b", b, attention_shares(b, areas)), differences, width=100)
    (labels,) = drawn
    sizes = [abs(pair.difference) for pair in differences]
    shown = [size for label, size in zip(labels, sizes, strict=True) if label]
    hidden = [size for label, size in zip(labels, sizes, strict=True) if not label]
    assert len(shown) == 25 and min(shown) >= max(hidden)
    assert max(map(len, labels)) < 40


def test_pictures_are_at_most_as_wide_as_asked_for_and_areas_move_with_them():
    areas = [Rectangle("cta", 60, 30, 40, 30)]
    [wide], _ = heat_pictures([attention(areas=areas)], width=1000)
    [narrow], _ = heat_pictures([attention(areas=areas)], width=50)
    assert (wide.shape, narrow.shape) == ((60, 100, 3), (30, 50, 3))
    assert (narrow[29, 31:50] == 0).all()  # the lower edge of the area


def test_both_heatmaps_have_the_same_colours_for_the_same_attention():
    a, b = attention([((0, 20), (0, 40), 4)]), attention([((0, 20), (0, 40), 2)])
    pictures, legend = heat_pictures([a, b], width=100)
    per_surface = [each.saliency.density * each.saliency.density.size for each in (a, b)]
    assert per_surface[1].max() < per_surface[0].max()
    assert (pictures[0][10, 10] != pictures[1][10, 10]).any()
    (alone,), _ = heat_pictures([b], width=100)
    assert (alone[10, 10] == pictures[0][10, 10]).all()  # where each is highest
    low, high = min(map(np.min, per_surface)), max(map(np.max, per_surface))
    assert [text for _, text in legend.ticks] == ["1", "2"] or [text for _, text in legend.ticks][1:] == ["1", "2"]
    for at, text in legend.ticks[-2:]:
        assert at == pytest.approx((float(text) - low) / (high - low))


def test_a_density_is_shown_by_its_square_root_and_so_is_the_legend():
    density = np.ones(SHAPE)
    density[:6, :20] = 30
    density /= density.sum()
    saliency = SaliencyMap(
        (density / density.max()).astype(np.float32), np.zeros((*SHAPE, 3), np.uint8), log_density=np.log(density)
    )
    _, legend = heat_pictures([Attention("a", saliency, [])], width=100)
    low, high = density.min() * density.size, density.max() * density.size
    ticks = {text: at for at, text in legend.ticks}
    assert ticks["10"] == pytest.approx(np.sqrt((10 - low) / (high - low)), abs=1e-6)
    assert min(np.diff(sorted(ticks.values()))) > 0.1  # the labels do not touch
