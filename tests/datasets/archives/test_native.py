"""The native archive: the same samples in a fraction of the space, and nothing unsound accepted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from messages import naming
from obstacles import Hostile, small_disk
from PIL import Image
from tiny_data import PIXELS_PER_DEGREE, SIZES

from mrsal.datasets import FixationDataset, Stimulus, load
from mrsal.datasets.archives.historical import PthArchive, write_pth
from mrsal.datasets.archives.native import NativeArchive, write_native
from mrsal.datasets.archives.open import open_archive
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError, InputError
from mrsal.model.pyramid import SCALES, to_unit


@pytest.fixture
def broken(native_folder, tmp_path):
    """A copy of the archive, which a test may damage."""
    return Path(shutil.copytree(native_folder, tmp_path / "native"))


def total_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def published_only(root: Path) -> FixationDataset:
    """One training stimulus of which only the authors' map is known."""
    (root / "ALLSTIMULI").mkdir(parents=True)
    (root / "ALLFIXATIONMAPS").mkdir()
    Image.new("RGB", (60, 50), "teal").save(root / "ALLSTIMULI" / "a.jpeg")
    map_ = np.zeros((50, 60), np.uint8)
    map_[10:20, 30:45] = 255
    Image.fromarray(map_).save(root / "ALLFIXATIONMAPS" / "a_fixMap.jpg")
    return replace(load("mit1003", root), splits={"train": np.array([0])})


# what is written


def test_it_gives_back_the_data_set(dataset, native_folder):
    archive = NativeArchive(native_folder)
    assert (archive.name, archive.pixels_per_degree) == ("own", PIXELS_PER_DEGREE)
    assert archive.names == [f"s{i}.png" for i in range(len(SIZES))]
    assert archive.shapes.tolist() == [list(shape) for shape in SIZES]
    for name, members in dataset.splits.items():
        assert archive.members(name).tolist() == members.tolist()
    for name in ("x", "y", "n", "subject", "order", "duration"):
        np.testing.assert_array_equal(getattr(archive.fixations, name), getattr(dataset.fixations, name))


def test_samples_equal_those_of_the_historical_archive(native_folder, pth_folder):
    ours, theirs = NativeArchive(native_folder).samples, PthArchive(pth_folder).samples
    assert len(ours) == len(theirs) == 8 * 30
    assert torch.equal(ours.labels, theirs.labels)
    crops, labels = ours.batch(np.arange(len(ours)))
    assert (crops.dtype, labels.dtype) == (torch.uint8, torch.float32)
    torch.testing.assert_close(to_unit(crops), theirs.crops, rtol=0, atol=1e-7)
    assert torch.equal(labels, theirs.labels)
    shuffled = np.random.default_rng(0).permutation(len(ours))[:50]
    assert torch.equal(ours.batch(shuffled)[0], crops[torch.from_numpy(shuffled)])


def test_samples_on_a_device_are_the_same_with_only_the_stimuli_they_are_from(native_folder, dataset):
    samples = NativeArchive(native_folder).samples
    moved = samples.to(torch.device("cpu"))
    assert [len(level) for level in moved.levels] == 3 * [len(dataset.split("train"))]
    index = np.random.default_rng(0).permutation(len(samples))
    for got, expected in zip(moved.batch(index), samples.batch(index), strict=True):
        assert torch.equal(got, expected)


def test_another_seed_gives_other_samples_here_and_there_alike(dataset, native_folder, tmp_path):
    ours = NativeArchive(write_native(dataset, tmp_path / "native", seed=9)).samples
    theirs = PthArchive(write_pth(dataset, tmp_path / "pth", seed=9)).samples
    torch.testing.assert_close(to_unit(ours.batch(np.arange(len(ours)))[0]), theirs.crops, rtol=0, atol=1e-7)
    assert (ours.centres != NativeArchive(native_folder).samples.centres).any()


