"""What the tab with two designs says about their difference."""

import numpy as np
import pytest
from PIL import Image

from mrsal.aoi import Rectangle
from mrsal.web.studio import Studio
from mrsal.web.two_designs import comparison_report, comparison_view, write_reports

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_light.py").write_text("def light(image):\n    return image.mean(axis=2)\n")
    pixels = np.full((100, 200, 3), 50, np.uint8)
    pixels[:50, :100] = 150
    for name, image in (("a", pixels), ("b", pixels[:, ::-1]), ("narrow", pixels[:, :150])):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    with Studio("own_light:light") as studio:
        yield studio


def report_of(studio, folder, a, b, areas):
    predictions = [studio.predict(folder / name, "own_light:light", "fast") if name else None for name in (a, b)]
    return comparison_report(predictions, [areas, areas], "own_light:light")


def test_with_both_designs_there_are_a_sentence_a_picture_and_a_legend(studio, tmp_path):
    report = report_of(studio, tmp_path, "a.png", "b.png", [Rectangle(HOSTILE, 0, 0, 100, 50)])
    summary, picture, legend = comparison_view(report)
    assert "16.7 % of the attention in B instead of 50.0 %" in summary
    assert HOSTILE not in summary and "&lt;script&gt;" in summary
    assert picture.shape == (100, 200, 3)
    assert "Where attention moved" in legend and "linear-gradient" in legend


def test_without_both_there_is_nothing(studio, tmp_path):
    assert report_of(studio, tmp_path, "a.png", None, []) is None
    assert comparison_view(None) == ("", None, "")


def test_without_areas_there_is_the_picture(studio, tmp_path):
    summary, picture, _ = comparison_view(report_of(studio, tmp_path, "a.png", "b.png", []))
    assert summary == "" and picture is not None


def test_designs_of_different_shapes_have_a_sentence_and_a_reason(studio, tmp_path):
    report = report_of(studio, tmp_path, "a.png", "narrow.png", [Rectangle("cta", 0, 0, 100, 50)])
    summary, picture, reason = comparison_view(report)
    assert "cta" in summary and picture is None
    assert "200x100" in reason and "150x100" in reason


def test_the_report_is_written_as_html_and_pdf(studio, tmp_path):
    report = report_of(studio, tmp_path, "a.png", "b.png", [Rectangle("cta", 0, 0, 100, 50)])
    html, pdf = write_reports(tmp_path, report)
    assert report.summary.replace('"', "&#34;") in html.read_text(encoding="utf-8")
    assert pdf.read_bytes().startswith(b"%PDF-")
