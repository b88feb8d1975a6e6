"""``mrsal datasets``: what the commands print, and which data sets they know."""

import json
import re

import pytest
from messages import mentions

from mrsal.datasets import LOADERS, PUBLISHED, info_of, loaders
from mrsal.errors import InputError


def test_every_published_set_is_listed(run):
    status, out, _ = run("datasets", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:-1]] == list(PUBLISHED)
    listed = json.loads(run("datasets", "list", "--json")[1])["datasets"]
    assert [entry["name"] for entry in listed] == list(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_known_of_a_set_is_whole(name, run):
    info = info_of(name.upper())
    assert info.name == name and name in LOADERS
    for text in (info.title, info.citation, info.terms, info.home, info.task):
        assert text
    assert re.search(r"\b20\d\d\b", info.citation) and info.home.startswith("http")
    assert info.files or info.steps, "either mrsal can download it, or it says how to get it"
    for file in info.files:
        algorithm, _, digest = file.checksum.partition(":")
        assert len(digest) == {"md5": 32, "sha256": 64}[algorithm]
        assert file.urls and all(url.startswith("http") for url in file.urls)
        assert file.is_zip or file.path
    status, out, _ = run("datasets", "info", name)
    assert status == 0
    assert mentions(out, info.title, info.citation, info.terms, info.home, *info.steps)
    printed = json.loads(run("datasets", "info", name, "--json")[1])
    assert printed["citation"] == info.citation and printed["files"] == len(info.files)


def test_a_set_that_is_not_published_has_no_info(run):
    status, out, err = run("datasets", "info", "folder")
    assert (status, out) == (2, "") and mentions(err, "'folder'", *PUBLISHED)
    with pytest.raises(InputError):
        loaders.info_of("nope")


def test_download_says_what_to_do_where_it_cannot(run, tmp_path):
    status, out, err = run("datasets", "download", "salicon", "--root", tmp_path / "salicon")
    assert (status, out) == (2, "") and mentions(err, "salicon", "salicon.net")
    assert not (tmp_path / "salicon").exists()


def test_show_draws_a_sheet(run, folder_root):
    status, out, _ = run("datasets", "show", "folder", "--root", folder_root, "--out", "a.png", "--count", 3)
    assert status == 0 and "3 of 10" in out
    result = json.loads(run("datasets", "show", "folder", "--root", folder_root, "--out", "b.png", "--json")[1])
    assert result["file"] == "b.png" and len(result["shown"]) == 9
    assert run("datasets", "show", "folder", "--root", folder_root, "--out", "c.png", "--quiet") == (0, "", "")
    assert run("datasets", "show", "folder", "--root", folder_root, "--out", "c.png", "--count", 0)[0] == 2


def test_loading_says_what_is_left_out(run, folder_root):
    with (folder_root / "fixations.csv").open("a") as file:
        file.write("s0,o0,9999,1,,\n")
    assert (
        "1 of 121 rows are outside the image"
        in run("datasets", "show", "folder", "--root", folder_root, "--out", "a.png")[1]
    )
