"""Shared fixtures: a tiny data set made on the spot, its two archives, and the real data where they are at hand."""

import os
from functools import partial
from pathlib import Path

import pytest
from tiny_data import write_folder

from mrsal import archive, native
from mrsal.datasets import FixationDataset, load
from mrsal.export import export_model
from mrsal.patches import sample_locations


@pytest.fixture
def folder_root(tmp_path: Path) -> Path:
    """A folder data set that a test may change."""
    return write_folder(tmp_path / "own")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> FixationDataset:
    """Ten small stimuli with twelve fixations each: 8 for training, 1 for validation, 1 for testing. Not to be changed."""
    return load("folder", write_folder(tmp_path_factory.mktemp("data") / "own"))


@pytest.fixture(scope="session")
def pth_folder(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The historical files of ``dataset``. Not to be changed."""
    return archive.write_pth(dataset, tmp_path_factory.mktemp("data") / "pth")


@pytest.fixture(scope="session")
def few_samples(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``pth_folder``, with a tenth of the training samples. Not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "sample_locations", partial(sample_locations, fixated=1, unfixated=2))
        return archive.write_pth(dataset, tmp_path_factory.mktemp("data") / "few")


@pytest.fixture(scope="session")
def native_folder(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native archive of ``dataset``. Not to be changed."""
    return native.write_native(dataset, tmp_path_factory.mktemp("data") / "native")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network that ships, as ONNX. Not to be changed."""
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("exported") / "mrcnn-osie.onnx"
    export_model("mrcnn-osie", path)
    return path


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the published data sets: ``MRSAL_DATA``, or ``../shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("MRSAL_DATA") or beside)
    if not root.is_dir():
        pytest.skip(f"needs the published data sets: none at {root}; set MRSAL_DATA to their folder")
    return root
