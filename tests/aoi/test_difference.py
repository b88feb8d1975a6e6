"""The difference of two densities against loops over pixels; designs of other sizes."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi.areas import attention_shares, compare_shares
from mrsal.aoi.difference import change_elsewhere, difference_map
from mrsal.aoi.shapes import Ellipse, Rectangle
from mrsal.aoi.study import Attention
from mrsal.errors import InputError
from mrsal.inference import SaliencyMap


def random_map(seed, shape=(12, 20)):
    return np.random.default_rng(seed).random(shape) ** 3


def test_it_is_b_minus_a_pixel_by_pixel_and_sums_to_0():
    a, b = 7 * random_map(1), random_map(2)
    found = difference_map(a, b)
    for y in range(12):
        for x in range(20):
            assert found[y, x] == pytest.approx(b[y, x] / b.sum() - a[y, x] / a.sum(), abs=1e-15)
    assert found.sum() == pytest.approx(0, abs=1e-14)
    assert (difference_map(b, a) == -found).all()
    assert not difference_map(a, 3 * a).round(15).any()


def test_the_density_of_a_model_counts_and_not_its_values():
    log_density = np.log(random_map(3) / random_map(3).sum())
    image = np.zeros((12, 20, 3), np.uint8)
    a = SaliencyMap(np.ones((12, 20)), image, log_density=log_density)
    b = SaliencyMap(random_map(4), image)
    expected = random_map(4) / random_map(4).sum() - np.exp(log_density)
    assert difference_map(a, b) == pytest.approx(expected, abs=1e-12)


def test_summed_over_an_area_it_is_the_difference_of_the_shares():
    a, b = random_map(1), random_map(2)
    area = [Rectangle("cta", 3, 2, 7, 5)]
    [pair] = compare_shares(attention_shares(a, area), attention_shares(b, area))
    assert difference_map(a, b)[2:7, 3:10].sum() == pytest.approx(pair.difference, abs=1e-14)


@pytest.mark.parametrize("shape", [(24, 40), (6, 10), (120, 201)])
def test_a_design_of_another_size_and_the_same_shape_is_resized(shape):
    smooth = np.add.outer(np.linspace(1, 2, 12), np.linspace(1, 3, 20))
    same = np.add.outer(np.linspace(1, 2, shape[0]), np.linspace(1, 3, shape[1]))
    found = difference_map(smooth, same)
    assert found.shape == shape
    assert found.sum() == pytest.approx(0, abs=1e-12)
    assert np.abs(found * found.size).max() < 0.1  # of attention per surface, at the border


def test_designs_of_other_shapes_are_refused():
    with pytest.raises(InputError, match=naming("20x12", "20x13")):
        difference_map(random_map(1), random_map(1, (13, 20)))


def test_what_moved_outside_counts_overlapping_areas_once():
    areas = [Rectangle("card", 2, 2, 8, 6), Ellipse("dot", 6, 5, 2, 2), Rectangle("side", 8, 4, 6, 6)]
    image = np.zeros((12, 20, 3), np.uint8)
    a, b = (
        Attention("a", SaliencyMap(values, image), attention_shares(values, areas))
        for values in (random_map(1), random_map(2))
    )
    outside = np.ones((12, 20), bool)
    outside[2:8, 2:10] = outside[4:10, 8:14] = False
    expected = difference_map(random_map(1), random_map(2))[outside].sum()
    assert change_elsewhere(a, b, compare_shares(a.shares, b.shares)) == pytest.approx(expected, abs=1e-12)
