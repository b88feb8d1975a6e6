"""The scaled copies of a picture, against the network's own scaling in torch."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_improved import CONFIG

from mrsal.inference.levels import level_shape, scaled_levels
from mrsal.model.improved import ImprovedConfig, ImprovedNetwork, level_size


@pytest.mark.parametrize("longer", [32, 100, 256, 640, 768])
def test_shapes_are_those_of_the_network(longer):
    rng = np.random.default_rng(longer)
    for height, width in [(1, 1), (1, 5000), (600, 800), (33, 32), *rng.integers(1, 3000, (200, 2)).tolist()]:
        assert level_shape(height, width, longer) == level_size(height, width, longer)


@pytest.mark.parametrize("shape", [(60, 80), (333, 250), (20, 300), (1, 1), (700, 500)])
def test_levels_are_the_pyramid_of_the_network(shape):
    """To a thousandth of a grey level, on noise of black and white, where bicubic goes far beyond both."""
    image = 255 * np.random.default_rng(0).integers(0, 2, (*shape, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    expected = ImprovedNetwork(CONFIG).pyramid(pixels)
    found = scaled_levels(image, CONFIG.resolutions)
    for level, theirs in zip(found, expected, strict=True):
        assert level.dtype == np.float32 and level.min() >= 0 and level.max() <= 1
        np.testing.assert_allclose(level, theirs[0].permute(1, 2, 0).numpy(), atol=1e-3 / 255)


def test_scaling_in_8_bits_would_differ_by_whole_grey_levels():
    """Why Pillow's usual scaling is not taken: it rounds, and cuts off beyond black and white, after each direction."""
    image = 255 * np.random.default_rng(0).integers(0, 2, (240, 320, 3), dtype=np.uint8)
    [level] = scaled_levels(image, ImprovedConfig(resolutions=(256,)).resolutions)
    eight = np.asarray(Image.fromarray(image).resize((256, 192), Image.Resampling.BICUBIC))
    assert np.abs(level * 255 - eight).max() > 2
