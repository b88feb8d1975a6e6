"""Spots against maps with known hills."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi.spots import strongest_spots
from mrsal.errors import InputError


def hills(*places, shape=(120, 180), sigma=7):
    """Gaussians of the given x, y and height."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return sum(height * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2)) for cx, cy, height in places)


def places(spots):
    return [(round(spot.x - 0.5), round(spot.y - 0.5)) for spot in spots]


def test_hills_are_visited_from_the_highest_to_the_lowest():
    map_ = hills((30, 30, 0.7), (150, 90, 1.0), (150, 20, 0.4))
    spots = strongest_spots(map_)
    assert places(spots) == [(150, 90), (30, 30), (150, 20)]
    assert [spot.strength for spot in spots] == pytest.approx([1, 0.7, 0.4], abs=1e-3)
    assert places(strongest_spots(map_, count=2)) == [(150, 90), (30, 30)]
    assert strongest_spots(map_, count=0) == []


def test_scale_and_ground_change_nothing():
    map_ = hills((30, 30, 0.7), (150, 90, 1.0))
    assert places(strongest_spots(-3 + 1000 * map_)) == places(strongest_spots(map_))


def test_a_wide_inhibition_passes_over_neighbours():
    map_ = hills((60, 60, 1.0), (80, 60, 0.9), (150, 60, 0.5))
    assert places(strongest_spots(map_, count=2, radius=5))[1] == (80, 60)
    assert places(strongest_spots(map_, count=2, radius=60))[1] == (150, 60)


def test_a_broad_hill_is_not_visited_along_its_rim():
    spots = strongest_spots(hills((90, 60, 1.0), sigma=10), count=9)
    assert len(spots) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (40, 40)])
def test_a_constant_map_has_no_spots(shape):
    assert strongest_spots(np.full(shape, 0.3)) == []


def test_spots_at_the_corner_stay_inside():
    map_ = np.zeros((20, 30))
    map_[0, 0] = map_[19, 29] = 1
    assert [(s.x, s.y) for s in strongest_spots(map_)] == [(0.5, 0.5), (29.5, 19.5)]


@pytest.mark.parametrize(
    ("map_", "options", "named"),
    [
        (np.full((3, 3), np.nan), {}, [(3, 3), "NaN"]),
        (np.ones(3), {}, [(3,)]),
        (np.ones((0, 3)), {}, [(0, 3)]),
        (np.ones((3, 3)), {"count": -1}, ["count", -1]),
        (np.ones((3, 3)), {"radius": 0}, ["radius", 0]),
        (np.ones((3, 3)), {"radius": np.nan}, ["radius", "nan"]),
    ],
)
def test_what_is_no_map_is_refused(map_, options, named):
    with pytest.raises(InputError, match=naming(*named)):
        strongest_spots(map_, **options)
