"""Checkpoints: what is saved is loaded again, historical files give their outputs, and other files are refused."""

import json
import pickle

import numpy as np
import pytest
import torch
from messages import naming
from obstacles import Hostile, small_disk
from safetensors.torch import save_file
from tiny_network import tiny
from torch import nn

from mrsal.errors import DataError, FileError, InputError
from mrsal.model.checkpoint import check_improvements, load_checkpoint, load_safely, save_checkpoint, save_safely
from mrsal.model.network import ModelConfig, MrCNN

ENDINGS = (".pth", ".safetensors")


class HistoricalStream(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(3, 96, 7), nn.Conv2d(96, 160, 3), nn.Conv2d(160, 288, 3)
        self.fc = nn.Linear(2592, 512)

    def forward(self, x):
        for conv in (self.conv1, self.conv2, self.conv3):
            x = torch.max_pool2d(torch.relu(conv(x)), 2)
        return torch.relu(self.fc(x.flatten(1)))


class HistoricalNetwork(nn.Module):
    """The layout that older scripts load with ``strict=True``, written without looking at ``mrsal.model.network``."""

    def __init__(self):
        super().__init__()
        self.stream1, self.stream2, self.stream3 = HistoricalStream(), HistoricalStream(), HistoricalStream()
        self.fc, self.output = nn.Linear(1536, 512), nn.Linear(512, 1)

    def forward(self, x):
        streams = (self.stream1, self.stream2, self.stream3)
        joined = torch.cat([stream(x[:, k]) for k, stream in enumerate(streams)], dim=1)
        return self.output(torch.relu(self.fc(joined)))[:, 0]


@pytest.fixture(scope="module")
def network():
    """A network. Tests must not change it."""
    torch.manual_seed(11)
    network = MrCNN(tiny(trained_range=None)).eval()
    nn.init.normal_(network.output.weight, std=0.5)
    return network


@pytest.fixture(scope="module")
def crops():
    return torch.rand(3, 3, 3, 42, 42, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights(network):
    """A state dict that a test may change."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_same_weights(network, other):
    expected, got = network.state_dict(), other.state_dict()
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(got[name], value), name


# saving and loading


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(),
        tiny(variant="blur", dropout=0.3, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), trained_range=(-1.4, 2.1)),
        tiny(variant="historical-blur", trained_range=None),
        tiny(shared_streams=True),
        ModelConfig(channels=(96, 5, 288), hidden=7, variant="blur"),
    ],
    ids=["base", "blur", "historical-blur", "shared", "other widths"],
)
def test_weights_configuration_and_notes_come_back(config, ending, tmp_path):
    network = MrCNN(config)
    about = {"epoch": 3, "scores": {"val_CC": 0.25}}
    path = save_checkpoint(network, tmp_path / f"model{ending}", about=about)
    again, notes = load_checkpoint(path)
    assert_same_weights(network, again)
    assert (again.config, notes) == (config, about)
    assert not again.training
    assert [path.name for path in tmp_path.iterdir()] == [f"model{ending}"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_network_laid_out_for_speed_comes_back_the_same(ending, network, crops, tmp_path):
    fast = MrCNN(network.config).to(memory_format=torch.channels_last).eval()
    fast.load_state_dict(network.state_dict())
    again, _ = load_checkpoint(save_checkpoint(fast, tmp_path / f"model{ending}"))
    assert_same_weights(network, again)
    torch.testing.assert_close(again(crops), network(crops), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ending", ENDINGS)
def test_notes_may_hold_numbers_of_numpy(ending, network, tmp_path):
    about = {"loss": np.float32(0.5), "scores": {"CC": np.float64(0.25)}}
    _, notes = load_checkpoint(save_checkpoint(network, tmp_path / f"model{ending}", about=about))
    assert notes == {"loss": 0.5, "scores": {"CC": 0.25}}


def test_older_scripts_load_ours_and_get_the_same_outputs(crops, tmp_path):
    torch.manual_seed(11)
    network = MrCNN().eval()
    state = torch.load(save_checkpoint(network, tmp_path / "cnn_epoch_1.pth"), weights_only=True)
    assert isinstance(state, dict)
    assert all(type(value) is torch.Tensor for value in state.values())
    older = HistoricalNetwork()
    older.load_state_dict(state, strict=True)
    torch.testing.assert_close(older(crops), network(crops), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before-torch-1.6"])
def test_we_load_what_older_scripts_wrote(prefix, zipped, crops, tmp_path):
    torch.manual_seed(4)
    older = HistoricalNetwork()
    state = {prefix + name: value for name, value in older.state_dict().items()}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=zipped)
    ours, notes = load_checkpoint(tmp_path / "old.pth")
    torch.testing.assert_close(ours(crops), older(crops), rtol=1e-4, atol=1e-4)
    assert (ours.config, notes) == (ModelConfig(trained_range=None), {})


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_header_from_before_widths_could_be_set_means_those_of_the_paper(ending, monkeypatch, tmp_path):
    network = MrCNN()
    header = {"variant": "base", "shared_streams": False, "dropout": 0.5}  # as they were then
    header |= {"mean": [0.0] * 3, "std": [1.0] * 3, "trained_range": [0.0, 1.0]}
    monkeypatch.setattr(ModelConfig, "to_dict", lambda self: header)
    again, _ = load_checkpoint(save_checkpoint(network, tmp_path / f"model{ending}"))
    assert again.config == ModelConfig()
    assert_same_weights(network, again)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_widths_of_a_file_without_a_header_follow_from_the_shapes(ending, tmp_path):
    network = MrCNN(ModelConfig(variant="historical-blur", channels=(5, 7, 2), hidden=11, trained_range=None))
    path = tmp_path / f"model{ending}"
    save_file(network.state_dict(), path) if ending == ".safetensors" else torch.save(dict(network.state_dict()), path)
    again, _ = load_checkpoint(path)
    assert again.config == network.config
    assert_same_weights(network, again)


@pytest.mark.parametrize("widths", [{"channels": [4, 6, 9], "hidden": 16}, {"hidden": 10**9}, {"channels": 4}])
def test_a_header_whose_widths_are_not_those_of_the_tensors_is_refused(widths, tmp_path):
    """It is refused before a network of that size is made."""
    header = {"version": 1, "config": tiny().to_dict() | widths}
    save_file(MrCNN(tiny()).state_dict(), tmp_path / "model.safetensors", {"mrsal": json.dumps(header)})
    with pytest.raises(DataError, match=r"model\.safetensors.*(channels|hidden)"):
        load_checkpoint(tmp_path / "model.safetensors")


def test_half_precision_weights_are_read_as_float32(network, tmp_path):
    half = {name: value.half() for name, value in network.state_dict().items()}
    torch.save(half, tmp_path / "half.pth")
    save_file(half, tmp_path / "half.safetensors")
    for ending in ENDINGS:
        again, _ = load_checkpoint(tmp_path / f"half{ending}")
        for name, value in again.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, half[name].float())


def test_half_precision_halves_the_file_and_changes_weights_by_its_rounding_only(network, tmp_path):
    full, half = (save_checkpoint(network, tmp_path / f"{h}.safetensors", half=h) for h in (False, True))
    header = 8 + int.from_bytes(full.read_bytes()[:8], "little")
    assert half.stat().st_size - header < 0.51 * (full.stat().st_size - header)
    again, _ = load_checkpoint(half)
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float()), name


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize(("layout", "variant"), [("base", "base"), ("blur", "historical-blur")])
def test_historical_checkpoints_give_their_historical_outputs(layout, variant, prefix, data_root, tmp_path):
    """Weights and crops follow the recipe in the README of the reference; outputs are compared before the sigmoid."""
    reference = np.load(data_root / "reference" / f"{layout}_outputs.npz")
    shapes = json.loads((data_root / "reference" / "keys.json").read_text())[layout]
    seed, rng = int(reference["seed"]), np.random.default_rng(int(reference["seed"]))
    state = {}
    for name in sorted(shapes):
        shape = shapes[name]
        if name.endswith(".sqrt_sigma"):
            value = rng.uniform(0.5, 1.2, size=shape)
        elif name.endswith(".bias"):
            value = rng.uniform(-0.1, 0.1, size=shape)
        else:
            value = rng.standard_normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
        state[prefix + name] = torch.tensor(value, dtype=torch.float32)
    torch.save(state, tmp_path / "old.pth")
    crops = np.random.default_rng(seed + 1000).uniform(0, 1, size=(16, 3, 3, 42, 42)).astype(np.float32)

    network, _ = load_checkpoint(tmp_path / "old.pth")
    assert network.config.variant == variant
    with torch.no_grad():
        logits = network(torch.from_numpy(crops)).numpy()
    y = reference["y"].astype(np.float64).ravel()
    np.testing.assert_allclose(logits, np.log(y / (1 - y)), rtol=1e-4, atol=1e-4)
    assert np.ptp(logits) > 0.1


# files that must be refused


def test_a_missing_file_is_named(tmp_path):
    for name in ("none.pth", "none.safetensors"):
        with pytest.raises(FileError, match=naming(name)):
            load_checkpoint(tmp_path / name)
    with pytest.raises(FileError, match=r"none\.pth"):
        load_safely(tmp_path / "none.pth")
    with pytest.raises(FileError, match=naming(tmp_path)):
        load_safely(tmp_path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("share", [0.0, 0.00001, 0.5, 0.999])
def test_a_truncated_file_is_refused(ending, share, network, tmp_path):
    path = save_checkpoint(network, tmp_path / f"model{ending}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=rf"model\{ending}"):
        load_checkpoint(path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "content", [b"hello\n" * 99, bytes(range(256)) * 9, b"\x80\x02}q\x00."], ids=["text", "bytes", "{}"]
)
def test_a_file_that_is_not_a_checkpoint_is_refused(ending, content, tmp_path):
    path = tmp_path / f"model{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"model\{ending}"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ([1, 2], "list"),
        ({}, "output.bias"),
        (5, "int"),
        ({0: torch.zeros(1)}, "dict"),
        ({"state_dict": {"fc.bias": torch.zeros(512)}}, "dict"),
    ],
)
def test_a_torch_file_that_holds_something_else_is_refused(value, named, tmp_path):
    torch.save(value, tmp_path / "model.pth")
    with pytest.raises(DataError, match=naming("model.pth", named)):
        load_checkpoint(tmp_path / "model.pth")


def as_pickle(value, path):
    path.write_bytes(pickle.dumps(value, protocol=2))


@pytest.mark.parametrize("write", [as_pickle, torch.save])
def test_hostile_files_are_refused_and_their_code_does_not_run(write, weights, tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "model.pth"  # the code makes a folder
    as_pickle(Hostile(trace), path)
    pickle.loads(path.read_bytes())
    assert trace.exists()  # the code would have run
    trace.rmdir()

    for value in (Hostile(trace), weights | {"extra": Hostile(trace)}):
        write(value, path)
        with pytest.raises(DataError, match=r"\w\.mkdir\b|\b_load_from_bytes\b") as refusal:
            load_checkpoint(path)
        assert "weights_only" not in str(refusal.value)  # torch's advice to load it all the same
        assert not trace.exists()


def drop(weights):
    del weights["stream2.fc.bias"]


def add(weights):
    weights["stream4.fc.bias"] = torch.zeros(1)


def reshape(weights):
    weights["stream1.conv1.weight"] = torch.zeros(4, 3, 5, 5)


def spoil(weights):
    weights["stream3.conv2.weight"][5, 3, 1, 1] = torch.nan


def overflow(weights):
    weights["output.bias"][0] = torch.inf


def make_complex(weights):
    weights["fc.bias"] = weights["fc.bias"].to(torch.complex64)


def make_sparse(weights):
    weights["fc.bias"] = weights["fc.bias"].to_sparse()


def expand(weights):
    weights["fc.bias"] = torch.zeros(1).expand(10**12)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (drop, ["stream2.fc.bias"]),
        (add, ["stream4.fc.bias"]),
        (reshape, ["stream1.conv1.weight", (4, 3, 5, 5), (4, 3, 7, 7)]),
        (spoil, ["stream3.conv2.weight"]),
        (overflow, ["output.bias"]),
        (make_complex, ["fc.bias"]),
        (make_sparse, ["fc.bias"]),
        (expand, ["fc.bias"]),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(damage, named, weights, tmp_path):
    damage(weights)
    torch.save(weights, tmp_path / "model.pth")
    with pytest.raises(DataError, match=naming("model.pth", *named)):
        load_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_checkpoint_of_a_newer_version_asks_for_an_upgrade(ending, network, monkeypatch, tmp_path):
    with monkeypatch.context() as newer:
        newer.setattr("mrsal.model.checkpoint.FORMAT_VERSION", 2)
        path = save_checkpoint(network, tmp_path / f"model{ending}")
        load_checkpoint(path)
    with pytest.raises(DataError, match=naming(f"model{ending}", "pip install -U mrsal")):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "header",
    [
        "no json",
        "[1]",
        "5",
        '{"version": 1}',
        '{"version": "one", "config": {}}',
        '{"version": 1, "config": []}',
        '{"version": 1, "config": {"variant": "sharp"}}',
        '{"version": 1, "config": {"depth": 3}}',
        '{"version": 1, "config": {"mean": ["a", "b", "c"]}}',
        f'{{"version": 1, "config": {{"mean": [{10**400}, 0, 0], "channels": [4, 6, 8], "hidden": 16}}}}',
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_damaged_configuration_is_refused(header, weights, tmp_path):
    save_file(weights, tmp_path / "model.safetensors", {"mrsal": header})
    with pytest.raises(DataError, match=r"model\.safetensors"):
        load_checkpoint(tmp_path / "model.safetensors")


# writing


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_is_a_file_error_and_leaves_the_old_checkpoint(ending, network, tmp_path):
    path = tmp_path / f"model{ending}"
    path.write_bytes(b"old")
    with small_disk(10_000), pytest.raises(FileError, match=rf"model\{ending}"):
        save_checkpoint(network, path)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_is_a_file_error(network, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming(tmp_path / "file")):
        save_checkpoint(network, tmp_path / "file" / "model.pth")


def test_save_safely_and_load_safely_keep_plain_values_and_tensors(tmp_path):
    value = [{"X": torch.arange(6.0).view(2, 3), "y": 1, "file": "a.jpeg", "range": (-1.4, None)}]
    save_safely(value, tmp_path / "values.pt")
    [again] = load_safely(tmp_path / "values.pt")
    assert torch.equal(again.pop("X"), torch.arange(6.0).view(2, 3))
    assert again == {"y": 1, "file": "a.jpeg", "range": (-1.4, None)}


# --improvements


@pytest.mark.parametrize(("variant", "number"), [("base", 0), ("blur", 1), ("historical-blur", 1)])
def test_improvements_must_agree_with_the_checkpoint(variant, number):
    network = MrCNN(tiny(variant=variant))
    check_improvements(network, number, "model.pth")
    check_improvements(network, None, "model.pth")
    with pytest.raises(
        InputError, match=naming("model.pth", variant, f"--improvements {number}", f"--improvements {1 - number}")
    ):
        check_improvements(network, 1 - number, "model.pth")
