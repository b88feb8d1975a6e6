"""``mrsal aoi`` and ``mrsal check`` as users type them, with a model whose shares are known: brightness."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image

from mrsal.errors import InputError
from mrsal.images import image_size, read_image
from mrsal.inference import FunctionModel


@pytest.fixture(autouse=True)
def study(tmp_path):
    """Two designs, their boxes and a model, in the folder in which ``run`` runs ``mrsal``."""
    pixels = np.full((100, 200, 3), 50, np.uint8)
    pixels[:50, :100] = 150  # half of all brightness
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / "b.png")
    (tmp_path / "boxes.json").write_text('{"cta": [0, 0, 100, 50], "logo": [100, 50, 100, 50]}')
    (tmp_path / "own_light.py").write_text("def light(image):\n    return image.mean(axis=2)\n")


LIGHT = ("--model", "own_light:light", "--boxes", "boxes.json")


def test_a_table_of_shares(run):
    status, out, _ = run("aoi", "a.png", *LIGHT)
    assert status == 0
    assert re.search(r"cta\W+1\W+50\.0 %\W+25\.0 %\W+2\.00", out)
    assert re.search(r"logo\W+2\W+16\.7 %", out)


def test_json_is_all_that_is_printed_even_with_a_warning(run, tmp_path):
    (tmp_path / "boxes.json").write_text('{"cta": [-20, 0, 120, 50]}')
    status, out, _ = run("aoi", "a.png", *LIGHT, "--json", "--observers", 100)
    assert len(json.loads(out)["warnings"]) == 1
    assert status == 0
    found = json.loads(out)
    (area,) = found["images"][0]["areas"]
    assert (area["area"], area["x"], area["width"], area["attention"]) == ("cta", 0, 100, 0.5)
    assert mentions(found["warnings"][0], "cta", "200x100")
    assert found["observers"] == 100


def test_json_has_the_mode_that_was_used(run, exported):
    for model, mode in (("own_light:light", None), (exported, "fast"), ("mrcnn", "exact")):
        status, out, _ = run("aoi", "a.png", "--boxes", "boxes.json", "--model", model, "--device", "cpu", "--json")
        assert status == 0 and json.loads(out)["mode"] == mode


def test_brackets_in_names_are_no_markup(run):
    Path("a.png").rename("a [red] b.png")
    Path("[red]").mkdir()
    status, out, _ = run("aoi", "a [red] b.png", *LIGHT, "--out", "[red]/out.csv")
    assert status == 0
    assert out.startswith("a [red] b.png ") and out.endswith("\n[red]/out.csv\n")


SHAPES = """{"photo": [0, 0, 100, 50],
 "face": {"kind": "ellipse", "x": 50, "y": 25, "radius_x": 10, "radius_y": 20},
 "tag": {"x": 120, "y": 60, "width": 40, "height": 10, "rotation": 30},
 "shoe": {"kind": "polygon", "parts": [[[150, 10], [190, 10], [150, 40]]]}}"""


def test_areas_of_every_kind_are_measured_named_and_drawn(run, tmp_path):
    (tmp_path / "shapes.json").write_text(SHAPES)
    arguments = ("aoi", "a.png", "--model", "own_light:light", "--boxes", "shapes.json")
    status, out, error = run(*arguments, "--out", "with.png", "--out", "with.csv", "--json")
    assert (status, error) == (0, "")
    image = json.loads(out)["images"][0]
    areas = {area["area"]: area for area in image["areas"]}
    assert {name: area["kind"] for name, area in areas.items()} == {
        "photo": "rectangle",
        "face": "ellipse",
        "tag": "rectangle",
        "shoe": "polygon",
    }
    assert areas["face"]["attention"] == pytest.approx(np.pi * 200 * 150 / 1_500_000, abs=1e-6)
    assert areas["shoe"]["attention"] == pytest.approx(600 * 50 / 1_500_000, abs=1e-6)
    assert [areas["face"][side] for side in ("x", "y", "width", "height")] == [40, 5, 20, 40]
    assert image["overlaps"]["pairs"] == [
        {"areas": ["photo", "face"], "attention": areas["face"]["attention"], "surface": areas["face"]["surface"]}
    ]
    assert image["overlaps"]["twice"] == areas["face"]["attention"]
    rows = list(csv.DictReader(Path("with.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["kind"] for row in rows] == ["rectangle", "ellipse", "rectangle", "polygon"]
    drawn, plain = read_image("with.png"), FunctionModel(lambda image: image.mean(axis=2)).predict("a.png").overlay()
    assert (drawn[44:46, 50] != plain[44:46, 50]).any()  # the lower edge of the face
    assert (drawn[25, 45:55] == plain[25, 45:55]).all()
    assert mentions(run(*arguments)[1], "photo and face", "6.3 %")


def test_a_warning_is_given_once(run, tmp_path):
    (tmp_path / "shapes.json").write_text(
        '{"face": {"kind": "ellipse", "x": 5, "y": 25, "radius_x": 10, "radius_y": 20}}'
    )
    status, out, _ = run("aoi", "a.png", "--model", "own_light:light", "--boxes", "shapes.json", "--json")
    assert status == 0
    assert len(json.loads(out)["warnings"]) == 1


def test_two_designs_and_their_difference(run):
    status, out, _ = run("aoi", "a.png", *LIGHT, "--compare", "b.png", "--out", "both.png", "--out", "both.csv")
    assert status == 0
    assert re.search(r"cta\W+50\.0 %\W+16\.7 %\W+-33\.3\W+1\W*$", out, re.MULTILINE)
    assert image_size("both.png") == (100, 408)
    rows = list(csv.DictReader(Path("both.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["image"], row["area"], row["attention"]) for row in rows] == [
        ("a.png", "cta", "0.5"),
        ("a.png", "logo", "0.166667"),
        ("b.png", "cta", "0.166667"),
        ("b.png", "logo", "0.166667"),
    ]
    _, out, _ = run("aoi", "a.png", *LIGHT, "--compare", "b.png", "--json")
    assert json.loads(out)["differences"][0] == pytest.approx(
        {"area": "cta", "difference": -1 / 3, "low": None, "high": None, "clear": None}, abs=1e-6
    )
    assert mentions(json.loads(out)["summary"], "cta", "16.7 %", "50.0 %", "-33.3")


def test_the_picture_has_the_boxes_and_nothing_else_changed_far_from_them(run):
    assert run("aoi", "a.png", *LIGHT, "--out", "with.png")[0] == 0
    drawn = read_image("with.png")
    plain = FunctionModel(lambda image: image.mean(axis=2)).predict("a.png").overlay()
    assert (drawn[60:90, 10:90] == plain[60:90, 10:90]).all()
    assert (drawn[99, 150] == 0).all()  # the outline of the logo's box


def test_another_design_may_have_boxes_and_a_size_of_its_own(run, tmp_path):
    Image.new("RGB", (50, 50), "grey").save("c.png")
    status, _, error = run("aoi", "a.png", *LIGHT, "--compare", "c.png")
    assert status == 2 and "--compare_boxes" in error
    (tmp_path / "c.json").write_text('{"cta": [0, 0, 5, 50]}')
    status, out, _ = run("aoi", "a.png", *LIGHT, "--compare", "c.png", "--compare_boxes", "c.json", "--json")
    assert status == 0
    assert [d["difference"] for d in json.loads(out)["differences"]] == [pytest.approx(-0.4)]


FIXATIONS = "image;participant;x;y;start_ms;duration_ms\n" + "".join(
    f"{row}\n"
    for row in (
        "a.png;ann;50;20;5000;200",  # cta
        "a.png;ann;150;80;5400;300",  # logo
        "a.png;ann;150;20;5800;250",
        "a.png;bob;20;40;100;400",  # cta
        "a.png;bob;30;40;600;100",  # cta
        "b.png;bob;30;40;2600;100",
        "other.png;bob;30;40;4600;100",
    )
)


def test_measured_shares_stand_beside_the_predicted_ones(run, tmp_path):
    (tmp_path / "study.csv").write_text(FIXATIONS)
    status, out, _ = run("aoi", "a.png", *LIGHT, "--fixations", "study.csv", "--out", "both.csv", "--json")
    assert status == 0
    image = json.loads(out)["images"][0]
    assert (image["measured"]["observers"], image["measured"]["fixations"]) == (2, 5)
    cta, logo = image["areas"]
    assert (cta["attention"], cta["measured"], cta["looked"]) == (0.5, 0.6, 1)
    assert (cta["first_fixation"], cta["dwell_time"]) == (0, 0.35)
    assert (logo["measured"], logo["looked"], logo["first_fixation"], logo["dwell_time"]) == (0.2, 0.5, 0.4, 0.15)
    assert cta["measured_low"] <= 0.6 <= cta["measured_high"]
    rows = list(csv.DictReader(Path("both.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["measured"] for row in rows] == ["0.6", "0.2"]
    status, out, _ = run("aoi", "a.png", *LIGHT, "--fixations", "study.csv")
    assert mentions(out, "a.png: 5 fixations of 2 observers", "60.0 %", "0.35 s")
    assert mentions(out, "2 areas", "no rank correlation")


def test_each_design_has_its_own_fixations(run, tmp_path):
    (tmp_path / "study.csv").write_text(FIXATIONS)
    status, out, _ = run("aoi", "a.png", *LIGHT, "--compare", "b.png", "--fixations", "study.csv", "--json")
    assert status == 0
    found = json.loads(out)["images"]
    assert [(image["measured"]["observers"], image["measured"]["fixations"]) for image in found] == [(2, 5), (1, 1)]
    (tmp_path / "study.csv").write_text("\n".join(line for line in FIXATIONS.splitlines() if "b.png" not in line))
    status, out, _ = run("aoi", "a.png", *LIGHT, "--compare", "b.png", "--fixations", "study.csv", "--json")
    assert status == 0
    assert ["measured" in image for image in json.loads(out)["images"]] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("a.png", *LIGHT, "--fixations", "gone.csv"), ("gone.csv",)),
        (("a.png", *LIGHT, "--fixations", "6"), ("--per_observer", 6)),
        (("a.png", *LIGHT, "--fixations", "boxes.json"), ("boxes.json",)),
        (("a.png", *LIGHT, "--offset", "1,1"), ("--offset", "--fixations")),
        (("gone.png", *LIGHT), ("gone.png",)),
        (("a.png", "--boxes", "gone.json"), ("gone.json",)),
        (("a.png", *LIGHT, "--out", "a.gif"), ("--out", "a.gif", ".png", ".html", ".pdf")),
        (("a.png", *LIGHT, "--out", "./a.png"), ("--out", "a.png")),
        (("a.png", *LIGHT, "--compare", "b.png", "--out", "both.csv", "--out", "b.png"), ("--out", "b.png")),
        (("a.png", *LIGHT, "--compare_boxes", "boxes.json"), ("--compare_boxes", "--compare")),
        (("a.png", *LIGHT, "--title", "Ours", "--out", "a.csv"), ("--title", "--out", "report.html")),
        (("a.png", *LIGHT, "--level", "95"), (95.0,)),
        (("a.png", "--boxes", "boxes.json", "--model", "own_light:gone"), ("own_light", "gone")),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, arguments, named):
    status, out, error = run("aoi", *arguments)
    assert (status, out) == (2, "")
    assert error.startswith("error: ") and mentions(error, *named)


def test_check_passes_and_fails_by_its_status(run):
    status, out, _ = run("check", "a.png", *LIGHT, "--rule", "cta>=50%", "--rule", "cta > logo")
    assert (status, out) == (0, "ok   cta >= 50 %: cta 50.0 %\nok   cta > logo: cta 50.0 %, logo 16.7 %\n")
    status, out, _ = run("check", "a.png", *LIGHT, "--rule", "cta>=0.2", "--rule", "logo>=0.2")
    assert (status, out) == (1, "ok   cta >= 20 %: cta 50.0 %\nFAIL logo >= 20 %: logo 16.7 %\n")


def test_check_prints_json(run):
    status, out, _ = run("check", "a.png", *LIGHT, "--rule", "logo>=0.2", "--json")
    assert status == 1
    assert [(one["rule"], one["holds"]) for one in json.loads(out)["rules"]] == [("logo >= 20 %", False)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("gone.png", *LIGHT, "--rule", "cta>0.1"),
        ("a.png", "--boxes", "gone.json", "--rule", "cta>0.1"),
        ("a.png", *LIGHT, "--rule", "cat>0.1"),
        ("a.png", *LIGHT, "--rule", "cta>15"),
        ("a.png", *LIGHT, "--model", "gone.pth", "--rule", "cta>0.1"),
        ("a.png", *LIGHT),
    ],
)
def test_check_says_2_where_it_could_not_check(run, arguments):
    status, out, error = run("check", *arguments)
    assert (status, out) == (2, "")
    assert "error" in error.lower()


def test_a_map_that_is_no_density_is_refused():
    with pytest.raises(InputError, match=naming(-1)):
        _ = FunctionModel(lambda image: image[..., 0] - 1.0).predict(np.zeros((4, 4, 3), np.uint8)).density


@pytest.mark.slow
def test_the_network_that_ships_with_mrsal_and_a_baseline(run):
    for model in ("mrcnn", "centre"):
        status, out, _ = run("aoi", "a.png", "--boxes", "boxes.json", "--mode", "fast", "--model", model, "--json")
        shares = {area["area"]: area["attention"] for area in json.loads(out)["images"][0]["areas"]}
        assert status == 0
        assert 0 < shares["cta"] < 1
    assert shares["cta"] == pytest.approx(0.25, abs=1e-3)
