"""Shares over videos that are made here: a white square moves on black, and the model's density is the brightness.

So the attention of an area is the part of the square that it covers, which is computed here for upright rectangles.
"""

from itertools import pairwise

import numpy as np
import pytest
from known_films import SQUARE, overlap, square_at, timed_film
from messages import naming

from mrsal.aoi import Ellipse, MovingArea, Rectangle, measure_video, shares_over_video
from mrsal.errors import DataError, InputError
from mrsal.inference import FunctionModel

pytest.importorskip("av")

H, W = 40, 60
BRIGHTNESS = FunctionModel(lambda image: image[..., 0].astype(float))


@pytest.fixture
def film(tmp_path):
    """Frames with variable times in ms; the square moves 5 pixels to the right with each of them."""
    times = [0, 40, 100, 400, 450, 1000, 1040]
    places = [(2 + 5 * i, 10) for i in range(len(times))]
    return timed_film(tmp_path / "film.mkv", [square_at(*place, shape=(H, W)) for place in places], times)


LEFT, RIGHT = Rectangle("left", 0, 0, 20.5, H), Rectangle("right", 20.5, 0, 39.5, H)
TIMES = np.array([0, 0.04, 0.1, 0.4, 0.45, 1, 1.04])


def test_fixed_areas(film):
    frames = list(shares_over_video(film, [LEFT, RIGHT], BRIGHTNESS))
    assert [frame.frame for frame in frames] == list(range(7))
    np.testing.assert_allclose([frame.time for frame in frames], TIMES)
    np.testing.assert_allclose([frame.duration for frame in frames[:-1]], np.diff(TIMES))
    assert frames[-1].duration > 0
    for i, frame in enumerate(frames):
        left, right = frame.shares
        assert left.attention == pytest.approx(overlap((2 + 5 * i, 10), (0, 0, 20.5, H)))
        assert left.attention + right.attention == pytest.approx(1)
        assert (left.name, left.area, left.visible) == ("left", LEFT, True)
        assert left.surface == pytest.approx(20.5 / W)
        assert left.per_surface == pytest.approx(left.attention / (20.5 / W))


def test_an_area_that_follows_the_square_keeps_its_share(film):
    """Half of the square, with a key frame in every second frame, so that the others are interpolated in time."""
    box = MovingArea("box", [(i, Rectangle("box", 2 + 5 * i, 10, SQUARE / 2, SQUARE)) for i in (0, 2, 4, 6)], "frames")
    for frame in shares_over_video(film, [box], BRIGHTNESS):
        assert frame.shares[0].attention == pytest.approx(0.5)


def test_an_area_that_moves_in_seconds_is_where_it_is_at_the_time_of_each_frame(film):
    box = MovingArea("box", [(0.1, Rectangle("box", 0, 8, 10, 12)), (1, Rectangle("box", 50, 8, 10, 12))])
    for i, frame in enumerate(shares_over_video(film, [box], BRIGHTNESS)):
        (share,) = frame.shares
        if i < 2:
            assert (share.area, share.attention, share.surface, share.per_surface) == (None, 0, 0, None)
            continue
        x = np.interp(frame.time, [0.1, 1], [0, 50])
        assert share.area.x0 == pytest.approx(x)
        assert share.attention == pytest.approx(overlap((2 + 5 * i, 10), (x, 8, 10, 12)))


def test_with_every_the_densities_are_interpolated_and_the_areas_move_on(film):
    calls = []
    model = FunctionModel(lambda image: calls.append(1) or image[..., 0].astype(float))
    box = MovingArea("box", [(0, Rectangle("box", 0, 8, 10, 12)), (1.04, Rectangle("box", 50, 8, 10, 12))])
    frames = list(shares_over_video(film, [box], model, every=4))
    assert len(calls) == 3  # frames 0, 4 and the last
    for i, frame in enumerate(frames):
        x = np.interp(frame.time, [0, 1.04], [0, 50])
        before, after = (0, 4) if i <= 4 else (4, 6)
        ends = [overlap((2 + 5 * j, 10), (x, 8, 10, 12)) for j in (before, after)]
        assert frame.shares[0].attention == pytest.approx(np.interp(frame.time, TIMES[[before, after]], ends))


@pytest.mark.parametrize("every", [1, 4])
def test_smoothing_is_a_time_constant(film, every):
    """The average of a moving square is a sum of squares, with weights that follow from the times."""
    frames = list(shares_over_video(film, [LEFT], BRIGHTNESS, smoothing=0.2, every=every))
    known = TIMES[[0, 4, 6]] if every == 4 else TIMES
    shares = [overlap((2 + 5 * i, 10), (0, 0, 20.5, H)) for i in ([0, 4, 6] if every == 4 else range(7))]
    expected = [shares[0]]
    for before, time in pairwise(TIMES):
        expected.append(
            np.interp(time, known, shares)
            + np.exp((before - time) / 0.2) * (expected[-1] - np.interp(time, known, shares))
        )
    np.testing.assert_allclose([frame.shares[0].attention for frame in frames], expected)


