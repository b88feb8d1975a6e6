"""From an image to a map: sizes, files, archives with standardised values, loading, device and precision."""

import warnings

import numpy as np
import pytest
import torch
from messages import naming
from PIL import Image
from tiny_network import tiny

from mrsal.datasets import ArchiveImage
from mrsal.errors import FileError, InputError
from mrsal.images import read_image
from mrsal.inference import overlay as overlay_module, saliency_model
from mrsal.inference.predictor import Predictor, load_model
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.model import device
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.dense import grid_logits
from mrsal.model.grid import Grid
from mrsal.model.network import MrCNN
from mrsal.model.pretrained import BUNDLED, DEFAULT_MODEL, WEIGHTS, checkpoint_path
from mrsal.model.pyramid import Pyramid

CORNERS = Grid(np.array([1, 40]), np.array([1, 50]), (40, 50), corners=True)
MEAN, STD = (0.45, 0.4, 0.5), (0.2, 0.25, 0.3)


def loud(config=None):
    """A network whose map varies over an image."""
    torch.manual_seed(2)
    network = MrCNN(config or tiny())
    with torch.no_grad():
        network.output.weight *= 5
    return network


def cpu(network, **options):
    return Predictor(network, **{"device": "cpu", "precision": "fp32"} | options)


def picture(height, width):
    coarse = np.random.default_rng(6).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def batch_of_one(pyramid):
    return [level[None] for level in pyramid.tensors()]


# prediction


@pytest.mark.parametrize("shape", [(83, 61), (20, 31)])
def test_a_map_has_the_size_of_its_image_and_holds_probabilities(shape):
    image = picture(*shape)
    result = cpu(loud()).predict(image, mode="fast")
    assert (result.values.shape, result.values.dtype) == (shape, np.float32)
    assert result.values.min() >= 0
    assert result.values.max() <= 1
    assert np.ptp(result.values) > 0.05
    np.testing.assert_array_equal(result.image, image)


def test_a_map_overshoots_no_score_of_the_grid_so_that_no_place_is_impossible(monkeypatch):
    logits = torch.full((1, 50, 50), -8.0)
    logits[:, 20:, 20:] = 9.0  # an edge, at which a bicubic interpolation goes below zero and above one
    monkeypatch.setattr("mrsal.inference.predictor.grid_logits", lambda *args, **kwargs: logits)
    values = cpu(loud()).predict(picture(300, 400)).values
    low, high = torch.sigmoid(logits).aminmax()
    assert (values.min(), values.max()) == (low.item(), high.item())
    assert values.min() > 0


def test_a_map_is_the_sigmoid_of_the_logits_at_the_centres_of_the_cells():
    """Here a cell is 3x5 pixels, so that its centre is a pixel, which the bicubic upsampling leaves as it is."""
    network, image = loud().eval(), picture(150, 250)
    pyramid, grid = Pyramid.from_image(image), Grid.cells((150, 250))
    expected = torch.sigmoid(grid_logits(network, batch_of_one(pyramid), grid, mode="fast")[0])
    values = cpu(network).predict(image, mode="fast").values
    np.testing.assert_allclose(values[1::3, 2::5], expected, atol=1e-5)


def brightness_network():
    """The logit grows with the brightness of the crops."""
    network = MrCNN(tiny())
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.fill_(0 if name.endswith("bias") else 1 / value[0].numel())
        network.output.weight *= 2
    return network


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_bright_spot_is_found_where_it_is(mode):
    """On a wide image; fails if rows and columns are swapped anywhere on the way."""
    y, x = np.indices((60, 130))
    spot = np.exp(-((y - 15) ** 2 + (x - 100) ** 2) / (2 * 4**2))
    image = np.round(np.repeat(spot[..., None], 3, axis=2) * 255).astype(np.uint8)
    values = cpu(brightness_network()).with_mode(mode).grid_map(Pyramid.from_image(image), Grid.cells((60, 130), 10))
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert abs(row - 15) <= 6
    assert abs(column - 100) <= 13


