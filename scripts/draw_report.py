"""Draws the picture of a report on two designs in ``docs/images/``. It needs Playwright and Chromium.

python scripts/draw_report.py docs/images
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from draw_page import DESIGN, draw_design
from playwright.sync_api import sync_playwright

from mrsal import load_model
from mrsal.aoi import Rectangle, Report, compare_shares, measure, write_out

WIDTH = 1000  # of the browser window in pixels


def make_report(folder: Path) -> Path:
    """The report on a page whose button is grey in A and red in B."""
    draw_design(folder / "quiet.png", "#dcdcd8", "#888888")
    draw_design(folder / "loud.png", "#d62839", "white")
    predictor = load_model(device="cpu")
    areas = [Rectangle(name, *map(float, box)) for name, box in DESIGN.items()]
    attentions = [measure(folder / f"{name}.png", areas, predictor) for name in ("quiet", "loud")]
    differences = compare_shares(*(each.shares for each in attentions), calibration=predictor.calibration)
    write_out(folder / "report.html", Report(attentions, differences, model="mrsal"))
    return folder / "report.html"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the picture")
    path = parser.parse_args().out / "report-areas.jpg"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = make_report(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(report.as_uri())
        below = page.locator("section").nth(2).bounding_box()
        place = {"x": 0, "y": 0, "width": WIDTH, "height": below["y"]}
        page.screenshot(path=path, full_page=True, clip=place, type="jpeg", quality=85)
        browser.close()


if __name__ == "__main__":
    main()
