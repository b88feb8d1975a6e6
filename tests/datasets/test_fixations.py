"""Fixations, counted and blurred."""

import numpy as np
import pytest
from messages import naming

from mrsal.datasets.fixations import Fixations, fixation_density, fixation_map
from mrsal.errors import InputError


def naive_density(points, shape, sigma):
    """A Gaussian around the pixel of each fixation, cut at 4 sigma along each axis, written out one by one."""
    reach = int(4 * sigma + 0.5)
    total = np.zeros(shape)
    for px, py in points:
        for y in range(shape[0]):
            for x in range(shape[1]):
                dx, dy = x - int(px), y - int(py)
                if abs(dx) <= reach and abs(dy) <= reach:
                    total[y, x] += np.exp(-(dx**2 + dy**2) / (2 * sigma**2))
    return total / total.sum()


@pytest.mark.parametrize("sigma", [0.7, 2.5, 6.0])
def test_density_is_the_sum_of_gaussians(sigma):
    points = [(3.2, 4.9), (3.7, 4.1), (0.0, 0.0), (18.99, 13.99), (11.5, 2.0)]
    x, y = np.transpose(points)
    expected = naive_density(points, (14, 19), sigma)
    np.testing.assert_allclose(fixation_density(x, y, (14, 19), sigma=sigma), expected, rtol=1e-9)


def test_density_sums_to_one_even_where_the_border_takes_a_part():
    map_ = fixation_density([0, 39], [0, 29], (30, 40), sigma=8)
    assert map_.shape == (30, 40)
    assert map_.dtype == np.float64
    assert map_.min() >= 0
    assert map_.sum() == pytest.approx(1)


def test_density_needs_a_fixation_and_a_width():
    with pytest.raises(InputError, match="fixation"):
        fixation_density([], [], (5, 5), sigma=1)
    for sigma in (0, -1, np.nan):
        with pytest.raises(InputError, match=naming("sigma", sigma)):
            fixation_density([1], [1], (5, 5), sigma=sigma)


def test_fixation_map_counts_by_pixel():
    counts = fixation_map([0, 0.99, 1, 3.5], [2.2, 2.9, 2, 0], (3, 4))
    assert counts.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0], [2, 1, 0, 0]]


@pytest.mark.parametrize(("x", "y"), [(4, 0), (0, 3), (-0.01, 0), (0, -1), (np.nan, 0), (0, np.inf)])
def test_fixation_map_refuses_what_lies_outside(x, y):
    with pytest.raises(InputError, match=naming(1, 2, "4x3")):
        fixation_map([1, x], [1, y], (3, 4))


def test_x_and_y_must_be_as_many():
    for build in (lambda: fixation_map([1, 2, 3], [1], (5, 5)), lambda: Fixations.create([1, 2, 3], [1])):
        with pytest.raises(InputError, match=naming((3,), (1,))):
            build()
    with pytest.raises(InputError, match=naming((1, 2))):
        Fixations.create([[1, 2]], [[1, 2]])


def test_create_fills_in_what_is_not_given():
    fixations = Fixations.create([1, 2, 3], [4, 5, 6], n=[0, 0, 1], subject=5)
    assert len(fixations) == 3
    assert fixations.subject.tolist() == [5, 5, 5]
    assert fixations.order.tolist() == [0, 0, 0]
    assert np.isnan(fixations.duration).all()
    assert [fixations.x.dtype, fixations.y.dtype, fixations.duration.dtype] == [np.float64] * 3
    assert [fixations.n.dtype, fixations.subject.dtype, fixations.order.dtype] == [np.int64] * 3


def test_fixations_do_not_change_with_the_array_they_came_from():
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    fixations = Fixations.create(x, y)
    x[0] = y[0] = 99
    assert (fixations.x[0], fixations.y[0]) == (1, 3)


def test_where_takes_a_mask_or_indices_of_every_column():
    fixations = Fixations.create([1, 2, 3], [4, 5, 6], n=[7, 8, 9], order=[0, 1, 2], duration=[0.1, 0.2, 0.3])
    for keep in (np.array([False, True, True]), np.array([1, 2])):
        kept = fixations.where(keep)
        assert (kept.x.tolist(), kept.y.tolist(), kept.n.tolist()) == ([2, 3], [5, 6], [8, 9])
        assert (kept.order.tolist(), kept.duration.tolist()) == ([1, 2], [0.2, 0.3])


def test_inside_includes_the_first_pixel_and_excludes_the_end():
    fixations = Fixations.create([0, 3.99, 4, -0.1, 1, 1], [0, 2.99, 1, 1, 3, -1])
    assert fixations.inside(3, 4).tolist() == [True, True, False, False, False, False]


def test_no_fixations_are_fine():
    assert len(Fixations.create([], [])) == 0
