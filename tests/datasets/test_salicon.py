"""SALICON in the authors' layout."""

import numpy as np
import pytest
from matlab_files import FORMATS, struct_array, write_mat
from messages import naming
from published_files import write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError


def write_part(root, part, stems, *, format="old"):
    write_images(root / "images" / part, [f"{stem}.jpg" for stem in stems])
    for i, stem in enumerate(stems):
        first, second = np.array([[1.0, 1.0], [i + 2, 48.0]]), np.array([[64.0, 3.0], [65.0, 3.0]])
        gaze = [
            {"location": np.ones((5, 2)), "timestamp": np.arange(5.0)[:, None], "fixations": positions}
            for positions in (first, np.zeros((0, 0)), second)
        ]
        write_mat(root / "fixations" / part / f"{stem}.mat", format=format, image=stem, gaze=struct_array(gaze))
    return root


@pytest.mark.parametrize("format", FORMATS)
def test_fixations_and_not_samples_of_both_parts(tmp_path, format, caplog):
    write_part(tmp_path, "train", ["COCO_train2014_000000000009", "COCO_train2014_000000000025"], format=format)
    write_part(tmp_path, "val", ["COCO_val2014_000000000042"], format=format)
    write_images(tmp_path / "images/test", ["COCO_test2014_000000000001.jpg"])
    with caplog.at_level("INFO", "mrsal"):
        data = load("salicon", tmp_path)
    assert len(data) == 3  # not the test image, whose fixations are not published
    assert {part: members.tolist() for part, members in data.splits.items()} == {
        "train": [0, 1],
        "val": [2],
        "test": [],
    }
    second = data.fixations_of(1)
    assert second.x.tolist() == [0, 2, 63]
    assert second.y.tolist() == [0, 47, 2]
    assert second.subject.tolist() == [0, 0, 2]
    assert second.order.tolist() == [0, 1, 0]
    assert "3 of 12 fixations" in caplog.text


def test_one_part_is_enough(tmp_path):
    data = load("salicon", write_part(tmp_path, "val", ["COCO_val2014_000000000042"]))
    assert [len(data.split(part)) for part in ("train", "val")] == [0, 1]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileError, match="fixations"):
        load("salicon", tmp_path)
    (tmp_path / "fixations").mkdir()
    with pytest.raises(FileError, match="images"):
        load("salicon", tmp_path)
    write_part(tmp_path, "train", ["a", "b"])
    (tmp_path / "fixations/train/b.mat").unlink()
    with pytest.raises(FileError, match=naming(1, 2, "b.mat")):
        load("salicon", tmp_path)
    write_mat(tmp_path / "fixations/train/b.mat", gaze=struct_array([{"location": np.ones((5, 2))}]))
    with pytest.raises(DataError, match=naming("b.mat")):
        load("salicon", tmp_path)
