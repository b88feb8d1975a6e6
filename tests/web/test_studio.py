"""What the page shows, without a browser: shares, pictures and files."""

import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from messages import mentions, naming
from PIL import Image

from mrsal.aoi.area_files import read_areas
from mrsal.aoi.areas import attention_shares, compare_shares
from mrsal.aoi.shapes import Ellipse, Rectangle
from mrsal.errors import InputError, MrsalError
from mrsal.images import image_size, read_image
from mrsal.inference import Adjustment, CentrePrior, ShareCalibration, load_model, open_model
from mrsal.inference.adjustment import KNOTS
from mrsal.inference.windows import windows_of
from mrsal.web.studio import Display, Studio, difference_rows, share_rows, shares_on, view, write_files


@pytest.fixture
def image(tmp_path):
    """Half of its brightness is in the upper left quarter."""
    pixels = np.full((100, 200, 3), 50, np.uint8)
    pixels[:50, :100] = 150
    Image.fromarray(pixels).save(tmp_path / "home.png")
    return tmp_path / "home.png"


@pytest.fixture
def studio(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("own_light.py").write_text("def light(image):\n    return image.mean(axis=2)\n")
    with Studio("own_light:light") as opened:
        yield opened


def test_shares_of_drawn_areas(studio, image):
    prediction = studio.predict(image, "own_light:light", "fast")
    rows = share_rows(shares_on(prediction, [Rectangle("logo", 100, 50, 100, 50), Rectangle("cta", 0, 0, 100, 50)]))
    assert rows == [["cta", "1", "50.0", "–", "–", "25.0", "2.00"], ["logo", "2", "16.7", "–", "–", "25.0", "0.67"]]
    assert shares_on(prediction, []) == []
    shipped = studio.predict(image, "mrcnn", "fast")
    [share] = shares_on(shipped, [Rectangle("cta", 0, 0, 100, 50)])
    assert share.interval == load_model("mrcnn", device="cpu").calibration.interval(share.attention, 90, 0.95)
    assert share_rows([share])[0][3:5] == [f"{100 * end:.1f}" for end in share.interval]


def test_a_map_is_predicted_once_and_a_model_must_be_offered(studio, image):
    assert studio.models == ("own_light:light", "mrsal", "mrcnn", "uniform", "centre", "spectral-residual")
    assert studio.predict(image, "centre", "fast") is studio.predict(image, "centre", "fast")
    for model in studio.models:
        assert studio.predict(image, model, "fast").full.values.shape == (100, 200)
    with pytest.raises(InputError, match=naming("os:system", *studio.models)):
        studio.predict(image, "os:system", "fast")
    with pytest.raises(MrsalError, match=naming("gone.pth")):
        Studio("gone.pth")


def test_an_adjusted_model_is_offered_first(studio, image, tmp_path):
    adjustment = Adjustment(
        blur=0.02,
        exponent=1,
        curve=tuple(np.linspace(0, 3, len(KNOTS))),
        centre_weight=0.5,
        centre=CentrePrior(0.5, 0.5, 0.2, 0.2, 0.1),
        model="",
        data="own",
        images=3,
        fixations=9,
        gain_before=0.1,
        gain_after=0.2,
    )
    adjustment.save(tmp_path / "adjustment.json")
    with Studio("own_light:light", adjustment=tmp_path / "adjustment.json") as adjusted:
        assert adjusted.models == ("own_light:light, adjusted", *studio.models)
        found = adjusted.predict(image, adjusted.models[0], "fast")
        expected = open_model("own_light:light", adjustment=adjustment).predict(read_image(image), name="home.png")
        np.testing.assert_allclose(found.full.density, expected.density, atol=1e-8)
        plain = adjusted.predict(image, "own_light:light", "fast")
        assert (plain.full.values == studio.predict(image, "own_light:light", "fast").full.values).all()
    with pytest.raises(MrsalError, match=naming("gone.json")):
        Studio(adjustment=tmp_path / "gone.json")


def test_pages_and_windows_are_said(studio, tmp_path):
    pytest.importorskip("pypdfium2")
    first, second = (Image.new("RGB", (60, 40), value) for value in ((150,) * 3, (0,) * 3))
    first.save(tmp_path / "a.pdf", save_all=True, append_images=[second], resolution=72)
    [note] = studio.predict(tmp_path / "a.pdf", "centre", "fast").notes
    assert mentions(note, 2, "first")
    Image.new("RGB", (70, 400), "white").save(tmp_path / "long.png")
    found = studio.predict(tmp_path / "long.png", "mrcnn", "fast")
    [note] = found.notes
    assert mentions(note, len(windows_of((400, 70)))) and found.full.values.shape == (400, 70)
    assert studio.predict(tmp_path / "long.png", "centre", "fast").notes == ()


def test_a_large_image_is_shown_reduced_and_measured_whole(studio, tmp_path):
    pixels = np.full((1000, 8000, 3), 30, np.uint8)
    pixels[:, 4000:] = 90
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    prediction = studio.predict(tmp_path / "wide.png", "own_light:light", "fast")
    assert view(prediction, Display()).shape == (500, 4000, 3)
    [share] = shares_on(prediction, [Rectangle("right", 4000, 0, 4000, 1000)])
    assert share.attention == pytest.approx(0.75, abs=1e-6)


def test_a_picture_is_drawn_once_and_removed_after_an_hour(studio, image, monkeypatch):
    ask = lambda **settings: studio.picture(image, "centre", "fast", Display(**settings))  # noqa: E731
    drawn = ask()
    assert image_size(drawn) == (500, 1000)  # a small image is enlarged
    drawn.write_bytes(b"once")
    assert ask().read_bytes() == b"once"
    assert ask(opacity=0.1) != drawn
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7300)
    assert ask() != drawn and not drawn.exists()


