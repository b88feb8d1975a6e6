"""Lists, tables and tars of images are read in little memory; other inputs are tested in test_predict_job."""

import os
from pathlib import Path

import pyarrow as pa
import pytest
from known_images import encoded, write_tar
from messages import mentions
from pyarrow import parquet

from mrsal.errors import DataError, InputError
from mrsal.inference.inputs import InputFile, find_inputs, list_inputs


def images_of(path):
    errors = []
    (file,), unusable = find_inputs([str(path)])
    assert unusable == []
    return list(file.images(errors.append)), errors


def test_a_table_is_a_list_of_paths_relative_to_its_folder(tmp_path):
    (tmp_path / "x").mkdir()
    table = pa.table({"path": ["x/a.png", "b.jpg", str(tmp_path / "c.png")], "photo": ["d.png", "e.png", "d.png"]})
    parquet.write_table(table, tmp_path / "table.parquet")
    inputs, errors = find_inputs([str(tmp_path / "table.parquet")])
    assert errors == []  # missing files are found out by whoever reads them
    assert [(s.path.relative_to(tmp_path).as_posix(), str(s.name)) for s in inputs] == [
        *(("x/a.png", "a"), ("b.jpg", "b"), ("c.png", "c")),
    ]
    inputs, _ = find_inputs([str(tmp_path / "table.parquet")], column="photo")
    assert [str(s.name) for s in inputs] == ["d", "e"]


@pytest.mark.parametrize(
    ("columns", "error", "named"),
    [
        ({"file": ["a.png"]}, InputError, ["file", "--column"]),
        ({"path": [1]}, DataError, ["path", "int64"]),
        ({"path": ["a.png", None]}, DataError, ["path"]),
    ],
)
def test_a_table_without_paths_is_refused(tmp_path, columns, error, named):
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    _, errors = find_inputs([str(tmp_path / "t.parquet")])
    assert isinstance(errors[0], error) and mentions(str(errors[0]), "t.parquet", *named)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    _, errors = find_inputs([str(tmp_path / "t.parquet")])
    assert mentions(str(errors[0]), "t.parquet")


def test_a_tar_gives_its_images_under_its_own_name(tmp_path):
    members = {"0.png": encoded(10), "0.json": b"{}", "deep/1.JPG": encoded(90, "JPEG"), "0.jpg": encoded(50, "JPEG")}
    found, errors = images_of(write_tar(tmp_path / "shard-0.tar", members))
    assert errors == []
    assert [s.name.as_posix() for s in found] == ["shard-0.tar/0_png", "shard-0.tar/deep/1", "shard-0.tar/0_jpg"]
    assert [int(s.read().mean()) for s in found] == [10, 90, 50]


def test_two_images_of_a_tar_never_get_one_name(tmp_path):
    found, _ = images_of(write_tar(tmp_path / "s.tar", dict.fromkeys(["a.jpg", "a.png", "a_jpg.png"], encoded(1))))
    assert [s.name.name for s in found] == ["a_jpg_jpg", "a_png", "a_jpg_png"]


def test_a_list_may_come_through_a_pipe(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(1))
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(f"{tmp_path / 'a.png'}\na\0b/*.png\n")
    (file,), (error,) = find_inputs([f"@/dev/fd/{reading}"])
    os.close(reading)
    assert file.path == tmp_path / "a.png"
    assert mentions(str(error), 2, "null")


def test_a_tar_cannot_write_outside_of_the_output_folder(tmp_path):
    members = {"../evil.png": encoded(1), "/evil.png": encoded(1), "good.png": encoded(3)}
    found, errors = images_of(write_tar(tmp_path / "s.tar", members))
    assert [s.name.name for s in found] == ["good"]
    assert len(errors) == 2


def test_what_a_damaged_tar_still_gives_is_taken(tmp_path):
    path = write_tar(tmp_path / "s.tar", {f"{i}.png": encoded(i) for i in range(4)})
    path.write_bytes(path.read_bytes()[:2100])  # a header and a block of data each; the third one lacks its data
    found, errors = images_of(path)
    assert [int(s.read().mean()) for s in found[:2]] == [0, 1]
    assert errors
    for content in (b"", path.read_bytes()[:600]):
        path.write_bytes(content)
        assert images_of(path)[1]
    assert mentions(str(images_of(write_tar(tmp_path / "z.tar", {"a.png": encoded(1)}, "w:gz"))[1][0]), "z.tar")


def test_a_broken_image_in_a_tar_is_named(tmp_path):
    (file,), _ = images_of(write_tar(tmp_path / "s.tar", {"bad.png": b"\x89PNG"}))
    with pytest.raises(DataError, match=r"s\.tar/bad\.png"):
        file.read()


def test_listing_goes_through_a_folder_as_it_is_asked_for(tmp_path):
    out = tmp_path / "photos" / "maps"
    out.mkdir(parents=True)
    for name in ("a.png", "deep/b.png", "maps/a.png", "deep/c.txt"):
        (tmp_path / "photos" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(encoded(1))
    errors = []
    listed = list_inputs([str(tmp_path / "photos"), str(tmp_path / "gone")], errors.append, recursive=True, out=out)
    assert next(listed) == InputFile(tmp_path / "photos" / "a.png", Path("a"))
    assert errors == []  # what comes later was not looked at
    assert [file.name for file in listed] == [Path("deep/b")]
    assert len(errors) == 1


def test_a_folder_that_cannot_be_listed_keeps_none_of_the_others(tmp_path, monkeypatch):
    for name in ("a", "closed", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").write_bytes(encoded(1))
    listed = os.scandir

    def scandir(folder):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    found, errors = find_inputs([str(tmp_path)], recursive=True)
    assert [file.path.stem for file in found] == ["a", "c"]
    assert mentions(str(errors[0]), "closed") and len(errors) == 1
