"""Regions hold what they should, and a Gaussian's outline is where its formula puts it."""

import numpy as np
import pytest
from messages import naming

from mrsal.errors import InputError
from mrsal.inference.contours import contour_level, contour_lines


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_the_region_holds_the_share_and_without_its_rim_less(share):
    density = np.random.default_rng(0).random((30, 40)) ** 4
    level = contour_level(density, share)
    assert density[density >= level].sum() >= share * density.sum() * (1 - 1e-9)
    assert density[density > level].sum() < share * density.sum()


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_outline_of_a_gaussian_is_the_circle_that_holds_the_share(share):
    y, x = np.mgrid[:200, :240]
    density = np.exp(-((x - 120.0) ** 2 + (y - 90.0) ** 2) / (2 * 15**2))
    [line] = contour_lines(density, share)
    radius = 15 * np.sqrt(-2 * np.log(1 - share))  # of the Rayleigh distribution
    assert np.hypot(line[:, 0] - 120.5, line[:, 1] - 90.5) == pytest.approx(radius, abs=0.3)


def test_a_constant_density_and_a_line_of_pixels_have_no_outline():
    assert contour_lines(np.ones((9, 9)), 0.5) == []
    assert contour_lines(np.arange(9.0)[None], 0.5) == []


@pytest.mark.parametrize(
    ("density", "share", "named"),
    [
        (np.zeros((3, 3)), 0.5, "density"),
        (-np.ones((3, 3)), 0.5, "density"),
        (np.ones((0, 3)), 0.5, "density"),
        (np.ones((3, 3)), -0.25, -0.25),
        (np.ones((3, 3)), 0, 0),
        (np.eye(3), 50, 50),
    ],
)
def test_what_is_no_density_or_no_share_is_refused(density, share, named):
    with pytest.raises(InputError, match=naming(named)):
        contour_level(density, share)