def test_an_area_that_stays_is_measured_once(studio, image, monkeypatch):
    prediction = studio.predict(image, "own_light:light", "fast")
    areas = [Rectangle("logo", 100, 50, 100, 50), Rectangle("cta", 0, 0, 100, 50)]
    first = shares_on(prediction, areas[:1])
    measured = []
    measure = lambda saliency, areas, **options: measured.extend(areas) or attention_shares(saliency, areas, **options)  # noqa: E731
    monkeypatch.setattr("mrsal.web.studio.attention_shares", measure)
    both = shares_on(prediction, areas)
    assert measured == areas[1:]
    assert both == attention_shares(prediction.full, areas)
    assert [share.rank for share in (*first, *both)] == [1, 2, 1]


def test_the_picture_shows_what_was_chosen(studio, image):
    prediction = studio.predict(image, "own_light:light", "fast")
    pixels = np.asarray(Image.open(image).resize((1000, 500), Image.Resampling.BICUBIC))
    assert abs(view(prediction, Display(show="image")).astype(int) - pixels).max() <= 1
    assert (view(prediction, Display(opacity=0)) == view(prediction, Display(show="image"))).all()
    assert (view(prediction, Display(opacity=1)) != view(prediction, Display(opacity=0))).any()
    plain = view(prediction, Display(show="heatmap"))
    assert (plain[:240, :490] == plain[0, 0]).all() and (plain[260:] == plain[-1, -1]).all()
    assert (plain[0, 0] != plain[-1, -1]).any()
    centre = studio.predict(image, "centre", "fast")
    for display in (Display(levels=(0.5,)), Display(spots=3)):
        assert (view(centre, display) != view(centre, Display())).any()
    with pytest.raises(InputError, match=naming("overlay", "heatmap", "image", "else")):
        view(prediction, Display(show="else"))


def test_files_hold_the_map_the_picture_the_spots_and_the_areas(studio, image, tmp_path):
    prediction = studio.predict(image, "own_light:light", "fast")
    shares = shares_on(prediction, [Rectangle("cta", 0, 0, 100, 50)])
    files = {path.name: path for path in write_files(tmp_path, prediction, shares, Display(spots=2))}
    values = np.load(files["home.npy"])
    assert values.shape == (100, 200)
    with Image.open(files["home.png"]) as grey:
        np.testing.assert_allclose(np.asarray(grey) / 65535, values, atol=1e-5)
    assert image_size(files["home_overlay.jpg"]) == (100, 200)
    [row] = csv.DictReader(files["home_areas.csv"].read_text().splitlines())
    assert (row["area"], row["attention"]) == ("cta", "0.5")
    assert read_areas(files["home_boxes.json"]) == [Rectangle("cta", 0, 0, 100, 50)]
    assert files["home_spots.csv"].read_text().splitlines()[0] == "order,x,y,strength"
    assert {path.suffix for path in write_files(tmp_path, prediction, [], Display())} == {
        ".npy",
        ".png",
        ".jpg",
        ".csv",
    }
    assert json.loads(files["home_boxes.json"].read_text()) == {"cta": [0, 0, 100, 50]}


def test_areas_of_every_kind_are_measured_and_written(studio, image, tmp_path):
    prediction = studio.predict(image, "own_light:light", "fast")
    areas = [Ellipse("face", 10, 30, 30, 20), Rectangle("tag", 120, 30, 40, 20, 30)]
    shares = shares_on(prediction, areas)  # a part of the face lies beyond the border
    assert shares[1].surface == pytest.approx(800 / 20_000)
    folder = tmp_path / "files"
    folder.mkdir()
    files = {path.name: path for path in write_files(folder, prediction, shares, Display(show="image"))}
    plain, drawn = (np.asarray(read_image(path), int) for path in (image, files["home_overlay.jpg"]))
    assert abs(drawn[30, 38:43] - plain[30, 38:43]).max() > 50
    assert abs(drawn[30, 15:30] - plain[30, 15:30]).max() < 10
    assert read_areas(files["home_boxes.json"]) == areas


def test_results_last_an_hour(studio):
    old, young, upload = studio.new_folder(), studio.new_folder(), studio.folder / "upload"
    upload.mkdir()
    (old / "a.npy").touch()
    for folder, minutes in ((old, 61), (young, 59), (upload, 61)):
        os.utime(folder, 2 * (time.time() - 60 * minutes,))
    new = studio.new_folder()
    assert sorted(studio.folder.iterdir()) == sorted([young, new, upload])


def test_two_designs_in_rows():
    a, b = (attention_shares(np.array([[p, 1 - p]]), [Rectangle("cta", 0, 0, 1, 1)]) for p in (0.25, 0.75))
    [[name, *numbers]] = difference_rows(compare_shares(a, b))
    assert name == "cta"
    assert numbers[:3] == ["25.0", "75.0", "+50.0"]
    assert numbers[3:] == ["–", "–", "–"]
    calibration = ShareCalibration(1, 12)
    [[_, *numbers, clear]] = difference_rows(compare_shares(a, b, calibration=calibration))
    expected = [f"{100 * end:+.1f}" for end in calibration.difference_interval(0.25, 0.75, 90, 0.95)]
    assert numbers[3:] == expected and expected[0] != expected[1]
    assert clear == ("yes" if float(expected[0]) > 0 or float(expected[1]) < 0 else "no")
