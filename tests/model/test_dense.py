"""The network on whole images, compared with the network on crops that the test cuts by hand."""

import numpy as np
import pytest
import torch
from messages import naming
from PIL import Image
from tiny_network import WIDTHS, tiny

from mrsal.errors import InputError
from mrsal.inference.predictor import load_model
from mrsal.model.dense import grid_logits
from mrsal.model.grid import Grid
from mrsal.model.network import MrCNN
from mrsal.model.pyramid import SCALES, Pyramid

TOLERANCE = {
    "rtol": 1e-5,
    "atol": 1e-4,
}  # float32 logits, mostly of about 1; those of the historical variant reach hundreds


def he_network(config=None, *, only=None):
    """A network with its initial weights, whose output is scaled up so that logits vary; ``only`` is the stream that counts."""
    torch.manual_seed(5)
    network = MrCNN(config or tiny()).eval()
    with torch.no_grad():
        network.output.weight *= 5
        if only is not None:
            network.fc.weight.view(-1, 3, WIDTHS["hidden"])[:, [k for k in range(3) if k != only]] = 0
    return network


def noise(height, width, *, smooth=False):
    """An image of coloured noise; with ``smooth``, of coarse noise that is scaled up."""
    rng = np.random.default_rng(height * 1000 + width)
    if not smooth:
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def logits(network, image, grid, mode):
    levels = [level[None] for level in Pyramid.from_image(image).tensors()]
    return grid_logits(network, levels, grid, mode=mode)[0]


def by_hand(network, image, rows, columns):
    """The network on crops that are cut one by one, as the paper says; rows and columns are in pixels of the image."""
    height, width, _ = image.shape
    samples = []
    for y in rows:
        for x in columns:
            crops = []
            for scale in (400, 250, 150):
                level = np.asarray(Image.fromarray(image).resize((scale, scale), Image.Resampling.BICUBIC))
                padded = np.pad(level, ((21, 21), (21, 21), (0, 0)), mode="edge")
                top = int(np.float32(scale) / np.float32(height) * np.float32(y))
                left = int(np.float32(scale) / np.float32(width) * np.float32(x))
                crops.append(padded[top : top + 42, left : left + 42].transpose(2, 0, 1) / 255)
            samples.append(crops)
    with torch.inference_mode():
        return network(torch.tensor(np.array(samples), dtype=torch.float32)).view(len(rows), len(columns))


def cells(height, width, rows, columns):
    """A grid of cells whose numbers of rows and columns may differ."""
    y, x = (np.arange(rows) + 0.5) / rows * height, (np.arange(columns) + 0.5) / columns * width
    return Grid(y, x, (height, width))


def historical(height, width, step):
    """Some centres of the historical grid, with the outermost ones: every ``step``-th row and every seventh column."""
    grid = Grid.historical((height, width))
    return Grid(grid.rows[::step], grid.columns[::7], grid.shape, corners=True)


CASES = [
    ("base", (61, 83), cells(61, 83, 4, 7)),
    ("base", (83, 47), historical(83, 47, 49)),
    ("base", (31, 17), historical(31, 17, 24)),  # smaller than a crop
    ("blur", (53, 37), cells(53, 37, 3, 2)),
    ("historical-blur", (37, 53), historical(37, 53, 49)),
]


@pytest.mark.parametrize(("variant", "shape", "grid"), CASES, ids=[f"{v}-{s[0]}x{s[1]}" for v, s, _ in CASES])
def test_exact_and_crops_equal_the_network_on_crops_cut_by_hand(variant, shape, grid):
    network = he_network(tiny(variant=variant, mean=(0.4, 0.5, 0.6), std=(0.3, 0.2, 0.4)))
    image = noise(*shape)
    expected = by_hand(network, image, grid.rows, grid.columns)
    assert expected.std() > 0.1
    for mode in ("exact", "crops"):
        torch.testing.assert_close(logits(network, image, grid, mode), expected, **TOLERANCE)


def test_exact_equals_the_network_all_over_the_default_grid():
    """The whole grid is computed at once, and checked along its border and diagonals."""
    network, image = he_network(), noise(59, 101, smooth=True)
    grid = Grid.cells((59, 101))
    got = logits(network, image, grid, "exact")
    assert got.shape == (50, 50)
    some = np.array([0, 1, 17, 30, 49])
    expected = by_hand(network, image, grid.rows[some], grid.columns[some])
    torch.testing.assert_close(got[some][:, some], expected, **TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(211, 333), (29, 37)], ids=["odd", "smaller than a crop"])
def test_exact_equals_crops_with_trained_weights_at_every_point_of_the_grid(shape):
    network, image = load_model("mrcnn", device="cpu", precision="fp32").network, noise(*shape, smooth=True)
    exact, crops = (logits(network, image, Grid.cells(shape), mode) for mode in ("exact", "crops"))
    assert crops.std() > 0.1
    torch.testing.assert_close(exact, crops, **TOLERANCE)


