"""Plain files and masks, how formats and images are recognised, and files that are none of them; formats/ has the others."""

import json

import numpy as np
import PIL.Image
import pytest
from messages import naming

from mrsal.aoi.area_files import read_areas, write_areas
from mrsal.aoi.formats import plain
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import DataError, FileError

# laid out as https://cocodataset.org/#format-data has it
COCO = {
    "info": {"year": 2014},
    "licenses": [],
    "images": [
        {"id": 7, "file_name": "home.png", "width": 200, "height": 100},
        {"id": 9, "file_name": "val/other.png", "width": 50, "height": 50},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30.5, 40], "iscrowd": 0, "segmentation": []},
        {"id": 2, "image_id": 9, "category_id": 2, "bbox": [0, 0, 5, 5]},
        {"id": 3, "image_id": 7, "category_id": 4, "bbox": [100, 0, 100, 50]},
        {"id": 4, "image_id": 7, "category_id": 2, "bbox": [50, 50, 10, 10]},
    ],
    "categories": [{"id": 2, "name": "face", "supercategory": "person"}, {"id": 4, "name": "logo"}],
}


def rectangle(label, x, y, width, height, **more):
    """A result as https://labelstud.io/guide/export shows it, for an image of 200x100."""
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": [label]}
    return {
        "id": "Dx_aB91ISN",
        "type": "rectanglelabels",
        "from_name": "label",
        "to_name": "image",
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {**value, **more},
    }


def task(image="/data/upload/1/8ed3b6a1-home.png", results=None, **more):
    results = [rectangle("cta", 10, 20, 50, 25)] if results is None else results
    annotations = [{"id": 1001, "result": results, "was_cancelled": False, "completed_by": 1}]
    return {"id": 1, "data": {"image": image}, "annotations": annotations, "predictions": [], **more}


def minimal(image="/data/upload/1/8ed3b6a1-home.png"):
    box = {"x": 10, "y": 20, "width": 50, "height": 25, "rotation": 0, "rectanglelabels": ["cta"]}
    box |= {"original_width": 200, "original_height": 100}
    return {"image": image, "id": 1, "label": [box], "annotator": 1, "annotation_id": 3, "lead_time": 2.2}


@pytest.mark.parametrize(
    "content",
    [
        {"cta": [1, 2, 3.5, 4]},
        [{"name": "cta", "x": 1, "y": 2, "width": 3.5, "height": 4}],
        "\ufeff" + json.dumps({"cta": [1, 2, 3.5, 4]}),
    ],
)
def test_plain_boxes(written, content):
    assert read_areas(written(content)) == [Rectangle("cta", 1, 2, 3.5, 4)]


def test_coco_boxes_of_the_image_are_named_by_category_and_number(written):
    found = read_areas(written(COCO), image="shots/home.png", shape=(100, 200))
    assert found == [
        Rectangle("face 1", 10, 20, 30.5, 40),
        Rectangle("logo", 100, 0, 100, 50),
        Rectangle("face 2", 50, 50, 10, 10),
    ]
    assert read_areas(written(COCO), image="other.png") == [Rectangle("face", 0, 0, 5, 5)]


@pytest.mark.parametrize(
    "content",
    [
        [task(image="/data/upload/1/0000ffff-first.png", results=[]), task()],
        [task("/data/local-files/?d=shots/home.png")],
        [task("s3://bucket/shots/home.png")],
        [task("https://a.b/home.png?X-Amz-Expires=100&sig=a%2Fb.c")],
        task(),
        [minimal("/data/upload/1/0000ffff-first.png"), minimal()],
        [{"id": 1, "data": {"note": "x.y", "image": "home.png"}, "completions": task()["annotations"]}],
    ],
)
def test_label_studio_per_cents_become_pixels(written, content):
    assert read_areas(written(content), image="home.png", shape=(100, 200)) == [Rectangle("cta", 20, 20, 100, 25)]


def test_label_studio_passes_over_other_shapes_and_cancelled_annotations(written):
    one = task(results=[{"type": "choices", "value": {"choices": ["good"]}}, rectangle("cta", 0, 0, 10, 10)])
    one["annotations"].insert(0, {"result": [rectangle("wrong", 0, 0, 5, 5)], "was_cancelled": True})
    assert read_areas(written([one]), image="home.png") == [Rectangle("cta", 0, 0, 20, 10)]


