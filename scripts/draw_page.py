"""Takes the screenshots of the page of ``mrsal serve`` in ``docs/images/``.

It needs Playwright and Chromium. ``--width 400 --dark`` shows how the page looks on a telephone at night::

    python scripts/draw_page.py docs/images
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from matplotlib.cbook import get_sample_data
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

from mrsal.web import Studio
from mrsal.web.app import serve

PHOTOGRAPH = {
    "face": {"kind": "ellipse", "x": 263, "y": 206, "radius_x": 78, "radius_y": 92},
    "cap": {
        "kind": "polygon",
        "parts": [[[152, 95], [170, 62], [225, 38], [310, 38], [358, 66], [372, 100], [262, 112]]],
    },
    "ribbons": [325, 480, 136, 56],
}
DESIGN = {"headline": [48, 130, 440, 125], "cta": [59, 369, 233, 63], "illustration": [559, 120, 382, 302]}


def draw_design(path: Path, button: str, label: str) -> None:
    """A made-up page whose button has a certain colour: 1000x640 pixels."""
    image = Image.new("RGB", (1000, 640), "#f2f2f0")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 1000, 66), fill="white")
    pen.ellipse((30, 17, 62, 49), fill="#2b7a78")
    write(pen, (72, 20), "fernweh", 24)
    for x, text in ((640, "Routes"), (760, "Prices"), (880, "About us")):
        write(pen, (x, 25), text, 17)
    write(pen, (60, 140), "Trains to the sea,\nbooked in a minute", 42)
    write(
        pen, (60, 275), "Compare every line on the coast. No account,\nno surprises, cancel until the day before.", 18
    )
    pen.rounded_rectangle((60, 370, 290, 430), 8, fill=button)
    write(pen, (118, 388), "Find a train", 22, label)
    pen.rectangle((560, 120, 940, 420), fill="#9bd0e4")
    pen.ellipse((850, 140, 915, 205), fill="#f4b042")
    pen.polygon(((560, 370), (680, 250), (800, 370)), fill="#3e4a49")
    pen.polygon(((720, 370), (940, 280), (940, 370)), fill="#2f6b4f")
    pen.rectangle((560, 370, 940, 420), fill="#d9c79a")
    pen.rounded_rectangle((600, 330, 850, 385), 14, fill="#e2711d")
    for x in range(615, 830, 48):
        pen.rectangle((x, 342, x + 30, 360), fill="#fdf6e3")
    for x, town, price in ((60, "Bergen", 39), (285, "Trieste", 24), (510, "Brest", 31), (735, "Gdansk", 19)):
        pen.rounded_rectangle((x, 500, x + 205, 600), 8, fill="white", outline="#d5d5d2")
        write(pen, (x + 16, 518), town, 20)
        write(pen, (x + 16, 556), f"from {price}", 17, "#555555")
    image.save(path)


def write(pen: ImageDraw.ImageDraw, corner: tuple[int, int], text: str, size: int, colour: str = "#222222") -> None:
    pen.text(corner, text, fill=colour, font=ImageFont.load_default(size), spacing=0.35 * size)


def upload(page: Page, where: str, path: Path) -> None:
    page.set_input_files(f"{where} input[type=file]", str(path))


def wait_for(page: Page, where: str, text: str) -> None:
    """Wait until an element shows a text."""
    page.wait_for_function("([at, text]) => document.querySelector(at).innerText.includes(text)", arg=[where, text])


def show_image(page: Page, folder: Path) -> None:
    upload(page, "#files", folder / "hopper.jpg")
    wait_for(page, "#status", "hopper.jpg")
    page.get_by_label("50 %").check()
    with page.expect_file_chooser() as choosing:
        page.locator("#load").click()
    choosing.value.set_files(str(folder / "hopper.json"))
    wait_for(page, "#shares", "ribbons")
    page.locator("#view .label", has_text="cap").click()


def show_designs(page: Page, folder: Path) -> None:
    page.get_by_role("tab", name="Compare two designs").click()
    for letter, name in (("A", "quiet.png"), ("B", "loud.png")):
        upload(page, f"#file_{letter}", folder / name)
        page.locator(f"#view_{letter} img").wait_for()
    for name, (x, y, width, height) in DESIGN.items():
        page.locator("#view_A").get_by_role("button", name="Rectangle", exact=True).click()
        page.locator("#view_A .stage").evaluate("stage => stage.scrollIntoView({block: 'center'})")
        stage = page.locator("#view_A .stage").bounding_box()
        scale = stage["width"] / 1000
        page.mouse.move(stage["x"] + x * scale, stage["y"] + y * scale)
        page.mouse.down()
        page.mouse.move(stage["x"] + (x + width) * scale, stage["y"] + (y + height) * scale)
        page.mouse.up()
        page.keyboard.press("F2")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        wait_for(page, "#differences", name)
    page.locator("#title").click()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the screenshots")
    parser.add_argument("--width", type=int, default=1280, help="width of the browser window in pixels")
    parser.add_argument("--dark", action="store_true", help="ask the page for its dark colours")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name, Studio(device="cpu") as studio, sync_playwright() as playwright:
        folder = Path(name)
        shutil.copy(get_sample_data("grace_hopper.jpg", asfileobj=False), folder / "hopper.jpg")  # public domain
        (folder / "hopper.json").write_text(json.dumps(PHOTOGRAPH))
        draw_design(folder / "quiet.png", "#dcdcd8", "#888888")
        draw_design(folder / "loud.png", "#d62839", "white")
        server = serve(studio)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for file, show in (("serve.jpg", show_image), ("serve-compare.jpg", show_designs)):
            scheme = "dark" if arguments.dark else "light"
            page = browser.new_page(viewport={"width": arguments.width, "height": 900}, color_scheme=scheme)
            page.goto(server.local_url)
            page.wait_for_selector("#files input[type=file]", state="attached")
            show(page, folder)
            page.mouse.move(0, 0)
            page.wait_for_timeout(2000)
            page.screenshot(path=arguments.out / file, type="jpeg", quality=88, full_page=True)
        browser.close()
        server.close()


if __name__ == "__main__":
    main()
