"""The images and areas of a visitor: uploads, clicks and edited tables."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image

from mrsal.aoi.shapes import Ellipse, Rectangle
from mrsal.errors import DataError, InputError
from mrsal.web.options import UploadLimits
from mrsal.web.session import Designs, Workspace, areas_of_rows, is_to_replace, read_upload, rows_of_areas

LIMITS = UploadLimits(megabytes=0.5, megapixels=0.5, images=3, areas=2)


@pytest.fixture
def image(tmp_path):
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
    "truncated": (truncated, ["image file is truncated"]),
    "bomb": (bomb, ["4000x4000", 0.5]),
    "header": (huge_header, [0.5]),
    "html": (lambda path: path.write_text("<script>alert(1)</script>"), ["JPEG", "PNG"]),
    "empty": (lambda path: path.write_bytes(b""), ["JPEG", "PNG"]),
    "large": (lambda path: path.write_bytes(b"\x89PNG" + bytes(600_000)), ["0.5 MB"]),
    "gone": (lambda path: None, []),
}


OTHERS = (Ellipse("face", 40, 40, 9, 5), Rectangle("tag", 9, 9, 30, 20, 15))


def test_the_table_has_upright_rectangles_only_and_the_others_stay():
    limits = UploadLimits()
    box = Rectangle("cta", 1, 2, 30, 40)
    workspace = Workspace({"a.png": Path("a.png")}, {"a.png": (*OTHERS, box)}, "a.png")
    assert rows_of_areas(workspace.current) == [["cta", 1, 2, 30, 40]]
    edited = workspace.with_rows([["buy", 1, 2, 30, 40]], (100, 200), limits)
    assert edited.current == (Rectangle("buy", 1, 2, 30, 40), *OTHERS)
    replaced = workspace.with_rows([["face", 1, 2, 30, 40]], (100, 200), limits)
    assert [area.name for area in replaced.current] == ["face", "tag"]
    designs = Designs((workspace, Workspace()))
    edited = designs.with_rows(0, [["buy", 1, 2, 30, 40]], [(100, 200)] * 2, limits)
    assert edited.areas(0, (100, 200)) == [Rectangle("buy", 1, 2, 30, 40), *OTHERS]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_with_its_name_and_not_the_folders(tmp_path, kind):
    make, named = HOSTILE[kind]
    path = tmp_path / f"{kind}.png"
    make(path)
    with pytest.raises(DataError, match=naming(f"{kind}.png", *named)) as caught:
        read_upload(path, LIMITS)
    assert str(caught.value).startswith(f"{kind}.png: ")
    assert str(tmp_path) not in str(caught.value)


def test_the_pixels_of_a_bomb_are_never_decoded(tmp_path, monkeypatch):
    bomb(tmp_path / "bomb.png")
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(DataError, match=naming("bomb.png", "4000x4000")):
        read_upload(tmp_path / "bomb.png", LIMITS)


def test_good_files_stay_where_others_are_refused(tmp_path, image):
    truncated(tmp_path / "bad.png")
    others = [tmp_path / "x" / "home.png", tmp_path / "c.png", tmp_path / "d.png"]
    for other in others:
        other.parent.mkdir(exist_ok=True)
        Image.new("RGB", (5, 5)).save(other)
    workspace, complaints = Workspace().with_files([tmp_path / "bad.png", image, *others], LIMITS)
    assert list(workspace.paths) == ["home.png", "home.png (2)", "c.png"]
    assert workspace.chosen == "home.png"
    assert "bad.png: " in complaints[0]
    assert mentions(complaints[1], "d.png", 3)


def test_areas_stay_with_their_image_until_it_is_removed(tmp_path, image):
    other = tmp_path / "b.png"
    Image.new("RGB", (5, 5)).save(other)
    workspace = Workspace().with_files([image, other], LIMITS)[0].with_areas([Rectangle("a", 0, 0, 9, 9)], LIMITS)
    assert workspace.choose("b.png").current == ()
    assert workspace.choose("b.png").choose("home.png").current == (Rectangle("a", 0, 0, 9, 9),)
    assert workspace.choose("nowhere.png").chosen == "home.png"
    workspace = workspace.with_files([other], LIMITS)[0]
    assert (workspace.chosen, workspace.areas) == ("b.png", {})
    assert workspace.with_files([], LIMITS)[0] == Workspace()


def test_two_clicks_in_any_order_make_an_area_of_whole_pixels(image):
    workspace = Workspace().with_files([image], LIMITS)[0]
    first = workspace.click(30.5, 40.5, LIMITS)
    assert (first.corner, first.current) == ((30.5, 40.5), ())
    drawn = first.click(10.5, 60.5, LIMITS)
    assert (drawn.corner, drawn.current) == (None, (Rectangle("area 1", 10, 40, 21, 21),))
    assert drawn.click(5, 5, LIMITS).click(5.5, 5.5, LIMITS) == drawn
    more = drawn.click(5, 5, LIMITS).click(50, 50, LIMITS)
    assert [area.name for area in more.current] == ["area 1", "area 2"]
    with pytest.raises(InputError, match=naming(2, 3)):
        more.click(5, 5, LIMITS).click(50, 50, LIMITS)


def test_a_new_area_takes_a_name_that_is_free(image):
    workspace = Workspace().with_files([image], LIMITS)[0].with_areas([Rectangle("area 2", 0, 0, 1, 1)], LIMITS)
    assert [area.name for area in workspace.click(1, 1, LIMITS).click(9, 9, LIMITS).current] == ["area 2", "area 1"]


A, B = 0, 1
LARGE, SMALL = (100, 200), (50, 60)  # H, W
BUTTON, FOOTER = (
    Rectangle("button", 10, 10, 60, 20),
    Rectangle("footer", 0, 80, 200, 20),
)  # only the button lies on SMALL, in part


@pytest.fixture
def designs(tmp_path):
    """A function that drops an image, large or small, on a side."""
    for name, (height, width) in {"large.png": LARGE, "small.png": SMALL}.items():
        Image.new("RGB", (width, height)).save(tmp_path / name)

    def drop(pair, side, name):
        pair, complaints = pair.with_file(side, name and tmp_path / name, LIMITS)
        assert complaints == []
        return pair

    return drop


def drawn_on(pair, side, area):
    return pair.click(side, area.x0, area.y0, LIMITS).click(side, area.x1, area.y1, LIMITS)


def both(pair, shape=LARGE):
    return [[area.name for area in pair.areas(side, shape)] for side in (A, B)]


def test_what_is_drawn_on_b_is_on_a_that_comes_later(designs):
    pair = drawn_on(designs(Designs(), B, "large.png"), B, BUTTON)
    assert both(pair)[B] == ["area 1"]
    pair = designs(pair, A, "large.png")
    assert both(pair) == [["area 1"], ["area 1"]]
    assert pair.areas(A, LARGE) == [Rectangle("area 1", 10, 10, 60, 20)]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("side", [A, B])
def test_a_design_that_is_replaced_or_removed_keeps_its_areas(designs, side, same):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png").sharing(same)
    pair = pair.with_rows(side, rows_of_areas([BUTTON, FOOTER]), (LARGE, LARGE), LIMITS)
    pair = designs(pair, side, "small.png")
    assert pair.areas(side, SMALL) == [BUTTON]
    pair = designs(designs(pair, side, None), side, "large.png")
    assert pair.areas(side, LARGE) == [BUTTON, FOOTER]
    assert both(pair)[1 - side] == (["button", "footer"] if same else [])


def test_a_design_that_is_refused_leaves_the_areas_of_the_other(designs, tmp_path):
    truncated(tmp_path / "bad.png")
    pair = drawn_on(designs(Designs(), A, "large.png"), A, BUTTON)
    pair, complaints = pair.with_file(A, tmp_path / "bad.png", LIMITS)
    assert "bad.png: " in complaints[0]
    assert pair.sides[A].path is None
    assert both(designs(pair, B, "large.png"))[B] == ["area 1"]


def test_an_edited_table_keeps_areas_outside_its_image(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "small.png")
    pair = pair.with_rows(A, rows_of_areas([BUTTON, FOOTER]), (LARGE, SMALL), LIMITS)
    pair = pair.with_rows(B, [["cta", 10, 10, 60, 20]], (LARGE, SMALL), LIMITS)
    assert pair.areas(A, LARGE) == [Rectangle("cta", 10, 10, 60, 20), FOOTER]
    pair = pair.with_rows(B, [["footer", 0, 0, 9, 9]], (LARGE, SMALL), LIMITS)
    assert pair.areas(A, LARGE) == [Rectangle("footer", 0, 0, 9, 9)]


def test_the_box_that_shares_the_areas_loses_none(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, A, BUTTON).sharing(False)
    assert both(pair) == [["area 1"], ["area 1"]]
    pair = drawn_on(pair, B, FOOTER)
    assert both(pair) == [["area 1"], ["area 1", "area 2"]]
    pair = pair.sharing(True)
    assert both(pair) == [["area 1"], ["area 1"]]
    pair = pair.sharing(False)
    assert both(pair) == [["area 1"], ["area 1", "area 2"]]
    assert both(pair.cleared()) == [[], []]


def test_b_that_was_not_changed_follows_a_again(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, A, BUTTON).sharing(False).sharing(True)
    assert both(drawn_on(pair, A, FOOTER).sharing(False))[B] == ["area 1", "area 2"]


def test_areas_of_b_alone_are_shared_when_the_box_is_checked(designs):
    pair = designs(designs(Designs().sharing(False), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, B, BUTTON)
    assert both(pair) == [[], ["area 1"]]
    assert both(pair.sharing(True)) == [["area 1"], ["area 1"]]


def test_a_corner_is_where_the_next_click_ends(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png").click(B, 5, 6, LIMITS)
    assert (pair.corner(A), pair.corner(B)) == ((5, 6), (5, 6))
    pair = pair.sharing(False)
    assert (pair.corner(A), pair.corner(B)) == (None, None)
    pair = pair.click(B, 5, 6, LIMITS)
    assert (pair.corner(A), pair.corner(B)) == (None, (5, 6))


def test_a_table_gives_its_areas_and_takes_them_back():
    areas = [Rectangle("cta", 1.0, 2.0, 30.0, 40.0), Rectangle("logo", 5.5, 6.0, 7.0, 8.0)]
    assert areas_of_rows(rows_of_areas(areas), (100, 200)) == areas
    assert areas_of_rows([["cta", "1", "2", "30", "40 "]], (100, 200)) == areas[:1]
    assert areas_of_rows([["cta", 190, 2, 30, 40]], (100, 200)) == [Rectangle("cta", 190, 2, 10, 40)]
    assert areas_of_rows([["", 1, 2, 3, 4]], (100, 200))[0].name == "area 1"


@pytest.mark.parametrize("row", [["", "", "", "", ""], ["cta", "", "", "", ""], ["cta", 1, 2, None, float("nan")]])
def test_a_row_that_is_being_typed_waits(row):
    assert areas_of_rows([row, ["logo", 0, 0, 1, 1]], (100, 200)) == [Rectangle("logo", 0, 0, 1, 1)]
    assert not is_to_replace([row], [])
    assert is_to_replace([["logo", 0, 0, 1, 1]], [])


def test_a_table_is_replaced_only_by_other_rows():
    shown = rows_of_areas([Rectangle("cta", 1.0, 2.0, 30.0, 40.5)])
    assert not is_to_replace([["cta ", 1, "2", 30.0, "40.5"]], shown)
    assert is_to_replace([["cta", 1, 2, 300, 40.5]], shown)
    assert is_to_replace([["", 1, 2, 30, 40.5]], shown)
    assert is_to_replace([["cta", 1, 2, "wide", 40.5]], shown)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([["logo", 0, 0, 1, 1], ["hero", "x", 0, 1, 1]], [2]),
        ([["hero", 5, 6, 0, 7]], [1, "hero", 5, 6, 0, 7]),
        ([["hero", 5, 6, "inf", 7]], [1, "hero", 5, 6, "inf", 7]),
        ([["hero", 0, 0, 1, 1], ["hero", 1, 1, 1, 1]], [2, "hero"]),
        ([["hero", 500, 0, 1, 1]], [1, "hero", 500, "200x100"]),
    ],
)
def test_a_wrong_row_is_refused_by_its_number(rows, named):
    with pytest.raises(InputError, match=naming(*named)):
        areas_of_rows(rows, (100, 200))