def test_examples_hold_the_picture_its_density_and_its_fixations(dataset, native_folder):
    (example,), (i,) = NativeArchive(native_folder).examples("test"), dataset.split("test")
    assert (example.name, example.shape) == (f"s{i}.png", SIZES[i])
    np.testing.assert_array_equal(example.stimulus(), dataset.stimuli[i].read())
    np.testing.assert_allclose(example.ground_truth(), dataset.density(i))
    np.testing.assert_array_equal(example.fixations.x, dataset.fixations_of(i).x)
    assert example.image.grid.points.shape == (2500, 2)
    everything = [example.name for example in NativeArchive(native_folder).examples("all")]
    assert everything == [stimulus.name for stimulus in dataset.stimuli]


def test_examples_without_the_first_fixation_of_each_trial(dataset, native_folder):
    (example,), (i,) = NativeArchive(native_folder).examples("test", skip_first=True), dataset.split("test")
    np.testing.assert_array_equal(example.fixations.x, dataset.without_first_fixations().fixations_of(i).x)
    np.testing.assert_allclose(example.ground_truth(), dataset.without_first_fixations().density(i))


def test_channel_statistics_are_those_of_the_training_stimuli(dataset, native_folder):
    archive = NativeArchive(native_folder)
    pixels = archive.levels[0][dataset.split("train")].reshape(-1, 3) / 255
    np.testing.assert_allclose(archive.mean, pixels.mean(axis=0))
    np.testing.assert_allclose(archive.std, pixels.std(axis=0))
    assert archive.samples.value_range == (0, 1)


def test_a_published_map_is_kept_where_no_fixations_are_known(tmp_path):
    mit = published_only(tmp_path / "mit")
    archive = NativeArchive(write_native(mit, tmp_path / "native"))
    (example,) = archive.examples("train")
    assert example.fixations is None
    with Image.open(mit.stimuli[0].density_path) as map_:
        np.testing.assert_array_equal(example.ground_truth(), np.asarray(map_))
    _, x, y, label = archive.table.T
    assert (example.ground_truth()[y, x][label == 1] > 0.85 * 255).all()


def test_without_a_training_split_it_opens_but_has_no_samples(dataset, tmp_path):
    only_tests = replace(dataset, splits={"test": np.arange(2)})
    archive = NativeArchive(write_native(only_tests, tmp_path / "native"))
    assert len(list(archive.examples("test"))) == 2
    with pytest.raises(DataError, match=naming(tmp_path / "native")):
        _ = archive.samples
    with pytest.raises(InputError, match=naming("train", "test", "all")):
        archive.examples("train")


@pytest.mark.slow
def test_it_takes_less_than_a_quarter_of_the_historical_space(tmp_path):
    """Proportions of OSIE: 800x600 JPEG files of 70 kB and more, five for training to one each for the rest."""
    rng = np.random.default_rng(0)
    stimuli = []
    for i in range(7):
        path = tmp_path / f"{i}.jpg"
        texture = Image.fromarray(rng.integers(0, 256, (150, 200, 3), dtype=np.uint8))
        texture.resize((800, 600), Image.Resampling.BICUBIC).save(path, quality=80)
        assert path.stat().st_size > 70_000
        stimuli.append(Stimulus.from_file(path))
    x, y = rng.uniform(0, 800, 140), rng.uniform(0, 600, 140)
    fixations = Fixations.create(x, y, n=np.repeat(range(7), 20))
    splits = {"train": np.arange(5), "val": np.array([5]), "test": np.array([6])}
    dataset = FixationDataset("like osie", tuple(stimuli), fixations, 24.0, splits)
    native = total_size(write_native(dataset, tmp_path / "native"))
    files = write_pth(dataset, tmp_path / "pth").glob("*_data.pth.tar")
    assert native <= sum(path.stat().st_size for path in files) / 4


# what stands in the way of writing


