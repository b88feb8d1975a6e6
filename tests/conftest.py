"""Shared fixtures: a tiny data set made on the spot, its two archives, what takes seconds to start, and the real data.

A test that asks for what takes seconds is marked slow. With several processes (``pytest -n 2``) each makes its own fixtures, so
the tests of a file stay on one of them (``--dist loadfile``).
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_network import WIDTHS

from mrsal import archive, model, native
from mrsal.datasets import FixationDataset, load
from mrsal.export import export_model

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

SLOW = {"exported", "ray_here", "browser", "data_root"}  # a test that asks for one of these fixtures takes seconds

if "PYTEST_XDIST_WORKER" in os.environ:  # each process has a core to itself, and so do those that it starts
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"

# height and width; odd, even, square, portrait and narrower than a crop
SIZES = [(61, 83), (90, 121), (83, 64), (50, 50), (47, 99), (120, 90), (75, 75), (41, 55), (99, 81), (64, 97)]
OBSERVERS, FIXATIONS, PIXELS_PER_DEGREE = 3, 4, 6.0


def write_folder(root: Path) -> Path:
    """``stimuli/s<i>.png``, ``fixations.csv`` and ``pixels_per_degree.txt`` under ``root``."""
    rng = np.random.default_rng(7)
    (root / "stimuli").mkdir(parents=True)
    rows = ["stimulus,subject,x,y,start_s,end_s"]
    for i, (height, width) in enumerate(SIZES):
        coarse = Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(root / "stimuli" / f"s{i}.png")
        for observer in range(OBSERVERS):
            for k in range(FIXATIONS):
                x, y = rng.uniform(0, width), rng.uniform(0, height)
                rows.append(f"s{i},o{observer},{x:.3f},{y:.3f},{k * 0.3:.2f},{k * 0.3 + 0.2:.2f}")
    (root / "fixations.csv").write_text("\n".join(rows) + "\n")
    (root / "pixels_per_degree.txt").write_text(f"{PIXELS_PER_DEGREE}\n")
    return root


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """No file can grow beyond ``limit`` bytes: what a full disk is to whoever writes."""
    resource = pytest.importorskip("resource", reason="limits the size of files as POSIX systems do")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Hostile:
    """Unpickling it creates a folder; a real one would do worse."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


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
    return archive.write_pth(dataset, tmp_path_factory.mktemp("data") / "pth")


@pytest.fixture(scope="session")
def native_folder(dataset: FixationDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native archive of ``dataset``. Not to be changed."""
    return native.write_native(dataset, tmp_path_factory.mktemp("data") / "native")


@pytest.fixture
def tiny_training() -> Iterator[None]:
    """What a command of this process trains is a tiny network; there is no option for that."""
    with pytest.MonkeyPatch.context() as patch:  # its own, since a test may undo what it changed
        patch.setattr(model, "ModelConfig", partial(model.ModelConfig, **WIDTHS))
        yield


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