def test_the_grid_of_the_archives_reaches_the_corners_of_the_map():
    network, pyramid = loud(), Pyramid.from_image(picture(40, 50))
    values = cpu(network).with_mode("crops").grid_map(pyramid, CORNERS)
    expected = torch.sigmoid(grid_logits(network, batch_of_one(pyramid), CORNERS, mode="crops")[0])
    np.testing.assert_allclose(values[[0, 0, -1, -1], [0, -1, 0, -1]], expected.flatten(), atol=1e-5)


def test_calling_a_predictor_uses_its_own_mode():
    image, network = picture(30, 40), loud()
    predictor = cpu(network, mode="fast")
    np.testing.assert_array_equal(predictor(image), predictor.predict(image, mode="fast").values)
    np.testing.assert_array_equal(predictor.predict(image).values, predictor(image))
    with pytest.raises(InputError, match=naming("exact", "fast", "crops", "quick")):
        cpu(network, mode="quick")
    with pytest.raises(InputError, match=naming("exact", "fast", "crops", "quick")):
        predictor.predict(image, mode="quick")


@pytest.mark.parametrize("batch_size", [None, 2, 3, 50])
def test_many_images_of_any_sizes_give_the_maps_of_each_alone_in_order(batch_size, tmp_path):
    predictor = cpu(loud(), mode="fast")
    images = [picture(*shape) for shape in [(30, 40), (83, 61), (20, 97), (50, 50), (61, 30)]]
    Image.fromarray(images[0]).save(tmp_path / "first.png")
    results = list(predictor.predict_many([tmp_path / "first.png", *images[1:]], batch_size=batch_size))
    assert [result.values.shape for result in results] == [image.shape[:2] for image in images]
    for result, image in zip(results, images, strict=True):
        np.testing.assert_array_equal(result.image, image)
        np.testing.assert_allclose(result.values, predictor(image), atol=1e-5)


def test_many_images_are_read_as_they_are_needed_and_a_missing_one_is_named():
    taken = []

    def endless():
        while True:
            taken.append(None)
            yield picture(20, 30)

    maps = cpu(loud(), mode="fast").predict_many(endless())
    next(maps)
    maps.close()
    assert len(taken) <= 4
    with pytest.raises(FileError, match=r"nowhere\.png"):
        list(cpu(loud(), mode="fast").predict_many(["nowhere.png"]))
    with pytest.raises(InputError, match=naming("batch_size", -1)):
        list(cpu(loud()).predict_many([], batch_size=-1))


def test_paths_pil_images_and_arrays_are_taken_alike(tmp_path):
    image, predictor = picture(30, 40), cpu(loud(), mode="fast")
    Image.fromarray(image).save(tmp_path / "image.png")
    expected = predictor(image)
    for form in (Image.fromarray(image), str(tmp_path / "image.png")):
        np.testing.assert_array_equal(predictor(form), expected)


def test_an_image_is_read_once_for_its_map_and_its_overlay(tmp_path, monkeypatch):
    image, reads = picture(30, 40), []
    Image.fromarray(image).save(tmp_path / "image.png")

    def read(path):
        reads.append(path)
        return read_image(path)

    monkeypatch.setattr(saliency_model, "read_image", read)
    predictor = cpu(loud(), mode="fast")
    result = predictor.predict(tmp_path / "image.png")
    np.testing.assert_array_equal(result.overlay(opacity=0), image)
    np.testing.assert_array_equal(result.image, image)
    assert reads == [tmp_path / "image.png"]
    (result,) = predictor.predict_many([tmp_path / "image.png"])
    result.overlay()
    assert len(reads) == 2


def test_prediction_switches_dropout_off():
    predictor, pyramid = cpu(loud().train(), mode="crops"), Pyramid.from_image(picture(40, 50))
    np.testing.assert_array_equal(predictor.grid_map(pyramid, CORNERS), predictor.grid_map(pyramid, CORNERS))


# what archives hold


def standardised(pyramid):
    levels = tuple(((level / 255 - MEAN) / STD).astype(np.float32) for level in pyramid.levels)
    return Pyramid(levels, pyramid.shape)


def archived(pyramid, grid):
    """An image of an archive; only the values of its pyramid matter."""
    return ArchiveImage(pyramid.shape, lambda: np.zeros((*pyramid.shape, 3), np.uint8), pyramid, grid)


