"""``mrsal aoi`` and ``mrsal check`` on a video."""

import csv
import json

import numpy as np
import pytest
from known_films import square_at, timed_film
from messages import mentions
from PIL import Image

from mrsal.images import read_image

av = pytest.importorskip("av")

H, W = 40, 60
MODEL = ("--model", "uniform")
BOXES = {"cta": [0, 0, 30, H], "late": [{"time": 0.2, "area": [0, 0, 15, H]}]}


@pytest.fixture
def film(tmp_path, written):
    """A second of ten frames, and areas: half of the frame, and a quarter of it from 0.2 s on."""
    written(BOXES)
    return timed_film(
        tmp_path / "film.mkv", [square_at(5 * i, 9, shape=(H, W)) for i in range(10)], range(0, 1000, 100)
    )


def test_a_video_gives_a_table_a_curve_and_a_video(run, film, tmp_path):
    outs = [f"out/{name}" for name in ("curve.png", "curve.svg", "curve.pdf", "shares.csv", "areas.mp4")]
    status, out, _ = run(
        "aoi", film, "--boxes", "boxes.json", *MODEL, *(word for path in outs for word in ("--out", path))
    )
    assert status == 0
    assert mentions(out, "film.mkv", 10, "50.0", "25.0", "late", *outs)
    assert sorted(f"out/{path.name}" for path in (tmp_path / "out").iterdir()) == sorted(outs)
    assert min(read_image(tmp_path / outs[0]).shape[:2]) > 300
    with (tmp_path / "out/shares.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20
    with av.open(str(tmp_path / "out/areas.mp4")) as container:
        assert len(list(container.decode(video=0))) == 10


def test_json_has_the_summaries_and_warnings(run, film, written):
    written({**BOXES, "never": [{"time": 9, "area": [0, 0, 15, H]}]})
    status, out, _ = run("aoi", film, "--boxes", "boxes.json", *MODEL, "--every", 3, "--json")
    assert status == 0
    found = json.loads(out)
    assert (found["video"], found["frames"], found["every"], found["damage"]) == ("film.mkv", 10, 3, "")
    cta, late, never = found["areas"]
    assert (cta["mean"], late["highest_at"], late["attention"][:3]) == (0.5, 0.2, [None, None, 0.25])
    assert late["mean"] == pytest.approx(0.25 * late["visible"] / found["seconds"], abs=1e-6)
    assert (never["visible"], never["highest"]) == (0, None)
    assert mentions(found["warnings"][0], "'never'", 9)


def test_check_is_about_the_mean_over_the_video(run, film):
    rules = (
        "--rule",
        "cta>=50%",
        "--rule",
        "late<21%",
        "--rule",
        "cta>late",
    )  # late has 25 % of the attention for 80 % of the time
    status, out, _ = run("check", film, "--boxes", "boxes.json", *MODEL, *rules)
    assert (status, out.count("ok")) == (0, 3)
    status, out, _ = run("check", film, "--boxes", "boxes.json", *MODEL, "--rule", "late>=25%", "--json")
    assert status == 1
    assert json.loads(out)["rules"][0]["left"] == pytest.approx(0.2, abs=0.01)
    status, _, err = run("check", film, "--boxes", "boxes.json", *MODEL, "--rule", "nose>1%")
    assert (status, mentions(err, "nose", "cta, late")) == (2, True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--compare", "film.mkv"), ("--compare",)),
        (("--fixations", "boxes.json"), ("--fixations",)),
        (("--observers", 40), ("--observers",)),
        (("--level", 0.5), ("--level",)),
        (("--out", "out.gif"), (".mp4", "out.gif")),
        (("--out", "out.jpg"), (".png", "out.jpg")),
        (("--out", "film.mkv"), ("overwrite",)),
        (("--out", "boxes.json"), ("overwrite",)),
        (("--every", 0), ("every",)),
        (("--mode", "fast"), ()),
    ],
)
def test_options_without_a_meaning_for_a_video_are_refused(run, film, tmp_path, options, named):
    before = (tmp_path / "boxes.json").read_text()
    status, _, err = run("aoi", film, "--boxes", "boxes.json", *MODEL, *options)
    assert (status, mentions(err, *named)) == (2 if named else 0, True)
    assert (tmp_path / "boxes.json").read_text() == before
    assert {path.name for path in tmp_path.iterdir()} == {"film.mkv", "boxes.json"}


@pytest.mark.parametrize("command", [("aoi",), ("check", "--rule", "cta>1%")])
def test_what_is_for_videos_is_refused_for_an_image(run, written, tmp_path, command):
    Image.new("RGB", (W, H)).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (W, H), "red")])
    written({"cta": [0, 0, 30, H]})
    for option, value in (("--every", 2), ("--smoothing", 0.5)):
        status, _, err = run(*command, "a.gif", "--boxes", "boxes.json", *MODEL, option, value)
        assert (status, mentions(err, option, "a.gif")) == (2, True)
    written({"cta": [{"time": 0, "area": [0, 0, 30, H]}]})
    status, _, err = run(*command, "a.gif", "--boxes", "boxes.json", *MODEL)
    assert (status, mentions(err, "'cta'", "video")) == (2, True)


def test_wrong_boxes_end_in_one_line_before_the_model_is_opened(run, film, written):
    written({"cta": [{"time": 2, "area": [0, 0, 9, 9]}, {"time": 1, "area": None}]})
    for command in (("aoi",), ("check", "--rule", "cta>1%")):
        status, _, err = run(*command, film, "--boxes", "boxes.json", "--model", "gone.pth")
        assert (status, err.count("\n"), mentions(err, "boxes.json", "cta", 1)) == (2, 1, True)


def test_a_damaged_video_is_measured_and_reported(run, written, tmp_path):
    written(BOXES)
    noise = np.random.default_rng(0).integers(0, 256, (20, H, W, 3), dtype=np.uint8)
    film = timed_film(tmp_path / "film.mkv", list(noise), range(0, 2000, 100))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    status, out, _ = run("aoi", film, "--boxes", "boxes.json", *MODEL, "--out", "shares.csv")
    assert (status, mentions(out, "film.mkv", "damaged", "cta")) == (1, True)
    assert (tmp_path / "shares.csv").is_file()
    status, out, _ = run("aoi", film, "--boxes", "boxes.json", *MODEL, "--json")
    assert (status, bool(json.loads(out)["damage"])) == (1, True)
    status, out, _ = run("check", film, "--boxes", "boxes.json", *MODEL, "--rule", "cta>1%", "--json")
    assert (status, bool(json.loads(out)["damage"])) == (1, True)
    film.write_bytes(b"no video")
    status, _, err = run("aoi", film, "--boxes", "boxes.json", *MODEL)
    assert (status, mentions(err, "film.mkv")) == (2, True)
