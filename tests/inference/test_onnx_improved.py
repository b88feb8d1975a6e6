"""The improved network as ONNX: the same maps for images of any size, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from messages import naming
from PIL import Image
from tiny_improved import CONFIG, tiny_improved

from mrsal.errors import DataError, InputError
from mrsal.inference import open_model
from mrsal.inference.density_predictor import DensityPredictor
from mrsal.inference.onnx_export import TOLERANCE, export_model, export_onnx
from mrsal.inference.onnx_predictor import OnnxPredictor
from mrsal.model.checkpoint import save_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network():
    """Not to be changed."""
    return tiny_improved()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    """The network as ONNX. Not to be changed."""
    pytest.importorskip("onnxscript", reason="needs pip install 'mrsal[onnx]'")
    folder = tmp_path_factory.mktemp("improved")
    out = folder / "improved.onnx"
    assert export_model(save_checkpoint(network, folder / "improved.pth"), out) <= TOLERANCE
    return out


@pytest.mark.parametrize("shape", [(60, 80), (80, 60), (600, 450), (33, 301), (9, 500), (1, 1), (128, 128)])
def test_maps_are_those_of_torch_for_images_of_any_size(network, file, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours, theirs = DensityPredictor(network, device="cpu", precision="fp32"), OnnxPredictor(file, device="cpu")
    expected, found = ours.predict(image), theirs.predict(image)
    assert found.values.dtype == np.float32
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
    np.testing.assert_allclose(found.log_density, expected.log_density, atol=1e-4)
    np.testing.assert_allclose(found.density, expected.density, rtol=1e-3)


@pytest.mark.parametrize("shape", [(700, 80), (70, 500)])
def test_windows_are_those_of_torch(network, file, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2, : shape[1] // 2] //= 8
    ours, theirs = DensityPredictor(network, device="cpu", precision="fp32"), OnnxPredictor(file, device="cpu")
    expected, found = ours.predict(image), theirs.predict(image)
    assert found.windows == expected.windows > 5
    np.testing.assert_allclose(found.values, expected.values, atol=1e-4)
    np.testing.assert_allclose(found.log_density, expected.log_density, atol=2e-4)


def test_it_is_opened_as_any_model_and_knows_what_it_is(file):
    opened = open_model(str(file), device="cpu", mode="fast")
    assert opened.gives_density and opened.modes == () and opened.mode == ""
    assert opened.config == json.loads(json.dumps(CONFIG.to_dict()))
    assert opened.about() == {"mode": "exported"}
    with pytest.raises(InputError, match=naming("quick")):
        opened.with_mode("quick")


def test_predicting_needs_no_torch(file, tmp_path):
    Image.new("RGB", (60, 40), "grey").save(tmp_path / "a.png")
    code = (
        "import sys; from mrsal.inference import OnnxPredictor\n"
        f"print(OnnxPredictor({str(file)!r}, device='cpu').predict({str(tmp_path / 'a.png')!r}).values.shape)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["(40, 60)", "False"]


def test_a_file_of_an_architecture_that_is_not_known_is_refused(file, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(file)
    onnx.helper.set_model_props(model, {"mrsal": json.dumps({"version": 3, "architecture": "Other", "config": {}})})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match=naming("other.onnx", "Other")):
        OnnxPredictor(tmp_path / "other.onnx")


def test_a_graph_that_computes_something_else_is_not_written(network, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript", reason="needs pip install 'mrsal[onnx]'")
    through = OnnxPredictor.predict_prepared

    def wrong(self, images):
        maps = through(self, images)
        for map_ in maps:
            map_.values = map_.values + 1e-3
        return maps

    monkeypatch.setattr(OnnxPredictor, "predict_prepared", wrong)
    with pytest.raises(DataError, match=naming("out.onnx")):
        export_onnx(network, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()
