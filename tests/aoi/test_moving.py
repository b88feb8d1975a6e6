"""Areas between key frames, compared with np.interp and with points that are turned by hand."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import Ellipse, Mask, MovingArea, Polygon, Rectangle
from mrsal.errors import InputError

TIMES = [0.5, 2, 2.25, 7]


@pytest.mark.parametrize("unit", ["seconds", "frames"])
@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        (Rectangle, ("x0", "y0", "width", "height")),
        (Ellipse, ("x", "y", "radius_x", "radius_y")),
    ],
)
def test_numbers_change_linearly(kind, numbers, unit):
    values = np.random.default_rng(0).uniform(1, 50, (4, 4))
    area = MovingArea("a", [(time, kind("a", *row)) for time, row in zip(TIMES, values, strict=True)], unit)
    for time in np.linspace(0.5, 9, 35):
        expected = [np.interp(time, TIMES, column) for column in values.T]  # holds after the last
        np.testing.assert_allclose([getattr(area.at(time), name) for name in numbers], expected)
    assert area.at(0.4) is None


def test_polygons_with_the_same_corners_change_linearly_with_their_holes():
    start, end = np.random.default_rng(1).uniform(0, 90, (2, 5, 2))
    hole = np.array([[1, 1], [2, 1], [2, 3]])
    a, b = Polygon("p", [start, start + 200], [hole]), Polygon("p", [end, end + 200], [hole + 9])
    found = MovingArea("p", [(1, a), (3, b)]).at(1.5)
    middle = 0.75 * start + 0.25 * end
    np.testing.assert_allclose(found.parts, [middle, middle + 200])
    np.testing.assert_allclose(found.holes, [hole + 2.25])


@pytest.mark.parametrize(
    ("start", "end", "middle"),
    [(0, 90, 45), (350, 10, 0), (10, 350, 0), (-170, 170, 180), (0, 270, -45), (720, 20, 10)],
)
@pytest.mark.parametrize("kind", [Rectangle, Ellipse])
def test_angles_go_the_shorter_way(kind, start, end, middle):
    a, b = (kind("a", 30, 40, 20, 6, angle) for angle in (start, end))
    found, expected = MovingArea("a", [(0, a), (2, b)]).at(1), kind("a", 30, 40, 20, 6, middle)
    np.testing.assert_allclose(found.outlines()[0], expected.outlines()[0], atol=1e-9)


TRIANGLE = Polygon("a", [(0, 0), (9, 0), (0, 9)])
SQUARE = Polygon("a", [(20, 20), (29, 20), (29, 29), (20, 29)])
BLOT = Mask("a", np.ones((2, 3), bool))


@pytest.mark.parametrize(
    ("a", "b"),
    [(TRIANGLE, SQUARE), (SQUARE, Rectangle("a", 0, 0, 9, 9)), (BLOT, Mask("a", np.ones((2, 3), bool), 5, 5))],
)
def test_what_has_nothing_between_stays_until_the_next_key_frame(a, b):
    area = MovingArea("a", [(0, a), (2, b)])
    assert area.at(1.9) == a
    assert area.at(2) == b
    assert area.jumps() == 1
    assert MovingArea("a", [(0, a), (1, b), (2, None), (4, a)], "frames").jumps() == 0  # nothing is between them


def test_an_area_is_hidden_from_the_moment_that_hides_it_to_the_next_key_frame():
    box, other = Rectangle("a", 0, 0, 4, 4), Rectangle("a", 8, 0, 4, 4)
    area = MovingArea("a", [(1, box), (2, None), (3, other)])
    assert [area.at(time) for time in (0, 0.99, 1, 1.99, 2, 2.5, 3, 1e6)] == [
        *(None, None, box, box, None, None, other, other)
    ]


def test_rounded_times_of_frames_reach_their_key_frame():
    third = MovingArea("a", [(1 / 30, Rectangle("a", 0, 0, 4, 4)), (2 / 30, None)])
    assert third.at(0.033) == Rectangle("a", 0, 0, 4, 4)  # as Matroska writes it
    assert third.at(0.066) is None
    assert third.at(0.031) is None


def test_the_name_is_that_of_the_moving_area():
    assert MovingArea("face 2", [(0, Rectangle("face", 0, 0, 4, 4))]).at(0).name == "face 2"


BOX = Rectangle("a", 0, 0, 4, 4)


@pytest.mark.parametrize(
    ("key_frames", "named"),
    [
        ([], ("none",)),
        ([(0, None)], ("none",)),
        ([(-0.5, BOX)], (-0.5, 0)),
        ([(float("nan"), BOX)], ("nan",)),
        ([(float("inf"), BOX)], ("inf",)),
        ([("1", BOX)], ("'1'",)),
        ([(2, BOX), (1, BOX)], (1, 2)),
        ([(2, BOX), (2, None)], (2, "twice")),
    ],
)
def test_wrong_key_frames_are_refused(key_frames, named):
    with pytest.raises(InputError, match=naming("'a'", *named)):
        MovingArea("a", key_frames)


def test_wrong_names_and_units_are_refused():
    with pytest.raises(InputError, match="name of one line"):
        MovingArea(" ", [(0, BOX)])
    with pytest.raises(InputError, match=naming("seconds", "frames", "'hours'")):
        MovingArea("a", [(0, BOX)], "hours")
