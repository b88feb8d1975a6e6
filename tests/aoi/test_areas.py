"""Shares against sums over pixels; intervals of a calibration; boxes that reach over the border; no rectangles."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi.areas import attention_shares, compare_shares, numbered
from mrsal.aoi.shapes import Rectangle
from mrsal.errors import InputError
from mrsal.inference import ShareCalibration
from mrsal.inference.saliency_map import SaliencyMap


@pytest.fixture
def density():
    values = np.random.default_rng(3).random((23, 31)) ** 3
    return values / values.sum()


def only(shares):
    (share,) = shares
    return share


def test_whole_pixels_are_a_slice(density):
    share = only(attention_shares(density, [Rectangle("a", 4, 7, 11, 9)]))
    assert share.attention == pytest.approx(density[7:16, 4:15].sum(), rel=1e-12)
    assert share.surface == pytest.approx(99 / density.size)
    assert share.per_surface == pytest.approx(density[7:16, 4:15].mean() * density.size)


def test_fractions_of_pixels_are_what_a_finer_grid_of_the_same_density_gives(density):
    finer = np.kron(density, np.ones((4, 4)))
    for x0, y0, width, height in ((0.25, 1.5, 3.75, 2.25), (30.25, 22.5, 0.5, 0.25), (5, 5, 1.25, 18)):
        coarse = only(attention_shares(density, [Rectangle("a", x0, y0, width, height)]))
        fine = only(attention_shares(finer, [Rectangle("a", 4 * x0, 4 * y0, 4 * width, 4 * height)]))
        assert coarse.attention == pytest.approx(fine.attention, rel=1e-9)
        assert coarse.surface == pytest.approx(fine.surface)


def test_tiles_sum_to_one_and_overlaps_may_sum_to_more(density):
    cuts_x, cuts_y = [0, 7.3, 20.1, 31], [0, 11.9, 23]
    tiles = [
        Rectangle(f"{i} {j}", cuts_x[i], cuts_y[j], cuts_x[i + 1] - cuts_x[i], cuts_y[j + 1] - cuts_y[j])
        for i in range(3)
        for j in range(2)
    ]
    assert sum(share.attention for share in attention_shares(density, tiles)) == pytest.approx(1)
    both = attention_shares(density, [Rectangle("a", 0, 0, 31, 23), Rectangle("b", 0, 0, 31, 23)])
    assert [share.attention for share in both] == pytest.approx([1, 1])


def test_ranks_go_by_attention_and_equals_share_theirs():
    areas = [Rectangle("small", 0, 0, 1, 1), Rectangle("left", 0, 0, 5, 4), Rectangle("right", 5, 0, 5, 4)]
    assert [share.rank for share in attention_shares(np.ones((4, 10)), areas)] == [3, 1, 1]


def test_a_saliency_map_is_its_density(density):
    saliency = SaliencyMap((density / density.max()).astype(np.float32), np.zeros((23, 31, 3), np.uint8))
    areas = [Rectangle("a", 2, 3, 10, 10)]
    from_map, from_array = only(attention_shares(saliency, areas)), only(attention_shares(7 * density, areas))
    assert from_map.attention == pytest.approx(from_array.attention, rel=1e-6)


def test_intervals_are_those_of_the_calibration_for_all_fixations_of_the_study(density):
    calibration, areas = ShareCalibration(0.8, 9), [Rectangle("a", 4, 7, 11, 9), Rectangle("b", 0, 0, 5, 5)]
    study = {"calibration": calibration, "observers": 20, "per_observer": 5, "level": 0.8}
    shares = attention_shares(density, areas, **study)
    assert [share.interval for share in shares] == [calibration.interval(s.attention, 100, 0.8) for s in shares]
    others = attention_shares(density[:, ::-1], areas, **study)
    found = compare_shares(shares, others, **study)
    assert [pair.interval for pair in found] == [
        calibration.difference_interval(pair.a.attention, pair.b.attention, 100, 0.8) for pair in found
    ]


def test_without_a_calibration_there_is_no_interval(density):
    shares = attention_shares(density, [Rectangle("a", 4, 7, 11, 9)])
    assert shares[0].interval is None
    assert compare_shares(shares, shares)[0].interval is None


def test_larger_studies_have_narrower_intervals_and_certain_shares_none(density):
    calibration, widths = ShareCalibration(0.8, 9), []
    for observers in (5, 20, 80):
        area = Rectangle("a", 4, 7, 11, 9)
        low, high = only(attention_shares(density, [area], calibration=calibration, observers=observers)).interval
        widths.append(high - low)
    assert widths[0] > widths[1] > widths[2] > 0
    assert only(attention_shares(density, [Rectangle("all", 0, 0, 31, 23)], calibration=calibration)).interval == (1, 1)


def test_designs_are_matched_by_name(density):
    a = attention_shares(density, [Rectangle("logo", 0, 0, 3, 3), Rectangle("cta", 5, 5, 9, 9)])
    b = attention_shares(density, [Rectangle("cta", 5, 5, 9, 9), Rectangle("new", 0, 0, 3, 3)])
    assert [(one.a.area.name, one.difference) for one in compare_shares(a, b)] == [("cta", 0)]
    with pytest.raises(InputError, match=naming("logo", "cta", "new")):
        compare_shares(a, b[1:])


@pytest.mark.parametrize("box", [(-10, 0, 5, 5), (31, 0, 5, 5), (0, 23, 1, 1), (0, -5, 3, 5)])
def test_an_area_outside_is_refused(density, box):
    with pytest.raises(InputError, match=naming("hero", "31x23")):
        attention_shares(density, [Rectangle("hero", *box)])


def test_an_area_partly_outside_is_cut_with_a_warning_and_rounding_without(density):
    with pytest.warns(UserWarning, match=naming("hero", "31x23")):
        share = only(attention_shares(density, [Rectangle("hero", -5, 20, 10, 10)]))
    assert (share.area.x0, share.area.y0, share.area.x1, share.area.y1) == (0, 20, 5, 23)
    assert share.attention == pytest.approx(density[20:, :5].sum())
    assert only(attention_shares(density, [Rectangle("a", 0, 0, 31.4, 23.9)])).surface == 1


@pytest.mark.parametrize("name", ["", "a\nb", 3])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(InputError, match=naming(repr(name))):
        Rectangle(name, 0, 0, 1, 1)


@pytest.mark.parametrize(
    "box",
    [(5, 6, 0, 7), (5, 6, 7, -8), (float("nan"), 5, 6, 7), (5, 6, float("inf"), 7), ("5", 6, 7, 8), (None, 5, 6, 7)],
)
def test_what_is_no_rectangle_is_refused(box):
    with pytest.raises(InputError, match=naming("hero", *box)):
        Rectangle("hero", *box)


@pytest.mark.parametrize(
    ("values", "options", "named"),
    [
        (np.zeros((4, 4)), {}, "density"),
        (-np.ones((4, 4)), {}, "density"),
        (np.full((4, 4), np.nan), {}, "density"),
        (np.ones(4), {}, (4,)),
        (np.ones((4, 4)), {"observers": -3}, -3),
        (np.ones((4, 4)), {"level": 95}, 95),
    ],
)
def test_what_is_no_density_or_no_study_is_refused(values, options, named):
    with pytest.raises(InputError, match=naming(named)):
        attention_shares(values, [Rectangle("a", 0, 0, 1, 1)], **options)


def test_names_are_told_apart():
    boxes = [Rectangle(name, 0, 0, 1, 1) for name in ("face", "logo", "face", "face 1")]
    assert [area.name for area in numbered(boxes)] == ["face 2", "logo", "face 3", "face 1"]
    with pytest.raises(InputError, match=naming("face")):
        attention_shares(np.ones((4, 4)), [boxes[0], boxes[2]])