def test_it_replaces_an_older_archive_but_no_other_folder_or_file(dataset, tmp_path):
    out = write_native(dataset, tmp_path / "native", seed=1)
    write_native(dataset, out, seed=2)
    assert json.loads((out / "archive.json").read_text())["seed"] == 2
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_text("precious")
    (tmp_path / "file").write_text("precious")
    for place in (tmp_path / "photos", tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileError):
            write_native(dataset, place)
    assert (tmp_path / "photos" / "holiday.jpg").read_text() == (tmp_path / "file").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "native", "photos"]


def test_a_failure_leaves_the_older_archive(folder_root, tmp_path):
    own = load("folder", folder_root)
    out = write_native(own, tmp_path / "native", seed=1)
    with small_disk(1_000_000), pytest.raises(FileError, match=naming(tmp_path / "native")):
        write_native(own, out, seed=2)
    (folder_root / "stimuli" / "s9.png").unlink()
    with pytest.raises(FileError, match=r"s9\.png"):
        write_native(own, out, seed=2)
    assert json.loads((out / "archive.json").read_text())["seed"] == 1
    assert len(NativeArchive(out).samples) == 240
    assert sorted(path.name for path in tmp_path.iterdir()) == ["native", "own"]


def test_a_damaged_stimulus_is_named(folder_root, tmp_path):
    own = load("folder", folder_root)
    (folder_root / "stimuli" / "s3.png").write_bytes(b"oops")
    with pytest.raises(DataError, match=r"s3\.png"):
        write_native(own, tmp_path / "native")


# what stands in the way of reading

LEVELS = [f"level_{scale}.npy" for scale in SCALES]
FILES = [*LEVELS, "samples.npy", "originals.npy", "originals.bin", "fixations.npz", "archive.json"]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_on_opening(name, broken):
    (broken / name).unlink()
    with pytest.raises(FileError, match=broken.name if name == "archive.json" else name):
        NativeArchive(broken)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file_is_refused(name, share, broken):
    content = (broken / name).read_bytes()
    (broken / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=name):
        _ = NativeArchive(broken).fixations


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ["s0.png"]},
        {"names": 5},
        {"shapes": [[61, 83]]},
        {"shapes": [[0, 0]] * 10},
        {"shapes": [[5, 5]] * 10},
        {"shapes": "big"},
        {"splits": {"test": [99]}},
        {"splits": {"test": [-1]}},
        {"splits": [1]},
        {"maps": {"s0.png": 99}},
        {"maps": {"s0.png": -1}},
        {"maps": [3]},
        {"mean": [0.5]},
        {"std": ["wide"]},
        {"pixels_per_degree": 0},
        {"pixels_per_degree": "few"},
        {"pixels_per_degree": 10**400},
        {"degrees": [35.0]},
        {"degrees": [0.0] * 10},
        {"degrees": [float("nan")] * 10},
        {"degrees": "many"},
        {"shapes": [[61, 10**30]] * 10},
        {"version": 2},
        {"version": "x"},
        {"format": "zip"},
    ],
    ids=str,
)
def test_an_index_that_does_not_fit_is_refused(changes, broken):
    index = json.loads((broken / "archive.json").read_text())
    (broken / "archive.json").write_text(json.dumps({**index, **changes}))
    with pytest.raises(DataError, match=naming(broken)):
        NativeArchive(broken)


