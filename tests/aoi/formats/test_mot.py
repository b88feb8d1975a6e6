"""Tracks as CVAT's "MOT 1.1" has them: gt/gt.txt and gt/labels.txt."""

import pytest
from messages import naming

from mrsal.aoi import MovingArea, Rectangle, read_moving_areas
from mrsal.errors import DataError

ROWS = """1,1,10,20,30.5,40,1,2,1.0
2,1,12,20,30.5,40,1,2,1.0
1,2,100,0,20,20,1,1,0.5
5,1,18,20,30.5,40,1,2,1.0
6,7,0,0,5,5,0,1,1.0
3,2,104,0,20,20,1,1,1.0
"""


def boxes(area, count=8):
    return [area.at(frame) and area.at(frame).x0 for frame in range(count)]


def test_a_track_is_visible_in_the_frames_in_which_it_has_a_box(written):
    first, second = read_moving_areas(written(ROWS, "gt.txt"))
    assert (first.name, second.name) == ("track 1", "track 2")
    assert boxes(first) == [10, 12, None, None, 18, None, None, None]
    assert boxes(second) == [100, None, 104, None, None, None, None, None]
    assert first.at(0) == Rectangle("track 1", 10, 20, 30.5, 40)


def test_classes_have_their_names(written):
    written("face\nlogo\n", "labels.txt")
    assert [area.name for area in read_moving_areas(written(ROWS, "gt.txt"))] == ["logo", "face"]


def test_the_shortest_rows_and_tabs(written):
    (area,) = read_moving_areas(written("3\t1\t10\t20\t30\t40\n", "gt.txt"))
    assert area == MovingArea("track 1", [(2, Rectangle("track 1", 10, 20, 30, 40)), (3, None)], "frames")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("1,1,10,20,30,40\n0,1,10,20,30,40\n", (2, 0)),
        ("1,1,10,20,30,40\n1,1,11,20,30,40\n", ("track 1", "twice")),
        ("1,1,10,20,30,40\n2,1,x,20,30,40\n", ("line", 2, "x")),
        ("1,1,10,20,-1,40\n", ("line", 1, "track 1", "width")),
        ("1,1,10,20,30,40\n2,nan,x,20,30,40\n", ("line", 2, "nan")),
        ("1,1,10,20,30,40,0\n", ("areas",)),
    ],
)
def test_wrong_files_are_refused(written, text, named):
    with pytest.raises(DataError, match=naming("gt.txt", *named)):
        read_moving_areas(written(text, "gt.txt"))
