"""Toronto in the authors' layout."""

import numpy as np
import pytest
from matlab_files import FORMATS, cell, write_mat
from messages import naming
from published_files import map_of, write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError

FOLDER = "eyetrackingdata/fixdens"
POINTS = {1: [(0, 0), (63, 47)], 2: [(5, 9)], 10: [(20, 3), (7, 30), (40, 40)]}


def write_toronto(root, *, numbers=(1, 2, 10), format="old"):
    write_images(root / FOLDER / "Original Image Set", [f"{number}.jpg" for number in numbers])
    maps = [map_of(POINTS.get(number, [(1, 1)])) for number in range(1, 13)]
    write_mat(root / FOLDER / "origfixdata.mat", format=format, white=cell(maps))
    return root


@pytest.mark.parametrize("format", FORMATS)
def test_a_pixel_that_is_not_zero_is_a_fixation(tmp_path, format):
    data = load("toronto", write_toronto(tmp_path, format=format))
    assert [stimulus.name for stimulus in data.stimuli] == ["1.jpg", "2.jpg", "10.jpg"]  # 10 is not before 2
    for n, number in enumerate((1, 2, 10)):
        found = data.fixations_of(n)
        assert sorted(zip(found.x.tolist(), found.y.tolist(), strict=True)) == sorted(POINTS[number])
    assert set(data.fixations.subject.tolist()) == {0}
    assert np.isnan(data.fixations.duration).all()
    assert len(data.without_first_fixations().fixations) == len(data.fixations)  # it is not known which are first
    assert data.info.title == "Toronto" and data.pixels_per_degree == 32
    assert sorted(np.concatenate(list(data.splits.values()))) == [0, 1, 2]


def test_a_folder_may_be_left_out_and_a_degree_given(tmp_path):
    root = write_toronto(tmp_path) / FOLDER
    (root / "pixels_per_degree.txt").write_text("22")
    assert load("toronto", root).pixels_per_degree == 22
    assert len(load("toronto", root.parent)) == 3


def test_stimuli_that_nobody_viewed_are_left_out_with_a_word(tmp_path, caplog):
    write_toronto(tmp_path, numbers=(1, 2, 3, 10))
    maps = [map_of(POINTS.get(number, [])) for number in range(1, 11)]
    write_mat(tmp_path / FOLDER / "origfixdata.mat", white=cell(maps))
    with caplog.at_level("INFO", "mrsal"):
        data = load("toronto", tmp_path)
    assert [stimulus.name for stimulus in data.stimuli] == ["1.jpg", "2.jpg", "10.jpg"]
    assert data.fixations.n.tolist() == [0, 0, 1, 2, 2, 2]
    assert "1 of 4 stimuli" in caplog.text


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(FileError, match="Original Image Set"):
        load("toronto", tmp_path / "..")
    root = write_toronto(tmp_path)
    write_images(root / FOLDER / "Original Image Set", ["2.jpg"], size=(60, 48))
    with pytest.raises(DataError, match=naming("2.jpg", "(48, 60)", "(48, 64)")):
        load("toronto", root)
    write_images(root / FOLDER / "Original Image Set", ["2.jpg", "13.jpg"])
    with pytest.raises(DataError, match=naming("12.jpg", "13.jpg")):
        load("toronto", root)
