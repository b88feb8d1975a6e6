"""Plain files of moving areas, how formats are recognised, and files that are wrong; formats/ has those of annotation tools."""

import json

import pytest
from messages import naming

from mrsal.aoi import Ellipse, MovingArea, Polygon, Rectangle, read_areas, read_moving_areas, write_areas
from mrsal.errors import DataError, FileError

BOX, LATER = Rectangle("cta", 10, 20, 30.5, 40), Rectangle("cta", 50, 20, 30, 40)
CIRCLE = {"kind": "ellipse", "x": 50, "y": 40, "radius_x": 20, "radius_y": 20}
CTA = MovingArea("cta", [(0, BOX), (2.5, LATER), (4, None)])


def test_plain_json_with_fixed_and_moving_areas(written):
    content = {
        "cta": [
            {"time": 0, "area": [10, 20, 30.5, 40]},
            {"time": 2.5, "area": [50, 20, 30, 40]},
            {"time": 4, "area": None},
        ],
        "logo": [1, 2, 3, 4],
        "ball": [{"frame": 3, "area": CIRCLE}, {"frame": 9, **CIRCLE, "x": 80}],
        "shoe": {"kind": "polygon", "parts": [[[0, 0], [9, 0], [0, 9]]]},
    }
    assert read_moving_areas(written(content)) == [
        CTA,
        Rectangle("logo", 1, 2, 3, 4),
        MovingArea("ball", [(3, Ellipse("ball", 50, 40, 20, 20)), (9, Ellipse("ball", 80, 40, 20, 20))], "frames"),
        Polygon("shoe", [(0, 0), (9, 0), (0, 9)]),
    ]


def test_a_list_of_key_frames(written):
    box = {"x": 10, "y": 20, "width": 30.5, "height": 40}
    content = [
        {"name": "cta", "time": 0, **box},
        {"name": "other", "time": 1, **box},
        {"name": "cta", "time": 2.5, "area": [50, 20, 30, 40]},
        {"name": "cta", "time": 4, "area": None},
    ]
    assert [area.name for area in read_moving_areas(written(content))] == ["cta", "other"]
    assert read_moving_areas(written(content))[0] == CTA


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_times(written, delimiter):
    rows = ["name,time,x,y,width,height", "cta,0,10,20,30.5,40", "logo,1,1,2,3,4", "cta,2.5,50,20,30,40", "cta,4,,,,"]
    text = "\n".join(rows).replace(",", delimiter)
    text = text if delimiter == "," else text.replace(".", ",")  # as a German spreadsheet writes it
    logo = MovingArea("logo", [(1, Rectangle("logo", 1, 2, 3, 4))])
    assert read_moving_areas(written(text, "boxes.csv")) == [CTA, logo]


def test_a_table_of_frames_in_which_a_video_is_found_by_its_name(written):
    text = "Video,Name,Frame,X,Y,Width,Height\nfilms/a.mp4,cta,2,1,2,3,4\nfilms/b.mp4,cta,5,1,2,3,4\n"
    (area,) = read_moving_areas(written(text, "boxes.csv"), video="my/b.mp4")
    assert area == MovingArea("cta", [(5, Rectangle("cta", 1, 2, 3, 4))], "frames")
    with pytest.raises(DataError, match=naming("boxes.csv", "c.mp4", 2)):
        read_moving_areas(written(text, "boxes.csv"), video="c.mp4")


def test_all_other_files_have_fixed_areas(written, tmp_path):
    areas = [Rectangle("a", 1, 2, 30, 40, 12), Ellipse("b", 9, 9, 4, 3)]
    write_areas(areas, tmp_path / "plain.json")
    assert read_moving_areas(tmp_path / "plain.json") == areas
    coco = {
        "images": [{"id": 7, "file_name": "film.mp4", "width": 200, "height": 100}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30.5, 40]}],
        "categories": [{"id": 2, "name": "face"}],
    }
    found = read_moving_areas(written(coco), video="film.mp4", shape=(100, 200))
    assert found == [Rectangle("face", 10, 20, 30.5, 40)]
    table = written("name,x,y,width,height\ncta,10,20,30.5,40\n", "boxes.csv")
    assert read_moving_areas(table) == [BOX]


def test_polygons_that_jump_are_told(written):
    polygons = [[[0, 0], [9, 0], [0, 9]], [[0, 0], [9, 0], [9, 9], [0, 9]]]
    content = {"shoe": [{"time": i, "kind": "polygon", "parts": [p]} for i, p in enumerate(polygons)]}
    with pytest.warns(UserWarning, match=naming("boxes.json", "shoe", 1, "polygons")):
        read_moving_areas(written(content))


def key(**more):
    return {"area": [1, 2, 30, 40], **more}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"cta": [key(time=2), key(time=1)]}, ("cta", 1, 2)),
        ({"cta": [key(time=2), key(time=2)]}, ("cta", 2, "twice")),
        ({"cta": [key(time=-1)]}, ("cta", -1)),
        ('{"cta": [{"time": NaN, "area": [1, 2, 30, 40]}]}', ("cta", "NaN")),
        ({"cta": [key(time="soon")]}, ("cta", "soon")),
        ({"cta": [key(time=True)]}, ("cta", "true")),
        ({"cta": [key()]}, ("cta", "time")),
        ({"cta": [key(time=1, frame=25)]}, ("cta", "time")),
        ({"cta": [key(time=1), key(frame=50)]}, ("cta", "times", "frames")),
        ({"cta": [key(time=1), 3]}, ("cta", "3")),
        ({"cta": [{"time": 1}]}, ("cta",)),
        ({"cta": [{"time": 1, "area": None}]}, ("cta", "none")),
        ({"cta": [{"time": 1, "area": [1, 2, 3]}]}, ("cta",)),
        ({"cta": [{"time": 1, "area": [1, 2, 0, 4]}]}, ("cta", 0)),
        ({"cta": [{"time": 1, "area": [0, 0, 0.5, 0.5]}]}, ("pixels", "shares")),
        ([{"name": "cta", "time": 1, "area": [1, 2, 3, 4]}, {"time": 2}], ("name",)),
        ("name,time,x,y,width,height\ncta,1,1,2,3,4\ncta,1,,,,\n", ("cta", 1, "twice")),
        ("name,time,x,y,width,height\ncta,now,1,2,3,4\n", ("line", 2, "now")),
        ("name,time,x,y,width,height\ncta,1,1,2,,4\n", ("line", 2, "width")),
        ("name,time,x,y,width,height\ncta,1,,,,\n", ("cta", "none")),
        ("name,time,frame,x,y,width,height\ncta,1,25,1,2,3,4\n", ("time", "frame")),
        ("name,frame,x,y,width,height\ncta,-2,1,2,3,4\n", ("cta", -2)),
        ("name,frame,x,y,width,height\n", ("areas",)),
    ],
)
def test_wrong_files_are_refused_and_the_message_has_their_name(written, content, named):
    is_table = isinstance(content, str) and content.startswith("name")
    path = written(content, "boxes.csv" if is_table else "boxes.json")
    with pytest.raises(DataError, match=naming(path.name, *named)) as caught:
        read_moving_areas(path)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileError, match=r"gone\.json"):
        read_moving_areas(tmp_path / "gone.json")


def test_key_frames_are_no_areas_of_an_image(written):
    with pytest.raises(DataError, match=naming("'cta'", "video")):
        read_areas(written(json.dumps({"cta": [key(time=0)]})))
