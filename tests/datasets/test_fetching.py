"""Downloads from a server that breaks off, stalls, lies about sizes and serves wrong files; all of it on this machine."""

import hashlib
import io
import json
import socket
import sys
import zipfile
from dataclasses import replace

import pytest
from bad_server import serving
from messages import mentions, naming

from mrsal.datasets import DatasetInfo, RemoteFile, download, fetching as module
from mrsal.errors import DataError, FileError, InputError

pytest.importorskip("pooch", reason="pip install 'mrsal[download]'")

TABLE = bytes(range(256)) * 4000  # a megabyte
CHUNK = 1 << 12  # what is written at a time; less than that may be lost when a connection breaks off


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"stimuli/{name}.jpg", content)
    return file.getvalue()


IMAGES = zipped(a=b"first", b=b"second")


@pytest.fixture
def server(monkeypatch):
    """A server with an archive and a table; nobody waits for long."""
    monkeypatch.setattr(module, "_TIMEOUT", (2, 0.4))
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    monkeypatch.setattr(module, "_CHUNK", CHUNK)
    with serving() as opened:
        opened.files |= {"/images.zip": IMAGES, "/table.mat": TABLE, "/mirror/table.mat": TABLE}
        yield opened


@pytest.fixture
def info(server):
    """A data set on it: the archive, and a table with a mirror."""
    files = (
        RemoteFile(
            urls=(f"{server.address}/images.zip",), checksum=f"md5:{hashlib.md5(IMAGES).hexdigest()}", is_zip=True
        ),
        RemoteFile(
            urls=(f"{server.address}/table.mat", f"{server.address}/mirror/table.mat"),
            checksum=f"sha256:{hashlib.sha256(TABLE).hexdigest()}",
            path="data/eye/table.mat",
        ),
    )
    about = {"title": "Tiny", "citation": "", "terms": "", "home": "", "task": "", "stimuli": 2, "observers": 1}
    return DatasetInfo(name="tiny", pixels_per_degree=1, megabytes=1, files=files, **about)


def is_whole(root):
    found = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return found == {"stimuli/a.jpg": b"first", "stimuli/b.jpg": b"second", "data/eye/table.mat": TABLE}


def asked(server, path):
    return [wanted for requested, wanted in server.requests if requested == path]


