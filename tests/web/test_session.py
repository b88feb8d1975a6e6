"""The images and areas of a visitor: uploads and edits."""

import zlib

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image

from mrsal.aoi.shapes import Ellipse, Mask, Rectangle
from mrsal.errors import DataError, InputError
from mrsal.web.edits import Edit, shapes_of
from mrsal.web.options import UploadLimits
from mrsal.web.session import Designs, Workspace, read_upload

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
    empty = workspace.with_files([], LIMITS)[0]
    assert (empty.paths, empty.areas, empty.chosen) == ({}, {}, "")


SHAPE = (100, 200)  # H, W


def edit(*areas, key="home.png", number=1, revision=0, fixed=()):
    return Edit(key, number, revision, shapes_of(areas, fixed))


@pytest.fixture
def workspace(image):
    return Workspace().with_files([image], LIMITS)[0]


def test_an_edit_replaces_the_areas_of_its_image(workspace, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    workspace = workspace.with_files([workspace.path, tmp_path / "b.png"], LIMITS)[0].choose("b.png")
    hero, face = Rectangle("hero", -5, 10, 30, 200), Ellipse("face", 195, 50, 20, 10)
    drawn = workspace.edited(edit(hero, face, number=4), SHAPE, LIMITS)
    assert drawn.areas == {"home.png": (Rectangle("hero", 0, 10, 25, 90), face)}
    assert (drawn.number, drawn.current) == (4, ())
    assert drawn.edited(edit(face), SHAPE, LIMITS).areas == {"home.png": (face,)}
    with pytest.raises(InputError, match=naming("gone", "200x100")):
        workspace.edited(edit(Rectangle("gone", 300, 0, 9, 9)), SHAPE, LIMITS)
    with pytest.raises(InputError, match=naming(2, 3)):
        workspace.edited(edit(*(Rectangle(name, 0, 0, 9, 9) for name in "abc")), SHAPE, LIMITS)
    assert workspace.file("b.png") == tmp_path / "b.png"
    with pytest.raises(InputError, match="drop it again"):
        workspace.file("c.png")


def test_loaded_areas_are_kept_as_they_are(workspace):
    beyond, blob = Rectangle("beyond", -5, 0, 30, 30), Mask("blob", np.eye(9) > 0)
    loaded = workspace.with_areas([beyond, blob], LIMITS)
    assert loaded.revision("home.png") == 1
    again = loaded.edited(edit(beyond, blob, revision=1, fixed=loaded.fixed), SHAPE, LIMITS)
    assert again.current == (beyond, blob)
    without = again.edited(edit(beyond, revision=1), SHAPE, LIMITS)
    back = without.edited(edit(Mask("spot", blob.pixels), revision=1, fixed=loaded.fixed), SHAPE, LIMITS)
    assert back.current == (Mask("spot", blob.pixels),)
    for areas, named in (([beyond] * 3, [2, 3]), ([Rectangle("x" * 301, 0, 0, 1, 1)], [300, 301])):
        with pytest.raises(InputError, match=naming(*named)):
            workspace.with_areas(areas, LIMITS)


def test_an_edit_from_before_a_file_was_loaded_adds_what_was_drawn(workspace):
    old, loaded = Rectangle("logo", 0, 0, 9, 9), Rectangle("logo", 50, 50, 9, 9)
    drawn = Rectangle("area 1", 20, 20, 9, 9)
    workspace = workspace.edited(edit(old), SHAPE, LIMITS).with_areas([loaded], LIMITS)
    assert workspace.edited(edit(old, drawn, number=2), SHAPE, LIMITS).current == (loaded, drawn)


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


def drawn_on(pair, side, *areas, shapes=(LARGE, LARGE)):
    """The designs after a visitor has added areas on a side."""
    areas = (*pair.all_areas(side), *areas)
    return pair.edited(Edit(pair.key(side), pair.number + 1, pair.revision, shapes_of(areas, ())), shapes, LIMITS)


def both(pair, shape=LARGE):
    return [[area.name for area in pair.areas(side, shape)] for side in (A, B)]


def test_what_is_drawn_on_b_is_on_a_that_comes_later(designs):
    pair = drawn_on(designs(Designs(), B, "large.png"), B, BUTTON, shapes=((0, 0), LARGE))
    assert (both(pair)[B], pair.number) == (["button"], 1)
    pair = designs(pair, A, "large.png")
    assert both(pair) == [["button"], ["button"]]
    assert pair.areas(A, LARGE) == [BUTTON]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("side", [A, B])
def test_a_design_that_is_replaced_or_removed_keeps_its_areas(designs, side, same):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png").sharing(same)
    pair = drawn_on(pair, side, BUTTON, FOOTER)
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
    assert both(designs(pair, B, "large.png"))[B] == ["button"]


def test_areas_outside_the_smaller_image_stay(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "small.png")
    pair = drawn_on(pair, A, BUTTON, FOOTER, shapes=(LARGE, SMALL))
    assert (pair.areas(A, LARGE), pair.areas(B, SMALL)) == ([BUTTON, FOOTER], [BUTTON])
    assert pair.all_areas(B) == (BUTTON, FOOTER)
    with pytest.raises(InputError, match=naming("far")):
        drawn_on(Designs(), B, Rectangle("far", 300, 0, 9, 9), shapes=(LARGE, SMALL))


def test_the_box_that_shares_the_areas_loses_none(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, A, BUTTON).sharing(False)
    assert both(pair) == [["button"], ["button"]]
    pair = drawn_on(pair, B, FOOTER)
    assert both(pair) == [["button"], ["button", "footer"]]
    pair = pair.sharing(True)
    assert both(pair) == [["button"], ["button"]]
    pair = pair.sharing(False)
    assert both(pair) == [["button"], ["button", "footer"]]


def test_b_that_was_not_changed_follows_a_again(designs):
    pair = designs(designs(Designs(), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, A, BUTTON).sharing(False).sharing(True)
    assert both(drawn_on(pair, A, FOOTER).sharing(False))[B] == ["button", "footer"]


def test_areas_of_b_alone_are_shared_when_the_box_is_checked(designs):
    pair = designs(designs(Designs().sharing(False), A, "large.png"), B, "large.png")
    pair = drawn_on(pair, B, BUTTON)
    assert both(pair) == [[], ["button"]]
    assert both(pair.sharing(True)) == [["button"], ["button"]]


@pytest.mark.parametrize("key", ["", "C", "AB", "home.png"])
def test_an_edit_of_no_design_is_refused(key):
    with pytest.raises(InputError, match="A or B"):
        Designs().edited(Edit(key, 1, 0, []), (LARGE, LARGE), LIMITS)
