"""The architecture: sizes, names, blurs, shared streams, input statistics, and the constraint on the first layer."""

import json
from math import exp

import numpy as np
import pytest
import torch
from messages import naming
from scipy import ndimage
from tiny_network import tiny

from mrsal.model.blur import GaussianBlur, HistoricalBlur
from mrsal.model.network import ModelConfig, MrCNN, constrain_conv1

LAYERS = {  # of each stream, as in the historical checkpoints
    "conv1.weight": (96, 3, 7, 7),
    "conv1.bias": (96,),
    "conv2.weight": (160, 96, 3, 3),
    "conv2.bias": (160,),
    "conv3.weight": (288, 160, 3, 3),
    "conv3.bias": (288,),
    "fc.weight": (512, 2592),
    "fc.bias": (512,),
}
HEAD = {"fc.weight": (512, 1536), "fc.bias": (512,), "output.weight": (1, 512), "output.bias": (1,)}
BASE = HEAD | {f"stream{k}.{name}": shape for k in (1, 2, 3) for name, shape in LAYERS.items()}


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def crops(count=4, *, seed=0):
    return torch.rand(count, 3, 3, 42, 42, generator=torch.Generator().manual_seed(seed))


def loud(config=None):
    """A network in evaluation mode whose logits differ from crop to crop."""
    torch.manual_seed(3)
    network = MrCNN(config).eval()
    torch.nn.init.normal_(network.output.weight, std=1.0)
    return network


# layout


def test_it_has_about_six_and_a_half_million_parameters():
    stream = (96 * 3 * 49 + 96) + (160 * 96 * 9 + 160) + (288 * 160 * 9 + 288) + (2592 * 512 + 512)
    expected = 3 * stream + (1536 * 512 + 512) + (512 + 1)
    assert sum(parameter.numel() for parameter in MrCNN().parameters()) == expected
    assert 6.4e6 < expected < 6.6e6


@pytest.mark.parametrize("shared", [False, True])
def test_every_layer_follows_from_the_widths(shared):
    stream = {
        "conv1": (5, 3, 7, 7),
        "conv2": (7, 5, 3, 3),
        "conv3": (2, 7, 3, 3),
        "fc": (11, 2 * 9),
    }
    weights = {f"stream{k}.{name}": shape for k in (1, 2, 3) for name, shape in stream.items()}
    weights |= {"fc": (11, 33), "output": (1, 11)}
    network = MrCNN(ModelConfig(channels=(5, 7, 2), hidden=11, shared_streams=shared)).eval()
    expected = {f"{name}.weight": shape for name, shape in weights.items()}
    assert shapes(network) == expected | {f"{name}.bias": shape[:1] for name, shape in weights.items()}
    assert network(crops(2)).shape == (2,)


@pytest.mark.parametrize("shared", [False, True])
def test_names_and_shapes_are_the_historical_ones(shared):
    assert shapes(MrCNN(ModelConfig(shared_streams=shared))) == BASE


def test_the_blur_variants_add_one_parameter_per_stream_and_cannot_be_confused():
    ours = shapes(MrCNN(ModelConfig(variant="blur")))
    theirs = shapes(MrCNN(ModelConfig(variant="historical-blur")))
    assert ours == BASE | {f"stream{k}.blur.root_sigma": () for k in (1, 2, 3)}
    assert theirs == BASE | {f"stream{k}.blur1.sqrt_sigma": () for k in (1, 2, 3)}


@pytest.mark.parametrize(("variant", "layout"), [("base", "base"), ("historical-blur", "blur")])
def test_the_layout_is_that_of_the_reference(variant, layout, data_root):
    keys = json.loads((data_root / "reference" / "keys.json").read_text())[layout]
    assert shapes(MrCNN(ModelConfig(variant=variant))) == {name: tuple(shape) for name, shape in keys.items()}


# forward


@pytest.mark.parametrize("variant", ["base", "blur", "historical-blur"])
def test_crops_give_one_logit_each_whatever_else_is_in_the_batch(variant):
    network, x = loud(ModelConfig(variant=variant)), crops(3)
    together = network(x)
    assert together.shape == (3,)
    assert together.std() > 0.01
    torch.testing.assert_close(together[1:2], network(x[1:2]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(2, 3, 3, 40, 40), (2, 3, 1, 42, 42), (2, 1, 3, 42, 42)])
def test_crops_of_another_shape_are_refused_with_both_shapes(shape):
    with pytest.raises(ValueError, match=naming("42, 42", shape)):
        MrCNN()(torch.zeros(shape))


