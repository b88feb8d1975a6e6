"""The historical archives: exactly the layout that other code reads, and nothing unsound accepted."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from messages import naming
from obstacles import Hostile, small_disk
from PIL import Image
from tiny_data import SIZES

from mrsal.datasets import load
from mrsal.datasets.archives.historical import PthArchive, read_examples, read_train, write_pth
from mrsal.datasets.archives.sampling import ground_truth, image_samples
from mrsal.datasets.fixations import Fixations
from mrsal.errors import DataError, FileError
from mrsal.images import resize
from mrsal.model.pyramid import SCALES


def published(folder: Path, split: str) -> list[dict]:
    return torch.load(folder / f"{split}_data.pth.tar", weights_only=True)


@pytest.fixture
def train_entries(pth_folder):
    return published(pth_folder, "train")[:3]


@pytest.fixture
def eval_folder(pth_folder, tmp_path):
    """A copy of the test split, which a test may damage."""
    shutil.copytree(pth_folder / "ALLFIXATIONMAPS", tmp_path / "ALLFIXATIONMAPS")
    shutil.copy(pth_folder / "test_data.pth.tar", tmp_path)
    return tmp_path


def rewrite(folder: Path, **changes) -> Path:
    """Change keys of the only entry of the test split; ``None`` removes one."""
    path = folder / "test_data.pth.tar"
    entry = {**torch.load(path, weights_only=True)[0], **changes}
    torch.save([{key: value for key, value in entry.items() if value is not None}], path)
    return path


# what is written


def test_train_data_is_a_list_of_dicts_of_crops(dataset, pth_folder):
    entries = published(pth_folder, "train")
    assert type(entries) is list
    assert len(entries) == 8 * 30
    for entry in entries:
        assert set(entry) == {"X", "y", "file"}
        assert (entry["X"].dtype, tuple(entry["X"].shape)) == (torch.float32, (3, 3, 42, 42))
        assert entry["X"].is_contiguous()
        assert 0 <= entry["X"].min() <= entry["X"].max() <= 1
        assert type(entry["y"]) is int
    for i in dataset.split("train"):
        labels = [entry["y"] for entry in entries if entry["file"] == f"s{i}.png"]
        assert labels == [1] * 10 + [0] * 20


def test_train_crops_are_centred_on_the_sampled_locations(dataset, pth_folder):
    i = int(dataset.split("train")[0])
    (height, width), picture = SIZES[i], dataset.stimuli[i].read()
    x, y, label = image_samples(dataset, i, seed=0)
    entries = [entry for entry in published(pth_folder, "train") if entry["file"] == f"s{i}.png"]
    for k, entry in enumerate(entries):
        assert entry["y"] == label[k]
        for crops, scale in zip(entry["X"], SCALES, strict=True):
            row, column = int(scale / height * torch.tensor(y[k])), int(scale / width * torch.tensor(x[k]))
            padded = np.pad(resize(picture, scale, scale), [(21, 21), (21, 21), (0, 0)], mode="edge")
            expected = padded[row : row + 42, column : column + 42].transpose(2, 0, 1) / 255
            np.testing.assert_allclose(crops.numpy(), expected, rtol=1e-6)


def test_labels_of_the_samples_fit_the_density(dataset):
    for i in dataset.split("train"):
        x, y, label = image_samples(dataset, i, seed=0)
        relative = dataset.density(i) / dataset.density(i).max()
        assert (relative[y, x][label == 1] > 0.9).all()
        assert (relative[y, x][label == 0] < 0.1).all()


@pytest.mark.parametrize("split", ["val", "test"])
def test_eval_data_is_a_list_of_dicts_of_images(split, dataset, pth_folder):
    (entry,) = published(pth_folder, split)
    (i,) = dataset.split(split)
    (height, width), picture = SIZES[i], dataset.stimuli[i].read()
    assert set(entry) == {"X", "y", "file", "X_400", "X_250", "X_150", "spatial_coords"}
    assert (entry["y"], entry["file"]) == (-1, f"s{i}.png")
    for key, pixels in {"X": picture, **{f"X_{s}": resize(picture, s, s) for s in SCALES}}.items():
        assert (entry[key].dtype, entry[key].is_contiguous()) == (torch.float32, True)
        np.testing.assert_allclose(entry[key].numpy(), pixels.transpose(2, 0, 1) / 255, rtol=1e-6)
    rows, columns = ([round(1 + k * (side - 1) / 49) for k in range(50)] for side in (height, width))
    assert entry["spatial_coords"].dtype == torch.int64
    assert entry["spatial_coords"].tolist() == [[y, x] for y in rows for x in columns]


def test_maps_are_densities_of_the_size_of_the_stimulus(dataset, pth_folder):
    for i, (height, width) in enumerate(SIZES):
        with Image.open(pth_folder / "ALLFIXATIONMAPS" / f"s{i}_fixMap.jpg") as map_:
            assert (map_.format, map_.mode, map_.size) == ("JPEG", "L", (width, height))
            pixels = np.asarray(map_)
        density = dataset.density(i)
        assert np.abs(pixels - density / density.max() * 255).mean() < 3


def test_the_seed_decides_the_samples_and_nothing_else_does(dataset, pth_folder, tmp_path):
    again, other = write_pth(dataset, tmp_path / "again"), write_pth(dataset, tmp_path / "other", seed=1)
    first = published(pth_folder, "train")
    assert all(torch.equal(a["X"], b["X"]) for a, b in zip(first, published(again, "train"), strict=True))
    assert not all(torch.equal(a["X"], b["X"]) for a, b in zip(first, published(other, "train"), strict=True))


def test_each_image_draws_by_itself(dataset):
    """The same picture twice, with the same fixations, is sampled at other places."""
    once = dataset.fixations_of(0)
    twice = Fixations.create(np.tile(once.x, 2), np.tile(once.y, 2), n=np.repeat([0, 1], len(once)))
    pair = replace(dataset, stimuli=dataset.stimuli[:1] * 2, fixations=twice)
    first, second = (np.stack(image_samples(pair, i, seed=0)) for i in (0, 1))
    assert (first != second).any()


def test_progress_counts_every_image(dataset, tmp_path):
    steps = []
    write_pth(dataset, tmp_path, progress=steps.append)
    assert steps == [1] * len(dataset)


def test_a_published_map_stands_in_where_no_fixations_are_known(tmp_path):
    (tmp_path / "ALLSTIMULI").mkdir()
    (tmp_path / "ALLFIXATIONMAPS").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "ALLSTIMULI" / "a.jpeg")
    map_ = np.zeros((20, 30), np.uint8)
    map_[5:10, 5:10] = 200
    Image.fromarray(map_).save(tmp_path / "ALLFIXATIONMAPS" / "a_fixMap.jpg", quality=100)
    assert np.abs(ground_truth(load("mit1003", tmp_path), 0) - map_).max() < 10
    Image.new("L", (31, 20)).save(tmp_path / "ALLFIXATIONMAPS" / "a_fixMap.jpg")
    with pytest.raises(DataError, match=naming("a_fixMap.jpg", "31x20", "30x20")):
        ground_truth(load("mit1003", tmp_path), 0)


def test_a_missing_stimulus_a_full_disk_and_a_blocked_folder_say_so(folder_root, tmp_path):
    own = load("folder", folder_root)
    with small_disk(300_000), pytest.raises(FileError, match=r"train_data\.pth\.tar"):
        write_pth(own, tmp_path / "full")
    assert not list((tmp_path / "full").glob("*train*")) + list((tmp_path / "full").glob(".*"))
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"file.below"):
        write_pth(own, tmp_path / "file" / "below")
    (folder_root / "stimuli" / "s1.png").unlink()
    with pytest.raises(FileError, match=r"s1\.png"):
        write_pth(own, tmp_path / "gone")


# what is read: training


def test_train_round_trip(pth_folder):
    samples, entries = read_train(pth_folder / "train_data.pth.tar"), published(pth_folder, "train")
    assert len(samples) == len(entries)
    crops, labels = samples.batch(np.array([200, 0, 7]))
    assert (crops.dtype, labels.dtype) == (torch.float32, torch.float32)
    assert torch.equal(crops, torch.stack([entries[i]["X"] for i in (200, 0, 7)]))
    assert labels.tolist() == [entries[i]["y"] for i in (200, 0, 7)]


def test_train_statistics_are_those_of_the_crops(pth_folder):
    samples = read_train(pth_folder / "train_data.pth.tar")
    values = np.stack([entry["X"].numpy() for entry in published(pth_folder, "train")])
    by_channel = values.transpose(2, 0, 1, 3, 4).reshape(3, -1).astype(np.float64)
    np.testing.assert_allclose(samples.mean, by_channel.mean(axis=1), rtol=1e-4)
    np.testing.assert_allclose(samples.std, by_channel.std(axis=1), rtol=1e-4)
    assert samples.value_range == pytest.approx((values.min(), values.max()))


def test_standardised_values_reach_the_network_as_they_are_in_the_file(train_entries, tmp_path):
    """The network takes off ``mean`` and ``std``; what is left must be the file's own values."""
    shift, spread = torch.tensor([[0.48, 0.45, 0.4], [0.22, 0.25, 0.28]]).view(2, 3, 1, 1)
    for entry in train_entries:
        entry["X"] = (entry["X"] - shift) / spread
    torch.save(train_entries, tmp_path / "train_data.pth.tar")
    samples = read_train(tmp_path / "train_data.pth.tar")
    file_values = torch.stack([entry["X"] for entry in train_entries])
    assert samples.value_range == pytest.approx((file_values.min().item(), file_values.max().item()))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (samples.mean, samples.std))
    torch.testing.assert_close((samples.crops - mean) / std, file_values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("y", [True, 1.0, torch.tensor(1), torch.tensor([1.0])])
def test_train_labels_may_be_of_any_numeric_kind(y, train_entries, tmp_path):
    train_entries[1]["y"] = y
    torch.save(train_entries, tmp_path / "train.pth.tar")
    assert read_train(tmp_path / "train.pth.tar").labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "y", [-1, 2, 0.5, None, "1", [1], torch.tensor([0, 1]), float("nan"), torch.zeros(1, device="meta")]
)
def test_train_labels_must_be_one_or_zero(y, train_entries, tmp_path):
    torch.save([*train_entries * 6, {**train_entries[1], "y": y}], tmp_path / "train.pth.tar")
    with pytest.raises(DataError, match=naming("train.pth.tar", 18, "y")):
        read_train(tmp_path / "train.pth.tar")