@pytest.fixture
def pyramid():
    """The pyramid of an image with black and white parts, so that standardised values leave [0, 1]."""
    image = picture(40, 50).copy()
    image[:9, :9], image[-9:, -9:] = 0, 255
    return Pyramid.from_image(image)


def test_standardised_levels_give_the_map_of_the_picture(pyramid, tmp_path):
    """The checkpoint's mean and standard deviation lead from the one to the other."""
    config = tiny(mean=MEAN, std=STD, trained_range=(-2.0, 3.0))
    path = save_checkpoint(loud(config), tmp_path / "model.pth")
    predictor, grid = load_model(path, device="cpu", precision="fp32"), Grid.cells(pyramid.shape, 4)
    from_picture = predictor.predict(archived(pyramid, grid), mode="crops").values
    from_archive = predictor.predict(archived(standardised(pyramid), grid), mode="crops").values
    assert np.ptp(from_picture) > 0.05
    np.testing.assert_allclose(from_archive, from_picture, atol=1e-4)


def test_float_levels_in_the_unit_range_give_the_map_of_the_picture(pyramid):
    unit = Pyramid(tuple((level / 255).astype(np.float32) for level in pyramid.levels), pyramid.shape)
    predictor, grid = cpu(loud(tiny(mean=MEAN, std=STD))), Grid.cells(pyramid.shape, 4)
    expected = predictor.predict(archived(pyramid, grid), mode="crops").values
    np.testing.assert_allclose(predictor.predict(archived(unit, grid), mode="crops").values, expected, atol=1e-5)


def test_standardised_levels_reach_a_checkpoint_without_statistics_as_they_are(pyramid):
    """As in the historical scripts; such a checkpoint does not say what it was trained on, so there is no warning."""
    network, levels = loud(tiny(trained_range=None)), standardised(pyramid)
    values = cpu(network).predict(archived(levels, CORNERS), mode="crops").values
    expected = torch.sigmoid(grid_logits(network, batch_of_one(levels), CORNERS, mode="crops")[0])
    np.testing.assert_allclose(values[[0, 0, -1, -1], [0, -1, 0, -1]], expected.flatten(), atol=1e-5)


@pytest.mark.parametrize(("trained_range", "archive"), [((0.0, 1.0), "standardised"), ((-1.4, 2.1), "unit")])
def test_an_archive_of_another_range_than_the_training_one_is_warned_about(trained_range, archive, pyramid):
    unit = Pyramid(tuple((level / 255).astype(np.float32) for level in pyramid.levels), pyramid.shape)
    levels = standardised(pyramid) if archive == "standardised" else unit
    predictor = cpu(loud(tiny(trained_range=trained_range)))
    with pytest.warns(UserWarning, match=naming("[0, 1]", "standardised")):
        predictor.predict(archived(levels, Grid.cells(pyramid.shape, 1)), mode="crops")


def test_the_warning_points_at_the_line_that_asked_for_the_map(pyramid):
    predictor = cpu(loud(tiny(trained_range=(0.0, 1.0))), mode="crops")
    image = archived(standardised(pyramid), Grid.cells(pyramid.shape, 1))
    calls = (
        lambda: predictor.predict(image),
        lambda: predictor(image),
        lambda: list(predictor.predict_many([image])),
    )
    for call in calls:
        with pytest.warns(UserWarning, match=naming("[0, 1]", "standardised")) as caught:
            call()
        assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, call.__code__.co_firstlineno)]


