"""Drawing areas on the page, in a headless Chromium, with the mouse, by touch and by keyboard alone."""

import json
import time

import numpy as np
import pytest
from web_page import HEIGHT, WIDTH, Board, give, numbers, says, until

from mrsal.aoi.area_files import read_areas, write_areas
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.web import app

SCREENS = {
    "desktop": {"width": 1280, "height": 900},
    "telephone at night": {"width": 400, "height": 900, "color_scheme": "dark"},
}


@pytest.fixture
def sent(monkeypatch):
    """The areas of each edit that the server has read."""
    edits = []

    def read(data):
        edits.append(json.loads(json.dumps(data["areas"])))
        return read_edit(data)

    read_edit = app.read_edit
    monkeypatch.setattr(app, "read_edit", read)
    return edits


def opened(page, folder):
    give(page, "#files", folder / "a.png")
    return Board(page)


def share(is_inside):
    """The share of the brightness of ``a.png`` in per cent where ``is_inside(x, y)``, at 64 points of each pixel."""
    y, x = ((np.arange(8 * size) + 0.5) / 8 for size in (HEIGHT, WIDTH))
    light = np.where((y[:, None] < 60) & (x < 120), 3.0, 1.0)
    return 100 * (light * is_inside(x[None], y[:, None])).sum() / light.sum()


def shows_share(page, board, name, expected):
    """Wait until the table and the label say the share of an area."""
    until(lambda: abs(numbers(page, "#shares", name)[1] - expected) < 0.11, f"{expected} % of {name} in the table")
    until(lambda: f"{numbers(page, '#shares', name)[1]:.1f}%" in board.label(name), f"the share of {name} at its label")


@pytest.mark.parametrize("screen", SCREENS)
def test_shapes_are_drawn_moved_resized_and_measured(visit, folder, sent, screen):
    page = visit(**SCREENS[screen])
    board = opened(page, folder)
    enlarged = board.stage.bounding_box()["width"]
    assert enlarged > 0.83 * page.locator("#status").bounding_box()["width"] and enlarged > WIDTH

    board.draw("Rectangle", (20, 20), (60, 50))
    assert board.box() == [20, 20, 40, 30]
    board.drag(40, 35, 50, 45)
    board.drag(70, 60, 90, 80)  # its lower right corner
    assert board.box() == [30, 30, 60, 50]
    board.drag(60, 55, -100, 300)
    assert board.box() == [0, 70, 60, 50]  # stays on the image
    shows_share(page, board, "area 1", share(lambda x, y: (x < 60) & (y > 70)))
    assert sent[-1] == [
        {"kind": "rectangle", "name": "area 1", "x": 0, "y": 70, "width": 60, "height": 50, "rotation": 0}
    ]

    board.draw("Ellipse", (80, 20), (140, 60))
    board.drag(110, 60, 110, 80)
    assert board.box() == [80, 20, 60, 60]
    shows_share(page, board, "area 2", share(lambda x, y: ((x - 110) / 30) ** 2 + ((y - 50) / 30) ** 2 < 1))

    board.draw("Polygon", (160, 20), (220, 20), (220, 60), (170, 90))
    board.drag(170, 90, 160, 100)
    corners = [[160, 20], [220, 20], [220, 60], [160, 100]]
    until(lambda: sent[-1][2:] and sent[-1][2]["points"] == corners, "the dragged corner")
    shows_share(
        page, board, "area 3", share(lambda x, y: (x > 160) & (x < 220) & (y > 20) & (y < 100 - (x - 160) * 2 / 3))
    )
    board.drag(190, 20, 190, 10)  # the middle of a side becomes a corner
    until(lambda: len(sent[-1][2]["points"]) == 5, "the new corner")
    page.keyboard.press("Delete")
    assert board.names() == ["area 1", "area 2", "area 3"]  # the corner only
    board.click(180, 50)
    page.keyboard.press("Delete")
    assert board.names() == ["area 1", "area 2"]
    page.keyboard.press("Control+z")
    assert board.names() == ["area 1", "area 2", "area 3"]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    until(lambda: [len(shape.get("points", [])) for shape in sent[-1]] == [0, 0, 4], "undone and redone areas")


