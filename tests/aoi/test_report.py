"""The reports of ``mrsal aoi``, with a model whose shares are known: brightness."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from messages import mentions
from PIL import Image

from mrsal._version import __version__

HOSTILE = "<script>alert(1)</script> & $x_2$"
LIGHT = ("--model", "own_light:light")
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """Reads a page, and complains about elements that are not closed in their order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture(autouse=True)
def study(tmp_path):
    pixels = np.full((100, 200, 3), 50, np.uint8)
    pixels[:50, :100] = 150
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "b.png")
    Image.fromarray(pixels[:, :150]).save(tmp_path / "narrow.png")
    Image.fromarray(pixels.repeat(2, 0).repeat(2, 1)).save(tmp_path / "double.png")
    (tmp_path / "boxes.json").write_text('{"cta": [0, 0, 100, 50], "logo": [100, 50, 100, 50]}')
    (tmp_path / "double.json").write_text('{"cta": [0, 0, 200, 100], "logo": [200, 100, 200, 100]}')
    (tmp_path / "own_light.py").write_text("def light(image):\n    return image.mean(axis=2)\n")


def page(name="report.html"):
    return Reader(Path(name).read_text(encoding="utf-8"))


def texts(name="report.pdf"):
    """The text of each page of a PDF, with spaces for ends of lines."""
    pdfium = pytest.importorskip("pypdfium2")
    with pdfium.PdfDocument(name) as document:
        return [re.sub(r"\s+", " ", document[n].get_textpage().get_text_range()) for n in range(len(document))]


SENTENCE = (
    'The largest difference is that of "cta", which is predicted to get 16.7 % of the attention in B instead of 50.0 % '
    "(-33.3 points)."
)


def test_two_designs(run):
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--compare", "b.png")
    status, out, error = run(*arguments, "--out", "report.html", "--out", "report.pdf")
    assert (status, error) == (0, "")
    assert mentions(out, SENTENCE)
    read = page()
    for text in (
        SENTENCE,
        "Where attention moved",
        "-33.3",
        "own_light:light",
        f"mrsal {__version__}",
        "not calibrated",
    ):
        assert text in read.text
    assert len([1 for tag, _ in read.elements if tag == "img"]) == 3
    assert not any(tag in ("script", "link", "iframe") for tag, _ in read.elements)
    assert all(attributes["src"].startswith("data:image/") for tag, attributes in read.elements if tag == "img")
    assert all(attributes["alt"] for tag, attributes in read.elements if tag == "img")
    assert not re.search(r"https?://|url\(|@import", Path("report.html").read_text(encoding="utf-8"))
    first, *_ = pages = texts()
    assert SENTENCE in first and "Where attention moved" in first
    for text in ("B: b.png", "-33.3", "own_light:light", f"mrsal {__version__}", "How it was computed"):
        assert text in " ".join(pages)


def test_a_report_may_have_a_title(run):
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--title", f"Spring offer {HOSTILE}")
    status, _, _ = run(*arguments, "--out", "report.html", "--out", "report.PDF")
    assert status == 0
    assert page().text.count(f"Spring offer {HOSTILE}") == 2  # of the window and of the page
    assert texts("report.PDF")[0].startswith(f"Spring offer {HOSTILE}")


def test_the_rank_is_that_of_the_shares_in_each_design(run, tmp_path):
    (tmp_path / "boxes.json").write_text(
        '{"left": [0, 0, 100, 50], "right": [100, 0, 100, 50], "low": [0, 50, 200, 20]}'
    )
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--compare", "b.png")
    status, out, _ = run(*arguments)
    assert status == 0
    for row in (r"left\W+50\.0 %\W+16\.7 %\W+-33\.3\W+1 to 2\b", r"right\W+16\.7 %\W+50\.0 %\W+\+33\.3\W+2 to 1\b"):
        assert re.search(row, out)
    assert re.search(r"low\W+13\.3 %\W+13\.3 %\W+0\.0\W+3\b", out)


def test_one_image_with_measured_shares(run, tmp_path):
    (tmp_path / "study.csv").write_text("image,subject,x,y\na.png,ann,50,20\na.png,bob,150,80\na.png,bob,20,20\n")
    (tmp_path / "boxes.json").write_text('{"cta": [0, 0, 100, 50], "half": [0, 0, 100, 100]}')
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--fixations", "study.csv")
    status, _, _ = run(*arguments, "--out", "report.html", "--out", "report.pdf")
    assert status == 0
    read, pdf = page(), " ".join(texts())
    for text in (
        '"half" is predicted to get 66.7 % of the attention, the most of the 2 areas.',
        "cta and half have 50.0 % in common",
        "3 fixations of 2 observers",
    ):
        assert text in read.text and text in pdf
    assert "Where attention moved" not in read.text + pdf
    assert len([1 for tag, _ in read.elements if tag == "img"]) == 1


def test_names_are_text_and_nothing_else(run, tmp_path):
    image = tmp_path / "<b>&$x^2$.png"
    Path("a.png").rename(image)
    (tmp_path / "boxes.csv").write_text(f"name,x,y,width,height\n{HOSTILE},0,0,100,50\n", encoding="utf-8")
    arguments = ("aoi", image.name, *LIGHT, "--boxes", "boxes.csv", "--compare", "b.png")
    status, _, error = run(*arguments, "--out", "report.html", "--out", "report.pdf")
    assert (status, error) == (0, "")
    read, pdf = page(), " ".join(texts())
    assert not any(tag in ("script", "b") for tag, _ in read.elements)
    for text in (HOSTILE, image.name):
        assert text in read.text and text in pdf


