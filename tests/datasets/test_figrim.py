"""FIGRIM in the authors' layout."""

import numpy as np
import pytest
from matlab_files import FORMATS, struct, struct_array, write_mat
from messages import naming
from published_files import write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError

EMPTY = np.zeros((0, 0))
TARGETS = ["airport_terminal/sun_a.jpg", "badlands/sun_b.jpg"]
FILLERS = ["tower/sun_c.jpg"]


def viewing(*first, later=()):
    """The data of an observer: rows of x, y in the first viewing and in the repetition."""
    rows = struct(enc=np.array(first, float), rec=np.array(later, float) if later else EMPTY, rec2=EMPTY)
    return {"trial": 1.0, "fixations": rows, "SDT": np.array([[4.0, 1.0, np.nan]])}


UNSEEN = {"trial": EMPTY, "fixations": EMPTY, "SDT": EMPTY}


def write_part(root, part, names, file, *, format="old"):
    write_images(root / part, names)
    records = []
    for name in names:
        category, filename = name.split("/")
        rows = [(1, 1), (10.4, 20.6), (64.4, 48.4), (64.6, 5), (0.4, 5)]
        users = struct_array([UNSEEN, viewing(*rows, later=[(5, 5), (6, 6)]), viewing((30, 30))])
        records.append({"filename": filename, "category": category, "impath": f"{part}/{name}", "userdata": users})
    write_mat(root / file, format=format, allImages=struct_array(records))
    return root


@pytest.mark.parametrize("format", FORMATS)
def test_the_first_viewing_of_targets_and_fillers(tmp_path, format, caplog):
    write_part(tmp_path, "Targets", TARGETS, "allImages_release.mat", format=format)
    write_part(tmp_path, "Fillers", FILLERS, "allImages_fillers.mat", format=format)
    with caplog.at_level("INFO", "mrsal"):
        data = load("figrim", tmp_path)
    assert [s.name for s in data.stimuli] == [f"Targets/{name}" for name in TARGETS] + [f"Fillers/{FILLERS[0]}"]
    for n in range(3):
        found = data.fixations_of(n)
        # the authors' compMapsLocsForImage.m rounds to the pixels (1, 1), (10, 21), (64, 48), from 1; the others are outside
        assert np.floor(found.x).tolist() == [0, 9, 63, 29]
        assert np.floor(found.y).tolist() == [0, 20, 47, 29]
        assert found.subject.tolist() == [1, 1, 1, 2]
        assert found.order.tolist() == [0, 1, 2, 0]
    assert "6 fixations from the repetitions" in caplog.text and "6 of 18 fixations" in caplog.text


def test_one_part_is_enough_and_none_is_not(tmp_path):
    with pytest.raises(FileError, match=naming("Targets", "Fillers")):
        load("figrim", tmp_path)
    assert len(load("figrim", write_part(tmp_path, "Targets", TARGETS, "allImages_release.mat"))) == 2


def test_what_does_not_fit_is_refused(tmp_path):
    write_part(tmp_path, "Targets", TARGETS, "allImages_release.mat")
    (tmp_path / "Targets" / TARGETS[1]).unlink()
    with pytest.raises(FileError, match=r"sun_b\.jpg"):
        load("figrim", tmp_path)
    table = write_mat(tmp_path / "allImages_release.mat", allImages=struct_array([{"filename": "a.jpg"}]))
    with pytest.raises(DataError, match=naming(table, "category")):
        load("figrim", tmp_path)