@pytest.mark.parametrize("mode", ["exact", "crops", "fast"])
def test_images_of_a_batch_do_not_see_each_other(mode):
    """Wide and tall images share a grid; the test fails if images and phases are mixed up."""
    network, grid = he_network(), cells(60, 60, 3, 5)
    pyramids = [Pyramid.from_image(noise(*shape)) for shape in [(60, 60), (35, 91), (91, 35)]]
    levels = [torch.stack(level) for level in zip(*(pyramid.tensors() for pyramid in pyramids), strict=True)]
    together = grid_logits(network, levels, grid, mode=mode)
    assert together.shape == (3, 3, 5)
    for i in range(3):
        alone = grid_logits(network, [level[i : i + 1] for level in levels], grid, mode=mode)
        torch.testing.assert_close(together[i : i + 1], alone, **TOLERANCE)


@pytest.mark.parametrize("mode", ["exact", "crops", "fast"])
def test_the_order_of_rows_and_columns_is_kept(mode):
    """This holds for an unusual order, too."""
    network, image = he_network(), noise(40, 60)
    grid = Grid(np.array([5, 20, 39]), np.array([50, 10]), (40, 60))
    turned = Grid(grid.rows[::-1].copy(), grid.columns[::-1].copy(), grid.shape)
    got = logits(network, image, grid, mode)
    assert got.shape == (3, 2)
    torch.testing.assert_close(logits(network, image, turned, mode).flip(0, 1), got, **TOLERANCE)


# which way is up, which colour is which


def colour_network(*, scale, channel):
    """A network whose logit depends only on the brightness of one colour in the crop at one scale."""
    network = MrCNN(tiny()).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.fill_(0 if name.endswith("bias") else 1 / value[0].numel())
        for stream in network.streams:
            stream.conv1.weight[:, [c for c in range(3) if c != channel]] = 0
        network.fc.weight.view(-1, 3, WIDTHS["hidden"])[:, [k for k in range(3) if k != scale]] = 0
    return network


SPOTS = {0: (15, 90), 1: (45, 100), 2: (40, 25)}  # (y, x) of the red, the green and the blue spot


@pytest.fixture(scope="module")
def spotted():
    """A wide black image with three coloured spots, none of which is at the mirrored or transposed position of another."""
    y, x = np.indices((60, 120))
    spots = [np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / (2 * 5**2)) for at_y, at_x in SPOTS.values()]
    return np.round(np.stack(spots, axis=2) * 255).astype(np.uint8)


@pytest.mark.parametrize(("mode", "scale", "channel"), [("exact", 0, 1), ("crops", 1, 2), ("fast", 2, 0)])
def test_each_scale_finds_the_spot_of_its_colour_where_it_is(mode, scale, channel, spotted):
    """The test fails if rows and columns are swapped, or scales and channels."""
    grid = cells(60, 120, 6, 12)  # every 10 pixels
    map_ = logits(colour_network(scale=scale, channel=channel), spotted, grid, mode)
    row, column = divmod(int(map_.argmax()), 12)
    y, x = SPOTS[channel]
    assert abs(grid.rows[row] - y) <= 10
    assert abs(grid.columns[column] - x) <= 10


# fast


@pytest.mark.parametrize("level", range(3))
def test_fast_is_exact_where_the_step_is_a_multiple_of_eight(level):
    """This holds at that scale, so the other two streams are cut off."""
    scale = SCALES[level]
    network, image = he_network(only=level), noise(scale, scale)
    grid = Grid(np.array([3, 11, 59]), np.array([5, 45, 53]), (scale, scale))
    exact = logits(network, image, grid, "exact")
    assert exact.std() > 0.1
    torch.testing.assert_close(logits(network, image, grid, "fast"), exact, **TOLERANCE)


@pytest.mark.parametrize(("variant", "alike"), [("base", 0.97), ("blur", 0.97), ("historical-blur", 0.9)])
def test_fast_follows_the_crops_elsewhere(variant, alike):
    network, image = he_network(tiny(variant=variant)), noise(67, 90, smooth=True)
    grid = cells(67, 90, 6, 7)
    slow, fast = (logits(network, image, grid, mode).flatten() for mode in ("crops", "fast"))
    assert torch.corrcoef(torch.stack([slow, fast]))[0, 1] > alike


# other cases


@pytest.mark.parametrize("mode", ["exact", "crops", "fast"])
def test_one_point_at_the_far_corner(mode):
    network, image = he_network(), noise(48, 36, smooth=True)
    grid = Grid(np.array([48]), np.array([36]), (48, 36))
    got = logits(network, image, grid, mode)
    torch.testing.assert_close(got, by_hand(network, image, [48], [36]), **TOLERANCE)


def test_shared_streams_are_computed_like_any():
    network, image = he_network(tiny(shared_streams=True)), noise(40, 50)
    grid = cells(40, 50, 2, 3)
    expected = by_hand(network, image, grid.rows, grid.columns)
    torch.testing.assert_close(logits(network, image, grid, "exact"), expected, **TOLERANCE)


def test_an_unknown_mode_is_refused_with_the_known_modes():
    with pytest.raises(InputError, match=naming("exact", "fast", "crops", "quick")):
        logits(he_network(), noise(20, 20), cells(20, 20, 1, 1), "quick")
