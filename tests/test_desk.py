"""Uploads from anybody, areas by click and by table."""

import zlib

import numpy as np
import pytest
from PIL import Image

from mrsal.areas import Area
from mrsal.desk import Desk, Limits, areas_of_rows, is_complete, read_upload, rows_of_areas
from mrsal.errors import DataError, InputError

LIMITS = Limits(megabytes=0.5, megapixels=0.5, pictures=3, areas=2)


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (200, 100), "grey").save(tmp_path / "home.png")
    return tmp_path / "home.png"


def truncated(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:4000])


def bomb(path):
    Image.new("1", (4000, 4000)).save(path)


def huge_header(path):
    """A PNG of a few bytes that says it has 2 147 483 647 x 2 147 483 647 pixels."""
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = b"\x7f\xff\xff\xff" * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)


HOSTILE = {
    "truncated": (truncated, "damaged"),
    "bomb": (bomb, "4000x4000 pixels, and at most 0.5 million"),
    "header": (huge_header, "2147483647x2147483647 pixels, and at most 0.5 million"),
    "html": (lambda path: path.write_text("<script>alert(1)</script>"), "not an image"),
    "empty": (lambda path: path.write_bytes(b""), "not an image"),
    "large": (lambda path: path.write_bytes(b"\x89PNG" + bytes(600_000)), "larger than 0.5 MB"),
    "gone": (lambda path: None, "send it again"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_its_name_and_not_the_folders(tmp_path, kind):
    make, complaint = HOSTILE[kind]
    path = tmp_path / f"{kind}.png"
    make(path)
    with pytest.raises(DataError, match=complaint) as caught:
        read_upload(path, LIMITS)
    assert str(caught.value).startswith(f"{kind}.png: ")
    assert str(tmp_path) not in str(caught.value)


def test_the_pixels_of_a_bomb_are_never_decoded(tmp_path, monkeypatch):
    bomb(tmp_path / "bomb.png")
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match="4000x4000"):
        read_upload(tmp_path / "bomb.png", LIMITS)


def test_good_files_stay_where_others_are_refused(tmp_path, picture):
    truncated(tmp_path / "bad.png")
    others = [tmp_path / "x" / "home.png", tmp_path / "c.png", tmp_path / "d.png"]
    for other in others:
        other.parent.mkdir(exist_ok=True)
        Image.new("RGB", (5, 5)).save(other)
    desk, complaints = Desk().with_files([tmp_path / "bad.png", picture, *others], LIMITS)
    assert list(desk.paths) == ["home.png", "home.png (2)", "c.png"]
    assert desk.chosen == "home.png"
    assert "bad.png: " in complaints[0]
    assert "d.png was left out: 3 pictures" in complaints[1]


def test_areas_stay_with_their_picture_until_it_goes(tmp_path, picture):
    other = tmp_path / "b.png"
    Image.new("RGB", (5, 5)).save(other)
    desk = Desk().with_files([picture, other], LIMITS)[0].with_areas([Area("a", 0, 0, 9, 9)], LIMITS)
    assert desk.choose("b.png").current == ()
    assert desk.choose("b.png").choose("home.png").current == (Area("a", 0, 0, 9, 9),)
    assert desk.choose("nowhere.png").chosen == "home.png"
    desk = desk.with_files([other], LIMITS)[0]
    assert (desk.chosen, desk.areas) == ("b.png", {})
    assert desk.with_files([], LIMITS)[0] == Desk()


def test_two_clicks_in_any_order_make_an_area_of_whole_pixels(picture):
    desk = Desk().with_files([picture], LIMITS)[0]
    first = desk.click(30.5, 40.5, LIMITS)
    assert (first.corner, first.current) == ((30.5, 40.5), ())
    drawn = first.click(10.5, 60.5, LIMITS)
    assert (drawn.corner, drawn.current) == (None, (Area("area 1", 10, 40, 21, 21),))
    assert drawn.click(5, 5, LIMITS).click(5.5, 5.5, LIMITS) == drawn
    more = drawn.click(5, 5, LIMITS).click(50, 50, LIMITS)
    assert [area.name for area in more.current] == ["area 1", "area 2"]
    with pytest.raises(InputError, match="2 areas on a picture are the most"):
        more.click(5, 5, LIMITS).click(50, 50, LIMITS)
    assert Desk().click(1, 1, LIMITS) == Desk()


def test_a_new_area_takes_a_name_that_is_free(picture):
    desk = Desk().with_files([picture], LIMITS)[0].with_areas([Area("area 2", 0, 0, 1, 1)], LIMITS)
    assert [area.name for area in desk.click(1, 1, LIMITS).click(9, 9, LIMITS).current] == ["area 2", "area 1"]


def test_a_table_gives_its_areas_and_takes_them_back():
    areas = [Area("cta", 1.0, 2.0, 30.0, 40.0), Area("logo", 5.5, 6.0, 7.0, 8.0)]
    assert areas_of_rows(rows_of_areas(areas), (100, 200)) == areas
    assert areas_of_rows([["cta", "1", "2", "30", "40 "]], (100, 200)) == areas[:1]
    assert areas_of_rows([["cta", 190, 2, 30, 40]], (100, 200)) == [Area("cta", 190, 2, 10, 40)]
    assert areas_of_rows([["", 1, 2, 3, 4]], (100, 200))[0].name == "area 1"


@pytest.mark.parametrize("row", [["", "", "", "", ""], ["cta", "", "", "", ""], ["cta", 1, 2, None, float("nan")]])
def test_a_row_that_is_being_typed_waits(row):
    assert areas_of_rows([row, ["logo", 0, 0, 1, 1]], (100, 200)) == [Area("logo", 0, 0, 1, 1)]
    assert not is_complete([row])
    assert is_complete([["logo", 0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([["a", "x", 0, 1, 1]], "row 1: expected numbers"),
        ([["a", 0, 0, 0, 1]], "row 1: .*above 0"),
        ([["a", 0, 0, "inf", 1]], "row 1: .*finite"),
        ([["a", 0, 0, 1, 1], ["a", 1, 1, 1, 1]], "row 2: there is another area called 'a'"),
        ([["a", 500, 0, 1, 1]], "row 1: .*outside the 200x100 image"),
    ],
)
def test_a_wrong_row_is_refused_by_its_number(rows, complaint):
    with pytest.raises(InputError, match=complaint):
        areas_of_rows(rows, (100, 200))