def test_an_area_keeps_its_name_if_the_new_one_cannot_be_used(page, folder, sent):
    board = opened(page, folder)
    board.draw("Rectangle", (20, 20), (60, 50))
    board.draw("Rectangle", (100, 20), (160, 50))
    board.click(40, 35, click_count=2)
    for name in ("area 2", " "):
        page.keyboard.press("Control+a")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        board.find(".message").wait_for()
        assert (board.find(".rename").input_value(), board.names()) == (name, ["area 1", "area 2"])
    board.click(200, 100)  # leaves the field
    assert "area 1" in board.find(".message").inner_text()
    board.click(40, 35)
    board.call("headline <b>")
    until(lambda: "headline <b>" in page.inner_text("#shares"), "the new name")
    assert board.names() == ["headline <b>", "area 2"]


def test_everything_can_be_done_by_keyboard(page, folder, sent):
    board = opened(page, folder)
    keys = lambda *names: [page.keyboard.press(name) for name in names]  # noqa: E731
    board.find("[data-tool=rectangle]").focus()
    keys("Enter", "Enter")
    assert board.box() == [90, 45, 60, 30]
    keys("ArrowRight", "Shift+ArrowUp", "Alt+ArrowDown", "Alt+Shift+ArrowLeft")
    assert board.box() == [91, 35, 50, 31]
    keys("F2")
    page.keyboard.type("first")
    keys("Enter", "o", "Enter", "Shift+ArrowDown", "p", "Enter", "Tab", "Shift+ArrowRight")  # the first corner
    assert board.names() == ["first", "area 1", "area 2"]
    until(lambda: sent and sent[-1][-1].get("points", [[0]])[0] == [130, 45], "the corner")
    keys("Escape", "Tab", "Delete")
    assert len(board.names()) == 2
    keys("Control+z")
    until(lambda: len(sent[-1]) == 3, "the area that came back")
    board.click(0, 0)
    keys("Tab", "Tab")
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "area 1" in name and "ellipse" in name and "%" in name
    field = board.find("[data-number=width]")
    field.fill("12.5")
    field.press("Enter")
    until(lambda: sent[-1][1]["radius_x"] == 6.25, "the typed width")
    field.fill("-1")
    field.press("Enter")
    assert (board.find(".message").is_visible(), board.box()[2]) == (True, 12.5)


def test_nothing_is_lost_when_a_visitor_is_faster_than_the_server(page, folder, sent, monkeypatch):
    board = opened(page, folder)
    measure = app.shares_on
    monkeypatch.setattr(app, "shares_on", lambda *values: time.sleep(0.7) or measure(*values))
    board.draw("Rectangle", (0, 0), (120, 60))
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    page.locator("#opacity input[type=number]").fill("0.1")  # another answer with older areas
    page.keyboard.press("Tab")
    board.draw("Ellipse", (130, 10), (200, 60))
    board.call("late")
    assert board.names() == ["area 1", "late"]
    shows_share(page, board, "area 1", 25 + 25 / 3)
    until(lambda: "late" in page.inner_text("#shares"), "the last edit")
    assert board.names() == ["area 1", "late"]
    assert [shape["y"] for shape in sent[-1]] == [30, 35]
    assert len(sent) < 8  # changes that wait are sent together


def test_a_drag_can_be_cancelled_and_is_exact_in_a_zoomed_picture(page, folder, sent):
    board = opened(page, folder)
    for _ in range(4):
        board.tool("Zoom in")
    board.draw("Rectangle", (100, 50), (120, 60))
    assert board.box() == [100, 50, 20, 10]
    until(lambda: sent, "the area")
    page.mouse.move(*board.at(110, 55))
    page.mouse.down()
    page.mouse.move(*board.at(115, 60))
    assert board.box() == [105, 55, 20, 10]
    until(lambda: sent[-1][0]["x"] == 105, "the area on its way")
    page.keyboard.press("Escape")
    page.mouse.up()
    assert board.box() == [100, 50, 20, 10]
    until(lambda: sent[-1][0]["x"] == 100, "the area at its old place")
    page.keyboard.press("Control+z")
    assert board.names() == []  # the drag was no step