@pytest.mark.parametrize(
    "X",
    [
        torch.zeros(3, 42, 42),
        torch.zeros(3, 3, 42, 41),
        torch.zeros(9, 42, 42),
        torch.zeros(3, 3, 42, 42, dtype=torch.float64),
        torch.zeros(3, 3, 42, 42, dtype=torch.uint8),
        torch.zeros(3, 3, 42, 42).to_sparse(),
        torch.zeros(3, 3, 42, 42, device="meta"),
        torch.zeros(1).expand(3, 3, 42, 42),
        [[0.0]],
        None,
    ],
    ids=lambda X: f"{X.dtype} {tuple(X.shape)}" if isinstance(X, torch.Tensor) else type(X).__name__,
)
def test_train_crops_must_have_their_shape_and_type(X, train_entries, tmp_path):
    torch.save([*train_entries * 6, {**train_entries[2], "X": X}], tmp_path / "train.pth.tar")
    with pytest.raises(DataError, match=naming("train.pth.tar", 18, "X")):
        read_train(tmp_path / "train.pth.tar")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_train_values_must_be_finite(value, train_entries, tmp_path):
    spoilt = train_entries[1]["X"].clone()
    spoilt[0, 0, 0, 0] = value
    torch.save([*train_entries * 6, {**train_entries[1], "X": spoilt}], tmp_path / "train.pth.tar")
    with pytest.raises(DataError, match=naming("train.pth.tar", 18, "X", "finite")):
        read_train(tmp_path / "train.pth.tar")


