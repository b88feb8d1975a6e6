"""pysaliency's files: what we write, it loads with equal content, and what it writes, we load.

The layout is checked everywhere; against pysaliency itself where ``MRSAL_PYSALIENCY_PYTHON`` names a Python that has it.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from messages import naming

from mrsal.datasets import load
from mrsal.datasets.fixations import Fixations
from mrsal.datasets.pysaliency import save
from mrsal.datasets.pysaliency_hdf5 import (
    minimal_unique_names,
    read_fixations,
    read_stimuli,
    write_fixations,
    write_stimuli,
)
from mrsal.errors import DataError, InputError

h5py = pytest.importorskip("h5py")
FIELDS = ("x", "y", "n", "subject", "order", "duration")
PREPARE = """
import sys, numpy as np
np.string_, np.trapz = np.bytes_, np.trapezoid  # NumPy 2 has dropped these names, pysaliency 0.2.22 uses them
import pysaliency
root = sys.argv[1] + "/"
"""


@pytest.fixture
def pysaliency(tmp_path):
    """Run a program where pysaliency is installed; ``root`` is the test's folder."""
    python = os.environ.get("MRSAL_PYSALIENCY_PYTHON")
    if not python:
        pytest.skip("needs pysaliency 0.2.22: set MRSAL_PYSALIENCY_PYTHON to a Python that has it")

    def run(program):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [python, "-W", "ignore", "-c", PREPARE + program, str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr

    return run


def same(a, b, fields=FIELDS):
    for name in fields:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), err_msg=name)


def test_a_data_set_survives_the_way_to_files_and_back(dataset, tmp_path):
    for embed in (False, True):
        again = load("pysaliency", save(dataset, tmp_path / str(embed), embed=embed))
        same(again.fixations, dataset.fixations)
        assert [s.name for s in again.stimuli] == [s.name for s in dataset.stimuli]
        assert again.pixels_per_degree == dataset.pixels_per_degree
        assert np.array_equal(again.stimuli[3].read(), dataset.stimuli[3].read())


def test_the_order_of_a_trial_survives_dropped_fixations(dataset, tmp_path):
    left = dataset.without_first_fixations().fixations
    same(read_fixations(write_fixations(tmp_path / "f.hdf5", left)), left)


def test_what_we_write_has_the_documented_layout(dataset, tmp_path):
    paths = [s.path for s in dataset.stimuli]
    with h5py.File(write_stimuli(tmp_path / "s.hdf5", paths)) as file:
        assert (file.attrs["type"], file.attrs["version"], file.attrs["size"]) == (b"FileStimuli", b"2.1", 10)
        assert json.loads(file.attrs["__attributes__"]) == []
        assert (tmp_path / file["filenames"][0].decode()).resolve() == paths[0].resolve()
        assert file["shapes"][0].tolist() == [*dataset.stimuli[0].shape, 3]
    with h5py.File(write_fixations(tmp_path / "f.hdf5", dataset.fixations)) as file:
        assert (file.attrs["type"], file.attrs["version"]) == (b"FixationTrains", b"1.2")
        assert file["train_xs"].shape == (30, 4) == file["train_ts"].shape
        assert file["train_ns"][...].tolist() == [i for i in range(10) for _ in range(3)]
        assert set(file["scanpath_fixation_attributes"]) == {"order", "durations"}


def trains(file, version):
    """A FixationTrains file as the given version lays it out: two scanpaths, of 2 and 1 fixations."""
    file.attrs["type"], file.attrs["version"], file.attrs["__attributes__"] = "FixationTrains", version, "[]"
    for name, values in {
        "xs": [[1.5, 2], [3, np.nan]],
        "ys": [[4.0, 5], [6, np.nan]],
        "ts": [[0.0, 1], [0, np.nan]],
    }.items():
        file[f"train_{name}"] = values
    file["train_ns"], file["train_subjects"] = [0, 1], [2, 3]
    if version == "1.3":
        file["train_lengths"] = [2, 1]