def test_a_file_name_that_is_no_text_is_written_with_a_mark(run):
    try:
        Path("a.png").rename("a\udcff\n.png")
    except (OSError, UnicodeError):
        pytest.skip("this file system has no such names")
    out = [word for ending in ("html", "pdf", "csv") for word in ("--out", f"report.{ending}")]
    status, _, error = run("aoi", "a\udcff\n.png", *LIGHT, "--boxes", "boxes.json", *out)
    assert (status, error) == (0, "")
    assert "Attention on a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.png" in page().text
    assert "Attention on a" in texts()[0]


def test_letters_that_the_font_of_the_pdf_lacks_are_told(run, tmp_path):
    (tmp_path / "boxes.json").write_text('{"見出し": [0, 0, 100, 50]}', encoding="utf-8")
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--out", "a.html", "--out", "a.pdf", "--json")
    status, out, error = run(*arguments)
    assert (status, error) == (0, "")
    assert [mentions(text, "a.pdf", ".html") for text in json.loads(out)["warnings"]] == [True]
    assert "見出し" in page("a.html").text
    assert "Attention on a.png" in texts("a.pdf")[0]


def test_the_same_file_twice(run):
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--compare", "a.png")
    status, out, _ = run(*arguments, "--out", "report.html", "--out", "report.pdf")
    assert status == 0
    sentence = "No area differs between A and B: each is predicted to get the same share of the attention in both."
    assert mentions(out, sentence)
    assert sentence in page().text and sentence in texts()[0]


def test_designs_of_different_shapes_have_a_report_without_the_map(run):
    arguments = (
        "aoi",
        "a.png",
        *LIGHT,
        "--boxes",
        "boxes.json",
        "--compare",
        "narrow.png",
        "--compare_boxes",
        "n.json",
    )
    Path("n.json").write_text('{"cta": [0, 0, 100, 50]}')
    status, _, error = run(*arguments, "--out", "report.html", "--out", "report.pdf")
    assert (status, error) == (0, "")
    read, pdf = page(), " ".join(texts())
    for text in (read.text, pdf):
        assert mentions(text, "no difference map", "200x100", "150x100")
        assert "Rely on the order" in text
    assert len([1 for tag, _ in read.elements if tag == "img"]) == 2


def test_a_design_at_twice_the_size_is_compared(run):
    arguments = ("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--compare", "double.png")
    status, _, _ = run(*arguments, "--compare_boxes", "double.json", "--out", "report.html")
    assert status == 0
    assert "No area differs between A and B" in page().text
    assert len([1 for tag, _ in page().elements if tag == "img"]) == 3


@pytest.mark.parametrize("ending", ["html", "pdf"])
def test_an_input_is_never_overwritten(run, ending, tmp_path):
    pytest.importorskip("pypdfium2")
    Image.open("a.png").save(tmp_path / "design.pdf")
    (tmp_path / "boxes.html").write_text((tmp_path / "boxes.json").read_text())
    image, boxes = ("design.pdf", "boxes.json") if ending == "pdf" else ("a.png", "boxes.html")
    out = image if ending == "pdf" else boxes
    before = (tmp_path / out).read_bytes()
    status, printed, error = run("aoi", image, *LIGHT, "--boxes", boxes, "--out", out)
    assert (status, printed) == (2, "") and mentions(error, "--out", out)
    assert (tmp_path / out).read_bytes() == before


@pytest.mark.parametrize("ending", ["html", "pdf"])
def test_what_cannot_be_written_is_said_in_one_line_and_leaves_nothing(run, ending, tmp_path):
    (tmp_path / "file").write_text("of the user")
    status, _, error = run("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--out", f"file/report.{ending}")
    assert status == 2 and error.startswith("error: ") and error.count("\n") == 1
    (tmp_path / f"folder.{ending}").mkdir()
    before = sorted(tmp_path.iterdir())
    status, _, error = run("aoi", "a.png", *LIGHT, "--boxes", "boxes.json", "--out", f"folder.{ending}")
    assert status == 2 and error.startswith("error: ") and error.count("\n") == 1
    assert sorted(path for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        path for path in before if path.name != "__pycache__"
    ]


def test_a_long_table_goes_on_with_its_headings_on_the_next_page(run, tmp_path):
    rows = "".join(f"area number {k} of many,{k % 20 * 10},{k // 20 * 20},8,15\n" for k in range(90))
    (tmp_path / "many.csv").write_text(f"name,x,y,width,height\n{rows}")
    status, _, _ = run("aoi", "a.png", *LIGHT, "--boxes", "many.csv", "--out", "report.pdf")
    assert status == 0
    pages = texts()
    both = [text for text in pages if "area number" in text]
    assert len(both) > 1 and all("per surface" in text for text in both)
    assert [sum(f"area number {k} of many" in text for text in pages) for k in (0, 50, 89)] == pytest.approx(
        [1, 1, 1], abs=1
    )
