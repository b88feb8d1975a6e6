"""Archives from the internet: only files, only inside the folder, and no more than is plausible."""

import stat
import zipfile

import pytest
from messages import naming

from mrsal.datasets import unpack as module
from mrsal.datasets.unpack import unpack
from mrsal.errors import DataError


def archive(path, members):
    """Write a zip archive from pairs of a name, or a ZipInfo, and a content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members:
            opened.writestr(name, content)
    return path


def member(name, *, mode=0):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_files_and_folders_are_unpacked_without_what_computers_leave(tmp_path):
    members = [
        ("a b/1.jpg", "one"),
        ("2.txt", "two"),
        ("empty/", ""),
        ("__MACOSX/a b/._1.jpg", "x"),
        ("a b/.DS_Store", "x"),
    ]
    unpack(archive(tmp_path / "a.zip", members), tmp_path / "out")
    assert files_in(tmp_path / "out") == ["2.txt", "a b/1.jpg"]
    assert (tmp_path / "out/a b/1.jpg").read_text() == "one"


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:\\evil.txt", "C:evil.txt"]
)
def test_no_member_leaves_the_folder(tmp_path, name):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match=naming("a.zip", "evil.txt")):
        unpack(archive(tmp_path / "in/a.zip", [(name, "x")]), tmp_path / "out")
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o666, stat.S_IFCHR | 0o666])
def test_links_and_devices_are_refused(tmp_path, mode):
    path = archive(tmp_path / "a.zip", [(member("link", mode=mode), "/etc/passwd"), ("link/passwd", "x")])
    with pytest.raises(DataError, match=naming("a.zip", "'link'")):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unusual_methods_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as opened:
        opened.writestr("a.txt", "x")
    with pytest.raises(DataError, match=naming("a.zip", "'a.txt'")):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_name_that_is_there_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path / "a.zip", [("a.txt", "one"), ("a.txt", "two")])
    with pytest.raises(DataError, match=naming(tmp_path / "out/a.txt")):
        unpack(path, tmp_path / "out")


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SPARE", 1e6)
    path = archive(tmp_path / "a.zip", [("zeros", bytes(20_000_000))])
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=naming("a.zip", 100)):
        unpack(path, tmp_path / "out")
    assert (tmp_path / "out/zeros").stat().st_size < 5e6
    monkeypatch.setattr(module, "_MEMBERS", 1)
    with pytest.raises(DataError, match=naming("a.zip", 2)):
        unpack(archive(tmp_path / "a.zip", [("a", ""), ("b", "")]), tmp_path / "out")


def test_a_size_in_the_archive_that_is_a_lie_does_not_help_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SPARE", 1e6)
    path = archive(tmp_path / "a.zip", [("zeros", bytes(20_000_000))])
    size = (20_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"a\.zip"):
        unpack(path, tmp_path / "out")
    assert (tmp_path / "out/zeros").stat().st_size < 5e6


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", "cut", "changed"])
def test_a_damaged_archive_is_refused(tmp_path, content):
    path = archive(tmp_path / "a.zip", [("a.txt", "a text that is long enough to be damaged")])
    data = path.read_bytes()
    if content == "cut":
        content = data[:-30]
    elif content == "changed":
        content = data[:40] + bytes([data[40] ^ 255]) + data[41:]
    path.write_bytes(content)
    with pytest.raises(DataError, match=naming(path)):
        unpack(path, tmp_path / "out")


def test_an_encrypted_member_is_refused(tmp_path):
    path = archive(tmp_path / "a.zip", [("a.txt", "x")])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of the member, in both places
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=naming("a.zip", "'a.txt'")):
        unpack(path, tmp_path / "out")