@pytest.mark.parametrize("scale", range(3))
@pytest.mark.parametrize("channel", range(3))
def test_each_stream_sees_its_own_scale_in_colour(scale, channel):
    """The network uses only one channel of one scale. If crops were stacked as (channel, scale), it would see another one."""
    network = loud()
    with torch.no_grad():
        for k, stream in enumerate(network.streams):
            stream.conv1.weight[:, [c for c in range(3) if c != channel]] = 0
            network.fc.weight[:, 512 * k : 512 * (k + 1)] *= k == scale
    x, nothing = crops(1), network(torch.zeros(1, 3, 3, 42, 42))
    seen = torch.zeros_like(x)
    seen[:, scale, channel] = x[:, scale, channel]
    rest = x - seen
    assert abs(network(seen) - nothing) > 0.01
    torch.testing.assert_close(network(rest), nothing)


def test_dropout_follows_the_third_convolution_and_both_fully_connected_layers():
    dropped = []
    network = MrCNN()
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            assert module.p == 0.5
            module.register_forward_hook(lambda _, inputs, __: dropped.append(tuple(inputs[0].shape)))
    network(crops(2))
    assert sorted(dropped) == sorted(3 * [(2, 288, 3, 3)] + 3 * [(2, 512)] + [(2, 512)])


def test_dropout_is_random_in_training_and_off_in_evaluation():
    network, x = loud(), crops(2)
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


def test_every_layer_starts_with_the_spread_of_he():
    torch.manual_seed(0)
    for name, value in MrCNN().named_parameters():
        if name.endswith("bias"):
            assert not value.any()
        else:
            fan_in = value[0].numel()
            assert value.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05), name


# the input's mean and standard deviation


def test_mean_and_standard_deviation_are_inside_the_network():
    mean, std = (0.4, 0.5, 0.6), (0.1, 0.2, 0.4)
    inside, plain = loud(ModelConfig(mean=mean, std=std)), loud()
    x = crops()
    by_hand = (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(inside(x), plain(by_hand), rtol=1e-4, atol=1e-4)
    assert (inside(x) - plain(x)).abs().max() > 0.01


# the learned blur


def gaussian(kernel, sigma):
    """The 2-D filter, element by element: sigma is in units of half the kernel, and the sum is 1."""
    half = kernel // 2
    filter_ = [
        [exp(-((x / half) ** 2 + (y / half) ** 2) / (2 * sigma**2)) for x in range(-half, half + 1)]
        for y in range(-half, half + 1)
    ]
    return np.array(filter_) / np.sum(filter_)


def test_each_stream_blurs_with_its_own_kernel_and_initial_sigma():
    streams = MrCNN(ModelConfig(variant="blur")).streams
    for stream, kernel, root_sigma in zip(streams, (7, 5, 3), (0.5, 0.75, 1.0), strict=True):
        assert stream.blur.root_sigma.item() == root_sigma
        impulse = torch.zeros(1, 1, 42, 42)
        impulse[..., 20, 20] = 1
        response, half = stream.blur(impulse)[0, 0].detach(), kernel // 2
        window = response[20 - half : 21 + half, 20 - half : 21 + half]
        np.testing.assert_allclose(window, gaussian(kernel, root_sigma**2), rtol=1e-4)
        assert response.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(("kernel", "root_sigma"), [(7, 0.5), (5, 0.75), (3, 1.0), (7, -1.3), (5, 0.05), (3, 0.0)])
def test_the_kernel_sums_to_one_and_leaves_a_constant_image_alone(kernel, root_sigma):
    blur = GaussianBlur(kernel, root_sigma)
    assert blur.taps().sum().item() == pytest.approx(1)
    image = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 42, 42)
    torch.testing.assert_close(blur(image), image)


@pytest.mark.parametrize(("kernel", "root_sigma"), [(7, 0.5), (5, 0.75), (3, 1.0)])
def test_each_channel_is_blurred_by_itself_over_a_replicated_border(kernel, root_sigma):
    image = crops(1)[:, 0]
    blurred = GaussianBlur(kernel, root_sigma)(image)[0].detach()
    for channel, got in zip(image[0].numpy(), blurred, strict=True):
        expected = ndimage.correlate(channel, gaussian(kernel, root_sigma**2), mode="nearest")
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("root_sigma", [0.5, 0.0, -0.7])
def test_the_blur_learns_and_stays_finite(root_sigma):
    blur = GaussianBlur(7, root_sigma)
    blur(crops(1)[:, 0]).square().sum().backward()
    assert torch.isfinite(blur.root_sigma.grad)
    assert bool(blur.root_sigma.grad) == bool(root_sigma)


