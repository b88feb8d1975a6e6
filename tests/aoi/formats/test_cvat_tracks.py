"""CVAT's own format for videos, laid out as https://docs.cvat.ai/docs/other/xml_format has it."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import Ellipse, MovingArea, Polygon, Rectangle, read_areas, read_moving_areas
from mrsal.errors import DataError

VIDEO = {"video": "film.mp4", "shape": (100, 200)}


def cvat(tracks, size=(200, 100), meta=None):
    task = f"""<task><id>4</id><name>film</name><size>50</size><mode>interpolation</mode>
      <original_size><width>{size[0]}</width><height>{size[1]}</height></original_size><source>film.mp4</source></task>"""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>{task if meta is None else meta}<dumped>2024-01-01</dumped></meta>
  {tracks}
</annotations>
"""


def box(frame, x, keyframe=1, outside=0, **more):
    others = "".join(f' {name}="{value}"' for name, value in more.items())
    return (
        f'<box frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" xtl="{x:.2f}" ytl="10.00" '
        f'xbr="{x + 20:.2f}" ybr="30.50"{others} z_order="0"><attribute name="state">new</attribute></box>'
    )


def track(shapes, label="cta", number=0, **more):
    others = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<track id="{number}" label="{label}" source="manual"{others}>{"".join(shapes)}</track>'


def test_a_track_with_every_frame_as_cvat_writes_it(written):
    shapes = [
        box(5, 10),
        *(box(5 + i, 10 + 2 * i, keyframe=0) for i in range(1, 5)),
        box(10, 20),
        box(11, 20, outside=1),
    ]
    (area,) = read_moving_areas(written(cvat(track(shapes)), "annotations.xml"), **VIDEO)
    assert (area.name, area.unit) == ("cta", "frames")
    assert [area.at(frame) and area.at(frame).x0 for frame in range(13)] == [
        *[None] * 5,
        *(10, 12, 14, 16, 18, 20),
        *(None, None),
    ]
    assert area.at(7) == Rectangle("cta", 14, 10, 20, 20.5)
    only_keys = [shapes[0], shapes[5], shapes[6]]
    (same,) = read_moving_areas(written(cvat(track(only_keys)), "annotations.xml"), **VIDEO)
    for frame in range(13):
        assert same.at(frame) == area.at(frame)


def test_a_track_that_comes_back(written):
    shapes = [box(0, 10), box(2, 30, outside=1), box(6, 40, outside=0), box(8, 60)]
    (area,) = read_moving_areas(written(cvat(track(shapes)), "annotations.xml"), **VIDEO)
    assert [area.at(frame) and area.at(frame).x0 for frame in (0, 1, 2, 5, 6, 7, 8, 99)] == [
        *(10, 10, None, None, 40, 50, 60, 60)
    ]


def test_every_shape_and_labels_that_occur_twice(written):
    tracks = [
        track([box(0, 10, rotation=33.5)]),
        track(
            [
                '<ellipse frame="0" keyframe="1" outside="0" occluded="0" cx="50" cy="40" rx="20" ry="10.5" z_order="0"/>',
                '<ellipse frame="4" keyframe="1" outside="0" occluded="0" cx="70" cy="40" rx="20" ry="10.5" z_order="0"/>',
            ],
            label="face",
            number=1,
        ),
        track(
            [
                f'<polygon frame="{frame}" keyframe="1" outside="0" points="{x},0;{x + 9},0;{x},9.50" z_order="0"/>'
                for frame, x in ((0, 0), (4, 8))
            ],
            label="face",
            number=2,
        ),
        track(['<points frame="0" keyframe="1" outside="0" points="1,2" z_order="0"/>'], label="nose", number=3),
    ]
    with pytest.warns(UserWarning, match="1 keypoint"):
        turned, ellipse, polygon = read_moving_areas(written(cvat("".join(tracks)), "annotations.xml"), **VIDEO)
    assert turned == MovingArea("cta", [(0, Rectangle("cta", 10, 10, 20, 20.5, 33.5))], "frames")
    assert ellipse.at(1) == Ellipse("face 1", 55, 40, 20, 10.5)
    assert polygon.at(2) == Polygon("face 2", [(4, 0), (13, 0), (4, 9.5)])


def test_of_a_project_the_tracks_of_this_video_are_read(written):
    task = """<task><id>{0}</id><name>{1}</name><source>{1}</source>
      <original_size><width>{2}</width><height>100</height></original_size></task>"""
    meta = f"<project><id>1</id><tasks>{task.format(4, 'other.mp4', 64)}{task.format(7, 'film.mp4', 200)}</tasks></project>"
    tracks = track([box(0, 10)], task_id=4) + track([box(0, 50)], label="logo", number=1, task_id=7)
    path = written(cvat(tracks, meta=meta), "annotations.xml")
    assert [area.name for area in read_moving_areas(path, **VIDEO)] == ["logo"]
    with pytest.raises(DataError, match=naming("third.mp4", 2)):
        read_moving_areas(path, video="third.mp4", shape=(100, 200))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (cvat(track([box(0, 10)]), size=(640, 360)), ("640x360", "200x100")),
        (cvat(track([box(5, 10), box(4, 10)])), ("cta", 4, 5)),
        (cvat(track([box(5, 10), box(5, 10)])), ("cta", 5, "twice")),
        (cvat(track([box(-1, 10)])), ("cta", -1)),
        (cvat(track([box("", 10)])), ("cta", "frame")),
        (cvat(track([box(0, float("nan"))])), ("cta", "nan")),
        (cvat(track([box(0, 10, outside=1)])), (1, "outside")),
        (cvat(track([])), (1,)),
        (cvat(""), ("areas",)),
        (cvat('<image id="0" name="film.mp4" width="200" height="100"/>'), ("images", "CVAT for video 1.1")),
        (cvat(track([box(0, 10)]))[:-30], ("XML",)),
    ],
)
def test_wrong_files_are_refused(written, text, named):
    path = written(text, "annotations.xml")
    with pytest.raises(DataError, match=naming("annotations.xml", *named)):
        read_moving_areas(path, **VIDEO)


def test_for_an_image_it_says_that_the_tracks_are_for_the_video(written):
    with pytest.raises(DataError, match=naming("video", "CVAT for images 1.1")):
        read_areas(written(cvat(track([box(0, 10)])), "annotations.xml"), image="film.png", shape=(100, 200))


def test_many_frames_are_read(written):
    shapes = [box(frame, 10 + frame / 100, keyframe=int(frame % 10 == 0)) for frame in range(3000)]
    (area,) = read_moving_areas(written(cvat(track(shapes)), "annotations.xml"), **VIDEO)
    found = [area.at(frame).x0 for frame in range(3000)]
    np.testing.assert_allclose(found, 10 + np.arange(3000) / 100, atol=0.006)