def scanpaths(file, lengths):
    """The development version's successor of FixationTrains."""
    file.attrs["type"], file.attrs["version"] = "ScanpathFixations", "1.0"
    group = file.create_group("scanpaths")
    group.attrs["type"], group.attrs["version"] = "Scanpaths", "1.0"
    group["xs"], group["ys"] = [[1.5, 2], [3, 99]], [[4.0, 5], [6, 99]]
    group["n"], group[lengths], group["scanpath_attributes/subject"] = [0, 1], [2, 1], [2, 3]
    group["fixation_attributes/ts"] = [[0.0, 1], [0, 9]]


def plain(file, version):
    file.attrs["type"], file.attrs["version"], file.attrs["__attributes__"] = "Fixations", version, "[]"
    file["x"], file["y"], file["n"] = [1.5, 2, 3], [4.0, 5, 6], [0, 0, 1]
    file["x_hist"] = [[np.nan], [1.5], [np.nan]]
    file["subject" if version == "1.2" else "subjects"] = [2, 2, 3]
    if version != "1.0":
        file["lengths"] = [0, 1, 0]


@pytest.mark.parametrize(
    ("write", "which"),
    [
        *((trains, v) for v in ("1.0", "1.1", "1.2", "1.3")),
        *((plain, v) for v in ("1.0", "1.1", "1.2")),
        *((scanpaths, v) for v in ("lengths", "length")),
    ],
)
def test_every_version_of_fixations_reads_alike(tmp_path, write, which):
    with h5py.File(tmp_path / "f.hdf5", "w") as file:
        write(file, which)
    wanted = Fixations.create([1.5, 2, 3], [4, 5, 6], n=[0, 0, 1], subject=[2, 2, 3], order=[0, 1, 0])
    same(read_fixations(tmp_path / "f.hdf5"), wanted)


def test_other_files_are_refused_with_a_reason(dataset, tmp_path):
    path = write_fixations(tmp_path / "f.hdf5", dataset.fixations)
    with pytest.raises(DataError, match=naming("f.hdf5", "FileStimuli", "Stimuli", "FixationTrains")):
        read_stimuli(path)
    with h5py.File(path, "r+") as file:
        del file["train_ys"]
    with pytest.raises(DataError, match=naming("f.hdf5", "train_ys")):
        read_fixations(path)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = "9.0"
    with pytest.raises(DataError, match=naming("f.hdf5", "9.0", "pip install -U mrsal")):
        read_fixations(path)
    path.write_bytes(b"no")
    with pytest.raises(DataError, match=naming("f.hdf5", "HDF5")):
        read_fixations(path)


@pytest.mark.parametrize("value", [-1, 10**9, np.iinfo(np.int64).max])
def test_a_scanpath_is_as_long_as_its_table(value, dataset, tmp_path):
    path = write_fixations(tmp_path / "f.hdf5", dataset.fixations)
    with h5py.File(path, "r+") as file:
        lengths = np.full(len(file["train_xs"]), 2)
        lengths[0] = value
        file["train_lengths"] = lengths
        file.attrs["version"] = "1.3"
    with pytest.raises(DataError, match=naming("f.hdf5", value)):
        read_fixations(path)


def test_names_of_other_stimuli_and_pixels_of_no_image_are_refused(dataset, tmp_path):
    save(dataset, tmp_path, embed=True)
    with h5py.File(tmp_path / "stimuli.hdf5", "r+") as file:
        file.attrs["size"] = 9
    with pytest.raises(DataError, match=naming("stimuli.hdf5", 9, 10)):
        load("pysaliency", tmp_path)
    with h5py.File(tmp_path / "stimuli.hdf5", "r+") as file:
        file.attrs["size"] = 10
        del file["0"]
        file["0"] = np.zeros((61, 83, 7), np.uint8)
    with pytest.raises(DataError, match=naming("stimuli.hdf5", "stimulus 0")):
        load("pysaliency", tmp_path)


def test_names_lose_only_the_folders_that_all_share():
    assert minimal_unique_names(["/d/a/1.jpg", "/d/a/b/1.jpg"]) == ["1.jpg", "b/1.jpg"]
    assert minimal_unique_names([]) == []