def test_train_values_must_have_a_usual_range(train_entries, tmp_path):
    spoilt = train_entries[1]["X"].clone()
    spoilt[0, :, 0, 0] = torch.finfo(torch.float32).max
    spoilt[1, :, 0, 0] = torch.finfo(torch.float32).min
    torch.save([*train_entries * 6, {**train_entries[1], "X": spoilt}], tmp_path / "train.pth.tar")
    with pytest.raises(DataError, match=naming("train.pth.tar", "X", "3.40282e+38")):
        read_train(tmp_path / "train.pth.tar")


@pytest.mark.parametrize(
    "content",
    [[], {"X": 1}, [1, 2], torch.zeros(3), [{}], [{"x": 3, 4: 5}]],
    ids=lambda c: str(c)[:20],
)
def test_anything_but_a_list_of_dicts_with_crops_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "train.pth.tar")
    with pytest.raises(DataError, match=r"train\.pth\.tar"):
        read_train(tmp_path / "train.pth.tar")


# what is read: validation and testing


def test_eval_round_trip(dataset, pth_folder):
    (example,), (i,) = PthArchive(pth_folder).examples("val"), dataset.split("val")
    assert (example.name, example.shape, example.fixations) == (f"s{i}.png", SIZES[i], None)
    np.testing.assert_array_equal(example.stimulus(), dataset.stimuli[i].read())
    (entry,) = published(pth_folder, "val")
    for tensor, scale in zip(example.image.pyramid.tensors(), SCALES, strict=True):
        assert torch.equal(tensor, entry[f"X_{scale}"])
    assert example.image.grid.points.tolist() == entry["spatial_coords"].tolist()
    assert example.image.grid.corners
    with Image.open(pth_folder / "ALLFIXATIONMAPS" / f"s{i}_fixMap.jpg") as map_:
        np.testing.assert_array_equal(example.ground_truth(), np.asarray(map_))


def test_standardised_images_are_taken_as_they_are_and_shown_at_full_contrast(eval_folder):
    (entry,) = published(eval_folder, "test")
    standardised = {key: (entry[key] - 0.45) / 0.25 for key in ("X", "X_400", "X_250", "X_150")}
    (example,) = read_examples(rewrite(eval_folder, **standardised))
    assert example.image.pyramid.standardised
    assert torch.equal(example.image.pyramid.tensors()[0], standardised["X_400"])
    assert (example.stimulus().min(), example.stimulus().max()) == (0, 255)