def test_areas_are_cut_at_the_border_and_hidden_outside(film):
    box = MovingArea("box", [(0, Rectangle("box", -20, 0, 20, H)), (2, Rectangle("box", 20, 0, 20, H))], "frames")
    first, second, third, *_ = (frame.shares[0] for frame in shares_over_video(film, [box], BRIGHTNESS))
    assert not first.visible
    assert second.area == Rectangle("box", 0, 0, 20, H)
    assert third.area == Rectangle("box", 20, 0, 20, H)
    with pytest.warns(UserWarning, match=naming("'wide'", "60x40")):
        (cut, *_) = shares_over_video(film, [Rectangle("wide", 50, 0, 30, H)], BRIGHTNESS)
    assert cut.shares[0].surface == pytest.approx(10 / W)
    corner = MovingArea(
        "corner", [(0, Ellipse("corner", -9, -9, 10, 10))]
    )  # its bounds reach into the frame, and it does not
    assert not next(shares_over_video(film, [corner], BRIGHTNESS)).shares[0].visible


def test_a_turned_video_is_measured_as_people_see_it(tmp_path):
    path = timed_film(tmp_path / "film.mp4", [square_at(4, 10, shape=(40, 60))] * 2, [0, 40], rotation=90)
    boxes = [Rectangle("upright", 10, 60 - 4 - SQUARE, SQUARE, SQUARE), Rectangle("as stored", 4, 10, SQUARE, SQUARE)]
    (upright, stored), _ = (frame.shares for frame in shares_over_video(path, boxes, BRIGHTNESS))
    assert upright.attention > 0.95  # H.264 is lossy
    assert stored.attention < 0.05


def test_summaries_count_frames_by_the_time_for_which_they_are_shown(film):
    areas = [LEFT, MovingArea("late", [(0.1, LEFT), (1, None)]), MovingArea("never", [(7, LEFT)])]
    with pytest.warns(UserWarning, match=naming("'never'", 7)):
        result = measure_video(film, areas, BRIGHTNESS)
    shares = np.array([overlap((2 + 5 * i, 10), (0, 0, 20.5, H)) for i in range(7)])
    durations = np.append(np.diff(TIMES), result.durations[-1])
    left, late, never = result.summaries()
    assert result.seconds == pytest.approx(durations.sum())
    assert left.dwell == pytest.approx((shares * durations).sum())
    assert left.per_surface == pytest.approx(left.mean / (20.5 / W))
    assert left.mean == left.while_visible == pytest.approx((shares * durations).sum() / durations.sum())
    assert (left.highest, left.highest_at, left.visible) == (1, 0, pytest.approx(durations.sum()))
    seen = slice(2, 5)  # at 0.1, 0.4 and 0.45 s
    assert late.visible == pytest.approx(0.9)
    assert late.mean == pytest.approx((shares * durations)[seen].sum() / durations.sum())
    assert late.while_visible == pytest.approx((shares * durations)[seen].sum() / 0.9)
    assert late.dwell == pytest.approx(late.mean * durations.sum())
    assert late.per_surface == pytest.approx(late.while_visible / (20.5 / W))
    assert (late.highest, late.highest_at) == (pytest.approx(shares[2]), pytest.approx(0.1))
    assert (never.mean, never.while_visible, never.highest, never.highest_at, never.visible) == (0, None, None, None, 0)
    assert (never.dwell, never.per_surface) == (0, None)
    np.testing.assert_allclose(result.boxes[3, 0], [0, 0, 20.5, H])
    assert np.isnan(result.boxes[0, 1]).all()


@pytest.mark.parametrize(
    ("areas", "named"),
    [
        ([], ("none",)),
        ([LEFT, LEFT], ("left",)),
        ([LEFT, MovingArea("left", [(0, LEFT)])], ("left",)),
        ([Rectangle("gone", 900, 0, 5, 5)], ("'gone'", "60x40")),
    ],
)
def test_wrong_areas_are_refused_before_the_model_runs(film, areas, named):
    def never(image):
        raise AssertionError

    with pytest.raises(InputError, match=naming(*named)):
        next(shares_over_video(film, areas, FunctionModel(never)))
    with pytest.raises(InputError, match=naming("smoothing", -1)):
        next(shares_over_video(film, [LEFT], FunctionModel(never), smoothing=-1))
    with pytest.raises(InputError, match=naming("every", 0)):
        next(shares_over_video(film, [LEFT], FunctionModel(never), every=0))


def test_a_damaged_video_is_measured_up_to_the_damage(tmp_path):
    noise = np.random.default_rng(0).integers(1, 256, (20, H, W, 3), dtype=np.uint8)
    path = timed_film(tmp_path / "film.mkv", list(noise), range(0, 800, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match=naming(path, "damaged")):
        frames = list(shares_over_video(path, [LEFT], BRIGHTNESS))
    assert 5 < len(frames) < 15
    path.write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match=r"film\.mkv"):
        next(shares_over_video(path, [LEFT], BRIGHTNESS))
