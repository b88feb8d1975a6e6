"""Adjustments: the densities they give, files that hold every number, and files that are something else."""

import json
from dataclasses import replace

import numpy as np
import pytest
from known_images import Brightness
from messages import mentions, naming
from scipy.integrate import dblquad
from scipy.ndimage import gaussian_filter
from tiny_network import tiny

from mrsal.errors import DataError, FileError, InputError
from mrsal.inference import Adjusted, Adjustment, CentrePrior, FunctionModel, SaliencyMap, open_model
from mrsal.inference.adjustment import KNOTS, block_areas, block_means, blurred
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.network import MrCNN

CENTRE = CentrePrior(x=0.4, y=0.6, sigma_x=0.2, sigma_y=0.3, uniform_share=0.25)
NUMBERS = {
    "centre": CENTRE,
    "model": "centre",
    "data": "own, val",
    "images": 50,
    "fixations": 6000,
    "gain_before": 0.5,
    "gain_after": 0.75,
}
FOR_DENSITIES = Adjustment(blur=0.02, exponent=1.5, curve=(), centre_weight=0.5, **NUMBERS)
CURVE = (0.0, 0.125, 0.125, 1.0, 1.5, 2.0, 2.5, 3.0)
FOR_MAPS = Adjustment(blur=0.0, exponent=1.0, curve=CURVE, centre_weight=0.5, **NUMBERS)
SHAPE = (60, 80)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def bumps(shape=SHAPE):
    y, x = np.mgrid[: shape[0], : shape[1]]
    map_ = np.exp(-((x - 20) ** 2 + (y - 30) ** 2) / 60) + 0.5 * np.exp(-((x - 60) ** 2 + (y - 12) ** 2) / 200) + 0.01
    return map_ / map_.sum()


def log_prior(shape):
    """By loops over pixels, with the integral of the Gaussian over the image from quadrature."""

    def gaussian(x, y):
        return np.exp(-(((x - 0.4) / 0.2) ** 2 + ((y - 0.6) / 0.3) ** 2) / 2)

    whole = dblquad(lambda y, x: gaussian(x, y), 0, 1, 0, 1)[0]
    height, width = shape
    at = [[gaussian((j + 0.5) / width, (i + 0.5) / height) for j in range(width)] for i in range(height)]
    return np.log(0.75 * np.array(at) / whole + 0.25)


def normalised(log_density):
    return log_density - np.log(np.exp(log_density).sum())


def test_a_density_is_blurred_raised_to_a_power_and_multiplied_by_the_prior():
    map_ = SaliencyMap(bumps(), IMAGE)
    expected = 1.5 * np.log(gaussian_filter(bumps(), 0.02 * 80, mode="reflect")) + 0.5 * log_prior(SHAPE)
    np.testing.assert_allclose(FOR_DENSITIES.apply(map_), normalised(expected), atol=1e-9)


def test_other_maps_are_scaled_and_sent_through_the_curve():
    map_ = SaliencyMap(1000 * bumps() - 7, IMAGE)
    scaled = (bumps() - bumps().min()) / np.ptp(bumps())
    expected = np.interp(scaled, KNOTS, CURVE) + 0.5 * log_prior(SHAPE)
    np.testing.assert_allclose(FOR_MAPS.apply(map_), normalised(expected), atol=1e-9)
    constant = FOR_MAPS.apply(SaliencyMap(np.full(SHAPE, 3.0), IMAGE))
    np.testing.assert_allclose(constant, normalised(0.5 * log_prior(SHAPE)), atol=1e-9)


def test_one_that_changes_nothing_gives_the_model_s_own_density():
    same = replace(FOR_DENSITIES, blur=0.0, exponent=1.0, centre_weight=0.0)
    own = np.log(bumps()).astype(np.float32)
    map_ = SaliencyMap(bumps(), IMAGE, log_density=own)
    np.testing.assert_allclose(same.apply(map_), own, atol=1e-6)


def test_a_probability_of_zero_stays_possible():
    density = bumps()
    density[:, :40] = 0
    log_density = replace(FOR_DENSITIES, blur=0.0).apply(SaliencyMap(density, IMAGE))
    assert np.isfinite(log_density).all()


def test_maps_of_an_adjusted_model_are_densities():
    model = Adjusted(Brightness(), FOR_MAPS)
    map_ = model.predict(IMAGE, name="a.png")
    assert model.gives_density and model.calibration is None
    assert map_.density.sum() == pytest.approx(1, abs=1e-12)
    assert (map_.values.dtype, map_.values.max()) == (np.float32, 1)
    expected = np.exp(FOR_MAPS.apply(Brightness().predict(IMAGE)))
    np.testing.assert_allclose(map_.density, expected, rtol=1e-5)
    np.testing.assert_allclose(map_.values, expected / expected.max(), rtol=1e-5)
    assert mentions(model.about()["adjustment"], "40 %", "60 %", 50, 6000, "0.500", "0.750")


def test_a_network_keeps_its_modes(tmp_path):
    path = save_checkpoint(MrCNN(tiny()), tmp_path / "cnn.pth")
    adjustment = replace(FOR_MAPS, model="other/folder/cnn.pth")
    plain = open_model(path, device="cpu")
    model = open_model(path, device="cpu", adjustment=adjustment)
    assert (model.mode, model.modes, model.is_network) == (plain.mode, plain.modes, True)
    fast = model.with_mode("fast")
    assert (fast.mode, fast.adjustment) == ("fast", adjustment)
    expected = adjustment.apply(plain.predict(IMAGE, mode="fast"))
    np.testing.assert_allclose(fast.predict(IMAGE).log_density, expected, atol=1e-5)