def test_files_of_the_older_torch_format_are_read(pth_folder, eval_folder, train_entries, tmp_path):
    torch.save(train_entries, tmp_path / "train.pth.tar", _use_new_zipfile_serialization=False)
    assert len(read_train(tmp_path / "train.pth.tar")) == 3
    entries = published(pth_folder, "test")
    torch.save(entries, eval_folder / "test_data.pth.tar", _use_new_zipfile_serialization=False)
    (example,) = PthArchive(eval_folder).examples("test")
    assert torch.equal(example.image.pyramid.tensors()[0], entries[0]["X_400"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("X", None),
        ("X", torch.zeros(40, 50, 3)),
        ("X", torch.zeros(3, 0, 50)),
        ("X_250", None),
        ("X_250", torch.zeros(3, 250, 249)),
        ("X_150", torch.zeros(3, 150, 150, dtype=torch.float16)),
        ("X_400", torch.full((3, 400, 400), torch.nan)),
        ("spatial_coords", None),
        ("spatial_coords", torch.zeros(2500, 3, dtype=torch.int64)),
        ("spatial_coords", torch.zeros(2500, 2)),
        ("spatial_coords", torch.cartesian_prod(torch.arange(50), torch.arange(50)).flip(1)),
        ("spatial_coords", torch.cartesian_prod(torch.arange(50), torch.arange(50))[:-1]),
        ("spatial_coords", torch.zeros(1, dtype=torch.int64).expand(10**12, 2)),
        ("X", torch.zeros(1).expand(3, 10**6, 10**6)),
        ("file", None),
        ("file", 7),
    ],
)
def test_eval_entries_are_checked_before_the_first_is_yielded(key, value, eval_folder):
    with pytest.raises(DataError, match=naming(key)):
        read_examples(rewrite(eval_folder, **{key: value}))


@pytest.mark.parametrize("name", ["x" * 5000, "a/../../b.png", "a\0.png"])
def test_a_name_that_no_file_can_have_is_one_of_a_missing_map(name, eval_folder):
    with pytest.raises(FileError, match="ALLFIXATIONMAPS"):
        read_examples(rewrite(eval_folder, file=name))


def test_missing_maps_are_named_before_any_work(eval_folder, dataset):
    (i,) = dataset.split("test")
    map_ = eval_folder / "ALLFIXATIONMAPS" / f"s{i}_fixMap.jpg"
    map_.unlink()
    with pytest.raises(FileError, match=map_.name):
        read_examples(eval_folder / "test_data.pth.tar")
    shutil.rmtree(eval_folder / "ALLFIXATIONMAPS")
    with pytest.raises(FileError, match=naming("ALLFIXATIONMAPS", "test_data.pth.tar")):
        read_examples(eval_folder / "test_data.pth.tar")


def test_a_map_of_another_size_or_damaged_is_refused(eval_folder, dataset):
    (i,) = dataset.split("test")
    height, width = SIZES[i]
    map_ = eval_folder / "ALLFIXATIONMAPS" / f"s{i}_fixMap.jpg"
    (example,) = read_examples(eval_folder / "test_data.pth.tar")
    Image.new("L", (height, width)).save(map_)
    with pytest.raises(DataError, match=naming(map_.name, f"{height}x{width}", f"{width}x{height}")):
        example.ground_truth()
    map_.write_bytes(b"no picture")
    with pytest.raises(DataError, match=map_.name):
        example.ground_truth()


# files that are no archives


def test_missing_files_are_named_with_the_way_to_make_them(tmp_path):
    with pytest.raises(FileError, match=naming("train_data.pth.tar", "mrsal prepare")):
        _ = PthArchive(tmp_path).samples
    with pytest.raises(FileError, match=r"val_data\.pth\.tar"):
        PthArchive(tmp_path).examples("val")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 1e-5, 1e-4, 1e-3, 0.5, 0.9999])
def test_a_truncated_archive_is_refused(zipped, share, train_entries, tmp_path):
    path = tmp_path / "train_data.pth.tar"
    torch.save(train_entries, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"train_data\.pth\.tar"):
        read_train(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_archive_is_refused_and_its_code_does_not_run(zipped, eval_folder, tmp_path):
    trace, path = tmp_path / "trace", eval_folder / "test_data.pth.tar"
    torch.save([{"X": Hostile(trace)}], path, _use_new_zipfile_serialization=zipped)
    for read in (read_train, read_examples):
        with pytest.raises(DataError, match="mkdir"):
            read(path)
    assert not trace.exists()
    torch.load(path, weights_only=False)  # it is hostile indeed
    assert trace.exists()
