"""A submission holds what the benchmark wants, and the check names each thing that it would refuse."""

import numpy as np
import pytest
from messages import mentions, naming
from scipy.special import logsumexp

from mrsal.errors import FileError, InputError
from mrsal.evaluation.submission import check_submission, log_density, write_submission
from mrsal.inference.simple_models import centre
from mrsal.inference.stored_maps import open_maps

h5py = pytest.importorskip("h5py")


@pytest.fixture
def stimuli(dataset):
    return dataset.stimuli[:3]


def test_a_written_submission_passes_and_reads_back(stimuli, tmp_path):
    path = write_submission(centre, stimuli, tmp_path / "m.hdf5")
    assert check_submission(path, stimuli) == []
    assert [p.name for p in tmp_path.iterdir()] == ["m.hdf5"]
    with h5py.File(path) as file:
        assert sorted(file) == [s.name for s in stimuli]
        for s in stimuli:
            assert file[s.name].shape == s.shape and file[s.name].dtype == np.float32
            np.testing.assert_allclose(file[s.name][...], log_density(centre(s.read())), atol=2e-6)
    maps = open_maps(path)
    again = write_submission(maps, stimuli, tmp_path / "again.hdf5", dtype="float64")
    with h5py.File(path) as first, h5py.File(again) as second:
        np.testing.assert_allclose(first[stimuli[0].name][...], second[stimuli[0].name][...], atol=2e-6)


def test_an_interrupted_one_is_continued_by_the_same_model_only(stimuli, tmp_path):
    calls = []

    def model(image):
        calls.append(image.shape)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return centre(image)

    with pytest.raises(KeyboardInterrupt):
        write_submission(model, stimuli, tmp_path / "m.hdf5", label="a")
    assert not (tmp_path / "m.hdf5").exists()
    write_submission(model, stimuli, tmp_path / "m.hdf5", label="a")
    assert len(calls) == 4  # two maps were kept
    assert check_submission(tmp_path / "m.hdf5", stimuli) == []
    (tmp_path / ".n.hdf5.part").write_bytes(b"cut off")
    write_submission(model, stimuli, tmp_path / "n.hdf5", label="b")
    assert len(calls) == 7


@pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("no message"), ValueError("no message")])
def test_what_hdf5_cannot_write_is_a_file_error_and_the_next_run_continues(stimuli, tmp_path, monkeypatch, error):
    calls = []

    def create_dataset(file, name, **options):
        calls.append(name)
        if len(calls) == 2:
            raise error
        return create(file, name, **options)

    create = h5py.Group.create_dataset
    monkeypatch.setattr(h5py.Group, "create_dataset", create_dataset)
    with pytest.raises(FileError, match=naming(".m.hdf5.part")):
        write_submission(centre, stimuli, tmp_path / "m.hdf5")
    assert not (tmp_path / "m.hdf5").exists()
    write_submission(centre, stimuli, tmp_path / "m.hdf5")
    assert len(calls) == 4  # the first map was used again
    assert check_submission(tmp_path / "m.hdf5", stimuli) == []


@pytest.mark.parametrize("error", [RuntimeError("cannot write HDF5"), OSError("cannot write HDF5"), ValueError("HDF5")])
def test_an_error_of_the_model_stays_what_it_is(stimuli, tmp_path, error):
    def model(image):
        raise error

    with pytest.raises(type(error)) as raised:
        write_submission(model, stimuli, tmp_path / "m.hdf5")
    assert raised.value is error


def test_the_floor_keeps_every_probability_above_zero():
    map_ = np.zeros((5, 7))
    map_[2, 3] = 4
    result = log_density(map_, floor=0.1)
    assert abs(logsumexp(result)) < 1e-12
    np.testing.assert_allclose(np.exp(result[0, 0]), 0.1 / 35)
    assert log_density(map_, floor=0)[0, 0] == -np.inf
    np.testing.assert_allclose(np.exp(log_density(np.zeros((5, 7)))), 1 / 35)
    with pytest.raises(InputError, match=naming(-1)):
        log_density(map_ - 1)


def saliency(v):
    return np.exp(v) * 50


def zero(v):
    return np.where(v == v.max(), -np.inf, v)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda v: v + 0.01, ["logsumexp", 0.01]),
        (lambda v: np.where(v == v.max(), np.nan, v), [2, "NaN"]),
        (zero, ["-inf", 2, "floor=0.001"]),
        (lambda v: v * 0 - np.inf, ["-inf", "floor=0.001"]),
        (saliency, ["mrsal.evaluation.submission.log_density(map)"]),
        (np.exp, ["density", 1]),
        (lambda v: v.T, ["transpose"]),
        (lambda v: v.astype(np.float16), ["float16"]),
        (lambda v: v.astype(np.int64), ["int64"]),
    ],
)
def test_each_fault_is_named_with_its_key_and_its_mending(stimuli, tmp_path, spoil, named):
    path = write_submission(centre, stimuli, tmp_path / "m.hdf5", dtype="float64")
    key = stimuli[1].name
    with h5py.File(path, "r+") as file:
        values = file[key][...]
        del file[key]
        file[key] = spoil(values)
    (problem,) = check_submission(path, stimuli)
    assert problem.key == key and problem.fatal
    assert mentions(str(problem), *named)


def test_missing_extra_and_constant_maps_are_named(stimuli, tmp_path):
    path = write_submission(lambda image: np.ones(image.shape[:2]), stimuli, tmp_path / "m.hdf5")
    with h5py.File(path, "r+") as file:
        file.move("s0.png", "s0.jpg")
    missing, *others = check_submission(path, stimuli)
    assert missing.key == "s0.png" and missing.fatal and "s0.jpg" in missing.mend
    assert not any(problem.fatal for problem in others)
    assert [problem.key for problem in others] == ["s1.png", "s2.png", "s0.jpg"]
