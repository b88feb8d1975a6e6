"""The split that a user chooses, and stimuli without fixations, which do not stop the rest."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image
from tiny_data import SIZES

from mrsal.datasets import NativeArchive, PrepareOptions, load
from mrsal.datasets.splits import split_by_shares
from mrsal.errors import DataError, InputError

NAMES = [f"s{i}.png" for i in range(len(SIZES))]


def sizes(dataset) -> dict[str, int]:
    return {name: len(members) for name, members in dataset.splits.items()}


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (30, {"test": 1}, (0, 0, 30)),
        (10, {"train": 0.8, "val": 0.1, "test": 0.1}, (8, 1, 1)),
        (3, {"train": 1 / 3, "val": 1 / 3, "test": 1 / 3}, (1, 1, 1)),
        (7, {"train": 0.5, "test": 0.5}, (4, 0, 3)),
        (1, {"val": 0.2, "test": 0.8}, (0, 0, 1)),
    ],
)
def test_shares(count, shares, expected):
    split = split_by_shares(count, shares)
    assert tuple(len(split[name]) for name in ("train", "val", "test")) == expected
    assert sorted(np.concatenate(list(split.values()))) == list(range(count))


@pytest.mark.parametrize("seed", range(20))
def test_any_shares_cover_all_stimuli_and_are_off_by_less_than_one(seed):
    rng = np.random.default_rng(seed)
    count, shares = int(rng.integers(1, 200)), rng.dirichlet([1, 1, 1])
    split = split_by_shares(count, dict(zip(("train", "val", "test"), shares.tolist(), strict=True)))
    assert sorted(np.concatenate(list(split.values()))) == list(range(count))
    assert np.abs([len(members) for members in split.values()] - count * shares).max() < 1


@pytest.mark.parametrize(
    "split", ["test", "test=2", "dev=1", "train=0.5,train=0.5", "test=-1", "train=.5;test=.5", "test=nan"]
)
def test_wrong_shares_are_refused(split, tmp_path):
    with pytest.raises(InputError, match=naming("split", split)):
        PrepareOptions(name="folder", root=tmp_path, out=tmp_path, split=split)


def test_a_small_set_can_be_all_test(folder_root):
    assert sizes(load("folder", folder_root, split={"test": 1})) == {"train": 0, "val": 0, "test": 10}


def test_one_image_is_enough_and_is_for_testing(folder_root):
    for name in NAMES[1:]:
        (folder_root / "stimuli" / name).unlink()
    assert sizes(load("folder", folder_root)) == {"train": 0, "val": 0, "test": 1}


def test_a_table_decides(folder_root, caplog):
    (folder_root / "splits.csv").write_text(
        "Image;Set\ns3.png;test\ns1;Train\nstimuli\\s2.png;val\ns9;test\nhall;test\n"
    )
    data = load("folder", folder_root)
    assert {name: members.tolist() for name, members in data.splits.items()} == {
        "train": [1],
        "val": [2],
        "test": [3, 9],
    }
    assert mentions(caplog.text, 1, 5, "hall", 6, 10)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (["s1,test", "s2,dev"], ["splits.csv", 3, "dev"]),
        (["s1,test", "s2,val", "s1.png,val"], ["splits.csv", 4, "s1.png", "test", "val"]),
        (["hall,test"], ["splits.csv", 1, "hall", "s0.png"]),
        ([], ["splits.csv"]),
    ],
)
def test_wrong_tables_are_refused(rows, named, folder_root):
    (folder_root / "splits.csv").write_text("\n".join(["stimulus,split", *rows]))
    with pytest.raises(DataError, match=naming(*named)):
        load("folder", folder_root)


def test_two_ways_to_split_are_one_too_many(folder_root):
    (folder_root / "splits.csv").write_text("stimulus,split\ns1,test\n")
    with pytest.raises(InputError, match=naming("--split", "splits.csv")):
        load("folder", folder_root, split={"test": 1})


def test_options_of_tables_are_refused_where_there_is_no_table(folder_root):
    options = PrepareOptions(name="osie", root=folder_root, out=folder_root, columns=["x=FixX"], scale=2)
    with pytest.raises(InputError, match=naming("--columns", "--scale", "osie", "folder", without="--offset")):
        load("osie", folder_root, table=options)


# stimuli without fixations


def without(folder_root, *names: str, only_first: str = "") -> None:
    """Take away the fixations on some stimuli, and all but the first ones on another."""
    rows = (folder_root / "fixations.csv").read_text().splitlines()
    kept = [row for row in rows if not row.startswith(tuple(f"{name}," for name in names))]
    kept = [row for row in kept if not (row.startswith(f"{only_first},") and not row.endswith(",0.00,0.20"))]
    (folder_root / "fixations.csv").write_text("\n".join(kept) + "\n")


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("format_", ["native", "pth"])
def test_a_stimulus_without_fixations_does_not_stop_prepare(split, format_, folder_root, run):
    name = NAMES[load("folder", folder_root).split(split)[0]]
    without(folder_root, name.removesuffix(".png"))
    status, out, err = run("prepare", "folder", "--root", folder_root, "--out", "out", "--format", format_, "--json")
    assert status == 0
    assert json.loads(out)["without_fixations"] == [name]
    assert mentions(err, 1, 10, name)


def test_its_samples_and_scores_are_left_out(folder_root, run, tmp_path):
    without(folder_root, "s4", "s7", only_first="s5")
    (folder_root / "splits.csv").write_text(
        "stimulus,split\n" + "".join(f"s{i},{'train' if i in (0, 4) else 'test'}\n" for i in range(10))
    )
    assert run("prepare", "folder", "--root", folder_root, "--out", "out")[0] == 0
    archive = NativeArchive(tmp_path / "out")
    assert set(archive.table[:, 0].tolist()) == {0}
    assert [example.name for example in archive.examples("test")] == [NAMES[i] for i in (1, 2, 3, 5, 6, 8, 9)]
    evaluate = ("evaluate", "--data_dir", "out", "--model_path", "centre", "--num_saved_images", 0)
    for more, count, left_out in (((), 7, ["s7.png"]), (("--skip_first",), 6, ["s5.png", "s7.png"])):
        status, out, err = run(*evaluate, *more, "--json")
        assert status == 0
        assert json.loads(out)["images"] == count
        assert mentions(err, len(left_out), 8, *left_out)


def test_no_fixations_at_all_are_an_error(folder_root, run):
    data = load("folder", folder_root)
    empty = replace(data, fixations=data.fixations.where(data.fixations.n < 0))
    assert not empty.has_ground_truth().any()
    (folder_root / "splits.csv").write_text("stimulus,split\ns4,val\ns1,test\n")
    without(folder_root, "s4")
    assert run("prepare", "folder", "--root", folder_root, "--out", "out")[0] == 0
    status, _, err = run("evaluate", "--data_dir", "out", "--model_path", "centre", "--split", "val")
    assert status == 2
    assert mentions(err, "val", "--split")


def test_published_maps_serve_where_there_are_no_fixations(tmp_path, run):
    root = tmp_path / "mit"
    (root / "ALLSTIMULI").mkdir(parents=True)
    (root / "ALLFIXATIONMAPS").mkdir()
    for i in range(10):
        Image.new("RGB", (64, 48)).save(root / "ALLSTIMULI" / f"i{i}.jpeg")
        if i != 3:
            Image.radial_gradient("L").resize((64, 48)).save(root / "ALLFIXATIONMAPS" / f"i{i}_fixMap.jpg")
    status, out, _ = run("prepare", "mit1003", "--root", root, "--out", "out", "--split", "test=1", "--json")
    assert (status, json.loads(out)["without_fixations"]) == (0, ["i3.jpeg"])
    status, out, err = run("evaluate", "--data_dir", "out", "--model_path", "centre", "--json")
    assert (status, json.loads(out)["images"]) == (0, 9)
    assert mentions(err, "i3.jpeg")
    run("prepare", "mit1003", "--root", root, "--out", "pth", "--split", "test=1", "--format", "pth")
    assert json.loads(run("evaluate", "--data_dir", "pth", "--model_path", "centre", "--json")[1])["images"] == 9


def test_one_subject_gives_no_ceiling_and_is_told(folder_root, run, caplog):
    caplog.set_level(logging.INFO, "mrsal")
    rows = (folder_root / "fixations.csv").read_text().splitlines()
    (folder_root / "fixations.csv").write_text(
        "\n".join(row for row in rows if ",o1," not in row and ",o2," not in row)
    )
    _, _, err = run("prepare", "folder", "--root", folder_root, "--out", "out", "--split", "test=1", "--quiet")
    assert mentions(err, "subject", "ceiling")
    status, _, err = run("evaluate", "--data_dir", "out", "--model_path", "centre", "--quiet", "--num_saved_images", 0)
    assert status == 0
    assert mentions(err, 10, "ceiling", "s0.png")
