"""A file says which network it holds, and whatever loads networks gives that one."""

import json
from dataclasses import replace

import pytest
import torch
from messages import naming
from safetensors.torch import load_file, save_file
from tiny_improved import CONFIG, tiny_improved
from tiny_network import tiny

import mrsal
from mrsal.errors import DataError, InputError
from mrsal.inference import DensityPredictor, open_model
from mrsal.inference.predictor import Predictor
from mrsal.model import hub
from mrsal.model.checkpoint import check_improvements, load_checkpoint, save_checkpoint
from mrsal.model.improved import ImprovedNetwork
from mrsal.model.network import MrCNN
from mrsal.model.pretrained import FORMER_NAMES, WEIGHTS, checkpoint_path, everywhere, shipped_name


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return tiny_improved()


def same(first, second):
    theirs = second.state_dict()
    return first.config == second.config and all(torch.equal(v, theirs[k]) for k, v in first.state_dict().items())


def headed(network, path, **changes):
    """A file of the network whose header says something else."""
    header = {"version": 1, "architecture": "ImprovedNetwork", "config": network.config.to_dict(), **changes}
    header = {key: value for key, value in header.items() if value is not None}
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, {"mrsal": json.dumps(header)})
    return path


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_checkpoint_gives_back_the_improved_network(network, tmp_path, ending):
    again, about = load_checkpoint(save_checkpoint(network, tmp_path / f"a{ending}", about={"seed": 3}))
    assert isinstance(again, ImprovedNetwork) and not again.training
    assert same(network, again) and about == {"seed": 3}


def test_half_precision_is_half_the_size_and_nearly_the_same(network, tmp_path):
    full, half = (save_checkpoint(network, tmp_path / f"{h}.safetensors", half=h) for h in (False, True))
    assert half.stat().st_size < 0.52 * full.stat().st_size
    again, _ = load_checkpoint(half)
    assert all(value.dtype == torch.float32 for value in again.state_dict().values())
    x = torch.rand(1, 3, 60, 80)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), network(x), atol=0.02, rtol=0.01)


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("load", [mrsal.load_model, lambda path, **options: open_model(str(path), **options)])
def test_either_network_is_opened_by_what_its_file_says(network, tmp_path, ending, load):
    options = {"device": "cpu", "precision": "fp32"}
    improved = load(save_checkpoint(network, tmp_path / f"a{ending}"), **options)
    papers = load(save_checkpoint(MrCNN(tiny()), tmp_path / f"b{ending}"), **options)
    assert isinstance(improved, DensityPredictor) and same(network, improved.network)
    assert isinstance(papers, Predictor) and papers.mode == "exact"


def test_a_folder_holds_the_improved_network_too(network, tmp_path):
    folder = DensityPredictor(network, device="cpu").save_pretrained(tmp_path / "mine", about={"seed": 3})
    assert json.loads((folder / "config.json").read_text())["architecture"] == "ImprovedNetwork"
    card = (folder / "README.md").read_text()
    assert "improved network" in card and "2 resolutions" in card and "Mr-CNN" not in card
    for load in (Predictor.from_pretrained, mrsal.load_model, lambda path, **options: open_model(str(path), **options)):
        predictor = load(folder, device="cpu", precision="fp32")
        assert isinstance(predictor, DensityPredictor) and same(network, predictor.network)
    assert hub.load_pretrained(folder)[1] == {"seed": 3}


def test_a_folder_whose_configuration_contradicts_the_weights_is_refused(network, tmp_path):
    folder = hub.save_pretrained(network, tmp_path / "mine")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "resolutions": [512, 64]}))
    with pytest.raises(DataError, match=naming("config.json", "resolutions")):
        hub.load_pretrained(folder)


def test_an_architecture_that_is_not_known_is_refused_in_one_line(network, tmp_path):
    path = headed(network, tmp_path / "a.safetensors", architecture="Transformer")
    with pytest.raises(
        DataError, match=naming("a.safetensors", "Transformer", "MrCNN", "pip install -U mrsal")
    ) as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config": {**CONFIG.to_dict(), "widths": [1000000, 8, 8]}}, ["a.safetensors", "configuration", "1000000"]),
        ({"config": {**CONFIG.to_dict(), "cell": 5}}, ["a.safetensors", "configuration", "cell"]),
        ({"config": {"variant": "base"}}, ["a.safetensors", "configuration"]),
        ({"config": None}, ["a.safetensors", "configuration"]),
        ({"config": {**CONFIG.to_dict(), "strides": [8, 16]}}, ["a.safetensors", "improved network", "unknown"]),
        ({"architecture": "MrCNN"}, ["a.safetensors"]),
        ({"version": 99}, ["newer"]),
    ],
)
def test_a_header_that_does_not_fit_the_weights_is_refused(network, tmp_path, changes, words):
    with pytest.raises(DataError, match=naming(*words)):
        load_checkpoint(headed(network, tmp_path / "a.safetensors", **changes))


def test_weights_that_are_missing_or_not_finite_are_refused(network, tmp_path):
    path = save_checkpoint(network, tmp_path / "a.safetensors")
    header = {"mrsal": json.dumps({"version": 1, "architecture": "ImprovedNetwork", "config": CONFIG.to_dict()})}
    weights = load_file(path)
    name = "readout.conv4.weight"
    save_file({k: v for k, v in weights.items() if k != name}, path, header)
    with pytest.raises(DataError, match=naming("improved network", "missing", name)):
        load_checkpoint(path)
    save_file({**weights, name: weights[name] * float("nan")}, path, header)
    with pytest.raises(DataError, match=naming("not finite", name)):
        load_checkpoint(path)


def test_improvements_2_is_the_improved_network(network):
    check_improvements(network, 2, "a.pth")
    check_improvements(network, None, "a.pth")
    with pytest.raises(InputError, match=naming("a.pth", "improved network", "--improvements 2", "--improvements 1")):
        check_improvements(network, 1, "a.pth")
    with pytest.raises(InputError, match=naming("a.pth", "--improvements 0", "--improvements 2")):
        check_improvements(MrCNN(tiny()), 2, "a.pth")


def test_a_file_of_mrcnn_is_what_it_was_before_there_were_two(tmp_path):
    """So that older versions read it."""
    path = save_checkpoint(MrCNN(tiny()), tmp_path / "a.pth")
    header = torch.load(path, weights_only=True)._metadata[""]["mrsal"]
    assert header.keys() == {"version", "config", "about"} and header["version"] == 1


@pytest.mark.parametrize("former", FORMER_NAMES)
def test_a_former_name_leads_to_the_same_network(former):
    assert checkpoint_path(former) == checkpoint_path("mrcnn") == WEIGHTS / "mrcnn.safetensors"
    assert shipped_name(former) == "mrcnn" and everywhere(former) == former
    assert open_model(former, device="cpu").calibration == open_model("mrcnn", device="cpu").calibration is not None


def test_training_weights_of_the_improved_network_keep_their_dropout(network, tmp_path):
    config = replace(CONFIG, dropout=0.4)
    again, _ = load_checkpoint(save_checkpoint(tiny_improved(config=config), tmp_path / "a.pth"))
    assert again.readout.dropout.p == 0.4
