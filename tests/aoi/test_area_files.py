"""The three layouts of boxes, each as its authors document it, and files that are none of them."""

import json

import pytest
from messages import naming

from mrsal.aoi.area_files import read_areas, write_areas
from mrsal.aoi.shapes import Rectangle
from mrsal.errors import DataError, FileError


@pytest.fixture
def written(tmp_path):
    """Write JSON, or text as it is, and return the path."""

    def write(content):
        path = tmp_path / "boxes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


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
        ([task(results=[rectangle("cta", 0, 0, 10, 10, rotation=12.5)])], ["cta", 12.5]),
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
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\r\n\xff")
    with pytest.raises(DataError, match=naming("picture.json", "UTF-8")):
        read_areas(tmp_path / "picture.json")


def test_what_is_written_is_read_back(tmp_path):
    areas = [Rectangle('Größe "1"', 0.125, 2, 3, 4), Rectangle("cta", 1, 1, 1, 1)]
    assert read_areas(write_areas(areas, tmp_path / "new" / "boxes.json")) == areas


def test_shares_of_the_size_in_the_place_of_pixels_are_noticed(written):
    with pytest.raises(DataError, match=r"boxes\.json.*pixel"):
        read_areas(written({"cta": [0.4, 0.4, 0.1, 0.1], "all": [0, 0, 1, 1]}))
    assert len(read_areas(written({"dot": [0, 0, 1, 1], "cta": [0, 0, 2, 1]}))) == 2
