"""FIFA in the authors' layout."""

import numpy as np
import pytest
from matlab_files import FORMATS, cell, struct, write_mat
from messages import naming
from published_files import write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError

LISTED = ["0001.tif", "0106.tif", "0002.tif", "0113.tif", "0001.tif"]


def scan(*fixations):
    """A scan with fixations (x, y, ms)."""
    x, y, ms = (np.array(column, float).reshape(-1, 1) for column in zip(*fixations, strict=True))
    return struct(fix_x=x, fix_y=y, fix_duration=ms, scan_x=np.zeros((9, 1)))


def write_fifa(root, *, listed=LISTED, format="old", observers=2, images=LISTED):
    write_images(root / "faces", images)
    write_mat(root / "imgList.mat", format=format, imgList=cell(listed))
    scans = [scan((32, 24, 150), (s + i, 2 * i, 200 + i)) for s in range(observers) for i in range(5)]
    table = [struct(order=np.arange(5.0), scan=cell(scans[5 * s : 5 * s + 5])) for s in range(observers)]
    write_mat(root / "fixations.mat", format=format, sbj=cell(table))
    return root


@pytest.mark.parametrize("format", FORMATS)
def test_a_scan_belongs_to_an_entry_of_the_list(tmp_path, format):
    data = load("fifa", write_fifa(tmp_path, format=format))
    assert [stimulus.name for stimulus in data.stimuli] == ["0001.tif", "0106.tif", "0002.tif", "0113.tif"]
    third = data.fixations_of(2)
    assert third.x.tolist() == [32, 2, 32, 3]  # as in the file
    assert third.y.tolist() == [24, 4, 24, 4]
    assert third.subject.tolist() == [0, 0, 1, 1]
    assert third.order.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(third.duration, [0.15, 0.202, 0.15, 0.202])
    assert data.pixels_per_degree == pytest.approx(1024 / 28, abs=0.01)


def test_a_second_viewing_has_a_first_fixation_of_its_own(tmp_path):
    data = load("fifa", write_fifa(tmp_path))
    assert data.fixations_of(0).order.tolist() == [0, 1, 0, 1] * 2
    assert len(data.without_first_fixations().fixations_of(0)) == 4


def test_images_that_are_missing_are_left_out_with_a_word(tmp_path, caplog):
    with caplog.at_level("INFO", "mrsal"):
        data = load("fifa", write_fifa(tmp_path, images=["0001.tif", "0002.tif", "0113.tif", "0999.tif"]))
    assert [stimulus.name for stimulus in data.stimuli] == ["0001.tif", "0002.tif", "0113.tif"]
    assert data.fixations_of(1).x.tolist() == [32, 2, 32, 3]
    assert "1 of 4 stimuli" in caplog.text


def test_points_outside_are_left_out_with_a_word(tmp_path, caplog):
    write_fifa(tmp_path)
    scans = [scan((10, 10, 1), (64, 1, 1), (1, 48, 1), (-1, 1, 1), (np.nan, np.nan, 1), (63.9, 47.9, 1))] * 5
    write_mat(tmp_path / "fixations.mat", sbj=cell([struct(scan=cell(scans))]))
    with caplog.at_level("INFO", "mrsal"):
        data = load("fifa", tmp_path)
    assert data.fixations_of(1).x.tolist() == [10, 63.9]
    assert data.fixations_of(1).order.tolist() == [0, 5]  # the place in the trial, also where others are left out
    assert "20 of 30 fixations" in caplog.text


def test_other_layouts_are_refused(tmp_path):
    with pytest.raises(FileError, match="faces"):
        load("fifa", tmp_path)
    (tmp_path / "general.mat").write_bytes(b"")
    with pytest.raises(DataError, match=naming("general.mat", "imgList.mat")):
        load("fifa", tmp_path)
    write_fifa(tmp_path, listed=LISTED[:4])
    with pytest.raises(DataError, match=naming(4, 5, "imgList.mat")):
        load("fifa", tmp_path)
    write_fifa(tmp_path)
    write_mat(tmp_path / "fixations.mat", sbj=np.eye(2))
    with pytest.raises(DataError, match=r"fixations\.mat"):
        load("fifa", tmp_path)
    write_mat(tmp_path / "fixations.mat", sbj=cell([struct(scan=cell([struct(fix_x=1.0)] * 5))]))
    with pytest.raises(DataError, match=r"fixations\.mat"):
        load("fifa", tmp_path)
