"""Data sets as their authors publish them, and one's own."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from messages import naming
from PIL import Image
from scipy.io import loadmat, savemat
from tiny_data import FIXATIONS, OBSERVERS, PIXELS_PER_DEGREE, SIZES

from mrsal.datasets import LOADERS, Stimulus, load
from mrsal.datasets.dataset import keep_inside, random_split
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError, InputError


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# one's own folder


def test_a_folder_is_loaded_as_it_is_written(dataset):
    assert dataset.name == "own"
    assert [stimulus.name for stimulus in dataset.stimuli] == [f"s{i}.png" for i in range(len(SIZES))]
    assert [stimulus.shape for stimulus in dataset.stimuli] == SIZES
    assert [stimulus.read().shape[:2] for stimulus in dataset.stimuli] == SIZES
    assert dataset.pixels_per_degree == PIXELS_PER_DEGREE
    assert len(dataset.fixations) == len(SIZES) * OBSERVERS * FIXATIONS
    assert set(Counter(dataset.fixations.n.tolist()).values()) == {OBSERVERS * FIXATIONS}
    np.testing.assert_allclose(dataset.fixations.duration, 0.2)
    for i, (height, width) in enumerate(SIZES):
        assert dataset.fixations_of(i).inside(height, width).all()


def test_a_folder_is_split_in_tenths_without_overlap(dataset):
    sizes = {name: len(members) for name, members in dataset.splits.items()}
    assert sizes == {"train": 8, "val": 1, "test": 1}
    assert sorted(np.concatenate(list(dataset.splits.values()))) == list(range(10))
    assert dataset.split("all").tolist() == list(range(10))


def test_an_unknown_split_is_refused_with_those_there_are(dataset):
    with pytest.raises(InputError, match=naming("dev", "train", "val", "test", "all")):
        dataset.split("dev")


def test_the_first_fixation_of_each_trial_can_be_left_out(dataset):
    rest = dataset.without_first_fixations()
    assert len(rest.fixations) == len(SIZES) * OBSERVERS * (FIXATIONS - 1)
    assert rest.fixations.order.min() == 1
    assert len(dataset.fixations) == len(SIZES) * OBSERVERS * FIXATIONS


def test_density_of_a_stimulus_peaks_among_its_fixations(dataset):
    map_ = dataset.density(3)
    assert map_.shape == SIZES[3]
    assert map_.sum() == pytest.approx(1)
    y, x = np.unravel_index(map_.argmax(), map_.shape)
    points = dataset.fixations_of(3)
    assert np.hypot(points.x - x, points.y - y).min() < 2 * PIXELS_PER_DEGREE


def test_a_stimulus_without_fixations_has_no_density(folder_root):
    rows = (folder_root / "fixations.csv").read_text().splitlines()
    table(folder_root / "fixations.csv", "\n".join(row for row in rows if not row.startswith("s4,")))
    with pytest.raises(DataError, match=r"s4\.png"):
        load("folder", folder_root).density(4)


def test_fixations_outside_their_stimulus_are_dropped(folder_root):
    height, width = SIZES[0]
    before = len(load("folder", folder_root).fixations)
    with (folder_root / "fixations.csv").open("a") as file:
        file.write(f"s0,o0,{width},1,,\ns0,o0,1,{height},,\ns0,o0,-0.5,1,,\ns0,o0,nan,1,,\ns0,o0,0,0,,\n")
    assert len(load("folder", folder_root).fixations) == before + 1


def test_a_folder_without_a_note_has_35_pixels_per_degree(folder_root):
    (folder_root / "pixels_per_degree.txt").unlink()
    assert load("folder", folder_root).pixels_per_degree == 35


@pytest.mark.parametrize("note", ["many", "", "-3", "0", "nan", "inf", "1e999", "3;5"])
def test_a_wrong_note_of_pixels_per_degree_is_refused(note, folder_root):
    table(folder_root / "pixels_per_degree.txt", note)
    with pytest.raises((DataError, InputError)):
        load("folder", folder_root)


@pytest.mark.parametrize("content", ["\ufeff38.5\r\n".encode(), "38.5".encode("utf-16"), b" 38,5\n"])
def test_a_note_of_pixels_per_degree_as_editors_write_it(content, folder_root):
    (folder_root / "pixels_per_degree.txt").write_bytes(content)
    assert load("folder", folder_root).pixels_per_degree == 38.5


def test_a_folder_that_lacks_its_parts_is_refused(folder_root, tmp_path):
    (folder_root / "fixations.csv").rename(folder_root / "elsewhere.csv")
    with pytest.raises(FileError, match=r"fixations\.csv"):
        load("folder", folder_root)
    with pytest.raises(FileError, match=naming(tmp_path / "stimuli")):
        load("folder", tmp_path)
    (tmp_path / "stimuli").mkdir()
    with pytest.raises(FileError, match=naming(tmp_path / "stimuli")):
        load("folder", tmp_path)


def test_stimuli_that_differ_only_in_their_ending_are_refused(folder_root):
    Image.new("RGB", (9, 9)).save(folder_root / "stimuli" / "s0.jpg")
    with pytest.raises(DataError, match=rf"{re.escape(str(folder_root / 'stimuli'))}(?![/\\\w])"):
        load("folder", folder_root)


def test_a_broken_stimulus_is_named(folder_root):
    (folder_root / "stimuli" / "s2.png").write_bytes(b"oops")
    with pytest.raises(DataError, match=r"s2\.png"):
        load("folder", folder_root)


def test_load_knows_names_whatever_their_capitals(folder_root):
    assert len(load("Folder", str(folder_root))) == len(SIZES)
    with pytest.raises(InputError, match=naming("imagenet", *LOADERS)):
        load("imagenet", folder_root)
    with pytest.raises(FileError, match=naming(folder_root / "nowhere", "osie")):
        load("osie", folder_root / "nowhere")


def test_random_split_is_seeded_and_covers_all():
    split, again, other = (random_split(1003, val=100, test=100, seed=seed) for seed in (3, 3, 4))
    assert {name: len(members) for name, members in split.items()} == {"train": 803, "val": 100, "test": 100}
    assert sorted(np.concatenate(list(split.values()))) == list(range(1003))
    assert all((split[name] == again[name]).all() for name in split)
    assert (split["test"] != other["test"]).any()


# what all loaders share


def test_keep_inside_goes_by_the_size_of_each_stimulus():
    stimuli = [Stimulus("wide", Path("wide"), (10, 100)), Stimulus("tall", Path("tall"), (100, 10))]
    kept = keep_inside(Fixations.create([50, 50, 5, 5], [5, 5, 50, 50], n=[0, 1, 0, 1]), stimuli)
    assert kept.n.tolist() == [0, 1]
    assert len(keep_inside(Fixations.create([], []), stimuli)) == 0


# OSIE


@pytest.fixture(scope="module")
def osie(data_root):
    if not (data_root / "osie").is_dir():
        pytest.skip(f"needs OSIE at {data_root / 'osie'}")
    return load("osie", data_root / "osie")


def test_osie_fingerprint(osie):
    """Recipe: all ``fix_x``, ``fix_y`` of the authors' ``fixations.mat``, less 1; duration in seconds."""
    assert len(osie) == 700
    assert {stimulus.shape for stimulus in osie.stimuli} == {(600, 800)}
    assert (osie.stimuli[0].name, osie.stimuli[-1].name) == ("1001.jpg", "1700.jpg")
    assert osie.pixels_per_degree == 24
    fixations = osie.fixations
    assert len(fixations) == 98_321
    assert set(fixations.subject.tolist()) == set(range(15))
    assert fixations.x.mean() == pytest.approx(400.466025, abs=1e-6)
    assert fixations.y.mean() == pytest.approx(282.582935, abs=1e-6)
    assert fixations.x.std() == pytest.approx(171.276001, abs=1e-6)
    assert fixations.y.std() == pytest.approx(117.709433, abs=1e-6)
    assert fixations.duration.mean() == pytest.approx(0.214341, abs=1e-6)