@pytest.mark.parametrize("key", "format version dataset names shapes splits maps mean std".split())
def test_an_index_that_lacks_a_key_is_refused(key, broken):
    index = json.loads((broken / "archive.json").read_text())
    del index[key]
    (broken / "archive.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=naming(broken)):
        NativeArchive(broken)


@pytest.mark.parametrize("text", ["[]", "null", "3", "{", "\udcff", "[" * 100_000, '{"a":' * 100_000])
def test_an_index_that_is_no_json_object_is_refused(text, broken):
    (broken / "archive.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=r"archive\.json"):
        NativeArchive(broken)


@pytest.mark.parametrize(("column", "value"), [(0, 10), (0, -1), (1, -1), (1, 999), (2, 999), (3, 2), (3, -1)])
def test_samples_that_point_outside_are_refused(column, value, broken):
    table = np.load(broken / "samples.npy")
    table[7, column] = value
    np.save(broken / "samples.npy", table)
    with pytest.raises(DataError, match=r"samples\.npy"):
        NativeArchive(broken)


@pytest.mark.parametrize(("column", "value"), [(0, -1), (1, -1), (0, 1 << 40), (1, 1 << 40)])
def test_originals_that_lie_outside_are_refused(column, value, broken):
    places = np.load(broken / "originals.npy")
    places[2, column] = value
    np.save(broken / "originals.npy", places)
    with pytest.raises(DataError, match=r"originals\.bin"):
        NativeArchive(broken)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((5, 3), np.int32), ((4,), np.int32), ((5, 4), np.int64), ((5, 4), np.float32)]
)
def test_an_array_of_another_shape_or_type_is_refused(shape, dtype, broken):
    np.save(broken / "samples.npy", np.zeros(shape, dtype))
    with pytest.raises(DataError, match=naming("samples.npy", "int32", np.dtype(dtype), shape)):
        NativeArchive(broken)


def test_fixations_of_unequal_length_are_refused(broken):
    with np.load(broken / "fixations.npz") as columns:
        np.savez(broken / "fixations.npz", **{**columns, "y": np.zeros(3)})
    with pytest.raises(DataError, match=r"fixations\.npz"):
        _ = NativeArchive(broken).fixations


@pytest.mark.parametrize("header", [b"{'descr': '|u1', ", b"{" * 60, b"{'shape': (10000000000000, 4)}"])
def test_an_array_with_a_damaged_header_is_refused(header, broken):
    content = (broken / "samples.npy").read_bytes()
    (broken / "samples.npy").write_bytes(content[:10] + header.ljust(117) + b"\n" + content[128:])
    with pytest.raises(DataError, match=r"samples\.npy"):
        NativeArchive(broken)


@pytest.mark.parametrize(
    ("column", "value"), [("n", -1), ("n", 10), ("order", -1), ("x", -1), ("y", 1e9), ("x", np.nan), ("y", np.inf)]
)
def test_fixations_that_are_on_no_stimulus_are_refused(column, value, broken):
    with np.load(broken / "fixations.npz") as stored:
        columns = dict(stored)
    columns[column][3] = value
    np.savez(broken / "fixations.npz", **columns)
    with pytest.raises(DataError, match=r"fixations\.npz"):
        _ = NativeArchive(broken).fixations


def test_hostile_arrays_are_refused_and_their_code_does_not_run(broken, tmp_path):
    trace = tmp_path / "trace"
    hostile = np.empty(1, object)
    hostile[0] = Hostile(trace)
    np.save(broken / "samples.npy", hostile, allow_pickle=True)
    with pytest.raises(DataError, match=r"samples\.npy"):
        NativeArchive(broken)
    shutil.copy(broken / "samples.npy", broken / "hostile.npy")
    assert not trace.exists()
    np.load(broken / "hostile.npy", allow_pickle=True)  # it is hostile indeed
    assert trace.exists()


def test_hostile_fixations_are_refused_and_their_code_does_not_run(broken, tmp_path):
    hostile = np.empty(1, object)
    hostile[0] = Hostile(tmp_path / "trace")
    np.savez(broken / "fixations.npz", x=hostile)
    with pytest.raises(DataError, match=r"fixations\.npz"):
        _ = NativeArchive(broken).fixations
    assert not (tmp_path / "trace").exists()


def test_open_archive_tells_one_kind_from_the_other(native_folder, pth_folder, tmp_path):
    assert isinstance(open_archive(native_folder), NativeArchive)
    assert isinstance(open_archive(str(pth_folder)), PthArchive)
    with pytest.raises(FileError, match=naming("archive.json", "train_data.pth.tar", "mrsal prepare")):
        open_archive(tmp_path)
