"""The input of the network: scaled images and crops, and the locations of the samples."""

import numpy as np
import pytest
import torch

from mrsal.datasets.archives.sampling import sample_locations
from mrsal.errors import InputError
from mrsal.model.pyramid import PATCH, SCALES, Pyramid, crop, is_unit, to_unit

RNG = np.random.default_rng(0)


# crops


def naive_crop(image, row, column):
    """The crop from centre - 21 to centre + 20, copied pixel by pixel, with the border replicated."""
    window = np.empty((PATCH, PATCH, image.shape[2]), image.dtype)
    for i in range(PATCH):
        for j in range(PATCH):
            y, x = row - 21 + i, column - 21 + j
            window[i, j] = image[min(max(y, 0), len(image) - 1), min(max(x, 0), image.shape[1] - 1)]
    return window


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crop_is_the_padded_window(dtype):
    levels = RNG.integers(0, 256, (3, 150, 150, 3)).astype(dtype)
    rows = np.array([75, 0, 150, 149, 21, 20, 129, 130, 0])
    columns = np.array([75, 0, 150, 0, 20, 21, 130, 129, 150])
    index = np.arange(9) % 3
    cut = crop(*map(torch.from_numpy, (levels, index, rows, columns))).numpy()
    assert (cut.shape, cut.dtype) == ((9, PATCH, PATCH, 3), dtype)
    for got, n, row, column in zip(cut, index, rows, columns, strict=True):
        np.testing.assert_array_equal(got, naive_crop(levels[n], row, column))


def test_the_centre_is_pixel_21_of_the_window():
    level = torch.zeros((1, 150, 150, 1))
    level[0, 60, 90] = 1
    window = crop(level, torch.tensor([0]), torch.tensor([60]), torch.tensor([90]))[0, :, :, 0]
    assert torch.argwhere(window).tolist() == [[21, 21]]


# the pyramid


def test_a_pyramid_has_three_square_levels():
    pyramid = Pyramid.from_image(RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8))
    assert pyramid.shape == (37, 53)
    assert [level.shape for level in pyramid.levels] == [(400, 400, 3), (250, 250, 3), (150, 150, 3)]
    assert [level.dtype for level in pyramid.levels] == [np.uint8] * 3
    assert not pyramid.standardised


def test_a_pyramid_stretches_each_axis_by_itself():
    """The left half is red, the right half is blue, and the green at the top stays at the top."""
    image = np.zeros((60, 200, 3), np.uint8)
    image[:, :100, 0] = image[:, 100:, 2] = image[:15, :, 1] = 255
    for level in Pyramid.from_image(image).levels:
        side = len(level)
        assert level[side // 2, side // 4].tolist() == [255, 0, 0]
        assert level[side // 2, 3 * side // 4].tolist() == [0, 0, 255]
        assert level[side // 10, side // 4].tolist() == [255, 255, 0]


def test_pyramid_tensors_have_channels_first_and_pixels_in_the_unit_range():
    pyramid = Pyramid.from_image(RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8))
    for tensor, level in zip(pyramid.tensors(), pyramid.levels, strict=True):
        assert tensor.dtype == torch.float32
        np.testing.assert_allclose(tensor.numpy(), level.transpose(2, 0, 1) / 255, rtol=1e-6)


def test_float_levels_stay_as_they_are_and_standardised_ones_are_recognised():
    unit = tuple(np.full((s, s, 3), 0.5, np.float32) for s in SCALES)
    standardised = (*unit[:2], np.full((150, 150, 3), -1.4, np.float32))
    assert not Pyramid(unit, (9, 9)).standardised
    assert Pyramid(standardised, (9, 9)).standardised
    assert Pyramid(standardised, (9, 9)).tensors()[2].unique().tolist() == [pytest.approx(-1.4)]


@pytest.mark.parametrize(
    ("low", "high", "unit"),
    [(0, 1, True), (0.3, 0.6, True), (-0.05, 1.08, True), (-1.4, 2.1, False), (0, 255, False)],
)
def test_is_unit(low, high, unit):
    assert is_unit(low, high) is unit


def test_to_unit_scales_bytes_only():
    assert to_unit(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    assert to_unit(torch.tensor([-1.4, 2.1])).tolist() == pytest.approx([-1.4, 2.1])


# the locations of samples


def cone(height=60, width=80, y=20, x=50):
    """A map with a peak of 1 at (x, y), which falls to 0 at a distance of 40 pixels."""
    rows, columns = np.indices((height, width))
    return np.maximum(0, 1 - np.hypot(rows - y, columns - x) / 40)


@pytest.mark.parametrize("factor", [1.0, 1e-6, 255.0])
def test_samples_obey_the_thresholds_of_the_map_scaled_to_one(factor):
    map_ = cone()
    x, y, label = sample_locations(map_ * factor, np.random.default_rng(1))
    assert label.tolist() == [1] * 10 + [0] * 20
    assert (map_[y, x][label == 1] > 0.9).all()
    assert (map_[y, x][label == 0] < 0.1).all()


def test_samples_are_drawn_without_replacement_from_all_pixels_that_qualify():
    map_ = cone()
    hot, cold = (map_ > 0.9).sum(), (map_ < 0.1).sum()
    x, y, label = sample_locations(map_, np.random.default_rng(1), fixated=hot + 99, unfixated=cold + 99)
    assert ((label == 1).sum(), (label == 0).sum()) == (hot, cold)
    assert len({*zip(x.tolist(), y.tolist(), strict=True)}) == hot + cold


def test_exactly_the_threshold_qualifies_for_neither():
    map_ = np.array([[1.0, 0.9, 0.5, 0.1, 0.0]])
    x, _, label = sample_locations(map_, np.random.default_rng(1))
    assert (x.tolist(), label.tolist()) == ([0, 4], [1, 0])


def test_samples_are_seeded():
    draws = [np.stack(sample_locations(cone(), np.random.default_rng(seed))) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_samples_come_from_a_published_map_of_bytes_as_well():
    x, y, label = sample_locations((cone() * 255).astype(np.uint8), np.random.default_rng(1))
    assert (cone()[y, x][label == 1] > 0.89).all()


@pytest.mark.parametrize("map_", [np.zeros((4, 5)), np.full((4, 5), np.nan), np.zeros((0, 5))])
def test_an_empty_map_cannot_be_sampled(map_):
    with pytest.raises(InputError, match="density"):
        sample_locations(map_, np.random.default_rng(1))