def test_osie_split_goes_by_the_place_in_the_sorted_list(osie):
    assert osie.split("test").tolist() == list(range(0, 700, 7))
    assert osie.split("val").tolist() == list(range(1, 700, 7))
    assert sorted(np.concatenate(list(osie.splits.values()))) == list(range(700))
    assert len(osie.split("train")) == 500


def test_osie_positions_become_zero_based(osie, data_root):
    record = loadmat(data_root / "osie" / "data" / "eye" / "fixations.mat")["fixations"][41, 0][0, 0]
    trial = record["subjects"][6, 0][0, 0]
    assert osie.stimuli[41].name == record["img"][0]
    ours = osie.fixations_of(41)
    ours = ours.where(ours.subject == 6)
    np.testing.assert_allclose(ours.x, trial["fix_x"].ravel() - 1)
    np.testing.assert_allclose(ours.y, trial["fix_y"].ravel() - 1)
    assert ours.order.tolist() == list(range(len(ours)))


HDF5 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(300)


@pytest.mark.parametrize("content", [b"", b"no mat file" * 99, HDF5], ids=["empty", "text", "hdf5"])
def test_osie_refuses_a_damaged_table(content, tmp_path):
    (tmp_path / "data" / "stimuli").mkdir(parents=True)
    (tmp_path / "data" / "eye").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "data" / "stimuli" / "1001.jpg")
    with pytest.raises(FileError, match=r"fixations\.mat"):
        load("osie", tmp_path)
    mat = tmp_path / "data" / "eye" / "fixations.mat"
    mat.write_bytes(content)
    with pytest.raises(DataError, match=r"fixations\.mat"):
        load("osie", tmp_path)
    savemat(mat, {"fixations": np.arange(3)})
    with pytest.raises(DataError, match=r"fixations\.mat"):
        load("osie", tmp_path)


