"""Long pages are predicted in windows: equal screens get equal shares, nothing gets little, and other images are as before."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny_improved import tiny_improved
from tiny_network import tiny

from mrsal.datasets import ArchiveImage
from mrsal.inference import load_model
from mrsal.inference.density_predictor import DensityPredictor
from mrsal.inference.predictor import Predictor
from mrsal.inference.saliency_model import FunctionModel
from mrsal.inference.simple_models import BASELINES
from mrsal.inference.windows import joined, windows_of
from mrsal.model import Grid, MrCNN, Pyramid


@pytest.fixture(scope="module", params=["improved", "Mr-CNN"])
def model(request):
    """A network with random weights. Not to be changed."""
    if request.param == "improved":
        return DensityPredictor(tiny_improved(), device="cpu", precision="fp32")
    network = MrCNN(tiny())
    network.output.weight.data *= 30
    return Predictor(network, device="cpu", precision="fp32", mode="fast")


def noise(height, width, seed=0):
    small = np.random.default_rng(seed).integers(0, 256, (height // 10, width // 10, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (405, 1024), (2340, 1080), (63, 5000), (1, 400)])
def test_images_that_fit_on_a_screen_and_lines_are_predicted_whole(shape):
    assert windows_of(shape) == []


@pytest.mark.parametrize("shape", [(8000, 400), (301, 100), (1280, 30_000), (64, 64_000)])
def test_windows_cover_the_image_and_overlap_by_half(shape):
    windows = windows_of(shape)
    along = int(shape[1] > shape[0])
    lengths = {window[along].stop - window[along].start for window in windows}
    starts = [window[along].start for window in windows]
    [length] = lengths
    assert length / min(shape) == pytest.approx(4 / 3, abs=0.02)
    assert all(window[1 - along] == slice(0, min(shape)) for window in windows)
    assert starts[0] == 0 and windows[-1][along].stop == max(shape)
    steps = np.diff(starts)
    assert steps.max() <= length / 2 + 1 and np.ptp(steps) <= 1
    assert len(windows) < 2 * max(shape) / length + 1


@pytest.mark.parametrize("shape", [(1000, 90), (90, 1000)])
def test_windows_that_agree_are_joined_without_a_trace(shape):
    whole = np.random.default_rng(0).random(shape)
    windows = windows_of(shape)
    np.testing.assert_allclose(joined(shape, windows, [whole[window] for window in windows]), whole)


def test_windows_that_disagree_are_joined_without_a_step():
    shape = (1000, 90)
    windows = windows_of(shape)
    values = [np.full((120, 90), i % 2, float) for i in range(len(windows))]
    together = joined(shape, windows, values)
    assert together.min() == 0 and together.max() == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(together, axis=0)).max() < 0.06


@pytest.mark.parametrize("shape", [(120, 90), (90, 120)])
def test_the_prior_along_the_image_is_left_out_and_that_across_is_kept(shape):
    network = tiny_improved()
    rows, columns = np.random.default_rng(0).normal(size=(2, 64)).cumsum(axis=1)
    network.log_prior.copy_(torch.from_numpy(rows[:, None] + columns[None, :]))
    model = DensityPredictor(network, device="cpu", precision="fp32")
    scaled = model._scaled(noise(*shape))
    with_prior = np.log(model._comparable_values([scaled], shape)[0])
    network.log_prior.zero_()
    added = with_prior - model._scores([scaled], shape)[0].numpy()
    along, across = (np.ptp(added.mean(axis=axis)) for axis in ((1, 0) if shape[0] > shape[1] else (0, 1)))
    assert along < 0.05 < 1 < across


def test_an_image_that_is_not_long_has_the_map_of_the_network_itself(model):
    image = noise(300, 100)
    found = model.predict(image)
    prepared = model.prepare(image)
    assert found.windows == 1 and found.note() == ""
    np.testing.assert_array_equal(found.values, model._predict_whole([prepared])[0].values)


@pytest.mark.parametrize("turned", [False, True])
def test_a_page_of_one_screen_repeated_has_nearly_equal_shares(model, turned):
    screen = noise(120, 100)
    page = np.concatenate([screen] * 8)
    saliency = model.predict(page.swapaxes(0, 1).copy() if turned else page)
    density = saliency.density.T if turned else saliency.density
    assert saliency.windows == len(windows_of(saliency.values.shape)) > 10
    assert saliency.note().count(str(saliency.windows)) == 1
    assert density.sum() == pytest.approx(1)
    shares = density.reshape(8, 120, 100).sum(axis=(1, 2))
    np.testing.assert_allclose(shares[1:-1], shares[1:-1].mean(), rtol=0.25)  # random weights see much of the borders


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mrsal", "mrcnn"])
def test_an_empty_part_of_a_page_gets_little_and_equal_parts_the_same(name):
    picture = Image.new("RGB", (300, 400), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle([60, 80, 240, 150], fill="red")
    draw.text((90, 95), "BUY NOW", fill="white", font_size=30)
    draw.text((40, 220), "A headline", fill="black", font_size=40)
    screen = np.asarray(picture)
    empty = np.full_like(screen, 255)
    page = np.concatenate([screen, screen, empty, empty, empty, screen, screen])
    opened = load_model(name, device="cpu", precision="fp32")
    shares = opened.predict(page, mode="fast").density.reshape(7, 400, 300).sum(axis=(1, 2))
    assert shares[3] < 0.2 * shares[[0, 1, 5, 6]].min()
    assert np.ptp(shares[[0, 1, 5, 6]]) < 0.25 * shares[0]


def test_values_and_density_of_windows_belong_together(model):
    saliency = model.predict(noise(700, 80))
    assert saliency.values.dtype == np.float32 and saliency.values.shape == (700, 80)
    assert saliency.values.min() >= 0 and saliency.values.max() <= 1
    np.testing.assert_allclose(saliency.density, saliency.values / saliency.values.sum(dtype=float), rtol=1e-3)


def test_long_images_between_others_keep_their_places(model):
    images = [noise(80, 100, 1), noise(500, 100, 2), noise(80, 100, 3), noise(100, 500, 4)]
    together = list(model.predict_many(images, batch_size=4))
    for image, found in zip(images, together, strict=True):
        alone = model.predict(image)
        assert found.windows == alone.windows
        np.testing.assert_allclose(found.values, alone.values, atol=1e-4)


def test_stimuli_of_archives_are_predicted_as_a_whole(model):
    pixels = noise(500, 100)
    image = ArchiveImage((500, 100), lambda: pixels, Pyramid.from_image(pixels), Grid.cells((500, 100)))
    assert model.predict(image).windows == 1
    assert model.predict(pixels).windows > 1


def test_models_that_are_no_networks_see_the_whole_image():
    assert FunctionModel(BASELINES["centre"]).predict(noise(500, 100)).windows == 1
