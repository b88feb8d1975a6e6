"""The size of a degree of visual angle."""

import math

import pytest
from messages import naming

from mrsal.datasets import pixels_per_degree
from mrsal.errors import InputError

SCREEN = {"screen_width_cm": 53.0, "screen_width_px": 1920, "distance_cm": 60.0}


def test_a_degree_on_the_screen_is_seen_under_a_degree():
    degree_cm = pixels_per_degree(**SCREEN) * 53 / 1920
    assert 2 * math.degrees(math.atan(degree_cm / 2 / 60)) == pytest.approx(1)


def test_the_screen_of_mit1003():
    """Judd et al. 2009: a 19-inch screen of 1280x1024 pixels, two feet away; one degree is said to be some 35 pixels."""
    assert pixels_per_degree(screen_width_cm=37.6, screen_width_px=1280, distance_cm=61) == pytest.approx(35, abs=1.5)


def test_enlarged_images_have_fewer_pixels_per_degree():
    assert pixels_per_degree(**SCREEN, scale=2) == pixels_per_degree(**SCREEN) / 2


@pytest.mark.parametrize("name", ["screen_width_cm", "screen_width_px", "distance_cm", "scale"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_numbers_that_are_no_sizes(name, value):
    with pytest.raises(InputError, match=naming(name)):
        pixels_per_degree(**{**SCREEN, name: value})
