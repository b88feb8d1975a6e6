"""A file or folder appears whole or not at all."""

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from messages import naming
from obstacles import small_disk

from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_folder, atomic_path, decoding, make_folder, new_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_complete_and_alone(tmp_path):
    target = tmp_path / "new" / "deep" / "file.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("all of it")
        assert not target.exists()
    assert target.read_text() == "all of it"
    assert names(target.parent) == ["file.txt"]


def test_a_file_gets_the_permissions_of_any_other_new_file(tmp_path):
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    (tmp_path / "plain").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")}
    assert len(modes) == 1


@pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt, DataError])
def test_an_exception_leaves_the_old_file_and_no_other(exception, tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(exception), atomic_path(target) as temporary:
        temporary.write_text("half of the n")
        raise exception
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_full_disk_is_a_file_error_and_leaves_the_old_file(tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with (
        pytest.raises(FileError, match=r"file\.bin"),
        atomic_path(target) as temporary,
        small_disk(1000),
    ):
        temporary.write_bytes(bytes(5000))
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["file.bin"]


def test_an_error_about_another_file_keeps_its_message(tmp_path):
    for atomic in (atomic_path, atomic_folder):
        with pytest.raises(FileError, match="^cannot open the picture$"), atomic(tmp_path / "out"):
            raise FileError("cannot open the picture")


def test_a_folder_appears_complete_and_replaces_an_older_one(tmp_path):
    target = tmp_path / "archive"
    for content in ("first", "second"):
        with atomic_folder(target) as temporary:
            (temporary / content).mkdir()
            (temporary / content / "file").write_text(content)
    assert names(target) == ["second"]
    assert (target / "second" / "file").read_text() == "second"
    assert names(tmp_path) == ["archive"]


def test_an_exception_leaves_the_old_folder_and_no_other(tmp_path):
    target = tmp_path / "archive"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(target) as temporary:
        (temporary / "new").touch()
        raise RuntimeError
    assert names(target) == ["old"]
    assert names(tmp_path) == ["archive"]


@pytest.mark.parametrize("ending", [SystemExit, OSError])
def test_a_folder_whose_place_cannot_be_taken_stays(ending, tmp_path, monkeypatch):
    target = tmp_path / "archive"
    target.mkdir()
    (target / "old").touch()
    rename = Path.rename

    def fail(path, to):
        if path.suffix == ".part":
            raise ending
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((SystemExit, FileError)), atomic_folder(target) as temporary:
        (temporary / "new").touch()
    assert names(target) == ["old"]
    assert names(tmp_path) == ["archive"]


def test_systems_that_open_no_folders_can_be_written_on(tmp_path, monkeypatch):
    open_ = os.open

    def windows(path, *arguments, **options):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied")
        return open_(path, *arguments, **options)

    monkeypatch.setattr(os, "open", windows)
    with atomic_path(tmp_path / "file") as temporary:
        temporary.write_text("new")
    with atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "file").touch()
    assert names(tmp_path) == ["file", "folder"]


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "now")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(new_folder, [tmp_path / "runs"] * 8))
    assert names(tmp_path / "runs") == sorted(path.name for path in made) == ["now", *(f"now_{i}" for i in range(2, 9))]
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming(tmp_path / "file")):
        new_folder(tmp_path / "file")


def test_a_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_file(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(FileError, match=naming(tmp_path / "file")), atomic_folder(tmp_path / "file"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match=naming(tmp_path / "folder")), atomic_path(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").read_text() == "precious"
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("atomic", [atomic_path, atomic_folder])
def test_a_place_that_cannot_be_written_is_named(atomic, tmp_path):
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below" / "name"
    with pytest.raises(FileError, match=r"file.below"), atomic(below):
        pass
    with pytest.raises(FileError, match=naming("n" * 256)), atomic(tmp_path / ("n" * 256)):
        pass
    with atomic(tmp_path / ("n" * 255)):
        pass
    assert names(tmp_path) == ["file", "n" * 255]


def test_make_folder_creates_parents_and_is_content_with_what_is_there(tmp_path):
    deep = tmp_path / "a" / "b"
    assert make_folder(str(deep)) == make_folder(deep) == deep
    assert deep.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=naming(tmp_path / "file")):
        make_folder(tmp_path / "file")


# reading


@pytest.mark.parametrize("error", [KeyError("a"), RecursionError("deep"), MemoryError(), OverflowError("large\nvalue")])
def test_whatever_a_damaged_file_raises_names_the_file(error):
    with (
        pytest.raises(DataError, match=naming("a.npy", "an array", "write it again")) as caught,
        decoding("a.npy", "an array", remedy="write it again"),
    ):
        raise error
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_not_damaged(tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        with (
            pytest.raises(FileError, match=naming(path, "check the path")),
            decoding(path, "text", remedy="check the path"),
        ):
            path.read_text()
    with pytest.raises(DataError, match=naming(tmp_path, "a value")), decoding(tmp_path, "text", remedy="none"):
        raise InputError("a value")  # of a file it is no longer one that the caller gave
    with pytest.raises(DataError, match=r"\Aas it is\Z"), decoding(tmp_path, "text", remedy="none"):
        raise DataError("as it is")