def test_the_folder_tells_images_of_one_name_apart(written):
    images = [{"id": i, "file_name": f"{folder}/a.png"} for i, folder in enumerate("xy")]
    boxes = [{"image_id": i, "category_id": 1, "bbox": [i, i, 1, 1]} for i in range(2)]
    path = written({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]})
    assert read_areas(path, image="data/y/a.png") == [Rectangle("a", 1, 1, 1, 1)]
    with pytest.raises(DataError, match=naming("boxes.json", 2, "a.png")):
        read_areas(path, image="a.png")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", ["JSON", "line 1 column 2"]),
        ("[" * 100_000, ["nested"]),
        ('{"hero": [0, 0, 1, 1], "hero": [0, 0, 2, 2]}', ["hero"]),
        ({}, ["home.png"]),
        ([], ["home.png"]),
        (31, [31]),
        ({"hero": [5, 6, 7]}, ["hero", "[5, 6, 7]"]),
        ({"hero": [5, 6, 7, "8"]}, ["hero", '[5, 6, 7, "8"]']),
        ({"hero": [5, 6, True, 7]}, ["hero", "[5, 6, true, 7]"]),
        ('{"hero": [5, 6, NaN, 7]}', ["hero", 5, 6, "nan", 7]),
        ({"hero": [0, 0, 10**400, 1]}, ["OverflowError"]),
        ({"hero": [5, 6, 0, 7]}, ["hero", 5, 6, 0, 7]),
        ([{"name": "hero", "x": 0}], ['{"name": "hero", "x": 0}']),
        ({**COCO, "images": []}, ["home.png", 0]),
        ({**COCO, "images": COCO["images"][1:]}, ["home.png", "val/other.png"]),
        ({**COCO, "images": [{"id": 7, "file_name": "home.png", "width": 400, "height": 200}]}, ["400x200", "200x100"]),
        ({**COCO, "annotations": COCO["annotations"][1:2]}, ["home.png"]),
        ({**COCO, "annotations": [{"bbox": [0, 0, 1, 1]}]}, ["KeyError", "image_id"]),
        ([task(results=[{**rectangle("cta", 0, 0, 9, 9), "image_rotation": 90}])], ["cta", 90]),
        ([task(results=[{**rectangle("cta", 0, 0, 9, 9), "original_width": 100}])], ["100x100", "200x100"]),
        ([task(annotations=2 * task()["annotations"])], [2, "home.png"]),
        ([task("other.png")], ["home.png", "other.png"]),
        ([task(results=[])], ["home.png"]),
    ],
)
def test_what_is_no_list_of_boxes_is_refused(written, content, named):
    path = written(content)
    with pytest.raises(DataError, match=naming(*named)) as caught:
        read_areas(path, image="home.png", shape=(100, 200))
    assert str(path) in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text(tmp_path):
    with pytest.raises(FileError, match=naming("gone.json")):
        read_areas(tmp_path / "gone.json")
    (tmp_path / "picture.json").write_bytes(b"\x89JPG\r\n\xff")
    with pytest.raises(DataError, match=naming("picture.json", "UTF-8")):
        read_areas(tmp_path / "picture.json")


EVERY_KIND = [
    Rectangle('Größe "1"', 0.125, 2, 3, 4),
    Rectangle("turned", 10, 10, 20, 5, 33.25),
    Ellipse("round", 30, 30, 9.5, 4, 12),
    Polygon("whole", [(1, 1), (9, 1), (5.5, 7)]),
    Polygon("holes", [[(0, 0), (30, 0), (30, 30), (0, 30)], [(40, 0), (45, 0), (45, 5)]], [[(5, 5), (9, 5), (9, 9)]]),
    Mask("any", np.random.default_rng(2).random((8, 11)) < 0.4, 20, 30),
]


def test_what_is_written_is_read_back(tmp_path):
    assert read_areas(write_areas(EVERY_KIND, tmp_path / "new" / "boxes.json")) == EVERY_KIND


def test_a_list_of_objects_has_every_kind_too(written):
    content = plain.content_of(EVERY_KIND[2:])
    file = written([{"name": name, **value} for name, value in content.items()])
    assert read_areas(file) == EVERY_KIND[2:]


@pytest.mark.parametrize(
    "text",
    [
        "name,x,y,width,height\ncta,1,2,3.5,4\n",
        "\ufeffName;X;Y;Width;Height;comment\r\ncta;1;2;3,5;4;new\r\n",
        "image\tname\tx\ty\twidth\theight\nother.png\tno\t0\t0\t9\t9\nshots/home.png\tcta\t1\t2\t3.5\t4\n",
    ],
)
def test_a_table_with_columns_in_any_order(written, text):
    assert read_areas(written(text, "boxes.csv"), image="home.png") == [Rectangle("cta", 1, 2, 3.5, 4)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name,x,y\ncta,1,2\n", ["name, x, y", "width"]),
        ("name,x,y,width,height\ncta,1,2,three,4\n", ["line 2", "width", "three"]),
        ("name,x,y,width,height\ncta,1,2,3,0\n", ["line 2", "cta", 0]),
        ("name,x,y,width,height\n,1,2,3,4\n", ["line 2", "''"]),
        ("name,x,y,width,height\ncta,1,2,3\n", ["line 2", 5]),
        ("name,x,y,width,height\n", ["boxes.csv"]),
        ("image,area,kind,x,y,width,height,attention\na.png,cta,polygon,1,2,3,4,0.1\n", ["area, kind"]),  # results
        ("", ["boxes.csv", "no columns"]),
        ("hello", ["boxes.csv", "hello"]),
    ],
)
def test_what_is_no_table_of_areas_is_refused(written, text, named):
    with pytest.raises(DataError, match=naming("boxes.csv", *named)):
        read_areas(written(text, "boxes.csv"), image="home.png")


