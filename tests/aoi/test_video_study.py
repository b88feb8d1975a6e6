"""Files and tables of the areas of a video, read back."""

import csv
import json

import numpy as np
import pytest
from known_films import SQUARE, square_at, timed_film
from messages import mentions, naming
from rich.console import Console

from mrsal.aoi import MovingArea, Rectangle, check_video_out, measure_video, video_json, video_shape, video_table
from mrsal.errors import DataError, InputError
from mrsal.inference import FunctionModel

av = pytest.importorskip("av")

H, W = 40, 60
BRIGHTNESS = FunctionModel(lambda image: image[..., 0].astype(float) + 1)
PLACES = [(2 + 6 * i, 10) for i in range(6)]
TIMES = [0, 40, 80, 400, 440, 480]
AREAS = [
    Rectangle("left", 0, 0, 20, H),
    MovingArea("box", [(0.08, Rectangle("box", 14, 10, SQUARE, SQUARE)), (0.44, None)]),
]


@pytest.fixture
def film(tmp_path):
    return timed_film(tmp_path / "film.mkv", [square_at(*place, shape=(H, W)) for place in PLACES], TIMES)


def test_the_table_has_a_row_for_each_area_of_each_frame(film, tmp_path):
    result = measure_video(film, AREAS, BRIGHTNESS, out=[tmp_path / "shares.csv"])
    with (tmp_path / "shares.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == "frame,time,area,attention,surface,per_surface,x,y,width,height,visible".split(",")
    assert [(row["frame"], row["area"]) for row in rows] == [
        (str(t), name) for t in range(6) for name in ("left", "box")
    ]
    np.testing.assert_allclose([float(row["time"]) for row in rows[::2]], np.array(TIMES) / 1000)
    np.testing.assert_allclose([float(row["attention"]) for row in rows[::2]], result.attention[:, 0], atol=1e-6)
    assert [row["visible"] for row in rows[1::2]] == ["0", "0", "1", "1", "0", "0"]
    hidden, shown = rows[1], rows[5]
    assert [hidden[name] for name in ("attention", "surface", "per_surface", "x", "height")] == [
        "0.0",
        "0.0",
        "",
        "",
        "",
    ]
    assert [float(shown[name]) for name in ("x", "y", "width", "height")] == [14, 10, SQUARE, SQUARE]
    share = SQUARE**2 * 256 / (SQUARE**2 * 255 + H * W)
    assert float(shown["attention"]) == pytest.approx(share, abs=1e-6)
    assert float(shown["per_surface"]) == pytest.approx(share * H * W / SQUARE**2, abs=1e-5)


def test_the_video_shows_the_areas_while_they_are_visible(film, tmp_path):
    measure_video(film, AREAS[1:], BRIGHTNESS, out=[tmp_path / "areas.mp4"])
    with av.open(str(tmp_path / "areas.mp4")) as container:
        frames = [(float(frame.time), frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    np.testing.assert_allclose([time for time, _ in frames], np.array(TIMES) / 1000, atol=1e-3)
    below = [picture[H - 10 :].astype(float) for _, picture in frames]  # where the label has room
    changed = [np.abs(picture - below[0]).max() > 60 for picture in below]
    assert changed == [False, False, True, True, False, False]


def test_the_table_on_the_terminal_and_json(film):
    result = measure_video(film, AREAS, BRIGHTNESS)
    left, box = result.summaries()
    console = Console(width=120, record=True, file=None)
    with console.capture() as captured:
        console.print(video_table(result))
    text = captured.get()
    assert mentions(text, "film.mkv", 6, "left", "box", f"{100 * box.mean:.1f}", f"{box.visible:.2f}")
    about = json.loads(json.dumps(video_json(result), allow_nan=False))
    assert (about["video"], about["frames"], about["damage"]) == ("film.mkv", 6, "")
    assert about["times"] == [time / 1000 for time in TIMES]
    assert about["areas"][1]["attention"][0] is None
    assert about["areas"][1]["attention"][2] == pytest.approx(result.attention[2, 1], abs=1e-6)
    for found, summary in zip(about["areas"], (left, box), strict=True):
        assert found["area"] == summary.name
        for name in ("mean", "while_visible", "highest", "highest_at", "visible"):
            assert found[name] == pytest.approx(getattr(summary, name), abs=1e-6)


def test_an_interruption_or_an_error_leaves_no_file(film, tmp_path):
    def interrupt(done, _):
        if done == 3:
            raise KeyboardInterrupt

    outs = [tmp_path / f"out{suffix}" for suffix in (".png", ".csv", ".mp4", ".pdf", ".svg")]
    (tmp_path / "out.csv").write_text("of the user")
    with pytest.raises(KeyboardInterrupt):
        measure_video(film, AREAS, BRIGHTNESS, out=outs, on_frame=interrupt)
    negative = FunctionModel(lambda image: -image[..., 0].astype(float))
    with pytest.raises(InputError, match="negative"):
        measure_video(film, AREAS, negative, out=outs)
    assert {path.name for path in tmp_path.iterdir()} == {"film.mkv", "out.csv"}
    assert (tmp_path / "out.csv").read_text() == "of the user"


def test_what_can_be_decoded_of_a_damaged_video_is_written(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, H, W, 3), dtype=np.uint8)
    path = timed_film(tmp_path / "film.mkv", list(noise), range(0, 800, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    result = measure_video(path, AREAS, BRIGHTNESS, out=[tmp_path / "out.csv", tmp_path / "out.png"])
    assert 5 < len(result.times) < 15
    assert mentions(result.damage, 20)
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 2 * len(result.times)
    assert (tmp_path / "out.png").is_file()


def test_only_numbers_are_kept(film, monkeypatch):
    """The arrays of all frames take 8 numbers for each area, however large the frames are."""
    result = measure_video(film, AREAS, BRIGHTNESS)
    kept = sum(value.nbytes for value in vars(result).values() if isinstance(value, np.ndarray))
    assert kept <= len(TIMES) * (len(AREAS) * 6 + 2) * 8


def test_the_shape_is_that_of_the_upright_frames(tmp_path):
    path = timed_film(tmp_path / "film.mp4", [square_at(2, 2, shape=(H, W))] * 2, [0, 40], rotation=90)
    assert video_shape(path) == (W, H)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.mp4"):
        video_shape(tmp_path / "empty.mp4")


def test_results_that_are_no_results_are_refused(film, tmp_path):
    with pytest.raises(InputError, match=naming("out.gif", ".csv", ".mp4")):
        check_video_out([tmp_path / "out.gif"])
    with pytest.raises(InputError, match=naming(film, "overwrite")):
        measure_video(film, AREAS, BRIGHTNESS, out=[film])
