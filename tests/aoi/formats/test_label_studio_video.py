"""Rectangles that Label Studio tracks, laid out as https://labelstud.io/tags/videorectangle has it."""

import pytest
from messages import naming

from mrsal.aoi import Rectangle, read_moving_areas
from mrsal.errors import DataError

RATE, COUNT = 24, 48  # of the project; the last frame of the video may be cut short
VIDEO = {"video": "film.mp4", "shape": (100, 200)}


def key(frame, x=10.0, enabled=True, *, time="number over rate", **more):
    times = {"number over rate": frame / RATE, "true": (frame - 1) / RATE}
    numbers = {"x": x, "y": 20, "width": 25, "height": 50, "rotation": 0}
    about = {"frame": frame, "enabled": enabled, **({"time": times[time]} if time else {})}
    return {**about, **numbers, **more}


def value(sequence, **more):
    return {"framesCount": COUNT, "duration": 1.99, "sequence": sequence, "labels": ["cta"], **more}


def result(sequence, number="a1", **more):
    return {
        "id": number,
        "type": "videorectangle",
        "from_name": "box",
        "to_name": "video",
        "value": value(sequence, **more),
    }


def task(*results, video="/data/upload/1/8ed3b6a1-film.mp4"):
    annotations = [{"id": 1001, "result": list(results), "was_cancelled": False}]
    return [{"id": 1, "data": {"video": video}, "annotations": annotations}]


def shown(area, rate=RATE, count=12):
    """The left edges in the first frames of a video with some frame rate."""
    found = [area.at(i / rate if area.unit == "seconds" else i) for i in range(count)]
    return [box and round(box.x0, 3) for box in found]


@pytest.mark.parametrize("time", ["number over rate", "true", None])
def test_frames_count_from_1_and_per_cent_become_pixels(written, time):
    (area,) = read_moving_areas(written(task(result([key(3, time=time), key(7, 50, time=time)]))), **VIDEO)
    assert area.name == "cta"
    expected = [None, None, 20, 40, 60, 80, 100, 100]
    if time:
        assert shown(area, count=8) == expected
    assert area.at(2 / RATE + 1e-3).y0 == 20
    box = area.at(10)
    assert (box.x0, box.y0, box.width, box.height) == pytest.approx((100, 20, 50, 50))


def test_the_frame_rate_is_that_of_the_project_and_not_of_the_video(written):
    (area,) = read_moving_areas(written(task(result([key(1), key(25, 60)]))), **VIDEO)
    assert shown(area, rate=10, count=11) == [20 + 10 * i for i in range(11)]  # a second later, whatever the video has


def test_without_any_times_frames_are_those_of_the_video(written):
    sequence = [key(3, time=None), key(7, 50, time=None)]
    found = read_moving_areas(written(task(result(sequence, framesCount=0, duration=0))), **VIDEO)
    assert found[0].unit == "frames"
    assert shown(found[0], count=8) == [None, None, 20, 40, 60, 80, 100, 100]


def test_after_a_key_frame_that_is_not_enabled_it_is_hidden(written):
    sequence = [key(2), key(4, enabled=False), key(8, 50), key(9, 50, enabled=False), key(10, 60)]
    (area,) = read_moving_areas(written(task(result(sequence))), **VIDEO)
    assert shown(area) == [None, 20, 20, 20, None, None, None, 100, 100, 120, 120, 120]


def test_a_turned_rectangle_turns_about_its_corner(written):
    (area,) = read_moving_areas(written(task(result([key(1, rotation=90)]))), **VIDEO)
    assert area.at(0).bounds == pytest.approx((20 - 50, 20, 20, 20 + 50))


def test_json_min_and_several_regions(written):
    content = [
        {
            "video": "/data/upload/1/8ed3b6a1-film.mp4",
            "id": 1,
            "box": [value([key(1)]), value([key(1)])],
            "annotator": 1,
            "annotation_id": 3,
        }
    ]
    assert [area.name for area in read_moving_areas(written(content), **VIDEO)] == ["cta 1", "cta 2"]


def test_a_label_in_a_result_of_its_own_and_regions_without_key_frames(written):
    moving = result([key(1)])
    del moving["value"]["labels"]
    label = {"id": "a1", "type": "labels", "value": {"labels": ["face"]}}
    timeline = {
        "id": "t",
        "type": "timelinelabels",
        "value": {"ranges": [{"start": 1, "end": 3}], "timelinelabels": ["x"]},
    }
    path = written(task(moving, label, timeline, result([], number="b")))
    with pytest.warns(UserWarning, match=naming("boxes.json", 1, "track without key frames")):
        (area,) = read_moving_areas(path, **VIDEO)
    assert area.name == "face"
    assert area.at(0) == Rectangle("face", 20, 20, 50, 50)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (task(result([key(0)])), ("cta", 0, 1)),
        (task(result([key(2), key(2)])), ("cta", "twice")),
        (task(result([{**key(1), "frame": "two"}])), ("two",)),
        (task(result([key(1, "left")])), ("cta", "left")),
        (task(result([key(1)]), video="/data/upload/1/8ed3b6a1-other.mp4"), ("film.mp4", "other.mp4")),
        (task(result([{"frame": 1}])), ("boxes.json",)),
        (task(), ("areas",)),
    ],
)
def test_wrong_files_are_refused(written, content, named):
    with pytest.raises(DataError, match=naming("boxes.json", *named)):
        read_moving_areas(written(content), **VIDEO)


def test_per_cent_need_the_size_of_the_video(written):
    with pytest.raises(DataError, match=naming("cta", "size")):
        read_moving_areas(written(task(result([key(1)]))), video="film.mp4")