@pytest.mark.parametrize("adjustment", [FOR_DENSITIES, FOR_MAPS], ids=["densities", "maps"])
def test_a_file_gives_the_same_maps_to_the_bit(adjustment, tmp_path):
    awkward = replace(
        adjustment, blur=0.1 / 3, centre_weight=2 / 3, centre=replace(CENTRE, x=1 / 3), data="Bücher, val"
    )
    path = awkward.save(tmp_path / "adjustment.json")
    read = Adjustment.load(path)
    assert read == awkward
    map_ = SaliencyMap(bumps(), IMAGE)
    np.testing.assert_array_equal(read.apply(map_), awkward.apply(map_))
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["mrsal_adjustment"] == 1
    assert written["centre"]["sigma_y"] == 0.3
    assert {"model", "data", "images", "fixations", "gain_before", "gain_after"} <= set(written)


def test_an_undefined_number_is_null_in_the_file(tmp_path):
    path = replace(FOR_DENSITIES, gain_before=float("nan")).save(tmp_path / "adjustment.json")
    assert "NaN" not in path.read_text()
    assert np.isnan(Adjustment.load(path).gain_before)
    assert mentions(str(Adjustment.load(path)), "undefined")


def test_open_model_takes_the_file(tmp_path):
    path = FOR_MAPS.save(tmp_path / "adjustment.json")
    expected = FOR_MAPS.apply(open_model("centre").predict(IMAGE))
    for adjustment in (path, str(path), FOR_MAPS):
        map_ = open_model("centre", adjustment=adjustment).predict(IMAGE)
        np.testing.assert_allclose(map_.log_density, expected, atol=1e-5)


def without(key):
    return {name: value for name, value in FOR_MAPS.to_dict().items() if name != key}


BAD = {
    "empty": "",
    "half": json.dumps(FOR_MAPS.to_dict())[:80],
    "list": "[1, 2]",
    "number": "3",
    "deep": "[" * 100_000,
    "other": '{"loss": 1.0}',
    "later": json.dumps({**FOR_MAPS.to_dict(), "mrsal_adjustment": 2}),
    "missing": json.dumps(without("blur")),
    "unknown": json.dumps({**FOR_MAPS.to_dict(), "colour": 1}),
    "text": json.dumps({**FOR_MAPS.to_dict(), "blur": "0.1"}),
    "true": json.dumps({**FOR_MAPS.to_dict(), "exponent": True}),
    "nan": json.dumps({**FOR_MAPS.to_dict(), "exponent": float("nan")}),
    "huge": json.dumps(FOR_MAPS.to_dict()).replace('"exponent": 1.0', '"exponent": 1e999'),
    "negative": json.dumps({**FOR_MAPS.to_dict(), "centre_weight": -1}),
    "falling": json.dumps({**FOR_MAPS.to_dict(), "curve": CURVE[::-1]}),
    "short": json.dumps({**FOR_MAPS.to_dict(), "curve": [0, 1]}),
    "no list": json.dumps({**FOR_MAPS.to_dict(), "curve": 5}),
    "null": json.dumps({**FOR_MAPS.to_dict(), "gain_after": None}),
    "no centre": json.dumps({**FOR_MAPS.to_dict(), "centre": None}),
    "flat centre": json.dumps({**FOR_MAPS.to_dict(), "centre": {**FOR_MAPS.to_dict()["centre"], "sigma_x": 0}}),
    "centre outside": json.dumps({**FOR_MAPS.to_dict(), "centre": {**FOR_MAPS.to_dict()["centre"], "x": 1.5}}),
    "bytes": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_damaged_or_foreign_file_is_one_clear_line(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=naming("other.json")) as caught:
        open_model("centre", adjustment=path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=naming("gone.json")):
        open_model("centre", adjustment=tmp_path / "gone.json")


def test_an_adjustment_for_the_other_kind_of_model_is_refused():
    with pytest.raises(InputError, match=naming("centre", "densities")):
        Adjusted(FunctionModel(lambda image: bumps()), FOR_DENSITIES)
    with pytest.raises(InputError, match=naming("centre", "densities")):
        Adjusted(Adjusted(Brightness(), FOR_MAPS), FOR_MAPS)


def test_an_adjustment_of_another_model_is_used_with_a_warning():
    with pytest.warns(UserWarning, match=naming("centre", "uniform")):
        open_model("uniform", adjustment=FOR_MAPS)


@pytest.mark.parametrize("shape", [(773, 1027), (300, 129), (90, 120)])
def test_a_reduced_map_has_the_means_over_blocks(shape):
    map_ = np.random.default_rng(1).random(shape)
    size = -(-max(shape) // 128)
    blocks = [[map_[i : i + size, j : j + size] for j in range(0, shape[1], size)] for i in range(0, shape[0], size)]
    np.testing.assert_allclose(block_means(map_), [[block.mean() for block in row] for row in blocks])
    np.testing.assert_array_equal(block_areas(shape), [[block.size for block in row] for row in blocks])
    assert max(block_means(map_).shape) <= 128


@pytest.mark.parametrize("share", [0.005, 0.03, 0.09])
def test_a_wide_blur_is_that_of_all_pixels(share):
    map_ = bumps((401, 623))
    map_[0, :50], map_[200, 300] = 0.05, 0.2  # at the border, and a single pixel
    expected = gaussian_filter(map_, share * 623, mode="reflect")
    np.testing.assert_allclose(blurred(map_, share), expected, atol=0.02 * expected.max())
    assert blurred(map_, share).sum() == pytest.approx(expected.sum(), rel=0.01)