def test_a_data_set_is_there_with_all_its_files_and_nothing_else(info, tmp_path):
    seen = []
    assert download(info, tmp_path / "tiny", progress=lambda done, note: seen.append((done, note))) == tmp_path / "tiny"
    assert is_whole(tmp_path / "tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == 2 and (1.5 < seen[-20][0] < 2) and "MB" in seen[-20][1]


def test_a_connection_that_breaks_off_continues_where_it_stopped(info, server, tmp_path):
    server.breaks_after["/table.mat"] = [70 * CHUNK, 50 * CHUNK, len(TABLE)]
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")
    assert asked(server, "/table.mat") == [None, f"bytes={70 * CHUNK}-", f"bytes={120 * CHUNK}-"]
    assert asked(server, "/mirror/table.mat") == []


def test_a_server_that_stalls_is_asked_again(info, server, tmp_path):
    server.stalls_after["/table.mat"] = [20 * CHUNK, len(TABLE)]
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")
    assert asked(server, "/table.mat") == [None, f"bytes={20 * CHUNK}-"]


def test_a_server_that_cannot_continue_sends_the_whole_file_again(info, server, tmp_path):
    server.breaks_after["/table.mat"] = [300_000, len(TABLE)]
    server.ignores_ranges.add("/table.mat")
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")


def test_a_run_that_failed_is_continued_by_the_next(info, server, tmp_path):
    server.breaks_after |= {"/table.mat": [70 * CHUNK] + [0] * 20, "/mirror/table.mat": [0] * 20}
    with pytest.raises(FileError, match=naming("127.0.0.1", tmp_path / ".tiny.download")):
        download(info, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()
    server.requests.clear()
    server.breaks_after.clear()
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")
    assert server.requests == [("/table.mat", f"bytes={70 * CHUNK}-")]  # the archive is there already
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_the_mirror_follows_an_address_that_has_no_file(info, server, tmp_path, status):
    server.status["/table.mat"] = status
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")


def test_without_a_file_anywhere_the_addresses_are_named(info, server, tmp_path):
    server.status |= {"/table.mat": 404, "/mirror/table.mat": 410}
    with pytest.raises(FileError, match=naming(404, 410, f"{server.address}/mirror/table.mat")):
        download(info, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


def test_a_wrong_file_is_followed_by_the_mirror(info, server, tmp_path):
    server.files["/table.mat"] = b"<html>This page has moved.</html>"
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")


def test_a_wrong_file_is_refused_and_not_kept(info, server, tmp_path):
    server.files |= {"/table.mat": TABLE[::-1], "/mirror/table.mat": b"<html>"}
    with pytest.raises(DataError, match=naming(f"{server.address}/table.mat", info.files[1].checksum)):
        download(info, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()
    assert [path.name for path in (tmp_path / ".tiny.download").iterdir()] == ["0000_images.zip"]


def test_a_beginning_of_another_file_is_thrown_away(info, server, tmp_path):
    waiting = tmp_path / ".tiny.download"
    waiting.mkdir()
    (waiting / "0001_table.mat.part").write_bytes(b"of an older version" * 1000)
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")
    assert asked(server, "/table.mat") == ["bytes=19000-", None]
    assert asked(server, "/mirror/table.mat") == []


def test_a_beginning_that_is_the_whole_file_is_enough(info, server, tmp_path):
    waiting = tmp_path / ".tiny.download"
    waiting.mkdir()
    (waiting / "0001_table.mat.part").write_bytes(TABLE)
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")


def test_a_size_that_is_too_large_does_no_harm(info, server, tmp_path):
    server.announces["/table.mat"] = len(TABLE) + 1
    download(info, tmp_path / "tiny")
    assert is_whole(tmp_path / "tiny")


def test_a_size_that_is_too_small_is_found_out(info, server, tmp_path):
    server.announces |= {"/table.mat": 1000, "/mirror/table.mat": 1000}
    with pytest.raises(DataError, match=naming(f"{server.address}/table.mat")):
        download(info, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


def test_an_implausible_size_is_refused_before_anything_comes(info, server, tmp_path):
    server.announces |= {"/table.mat": 10**12, "/mirror/table.mat": 10**12}
    with pytest.raises(FileError, match=naming("1000000 MB", 3)):
        download(info, tmp_path / "tiny")


def test_a_file_without_an_end_is_given_up(info, server, tmp_path):
    server.endless |= {"/table.mat", "/mirror/table.mat"}
    with pytest.raises(FileError, match=naming("3 MB")):
        download(info, tmp_path / "tiny")
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 2e6


def test_without_a_network_there_is_one_clear_line(info, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a.zip"
        gone = (replace(info.files[0], urls=(url, "http://no.such.host.invalid/a.zip")),)
        with pytest.raises(FileError, match=naming("127.0.0.1: no connection", "no.such.host.invalid")) as caught:
            download(replace(info, files=gone), tmp_path / "tiny")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_archive_that_is_not_safe_leaves_nothing(info, server, tmp_path):
    bad = io.BytesIO()
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("stimuli/a.jpg", "x")
        archive.writestr("../../evil.txt", "x")
    server.files["/images.zip"] = bad.getvalue()
    files = (replace(info.files[0], checksum=f"md5:{hashlib.md5(bad.getvalue()).hexdigest()}"), info.files[1])
    with pytest.raises(DataError, match=r"evil\.txt"):
        download(replace(info, files=files), tmp_path / "sets/tiny")
    assert not (tmp_path / "sets/tiny").exists() and not list(tmp_path.rglob("evil*"))


def test_a_folder_with_files_is_not_touched(info, server, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match=naming(tmp_path)):
        download(info, tmp_path)
    assert server.requests == []
    (tmp_path / "empty").mkdir()
    assert is_whole(download(info, tmp_path / "empty"))


def test_what_cannot_be_downloaded_comes_with_the_steps(info, tmp_path):
    by_hand = replace(info, files=(), steps=("Open the page.", "Press the button."))
    with pytest.raises(InputError, match=naming("tiny", "1. Open the page.", "2. Press the button.")):
        download(by_hand, tmp_path / "tiny")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_named(info, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_append", full)
    with pytest.raises(FileError, match=naming("No space left on device", tmp_path / ".tiny.download")):
        download(info, tmp_path / "tiny")


def test_the_command_downloads_and_says_what_remains_to_be_done(info, run, monkeypatch, tmp_path):
    monkeypatch.setattr(
        module, "info_of", lambda name: replace(info, terms="MIT", citation="Us 2020", steps=("Cheer.",))
    )
    status, out, _ = run("datasets", "download", "tiny", "--root", "sets/tiny")
    assert status == 0 and mentions(out, "MIT", "Us 2020", "1. Cheer.", without="datasets show")
    assert is_whole(tmp_path / "sets/tiny")
    assert run("datasets", "download", "tiny", "--root", "again", "--quiet") == (0, "", "")
    monkeypatch.setattr(module, "info_of", lambda name: info)
    assert mentions(run("datasets", "download", "tiny", "--root", "third")[1], "mrsal datasets show tiny")
    result = json.loads(run("datasets", "download", "tiny", "--root", "once-more", "--json")[1])
    assert result == {"folder": "once-more", "dataset": "tiny", "bytes": len(TABLE) + 11, "steps": []}


def test_the_command_has_one_line_without_a_network(info, run, monkeypatch):
    gone = (replace(info.files[0], urls=("http://127.0.0.1:9/a.zip",)),)
    monkeypatch.setattr(module, "info_of", lambda name: replace(info, files=gone))
    status, _, err = run("datasets", "download", "tiny", "--root", "tiny", "--quiet")
    assert status == 2 and err.startswith("error: 127.0.0.1: no connection") and err.count("\n") == 1


def test_without_pooch_the_command_says_how_to_install_it(info, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(InputError, match=r"mrsal\[download\]"):
        download(info, tmp_path / "tiny")