def test_shapes_by_touch(visit, folder, sent):
    page = visit(**SCREENS["telephone at night"], has_touch=True)
    board = opened(page, folder)
    board.tool("Polygon")
    for point in ((20, 20), (100, 20), (60, 100), (20, 20)):
        page.touchscreen.tap(*board.at(*point))
    until(lambda: sent and sent[-1][0].get("points") == [[20, 20], [100, 20], [60, 100]], "the polygon")
    touches = page.context.new_cdp_session(page)
    for kind, points in (("Start", [(60, 50)]), ("Move", [(65, 55)]), ("Move", [(80, 60)]), ("End", [])):
        places = [dict(zip("xy", board.at(*point), strict=True)) for point in points]
        touches.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": places})
    until(lambda: sent[-1][0]["points"][0] == [40, 30], "the moved polygon")


def test_loaded_areas_of_every_kind_keep_their_shape(page, folder, tmp_path, sent):
    board = opened(page, folder)
    board.draw("Rectangle", (200, 10), (230, 30))
    areas = [
        Rectangle("turned", 100, 20, 40, 20, 30),
        Ellipse("oval", 30.25, 30, 20, 10, 45),
        Mask("blob", np.tri(30, 40) > 0, 10, 70),
        Polygon("ring", [[(150, 50), (220, 50), (220, 110), (150, 110)]], [[(170, 60), (200, 60), (200, 90)]]),
    ]
    with page.expect_file_chooser() as choosing:
        page.locator("#load").click()
    choosing.value.set_files(write_areas(areas, tmp_path / "areas.json"))
    until(lambda: board.names() == ["turned", "oval", "blob", "ring"], "the loaded areas instead of the drawn one")
    page.keyboard.press("Control+z")
    assert board.names() == ["area 1"]
    page.keyboard.press("Control+y")
    board.click(20, 95)
    board.call("hole")
    board.click(210, 100)
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    board.drag(120, 30, 130, 40)
    until(lambda: "hole" in page.inner_text("#shares") and "ring" in page.inner_text("#shares"), "the edits")
    assert board.names() == ["turned", "oval", "hole", "ring"]
    page.locator("#make").click()
    says(page, "#made", ".json")
    with page.expect_download() as loading:
        page.locator("#made a").last.click()
    loading.value.save_as(tmp_path / "again.json")
    expected = [Rectangle("turned", 110, 30, 40, 20, 30), areas[1], Mask("hole", np.tri(30, 40) > 0, 10, 70), areas[3]]
    assert read_areas(tmp_path / "again.json") == expected


def test_what_is_no_list_of_areas_is_refused_with_a_message(page, folder):
    board = opened(page, folder)
    board.draw("Rectangle", (20, 20), (60, 50))
    page.evaluate(
        """() => {
            const list = [...window.mrsalAreas.lists.values()][0], [area] = list.areas;
            const copies = Array.from({length: 101}, (_, i) => ({...area, name: `copy ${i}`, id: 1000 + i}));
            list.change(copies, list.trigger);
        }"""
    )
    board.find(".message").get_by_text("101").wait_for()
    assert board.names() == ["area 1"]
    board.draw("Rectangle", (100, 20), (160, 50))
    until(lambda: "area 2" in page.inner_text("#shares"), "the area after the refused ones")


def test_areas_belong_to_their_image_and_can_be_copied_to_others(page, folder):
    give(page, "#files", folder / "a.png", folder / "b.png")
    board = Board(page)
    board.draw("Rectangle", (0, 0), (120, 60))
    page.keyboard.press("Control+c")
    page.locator("#chosen input").click()  # before the answer
    page.get_by_role("option", name="b.png").click()
    says(page, "#status", "b.png")
    until(lambda: board.names() == [] and "area 1" not in page.inner_text("#shares"), "the image without areas")
    board.click(200, 100)
    page.keyboard.press("Control+v")
    shows_share(page, board, "area 1", 50 / 3)
    page.keyboard.press("Control+d")
    assert (board.names(), board.box()) == (["area 1", "area 2"], [10, 10, 120, 60])
    page.locator("#chosen input").click()
    page.get_by_role("option", name="a.png").click()
    shows_share(page, board, "area 1", 50)
    assert board.names() == ["area 1"]