def test_osie_needs_its_stimuli(tmp_path):
    (tmp_path / "data" / "stimuli").mkdir(parents=True)
    with pytest.raises(FileError, match=naming(tmp_path / "data" / "stimuli")):
        load("osie", tmp_path)


# MIT1003


@pytest.fixture(scope="module")
def mit1003(data_root):
    if not (data_root / "mit1003").is_dir():
        pytest.skip(f"needs MIT1003 at {data_root / 'mit1003'}")
    return load("mit1003", data_root / "mit1003")


def test_mit1003_has_the_stimuli_that_are_there_with_their_maps(mit1003):
    assert len(mit1003) == 1003
    assert mit1003.pixels_per_degree == 35
    published = [stimulus for stimulus in mit1003.stimuli if stimulus.density_path]
    assert len(published) == 100
    for stimulus in published:
        assert stimulus.density_path.name == f"{stimulus.path.stem}_fixMap.jpg"
        with Image.open(stimulus.path) as picture, Image.open(stimulus.density_path) as published:
            assert picture.size == published.size == stimulus.shape[::-1]


def test_mit1003_fixations_are_the_rows_of_the_table_that_lie_on_these_stimuli(mit1003, data_root):
    sizes = {stimulus.path.stem: stimulus.shape for stimulus in mit1003.stimuli}
    rows = []
    with (data_root / "mit1003" / "fixations.csv").open() as file:
        for stem, _, x, y, *_ in list(csv.reader(file))[1:]:
            height, width = sizes.get(stem, (0, 0))
            if 0 <= float(x) < width and 0 <= float(y) < height:
                rows.append((float(x), float(y)))
    assert len(mit1003.fixations) == len(rows) == 109_284
    np.testing.assert_allclose([mit1003.fixations.x, mit1003.fixations.y], np.transpose(rows))
    assert len(set(mit1003.fixations.subject.tolist())) == 15


def write_mit1003(root: Path, count: int) -> Path:
    (root / "ALLSTIMULI").mkdir(parents=True)
    for i in range(count):
        Image.new("RGB", (9, 7)).save(root / "ALLSTIMULI" / f"i{i:04d}.jpeg")
    return root


def test_mit1003_is_split_803_100_100_with_the_listed_test_images(tmp_path):
    listed = [f"i{i:04d}" for i in range(0, 1000, 10)]
    root = write_mit1003(tmp_path, 1003)
    table(root / "coursework_test_split.txt", "\n".join(listed))
    mit = load("mit1003", root)
    assert [len(mit.split(name)) for name in ("train", "val", "test")] == [803, 100, 100]
    assert [mit.stimuli[i].path.stem for i in mit.split("test")] == listed
    assert sorted(np.concatenate(list(mit.splits.values()))) == list(range(1003))
    assert len(mit.fixations) == 0  # no table, and that is fine: the maps alone serve for training


def test_mit1003_draws_its_test_images_where_none_are_listed(tmp_path):
    root = write_mit1003(tmp_path, 120)
    first, second = load("mit1003", root), load("mit1003", root)
    assert len(first.split("test")) == 100
    assert first.split("test").tolist() == second.split("test").tolist()


def test_mit1003_needs_its_stimuli(tmp_path):
    with pytest.raises(FileError, match="ALLSTIMULI"):
        load("mit1003", tmp_path)
