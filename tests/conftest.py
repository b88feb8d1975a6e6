"""Shared fixtures: a tiny data set made on the spot, its two archives, what takes seconds to start, and the real data.

A test that asks for what takes seconds is marked slow. With several processes (``pytest -n 2``) each makes its own fixtures, so
the tests of a file stay on one of them (``--dist loadfile``).
"""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from tiny_data import write_folder
from tiny_network import WIDTHS

from mrsal import cli, model
from mrsal.datasets import FixationDataset, load
from mrsal.datasets.archives import historical, native, sampling
from mrsal.inference.onnx_export import export_model

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

SLOW = {
    "exported",
    "ray_here",
    "browser",
    "data_root",
    "demo",
}  # a test that asks for one of these fixtures takes seconds

if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a core to itself, and so do those that it starts
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_itemcollected(item: pytest.Item) -> None:
    if SLOW & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


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
    return historical.write_pth(dataset, tmp_path_factory.mktemp("data") / "pth")


@pytest.fixture(scope="session")
def few_samples(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``pth_folder``, with a tenth of the training samples. Not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "sample_locations", partial(sampling.sample_locations, fixated=1, unfixated=2))
        return historical.write_pth(dataset, tmp_path_factory.mktemp("data") / "few")


@pytest.fixture(scope="session")
def native_folder(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native archive of ``dataset``. Not to be changed."""
    return native.write_native(dataset, tmp_path_factory.mktemp("data") / "native")


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a file, JSON or text as it is, and return its path."""

    def write(content: object, name: str = "boxes.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def tiny_training() -> Iterator[None]:
    """What a command of this process trains is a tiny network; there is no option for that."""
    with pytest.MonkeyPatch.context() as patch:  # its own, since a test may undo what it changed
        patch.setattr(model, "ModelConfig", partial(model.ModelConfig, **WIDTHS))
        yield


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_training: None
) -> Callable[..., tuple[int, str, str]]:
    """Run ``mrsal`` with arguments in a folder of its own; returns exit status, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run_(*arguments: object, entry: Callable[[], None] = cli.main) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mrsal", *map(str, arguments)])
        try:
            entry()
            status = 0
        except SystemExit as leaving:
            status = leaving.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run_


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network that ships, as ONNX. Not to be changed."""
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("exported") / "mrcnn.onnx"
    export_model("mrcnn", path)
    return path


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the published data sets: ``MRSAL_DATA``, or ``../shared/data`` beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("MRSAL_DATA") or beside)
    if not root.is_dir():
        pytest.skip(f"needs the published data sets: none at {root}; set MRSAL_DATA to their folder")
    return root


@pytest.fixture(scope="session")
def ray_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workers of ``ray_here`` find modules."""
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="session")
def ray_here(ray_modules: Path) -> Iterator[None]:
    """Ray on this machine for all tests, as small as it gets."""
    ray = pytest.importorskip("ray", reason="pip install 'ray[data]'")
    with pytest.MonkeyPatch.context() as patch:  # of what Ray starts, which has it from here
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        patch.setenv("PYTHONPATH", str(ray_modules), prepend=os.pathsep)
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=200 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless browser for all tests, through Playwright."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="drives the browser")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
