"""Prediction with onnxruntime has the interface of a predictor, needs no torch, and explains what is wrong with a file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from messages import naming
from PIL import Image

import mrsal
from mrsal import load_model
from mrsal.errors import DataError, FileError, InputError
from mrsal.inference.any_model import open_model
from mrsal.inference.onnx_predictor import OnnxPredictor

SOURCE = Path(mrsal.__file__).parents[1]
RNG = np.random.default_rng(0)

# as on a machine without torch, where importing it raises an ImportError
WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "lightning_fabric", "onnx", "onnxscript"):
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Refuse())
sys.argv[0] = "mrsal"
from mrsal.cli import main
main()
"""


@pytest.fixture(scope="module")
def predictor(exported):
    return OnnxPredictor(exported, device="cpu")


def test_predict_runs_without_torch_and_gives_its_maps(exported, tmp_path):
    for name, size in (("wide", (90, 61)), ("high", (40, 77))):
        Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    arguments = [
        "predict",
        "wide.png",
        "high.png",
        "gone.png",
        "--out",
        "maps",
        "--format",
        "npy",
        "--format",
        "overlay",
    ]
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *arguments, "--model", str(exported)]
    done = subprocess.run(
        [*command, "--runtime", "onnx", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE), "MPLCONFIGDIR": str(tmp_path / "matplotlib")},
    )
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert (result["done"], result["failed"]) == (2, 1)
    torchs = load_model("mrcnn", device="cpu", precision="fp32", mode="fast")
    for name in ("wide", "high"):
        found = np.load(tmp_path / result["results"][f"{name}.png"]["npy"])
        expected = torchs(tmp_path / f"{name}.png")
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert (tmp_path / "maps" / f"{name}_overlay.jpg").is_file()


def test_it_has_the_interface_of_a_predictor(predictor):
    image = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    map_ = predictor.with_mode("fast").predict(image)
    assert map_.values.shape == (30, 40) and map_.density.sum() == pytest.approx(1)
    np.testing.assert_array_equal(predictor(Image.fromarray(image)), map_.values)
    first, second = predictor.predict_many(iter([image, image[:10]]))
    np.testing.assert_array_equal(first.values, map_.values)
    assert second.values.shape == (10, 40)
    assert predictor.config["variant"] == "base"


@pytest.mark.parametrize("mode", ["exact", "crops"])
def test_other_modes_are_refused(predictor, exported, mode):
    with pytest.raises(InputError, match=naming("fast", mode)):
        predictor.with_mode(mode)
    with pytest.raises(InputError, match=naming("fast", mode)):
        OnnxPredictor(exported, mode=mode)
    with pytest.raises(InputError, match=naming("fast", mode)):
        open_model(str(exported), mode=mode)


def test_another_precision_is_refused(exported):
    open_model(str(exported), device="cpu", precision="fp32")
    with pytest.raises(InputError, match=naming("fp32", "bf16")):
        open_model(str(exported), device="cpu", precision="bf16")


def test_wrong_files_and_devices_are_named(exported, tmp_path):
    with pytest.raises(FileError, match=naming("mrcnn", "mrsal export")):
        OnnxPredictor("mrcnn")
    (tmp_path / "cut.onnx").write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(DataError, match=naming("cut.onnx")):
        OnnxPredictor(tmp_path / "cut.onnx")
    with pytest.raises(InputError, match=naming("auto", "cpu", "cuda", "tpu")):
        OnnxPredictor(exported, device="tpu")


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (None, "mrsal export"),
        ({"version": 99, "config": {}}, "pip install -U mrsal"),
        ({"version": 1, "config": {}}, "mrsal export MODEL other.onnx"),
    ],
)
def test_files_of_others_and_of_other_versions_are_refused(exported, tmp_path, header, named):
    import onnx

    model = onnx.load(exported)
    del model.metadata_props[:]
    if header:
        onnx.helper.set_model_props(model, {"mrsal": json.dumps(header)})
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(DataError, match=naming("other.onnx", named)):
        OnnxPredictor(tmp_path / "other.onnx")


def test_without_onnxruntime_the_error_says_how_to_get_it(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[onnx\]'"):
        OnnxPredictor(exported)