@pytest.mark.parametrize("trained_range", [(0.0, 1.0), (-1.4, 2.1), None])
def test_a_photograph_is_never_warned_about(trained_range, pyramid):
    predictor = cpu(loud(tiny(mean=MEAN, std=STD, trained_range=trained_range)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.predict(archived(pyramid, Grid.cells(pyramid.shape, 1)), mode="crops")
        predictor.predict(picture(40, 50), mode="fast")


# the map as an object


@pytest.fixture
def ramp():
    """A map that rises to the right, of a grey image."""
    values = np.tile(np.linspace(0.2, 0.7, 30, dtype=np.float32), (20, 1))
    return SaliencyMap(values, np.full((20, 30, 3), 128, np.uint8))


def test_the_density_sums_to_one_and_is_proportional_to_the_map(ramp):
    assert ramp.density.dtype == np.float64
    assert ramp.density.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(ramp.density / ramp.density[0, 0], ramp.values / ramp.values[0, 0], rtol=1e-6)


def test_the_density_of_an_empty_map_is_uniform():
    empty = SaliencyMap(np.zeros((4, 5), np.float32), np.zeros((4, 5, 3), np.uint8))
    np.testing.assert_allclose(empty.density, 1 / 20)


def test_saving_as_npy_keeps_every_bit(ramp, tmp_path):
    again = np.load(ramp.save(tmp_path / "new" / "map.npy"))
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, ramp.values)


def test_saving_as_png_keeps_sixteen_bits(ramp, tmp_path):
    with Image.open(ramp.save(tmp_path / "map.png")) as image:
        assert (image.format, image.size) == ("PNG", (30, 20))
        again = np.asarray(image)
    assert again.dtype == np.uint16
    np.testing.assert_allclose(again / 65535, ramp.values, atol=0.5 / 65535 + 1e-7)


def test_saving_in_another_format_or_below_a_file_is_refused(ramp, tmp_path):
    with pytest.raises(InputError, match=naming(".npy", ".png", "map.jpg")):
        ramp.save(tmp_path / "map.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming(tmp_path / "file")):
        ramp.save(tmp_path / "file" / "map.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_values_in_the_unit_range_are_those_of_the_map_unless_it_is_a_density():
    map_ = np.random.default_rng(0).random((20, 30))
    blank = np.zeros((20, 30, 3), np.uint8)
    np.testing.assert_array_equal(SaliencyMap(map_, blank).unit_values, map_)
    density = map_ / map_.sum()
    for values in (density, density.astype(np.float32), density * 1.0009, map_ * 255):
        np.testing.assert_allclose(SaliencyMap(values, blank).unit_values, map_ / map_.max(), rtol=1e-5)
    np.testing.assert_array_equal(SaliencyMap(density * 1.002, blank).unit_values, density * 1.002)
    assert not SaliencyMap(np.zeros((20, 30)), blank).unit_values.any()
    with pytest.raises(InputError, match=naming(-0.5)):
        _ = SaliencyMap(map_ - 0.5 - map_.min(), blank).unit_values


def test_a_density_is_saved_as_a_visible_png(tmp_path):
    density = np.random.default_rng(0).random((20, 30))
    density /= density.sum()
    with Image.open(SaliencyMap(density, np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "map.png")) as image:
        levels = np.asarray(image)
    assert levels.max() == 65535
    np.testing.assert_allclose(levels / 65535, density / density.max(), atol=1e-4)


def test_scaled_stretches_the_map_over_the_unit_range(ramp):
    assert (ramp.scaled().min(), ramp.scaled().max()) == (0, 1)
    constant = SaliencyMap(np.full((4, 5), 0.3, np.float32), np.zeros((4, 5, 3), np.uint8))
    assert not constant.scaled().any()


def test_an_overlay_shows_the_picture_where_the_map_is_low_and_the_colours_where_it_is_high(ramp):
    from matplotlib import colormaps

    overlay = ramp.overlay(opacity=1.0, colormap="viridis")
    assert (overlay.shape, overlay.dtype) == ((20, 30, 3), np.uint8)
    assert (overlay[:, 0] == 128).all()
    np.testing.assert_allclose(overlay[:, -1], np.tile(np.array(colormaps["viridis"](1.0)[:3]) * 255, (20, 1)), atol=1)
    np.testing.assert_array_equal(ramp.overlay(opacity=0), ramp.image)
    assert (ramp.overlay(opacity=0.5)[:, -1] != overlay[:, -1]).any()


def test_an_overlay_in_strips_is_the_overlay_as_it_is_defined(monkeypatch):
    from matplotlib import colormaps

    rng = np.random.default_rng(0)
    map_ = SaliencyMap(rng.random((37, 23), np.float32), rng.integers(0, 256, (37, 23, 3), np.uint8))
    scaled = map_.scaled()[..., None]
    colours = colormaps["inferno"](map_.scaled())[..., :3] * 255
    expected = map_.image * (1 - 0.6 * scaled) + colours * 0.6 * scaled
    whole = map_.overlay()
    np.testing.assert_allclose(whole, expected, atol=4)  # of 256 levels, between which the colours of inferno jump by 3
    monkeypatch.setattr(overlay_module, "_STRIP", 100)
    np.testing.assert_array_equal(map_.overlay(), whole)


@pytest.mark.parametrize("colormap", ["inferno", "jet", "autumn", "gray"])
@pytest.mark.parametrize("opacity", [0.3, 0.5, 0.6, 1])
def test_white_stays_bright_under_bright_colours(colormap, opacity):
    from matplotlib import colormaps

    scaled = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (2, 1))
    overlay = SaliencyMap(scaled, np.full((2, 256, 3), 255, np.uint8)).overlay(opacity=opacity, colormap=colormap)
    weight = opacity * np.linspace(0, 1, 256)[:, None]
    expected = 255 * (1 - weight) + 255 * colormaps[colormap](np.arange(256))[:, :3] * weight
    np.testing.assert_allclose(overlay[0], expected, atol=2)


@pytest.mark.parametrize(
    "options", [{"opacity": 1.5}, {"opacity": -0.1}, {"opacity": float("nan")}, {"colormap": "none"}]
)
def test_an_impossible_overlay_is_refused(options, ramp):
    [(name, value)] = options.items()
    with pytest.raises(InputError, match=naming(name, value)):
        ramp.overlay(**options)


# loading, device and precision


def test_a_model_is_loaded_by_path_or_not_at_all(tmp_path):
    network = loud()
    predictor = load_model(str(save_checkpoint(network, tmp_path / "model.safetensors")), device="cpu", mode="fast")
    crops = torch.rand(2, 3, 3, 42, 42)
    torch.testing.assert_close(predictor.network(crops), network.eval()(crops), rtol=1e-4, atol=1e-4)
    assert predictor.mode == "fast"
    with pytest.raises(FileError, match=naming("none.pth", "mrcnn")):
        load_model(tmp_path / "none.pth")


def test_a_name_leads_to_a_bundled_checkpoint_and_any_other_path_stays(tmp_path):
    assert checkpoint_path() == checkpoint_path(DEFAULT_MODEL) == WEIGHTS / BUNDLED[DEFAULT_MODEL]
    assert checkpoint_path(tmp_path / "own.pth") == tmp_path / "own.pth"


def test_bf16_gives_nearly_the_same_map():
    network, pyramid = loud(), Pyramid.from_image(picture(30, 40))
    grid = Grid(np.array([10, 14]), np.array([20, 22, 23]), (30, 40))
    full, half = (cpu(network, precision=p).with_mode("exact").grid_map(pyramid, grid) for p in ("fp32", "bf16"))
    assert half.dtype == np.float32
    assert (half != full).any()
    np.testing.assert_allclose(half, full, atol=0.03)


def test_the_automatic_device_is_a_gpu_where_there_is_one():
    there = torch.cuda.is_available()
    assert device.resolve_device("auto") == ("cuda" if there else "cpu")
    assert device.resolve_device("cpu") == "cpu"
    if not there:
        with pytest.raises(InputError, match=naming("CUDA", "--device cpu")):
            device.resolve_device("cuda")


def test_the_automatic_precision_is_bf16_only_where_the_hardware_has_it(monkeypatch):
    assert device.resolve_precision("fp32", "cpu") == "32-true"
    assert device.resolve_precision("bf16", "cpu") == "bf16-mixed"
    for native, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(device, "has_bf16", lambda device, native=native: native)
        assert device.resolve_precision("auto", "cpu") == expected


def test_unknown_devices_and_precisions_are_refused_with_those_there_are():
    with pytest.raises(InputError, match=naming("auto", "cpu", "cuda", "tpu")):
        device.resolve_device("tpu")
    with pytest.raises(InputError, match=naming("auto", "fp32", "bf16", "fp8")):
        device.resolve_precision("fp8", "cpu")
