"""The SUN scenes and EyeCrowd: the real data, and the authors' layouts on files made up here."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mrsal.datasets import NativeArchive, load, write_native
from mrsal.errors import DataError, FileError


@pytest.fixture(scope="module", params=["sun", "crowd"])
def published(request, data_root):
    if not (data_root / request.param).is_dir():
        pytest.skip(f"needs {request.param} at {data_root / request.param}")
    return load(request.param, data_root / request.param)


def test_every_picture_has_fixations(published):
    assert set(np.unique(published.fixations.n)) == set(range(400))


def test_every_eighth_picture_is_for_validation(published):
    numbers = np.array([int(stimulus.path.stem) for stimulus in published.stimuli])
    assert {name: len(members) for name, members in published.splits.items()} == {"train": 350, "val": 50, "test": 0}
    assert (numbers[published.split("val")] % 8 == 0).all()
    assert (numbers[published.split("train")] % 8 != 0).all()


def test_a_degree_is_that_of_the_screen(published):
    assert published.pixels_per_degree == {"sun": 0.035 * 256, "crowd": 13}[published.name]
    for i, stimulus in enumerate(published.stimuli):
        assert published.degree_of(i) == (0.035 * max(stimulus.shape) if published.name == "sun" else 13)


def test_an_archive_keeps_the_degree_of_each_picture(tmp_path):
    """The same fixations on a picture twice as large, which was shown as large, have a density that is twice as wide."""
    (tmp_path / "stimuli").mkdir()
    for name, size in (("1.png", (64, 48)), ("2.png", (128, 96))):
        Image.new("RGB", size).save(tmp_path / "stimuli" / name)
    table = "stimulus,subject,x,y\n1.png,a,30,20\n2.png,a,60,40\n"
    (tmp_path / "fixations.csv").write_text(table)
    small, large = NativeArchive(write_native(load("sun", tmp_path), tmp_path / "archive")).examples("train")
    assert (small.pixels_per_degree, large.pixels_per_degree) == (0.035 * 64, 0.035 * 128)
    assert large.ground_truth()[::2, ::2] * 4 == pytest.approx(small.ground_truth(), abs=2e-3)


def write_pictures(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (64, 48)).save(folder / name)


@pytest.mark.parametrize("layout", [("Original/stimuli", "Original/fix"), ("data/stimuli", "data/tidy")])
def test_sun_in_the_authors_layout(layout, tmp_path):
    write_pictures(tmp_path / layout[0], ["002.jpg", "003.jpg"])  # the first is missing
    cells = np.empty((3, 2), object)
    cells[0] = [np.array([[9.0, 9.0, 0.1, 0.2]]), np.zeros((0, 0))]
    cells[1] = [np.array([[10.5, 20.5, 0.1, 0.3], [11.5, 63.9, 0.6, 0.2]]), np.array([[1.0, 2.0, 0.0, 0.5]])]
    cells[2] = [np.zeros((0, 0)), np.array([[47.0, 5.0, 0.2, 0.25], [48.5, 5.0, 0.7, 0.25]])]
    (tmp_path / layout[1]).mkdir(parents=True)
    savemat(tmp_path / layout[1] / "fixations.mat", {"fixations": cells})
    found = load("sun", tmp_path).fixations
    assert found.x.tolist() == [20.5, 63.9, 2.0, 5.0]  # the last lies below its picture
    assert found.y.tolist() == [10.5, 11.5, 1.0, 47.0]
    assert found.n.tolist() == [0, 0, 0, 1]
    assert found.subject.tolist() == [0, 0, 1, 1]
    assert found.order.tolist() == [0, 1, 0, 0]
    assert found.duration.tolist() == [0.3, 0.2, 0.5, 0.25]


def test_crowd_in_the_authors_layout(tmp_path):
    write_pictures(tmp_path / "data" / "stimuli", ["007.jpg", "008.jpg"])
    trials = np.empty(2, object)
    trials[0] = {"fix_x": np.array([1.0, 32.0]), "fix_y": np.array([1.0, 24.0]), "fix_duration": np.array([200, 300])}
    trials[1] = {"fix_x": np.array([5.0]), "fix_y": np.array([6.0]), "fix_duration": np.array([400])}
    records = np.empty(2, object)
    records[:] = [{"img": "008.jpg", "subjects": trials}, {"img": "009.jpg", "subjects": trials}]
    (tmp_path / "data" / "eye").mkdir()
    savemat(tmp_path / "data" / "eye" / "fixations.mat", {"fixations": records})
    data = load("crowd", tmp_path)
    found = data.fixations
    assert found.x.tolist() == [0.0, 31.0, 4.0]
    assert found.y.tolist() == [0.0, 23.0, 5.0]
    assert found.n.tolist() == [1, 1, 1]
    assert found.subject.tolist() == [0, 0, 1]
    assert found.duration.tolist() == [0.2, 0.3, 0.4]
    assert data.pixels_per_degree == pytest.approx(13 * 64 / 512)  # smaller copies have smaller degrees
    assert data.split("val").tolist() == [1]


@pytest.mark.parametrize("name", ["sun", "crowd"])
def test_what_is_missing_or_damaged_is_named(name, tmp_path):
    with pytest.raises(FileError, match="stimuli"):
        load(name, tmp_path)
    write_pictures(tmp_path / "stimuli", [])
    with pytest.raises(FileError, match="no images"):
        load(name, tmp_path)
    Image.new("RGB", (64, 48)).save(tmp_path / "stimuli" / "101.jpg")
    with pytest.raises(FileError, match=r"fixations\.csv"):
        load(name, tmp_path)


@pytest.mark.parametrize(("name", "file"), [("sun", "data/tidy/fixations.mat"), ("crowd", "data/eye/fixations.mat")])
def test_a_damaged_table_is_refused(name, file, tmp_path):
    write_pictures(tmp_path / "data" / "stimuli", ["101.jpg"])
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_bytes(b"no mat file" * 99)
    with pytest.raises(DataError, match=r"fixations\.mat"):
        load(name, tmp_path)
