"""What tests do on the page of ``mrsal serve``, and how they wait for it."""

import re
import time

import pytest

WIDTH, HEIGHT = 240, 120  # of the images a.png and b.png
WAIT = 30_000  # milliseconds, for a machine that is busy


def give(page, where, *paths):
    page.set_input_files(f"{where} input[type=file]", [str(path) for path in paths])


def numbers(page, where, name):
    """The numbers that follow a name in the text of a table, whatever elements Gradio makes it of."""
    text = page.inner_text(where)
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text[text.rindex(name) + len(name) :])]


def until(condition, what):
    """Wait until the page shows what the server did."""
    end = time.monotonic() + WAIT / 1000
    while time.monotonic() < end:
        try:
            if condition():
                return
        except Exception as error:  # the element is being replaced
            what = f"{what} ({error})"
        time.sleep(0.05)
    pytest.fail(f"waited in vain for {what}")


def says(page, where, text):
    page.locator(where).get_by_text(text).first.wait_for()


_IN_VIEW = """async (stage, [x, y]) => {
    const view = stage.parentElement, left = x * stage.clientWidth, top = y * stage.clientWidth;
    const isSeen = (place, start, length) => place > start + 50 && place < start + length - 50;
    if (!isSeen(left, view.scrollLeft, view.clientWidth) || !isSeen(top, view.scrollTop, view.clientHeight)) {
        view.scrollTo(left - view.clientWidth / 2, top - view.clientHeight / 2);
    }
    view.scrollIntoView({block: 'center'});
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}"""


class Board:
    """The picture of a board, on which a visitor draws in pixels of the image."""

    def __init__(self, page, where="#view", width=WIDTH):
        self.page, self.where, self.width = page, where, width
        self.stage = page.locator(f"{where} .stage")
        self.stage.wait_for()
        self.tool("Select")

    def find(self, selector):
        return self.page.locator(f"{self.where} {selector}")

    def tool(self, name):
        self.find(".bar").get_by_role("button", name=name, exact=True).click()

    def at(self, x, y):
        """Where a point of the image is on the screen, at least half a pixel within the picture."""
        self.stage.evaluate(_IN_VIEW, [x / self.width, y / self.width])
        box = self.stage.bounding_box()
        scale = box["width"] / self.width
        places = (x * scale, box["width"]), (y * scale, box["height"])
        left, top = (min(max(place, 0.5), size - 0.5) for place, size in places)
        return box["x"] + left, box["y"] + top

    def click(self, x, y, **options):
        self.page.mouse.click(*self.at(x, y), **options)

    def drag(self, x0, y0, x1, y1):
        self.page.mouse.move(*self.at(x0, y0))
        self.page.mouse.down()
        self.page.mouse.move(*self.at((x0 + x1) / 2, (y0 + y1) / 2))
        self.page.mouse.move(*self.at(x1, y1))
        self.page.mouse.up()

    def draw(self, tool, *points):
        """Draw a shape: between two points, or a polygon that a click on its first corner closes."""
        self.tool(tool)
        if tool != "Polygon":
            self.drag(*points[0], *points[1])
            return
        for point in (*points, points[0]):
            self.click(*point)

    def call(self, name):
        """Rename the area that is selected."""
        self.page.keyboard.press("F2")
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")

    def names(self):
        return self.find(".label .name").all_inner_texts()

    def label(self, name):
        texts = [" ".join(text.split()) for text in self.find(".label").all_inner_texts()]
        return next(text for text in texts if text.startswith(name))

    def box(self):
        """What the fields say of the area that is selected: x, y, width and height."""
        return [float(field.input_value()) for field in self.find(".numbers input").all()]