def save(path, values):
    path.parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(np.asarray(values, np.uint8)).save(path)
    return path


def test_a_mask_in_a_file_has_its_name_and_grey_is_a_part_of_a_pixel(tmp_path):
    pixels = np.zeros((10, 20), np.uint8)
    pixels[2:5, 3:9] = 255
    assert read_areas(save(tmp_path / "cta.png", pixels), shape=(10, 20)) == [Mask("cta", pixels > 0)]
    assert read_areas(save(tmp_path / "one.png", pixels // 255)) == [Mask("one", pixels > 0)]  # 0 and 1
    pixels[2, 3] = 51
    (soft,) = read_areas(save(tmp_path / "soft.png", pixels))
    assert soft.pixels[0, :2].tolist() == [pytest.approx(0.2), 1]


def test_a_folder_of_masks_has_one_area_for_each_file(tmp_path):
    names = ("face", "shoe", "logo")
    for i, name in enumerate(names):
        save(tmp_path / "masks" / f"{name}.png", np.diag([255] * 9) if i else np.ones((9, 9)))
    (tmp_path / "masks" / "notes.txt").write_text("x")
    areas = read_areas(tmp_path / "masks", shape=(9, 9))
    assert [(area.name, area.kind) for area in areas] == [(name, "mask") for name in sorted(names)]


def test_what_is_no_mask_is_refused(tmp_path):
    labels = save(tmp_path / "labels.png", np.arange(9).reshape(3, 3))
    with pytest.raises(DataError, match=naming("labels.png", 8, "labels")):
        read_areas(labels)
    with pytest.raises(DataError, match=naming("colour.png", "colours")):
        read_areas(save(tmp_path / "colour.png", np.random.default_rng(1).integers(0, 255, (5, 5, 3))))
    with pytest.raises(DataError, match=naming("labels.png", "3x3", "20x10")):
        read_areas(labels, shape=(10, 20))
    with pytest.raises(DataError, match=naming("black.png", "1 empty mask")):
        read_areas(save(tmp_path / "black.png", np.zeros((5, 5))))
    (tmp_path / "cut.png").write_bytes(labels.read_bytes()[:60])
    with pytest.raises(DataError, match=naming("cut.png")):
        read_areas(tmp_path / "cut.png")
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=naming("none")):
        read_areas(tmp_path / "none")


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "blob"},
        {"kind": "ellipse", "x": 1, "y": 2, "radius_x": 3},
        {"kind": "ellipse", "x": 1, "y": 2, "radius_x": 3, "radius_y": "wide"},
        {"kind": "polygon", "parts": [[0, 0], [1, 1]]},
        {"kind": "polygon", "parts": 7},
        {"kind": "polygon", "parts": [[[0, 0], [5, 5], [5, "x"]]]},
        {"kind": "mask", "x": 0, "y": 0, "width": 10**9, "height": 10**9, "counts": [10**18]},
        {"kind": "mask", "x": 0, "y": 0, "width": 2, "height": 2, "counts": [1, 2]},
        {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": "left"},
        "box",
    ],
)
def test_an_object_that_is_no_area_is_refused_in_one_line(written, value):
    with pytest.raises(DataError, match=naming("boxes.json")) as caught:
        read_areas(written({"hero": value}))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_limits_keep_hostile_files_short(written):
    many = {str(i): [0, 0, 5, 5] for i in range(2001)}
    with pytest.raises(DataError, match=naming("2,000")):
        read_areas(written(many))
    zigzag = [[x, y] for _ in range(12_000) for x, y in ((0, 0), (1000, 999), (3, 1000))]
    with pytest.raises(DataError, match=naming("20 million")):
        read_areas(written({"hero": {"kind": "polygon", "parts": [zigzag]}}), shape=(1000, 1000))
    mask = {"kind": "mask", "x": 0, "y": 0, "width": 14_000, "height": 14_000, "counts": [0, 14_000**2]}
    with pytest.raises(DataError, match=naming("500 million")):
        read_areas(written(dict.fromkeys("abc", mask)))


def test_shares_of_the_size_in_the_place_of_pixels_are_noticed(written):
    with pytest.raises(DataError, match=r"boxes\.json.*pixel"):
        read_areas(written({"cta": [0.4, 0.4, 0.1, 0.1], "all": [0, 0, 1, 1]}))
    assert len(read_areas(written({"dot": [0, 0, 1, 1], "cta": [0, 0, 2, 1]}))) == 2
