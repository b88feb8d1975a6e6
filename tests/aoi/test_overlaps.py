"""What areas have in common, against sums over pixels."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from messages import mentions

from mrsal.aoi import overlaps as module
from mrsal.aoi.overlaps import overlaps
from mrsal.aoi.sentences import overlap_text
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle


@pytest.fixture
def density():
    values = np.random.default_rng(3).random((23, 31)) ** 3
    return values / values.sum()


def test_whole_pixels_in_common_are_summed(density):
    a, b, c = Rectangle("a", 2, 3, 10, 10), Rectangle("b", 8, 9, 15, 12), Mask("c", np.ones((4, 4), bool), 9, 10)
    found = overlaps(density, [a, b, c])
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    assert pairs["a", "b"].attention == pytest.approx(density[9:13, 8:12].sum())
    assert pairs["a", "c"].attention == pytest.approx(density[10:13, 9:12].sum())
    assert pairs["b", "c"].attention == pytest.approx(density[10:14, 9:13].sum())
    assert pairs["a", "b"].surface == pytest.approx(16 / density.size)
    assert [pair.attention for pair in found.pairs] == sorted((pair.attention for pair in found.pairs), reverse=True)
    union = np.zeros(density.shape, bool)
    union[3:13, 2:12] = union[9:21, 8:23] = union[10:14, 9:13] = True
    assert found.together == pytest.approx(density[union].sum())
    sums = density[3:13, 2:12].sum() + density[9:21, 8:23].sum() + density[10:14, 9:13].sum()
    assert found.twice == pytest.approx(sums - found.together)


def test_areas_that_touch_do_not_overlap(density):
    cuts = [0, 7.3, 20.1, 31]
    tiles = [Rectangle(str(x), x, 0, stop - x, 23) for x, stop in pairwise(cuts)]
    diagonal = [Polygon("up", [(0, 0), (31, 0), (31, 23)]), Polygon("down", [(0, 0), (31, 23), (0, 23)])]
    for areas in (tiles, diagonal):
        found = overlaps(density, areas)
        assert (found.pairs, found.together, found.twice) == ([], pytest.approx(1), pytest.approx(0, abs=1e-12))


def test_an_area_in_another_is_its_whole_share(density):
    inner, outer = Ellipse("inner", 15.2, 11.1, 4, 3, 20), Ellipse("outer", 15, 11, 9, 8)
    (pair,) = overlaps(density, [inner, outer]).pairs
    covered = inner.coverage((0, 0, 31, 23))
    assert pair.attention == pytest.approx((density * covered).sum())
    assert pair.surface * density.size == pytest.approx(np.pi * 12, rel=1e-6)


def test_bands_change_nothing(density, monkeypatch):
    areas = [Ellipse(str(i), 5 + 3 * i, 11, 6, 7) for i in range(6)]
    whole = overlaps(density, areas)
    monkeypatch.setattr(module, "_BAND", 100)
    bands = overlaps(density, areas)
    assert [(pair.a, pair.b) for pair in bands.pairs] == [(pair.a, pair.b) for pair in whole.pairs]
    assert bands.together == pytest.approx(whole.together)
    for a, b in zip(bands.pairs, whole.pairs, strict=True):
        assert a.attention == pytest.approx(b.attention)


def test_too_many_areas_are_only_summed(density, monkeypatch):
    areas = [Rectangle(name, 0, 0, 31, 23) for name in "abc"]
    assert {(pair.a, pair.b) for pair in overlaps(density, areas).pairs} == set(combinations("abc", 2))
    monkeypatch.setattr(module, "_MOST_PIXELS", 1000)
    found = overlaps(density, areas)
    assert (found.pairs, found.together, found.twice) == (None, pytest.approx(1), pytest.approx(2))
    assert "too many" in overlap_text(found)


def test_the_text_names_the_areas_and_what_is_counted_twice():
    density = np.full((10, 10), 0.01)
    areas = [Rectangle("photo", 0, 0, 10, 5), Rectangle("face", 2, 2, 2, 3), Rectangle("logo", 0, 9, 1, 1)]
    assert mentions(
        overlap_text(overlaps(density, areas)), "photo", "face", "6.0 %", "51.0 %", "57.0 %", without="logo"
    )
    assert overlap_text(overlaps(density, areas[1:])) == ""
