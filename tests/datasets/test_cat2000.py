"""CAT2000's training part in the authors' layout."""

import numpy as np
import pytest
from matlab_files import FORMATS, cell, struct, write_map, write_mat
from messages import naming
from published_files import map_of, write_images

from mrsal.datasets import load
from mrsal.errors import DataError, FileError

NAMES = ["Action/001.jpg", "Action/002.jpg", "Art/001.jpg"]


def trial(name, *rows):
    return struct(name=name, data=np.array(rows, float).reshape(-1, 3)[:, :2])


def fixations_of(name):
    rows = [(10, 20, 1), (10, 20, 1), (1, 1, 1), (64, 48, 1), (10, 20, 1), (65, 2, 1), (0, 5, 1), (10, 20, 1)]
    return cell([trial(f"24-{NAMES.index(name)}-ak.eye", *rows), trial("2-7-bb.eye", (5, 6, 1)), trial("3-7-cc.eye")])


@pytest.fixture
def root(tmp_path):
    write_images(tmp_path / "trainSet/Stimuli", [*NAMES, "Action/Output/001_SaliencyMap.jpg"])
    return tmp_path


@pytest.mark.parametrize("format", FORMATS)
def test_observers_come_from_the_map_of_all_fixations(root, format, caplog):
    content = {name: fixations_of(name) for name in reversed(NAMES)}
    write_map(root / "trainSet/allFixData.mat", "allData", content, format=format)
    with caplog.at_level("INFO", "mrsal"):
        data = load("cat2000", root)
    assert [stimulus.name for stimulus in data.stimuli] == NAMES  # and not the map in the folder Output
    for n in range(3):
        found = data.fixations_of(n)
        # from 1 to 0; what repeats its predecessor is left out, also behind points outside; what comes back is not
        assert found.x.tolist() == [9, 0, 63, 9, 4]
        assert found.y.tolist() == [19, 0, 47, 19, 5]
        assert found.order.tolist() == [0, 2, 3, 4, 0]
        assert found.subject.tolist() == [0, 0, 0, 0, 1]
    assert "6 fixations that repeat" in caplog.text and "6 of 21 fixations" in caplog.text


@pytest.mark.parametrize("format", FORMATS)
def test_without_it_the_locations_of_all_observers_are_used(root, format, caplog):
    for i, name in enumerate(NAMES):
        path = (root / "trainSet/FIXATIONLOCS" / name).with_suffix(".mat")
        write_mat(path, format=format, fixLocs=map_of([(i, 3), (63, 47)]) > 0)
    with caplog.at_level("INFO", "mrsal"):
        data = load("cat2000", root / "trainSet")
    for n in range(3):
        found = data.fixations_of(n)
        assert sorted(zip(found.x, found.y, strict=True)) == [(n, 3), (63, 47)]
    assert set(data.fixations.subject.tolist()) == {0}
    assert len(data.without_first_fixations().fixations) == 6
    assert "observers are not known" in caplog.text


def test_unsigned_numbers_do_not_wrap_around(root):
    data = np.array([[0, 5], [1, 1], [10, 20]], np.uint16)
    write_map(
        root / "trainSet/allFixData.mat", "allData", dict.fromkeys(NAMES, cell([struct(name="1-2-ak.eye", data=data)]))
    )
    assert load("cat2000", root).fixations_of(0).x.tolist() == [0, 9]


def test_every_category_is_in_every_part(tmp_path):
    names = [f"{category}/{number:03d}.jpg" for category in ("Art", "Noisy") for number in range(1, 21)]
    write_images(tmp_path / "Stimuli", names)
    for name in names:
        write_mat((tmp_path / "FIXATIONLOCS" / name).with_suffix(".mat"), fixLocs=map_of([(1, 1)]))
    data = load("cat2000", tmp_path)
    assert [data.stimuli[i].name for i in data.split("test")] == [
        f"{c}/{n}.jpg" for c in ("Art", "Noisy") for n in ("001", "011")
    ]
    assert data.split("val").tolist() == [1, 11, 21, 31]
    assert sorted(np.concatenate(list(data.splits.values()))) == list(range(40))


def test_what_does_not_fit_is_refused(root):
    with pytest.raises(FileError, match=naming("001.mat")):
        load("cat2000", root)
    locations = root / "trainSet/FIXATIONLOCS/Action/001.mat"
    write_mat(locations, fixLocs=map_of([(1, 1)], size=(9, 8)))
    with pytest.raises(DataError, match=naming(locations, "(8, 9)", "(48, 64)")):
        load("cat2000", root)
    table = root / "trainSet/allFixData.mat"
    write_map(table, "allData", {name: fixations_of(name) for name in NAMES[:2]})
    with pytest.raises(DataError, match=naming(table, "Art/001.jpg")):
        load("cat2000", root)
    write_map(table, "allData", dict.fromkeys(NAMES, cell([struct(other="a")])))
    with pytest.raises(DataError, match=naming(table)):
        load("cat2000", root)
    write_mat(table, allData=1.0)
    with pytest.raises(DataError, match=naming(table)):
        load("cat2000", root)


def test_cat2000_needs_its_stimuli(tmp_path):
    with pytest.raises(FileError, match="Stimuli"):
        load("cat2000", tmp_path)
    (tmp_path / "Stimuli").mkdir()
    with pytest.raises(FileError, match="Stimuli"):
        load("cat2000", tmp_path)