def test_the_historical_blur_sums_the_colours_over_a_zero_border():
    kernel, root_sigma = 5, 0.8
    filter_ = gaussian(kernel, root_sigma**2)
    filter_ /= np.linalg.norm(filter_, axis=1, keepdims=True)
    image = crops(1)[:, 0]
    expected = ndimage.correlate(image[0].numpy().sum(axis=0), filter_, mode="constant")
    for got in HistoricalBlur(kernel, root_sigma)(image)[0].detach():
        np.testing.assert_allclose(got, expected, rtol=1e-4)


# shared streams


def test_shared_streams_share_convolutions_before_and_after_a_step():
    network = MrCNN(ModelConfig(shared_streams=True))
    first, *others = network.streams
    separate = sum(parameter.numel() for parameter in MrCNN().parameters())
    convolutions = sum(p.numel() for name, p in first.named_parameters() if name.startswith("conv"))
    assert sum(parameter.numel() for parameter in network.parameters()) == separate - 2 * convolutions

    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network(crops(2)).sum().backward()
    optimiser.step()
    for stream in others:
        for name in ("conv1", "conv2", "conv3"):
            assert torch.equal(getattr(stream, name).weight, getattr(first, name).weight)
        assert not torch.equal(stream.fc.weight, first.fc.weight)


# configuration


def test_a_configuration_survives_json():
    config = ModelConfig(variant="blur", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), trained_range=(-1.4, 2.1))
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    unknown = ModelConfig(trained_range=None)
    assert ModelConfig.from_dict(json.loads(json.dumps(unknown.to_dict()))) == unknown
    assert ModelConfig.from_dict(json.loads(json.dumps(tiny().to_dict()))) == tiny()


def test_the_widths_of_the_paper_are_not_written_so_that_older_versions_read_the_files():
    assert "channels" not in ModelConfig().to_dict() and "hidden" not in ModelConfig().to_dict()
    values = ModelConfig(channels=(96, 160, 1)).to_dict()
    assert values["channels"] == (96, 160, 1) and "hidden" not in values


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"variant": "sharp"}, ["base", "blur", "historical-blur", "sharp"]),
        ({"dropout": 1.0}, ["dropout", 1.0]),
        ({"mean": (0.5,)}, ["mean", 3, (0.5,)]),
        ({"std": (0.1, 0.0, 0.1)}, ["std", (0.1, 0.0, 0.1)]),
        ({"channels": (4, 6)}, ["channels", (4, 6)]),
        ({"channels": 96}, ["channels", 96]),
        ({"channels": (4, 6, 0)}, ["channels", (4, 6, 0)]),
        ({"channels": (4, 6, 8.0)}, ["channels", (4, 6, 8.0)]),
        ({"hidden": 0}, ["hidden", 0]),
        ({"hidden": -3}, ["hidden", -3]),
        ({"hidden": True}, ["hidden", True]),
    ],
)
def test_an_impossible_configuration_is_refused(settings, named):
    with pytest.raises(ValueError, match=naming(*named)):
        ModelConfig(**settings)


# the constraint on the first layer


def norms(stream):
    return np.linalg.norm(stream.conv1.weight.detach().numpy().reshape(96, -1), axis=1)


def test_long_filters_are_scaled_to_the_limit_and_short_ones_stay_as_they_are():
    network = MrCNN()
    for stream in network.streams:
        with torch.no_grad():
            stream.conv1.weight[:48] *= 0.01  # the initial norms are about 1.4
    before = [stream.conv1.weight.detach().clone() for stream in network.streams]
    constrain_conv1(network, 0.1)
    for stream, old in zip(network.streams, before, strict=True):
        new = stream.conv1.weight.detach()
        assert torch.equal(new[:48], old[:48])
        np.testing.assert_allclose(norms(stream)[48:], 0.1, rtol=1e-5)
        cosine = torch.cosine_similarity(new[48:].flatten(1), old[48:].flatten(1))
        torch.testing.assert_close(cosine, torch.ones(48))


def test_the_constraint_touches_only_the_first_layer_and_keeps_its_parameters():
    network = MrCNN()
    objects = {name: id(parameter) for name, parameter in network.named_parameters()}
    values = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    constrain_conv1(network, 0.1)
    assert {name: id(parameter) for name, parameter in network.named_parameters()} == objects
    changed = {name for name, parameter in network.named_parameters() if not torch.equal(parameter, values[name])}
    assert changed == {f"stream{k}.conv1.weight" for k in (1, 2, 3)}
    assert all(parameter.requires_grad and parameter.is_leaf for parameter in network.parameters())


def test_a_zero_filter_stays_zero():
    network = MrCNN()
    with torch.no_grad():
        network.stream1.conv1.weight[5] = 0
    constrain_conv1(network, 0.1)
    assert not network.stream1.conv1.weight[5].any()
    assert norms(network.stream1).max() == pytest.approx(0.1, rel=1e-5)
