"""Exported networks give the maps of PyTorch for images of any size, and their files describe themselves."""

import json

import numpy as np
import pytest
import torch
from messages import naming
from PIL import Image
from tiny_network import WIDTHS, tiny

from mrsal import load_model
from mrsal.errors import DataError, InputError
from mrsal.images import resize
from mrsal.inference.onnx_export import ScaledImageNetwork, export_model, export_onnx
from mrsal.inference.onnx_predictor import OnnxPredictor
from mrsal.inference.predictor import Predictor
from mrsal.model.dense import grid_logits
from mrsal.model.grid import Grid
from mrsal.model.network import MrCNN
from mrsal.model.pyramid import SCALES, Pyramid

RNG = np.random.default_rng(0)
VARIANTS = [{"variant": "blur"}, {"variant": "historical-blur"}, {"shared_streams": True, "mean": (0.5, 0.4, 0.3)}]


def noise(shape):
    return RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)


def network(**config):
    """Weights as they start, with an output scaled so that maps of noise run from near 0 to near 1."""
    torch.manual_seed(0)
    made = MrCNN(tiny(**config)).eval()
    levels = [level[None] for level in Pyramid.from_image(noise((60, 80))).tensors()]
    deviation, mean = torch.std_mean(grid_logits(made, levels, Grid.cells((60, 80)), mode="fast"))
    made.output.weight.data *= 2 / deviation
    made.output.bias.data -= 2 * mean / deviation
    return made


@pytest.mark.parametrize("config", [{}, *VARIANTS], ids=str)
def test_the_module_that_is_exported_is_the_fast_mode_for_every_variant(config):
    made, image = network(**config), noise((70, 90))
    expected = Predictor(made, device="cpu", precision="fp32", mode="fast")(image)
    both = [torch.tensor(np.stack([level, level[::-1]])) for level in Pyramid.from_image(image).levels]
    with torch.inference_mode():
        maps = ScaledImageNetwork(made)(*both, torch.tensor([70, 90]))
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(maps[0].numpy(), expected, atol=1e-5)
    assert np.abs(maps[1].numpy() - expected).max() > 0.01


def test_the_file_gives_the_maps_of_torch_for_images_of_any_size(exported):
    ours, theirs = (
        load_model("mrcnn", device="cpu", precision="fp32", mode="fast"),
        OnnxPredictor(exported, device="cpu"),
    )
    photograph = noise((12, 16)).repeat(20, axis=0).repeat(20, axis=1)
    for image in (photograph, photograph[:, :100], noise((1, 7)), noise((901, 333))):
        expected = ours(image)
        assert expected.shape == image.shape[:2]
        np.testing.assert_allclose(theirs(image), expected, atol=1e-5)


def test_the_file_describes_itself_and_not_the_machine_it_was_made_on(exported):
    import onnx

    model = onnx.load(exported)
    onnx.checker.check_model(model)
    (header,) = (json.loads(entry.value) for entry in model.metadata_props if entry.key == "mrsal")
    expected = load_model("mrcnn", device="cpu").network.config.to_dict()
    assert header["config"] == json.loads(json.dumps(expected))
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    scaled = {f"image_{side}": ["batch", side, side, 3] for side in SCALES}
    assert shapes == {**scaled, "size": [2], "map": ["batch", "height", "width"]}
    assert b".py" not in exported.read_bytes()


@pytest.mark.slow
def test_the_blur_variant_exports_a_batch(tmp_path):
    pytest.importorskip("onnxscript")
    made = network(variant="blur")
    assert export_onnx(made, tmp_path / "blur.onnx") < 1e-5
    predictor = OnnxPredictor(tmp_path / "blur.onnx", device="cpu")
    assert predictor.config["variant"] == "blur"
    assert (predictor.config["channels"], predictor.config["hidden"]) == (list(WIDTHS["channels"]), WIDTHS["hidden"])
    images = [noise((40, 50)) for _ in range(3)]
    assert np.ptp(predictor(images[1])) > 0.5
    scaled = {f"image_{side}": np.stack([resize(image, side, side) for image in images]) for side in SCALES}
    (maps,) = predictor._session.run(["map"], scaled | {"size": np.array([40, 50])})
    assert maps.shape == (3, 40, 50)
    np.testing.assert_allclose(maps[1], predictor(images[1]), atol=1e-6)


def test_a_file_that_differs_is_not_written(exported, tmp_path, monkeypatch):
    """As with an exporter or a runtime that is wrong; here the file holds another network."""
    import onnx

    class Program:
        model_proto = onnx.load(exported)

    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Program())
    with pytest.raises(DataError, match=naming("other.onnx", "onnxruntime", "mrsal doctor")):
        export_onnx(network(), tmp_path / "other.onnx")
    assert list(tmp_path.iterdir()) == []


def test_safetensors_hold_the_same_network(tmp_path):
    assert export_model("mrcnn", tmp_path / "mine.safetensors") == 0
    ours, theirs = load_model("mrcnn"), load_model(tmp_path / "mine.safetensors")
    assert ours.network.config == theirs.network.config
    for name, value in ours.network.state_dict().items():
        assert torch.equal(value, theirs.network.state_dict()[name])


@pytest.mark.parametrize("out", ["a.pth", "mine", "a.onnx.gz", ".onnx"])
def test_the_suffix_says_what_to_write_and_others_are_refused(tmp_path, out):
    with pytest.raises(InputError, match=naming(".onnx", ".safetensors", out)):
        export_model("mrcnn", tmp_path / out)


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[onnx\]'"):
        export_model("mrcnn", tmp_path / "a.onnx")


def test_resizing_does_not_depend_on_the_version_of_pillow():
    """First in width, then in height, rounded in between: newer versions of Pillow may choose the other order."""
    image = noise((300, 200))
    across = Image.fromarray(image).resize((150, 300), Image.Resampling.BICUBIC)
    expected = np.asarray(across.resize((150, 150), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(resize(image, 150, 150), expected)