def test_pysaliency_loads_what_we_write(dataset, tmp_path, pysaliency):
    save(dataset, tmp_path)
    save(dataset, tmp_path / "whole", embed=True)
    pysaliency("""
s, w = pysaliency.read_hdf5(root + "stimuli.hdf5"), pysaliency.read_hdf5(root + "whole/stimuli.hdf5")
f = pysaliency.read_hdf5(root + "fixations.hdf5")
assert type(s).__name__ == "FileStimuli" and len(s) == len(w) == 10
assert all((a.stimulus_data == b.stimulus_data).all() for a, b in zip(s, w))
from pysaliency.precomputed_models import get_stimuli_filenames
from pysaliency.utils import get_minimal_unique_filenames
names = get_minimal_unique_filenames(get_stimuli_filenames(s))
assert names == get_minimal_unique_filenames(list(get_stimuli_filenames(w))), names
np.savez(root + "theirs.npz", names=names, sizes=list(s.sizes), x=f.x, y=f.y, n=f.n, subject=f.subjects,
         order=f.order, duration=f.duration)
""")
    theirs = np.load(tmp_path / "theirs.npz")
    for name in FIELDS:
        np.testing.assert_allclose(theirs[name], getattr(dataset.fixations, name), err_msg=name)
    assert [tuple(size) for size in theirs["sizes"]] == [s.shape for s in dataset.stimuli]
    assert theirs["names"].tolist() == minimal_unique_names([s.path for s in dataset.stimuli])


def test_we_load_what_pysaliency_writes(dataset, tmp_path, pysaliency):
    save(dataset, tmp_path)
    pysaliency("""
f, s = pysaliency.read_hdf5(root + "fixations.hdf5"), pysaliency.read_hdf5(root + "stimuli.hdf5")
f.to_hdf5(root + "trains.hdf5"); f[f.n > 3].to_hdf5(root + "plain.hdf5"); s.to_hdf5(root + "files.hdf5")
pysaliency.Stimuli([i.stimulus_data for i in s]).to_hdf5(root + "pixels.hdf5")
""")
    same(read_fixations(tmp_path / "trains.hdf5"), dataset.fixations)
    some = dataset.fixations.where(dataset.fixations.n > 3)
    same(read_fixations(tmp_path / "plain.hdf5"), some, ("x", "y", "n", "subject", "order"))
    files, pixels = read_stimuli(tmp_path / "files.hdf5"), read_stimuli(tmp_path / "pixels.hdf5")
    assert files.shapes == pixels.shapes == tuple(s.shape for s in dataset.stimuli)
    assert [path.resolve() for path in files.paths] == [s.path.resolve() for s in dataset.stimuli]
    assert np.array_equal(pixels.image(2), dataset.stimuli[2].read())


def test_pysaliency_opens_our_submission(dataset, tmp_path, pysaliency):
    from mrsal.evaluation.submission import log_density, write_submission
    from mrsal.inference.simple_models import centre

    save(dataset, tmp_path)
    write_submission(centre, dataset.stimuli, tmp_path / "model.hdf5")
    pysaliency("""
s = pysaliency.read_hdf5(root + "stimuli.hdf5")
model = pysaliency.HDF5Model(s, root + "model.hdf5")
np.savez(root + "theirs.npz", **{str(i): model.log_density(stimulus) for i, stimulus in enumerate(s)})
""")
    theirs = np.load(tmp_path / "theirs.npz")
    for i, stimulus in enumerate(dataset.stimuli):
        np.testing.assert_allclose(theirs[str(i)], log_density(centre(stimulus.read())), atol=2e-6)


def test_without_h5py_the_install_line_is_shown(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[hdf5\]'"):
        read_stimuli(tmp_path / "s.hdf5")


def test_fixations_of_stimuli_that_are_not_there_are_refused(dataset, tmp_path):
    save(dataset, tmp_path)
    write_stimuli(tmp_path / "stimuli.hdf5", [s.path for s in dataset.stimuli[:5]])
    with pytest.raises(DataError, match=naming("fixations.hdf5", 9, "stimuli.hdf5", 5)):
        load("pysaliency", tmp_path)
