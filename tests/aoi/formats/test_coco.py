"""COCO as its authors document it, and as CVAT and Label Studio write it; masks against pycocotools."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import read_areas
from mrsal.aoi.shapes import Mask, Polygon, Rectangle
from mrsal.errors import DataError

IMAGE = {"image": "home.png", "shape": (100, 200)}


def coco(*annotations, file_name="home.png", **more):
    """A file with annotations of the categories face (1) and logo (2) on an image of 200x100."""
    return {
        "info": {"year": 2014},
        "licenses": [],
        "images": [{"id": 7, "file_name": file_name, "width": 200, "height": 100}],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": 1, "area": 1.0, "iscrowd": 0, **annotation}
            for i, annotation in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "face", "supercategory": ""}, {"id": 2, "name": "logo", "supercategory": ""}],
        **more,
    }


def test_an_outline_is_measured_and_not_its_box(written):
    triangle = [10, 10, 50, 10, 10, 60.5]
    (area,) = read_areas(written(coco({"bbox": [10, 10, 40, 50.5], "segmentation": [triangle]})), **IMAGE)
    assert area == Polygon("face", [(10, 10), (50, 10), (10, 60.5)])


def test_an_outline_without_a_box_is_measured(written):
    parts = [[10, 10, 50, 10, 10, 60], [80, 10, 90, 10, 90, 30, 80, 30]]
    (area,) = read_areas(written(coco({"segmentation": parts})), **IMAGE)
    assert area == Polygon("face", [[(10, 10), (50, 10), (10, 60)], [(80, 10), (90, 10), (90, 30), (80, 30)]])


@pytest.mark.parametrize(
    "segmentation", [[], [[10, 20, 40.5, 20, 40.5, 60, 10, 60]], [[10, 20, 10, 60, 40, 60, 40, 20, 10, 20]]]
)
def test_the_outline_of_a_box_is_the_box(written, segmentation):
    file = written(coco({"bbox": [10, 20, 30.5, 40], "segmentation": segmentation}))
    assert read_areas(file, **IMAGE) == [Rectangle("face", 10, 20, 30.5, 40)]


def test_the_rotation_that_cvat_writes_turns_the_box_about_its_centre(written):
    # as CVAT's "COCO 1.0" writes rectangles: the box before it was turned
    attributes = {"occluded": False, "rotation": 30.0}
    file = written(coco({"bbox": [60, 30, 40, 20], "segmentation": [], "attributes": attributes}))
    (area,) = read_areas(file, **IMAGE)
    assert area == Rectangle("face", 60, 30, 40, 20, 30)
    (outline,) = area.outlines()
    assert outline.mean(axis=0) == pytest.approx([80, 40])
    assert outline[0] == pytest.approx(
        [80 - 20 * np.cos(np.pi / 6) + 10 * np.sin(np.pi / 6), 40 - 10 - 10 * np.cos(np.pi / 6)]
    )


RUNS = {"counts": [210, 5, 95, 5, 19_685], "size": [100, 200]}  # column after column: columns 2 and 3, rows 10 to 14
INSIDE = np.zeros((100, 200), bool)
INSIDE[10:15, 2:4] = True


def test_run_lengths_go_down_the_columns(written):
    assert read_areas(written(coco({"segmentation": RUNS, "bbox": [2, 10, 2, 5]})), **IMAGE) == [Mask("face", INSIDE)]


@pytest.mark.parametrize("seed", range(6))
def test_compressed_run_lengths_are_what_pycocotools_writes(written, seed):
    codec = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    inside = rng.random((100, 200)) < rng.uniform(0.01, 0.99)
    inside[:, : seed * 30] = seed % 2  # long runs, too
    encoded = codec.encode(np.asfortranarray(inside.astype(np.uint8)))
    text = encoded["counts"].decode()
    assert read_areas(written(coco({"segmentation": {"size": [100, 200], "counts": text}})), **IMAGE) == [
        Mask("face", inside)
    ]


def test_a_known_compressed_mask(written):
    # pycocotools.mask.encode(np.asfortranarray(INSIDE.astype(np.uint8)))["counts"]
    file = written(coco({"segmentation": {"size": [100, 200], "counts": "b65o20VTc0"}}))
    assert read_areas(file, **IMAGE) == [Mask("face", INSIDE)]


def test_a_crowd_is_measured_under_its_name_with_a_word(written):
    crowd = {"segmentation": RUNS, "bbox": [2, 10, 2, 5], "iscrowd": 1}
    file = written(coco({"bbox": [50, 50, 9, 9]}, crowd))
    with pytest.warns(UserWarning, match=naming("boxes.json", "1 region is a crowd", "face (crowd)")) as caught:
        areas = read_areas(file, **IMAGE)
    assert len(caught) == 1
    assert [area.name for area in areas] == ["face", "face (crowd)"]


def test_what_has_no_surface_is_left_out_with_one_warning(written):
    keypoints = {"keypoints": [10, 10, 2, 20, 20, 2], "num_keypoints": 2, "bbox": [10, 10, 0, 0]}
    line = {"segmentation": [[1, 1, 9, 9]], "bbox": [1, 1, 8, 0]}
    file = written(coco(keypoints, {"bbox": [50, 50, 9, 9]}, keypoints, line))
    with pytest.warns(UserWarning, match=naming("2 keypoint annotations", "1 annotation without a surface")) as caught:
        assert len(read_areas(file, **IMAGE)) == 1
    assert len(caught) == 1
    with pytest.raises(DataError, match=naming("boxes.json", "home.png", "1 keypoint annotation")):
        read_areas(written(coco(keypoints)), **IMAGE)


@pytest.mark.parametrize(
    "file_name",
    [
        "images/1/8ed3b6a1-home.png",
        "images\\8ed3b6a1-home.png",
        "../../label-studio/data/media/upload/1/8ed3b6a1-home.png",
    ],
)
def test_the_names_of_files_that_were_uploaded_to_label_studio(written, file_name):
    assert len(read_areas(written(coco({"bbox": [1, 2, 3, 4]}, file_name=file_name)), **IMAGE)) == 1


def test_label_studio_takes_blanks_and_brackets_out_of_names(written):
    file = written(coco({"bbox": [1, 2, 3, 4]}, file_name="8ed3b6a1-home_1.png"))
    assert len(read_areas(file, image="shots/home (1).png")) == 1


def test_a_name_as_it_is_comes_before_the_name_of_an_upload(written):
    content = coco({"bbox": [1, 2, 3, 4]}, {"bbox": [5, 5, 5, 5], "image_id": 8})
    content["images"].append({"id": 8, "file_name": "8ed3b6a1-home.png"})
    assert read_areas(written(content), image="home.png") == [Rectangle("face", 1, 2, 3, 4)]
    assert read_areas(written(content), image="8ed3b6a1-home.png") == [Rectangle("face", 5, 5, 5, 5)]


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        ({"segmentation": [[1, 2, 3, 4, 5]]}, ["face", "[1, 2, 3, 4, 5]"]),
        ({"segmentation": [[1, 2, 3, 4, 5, "x"]]}, ["face", "x"]),
        ({"segmentation": [[1, 2, 3, 4, 5, None]]}, ["face", "null"]),
        ({"segmentation": "abc"}, ["face", "abc"]),
        ({"segmentation": {"size": [100, 200], "counts": [1, 2, 3]}}, ["20,000"]),
        ({"segmentation": {"size": [100, 200], "counts": [-5, 20_005]}}, ["20,000"]),
        ({"segmentation": {"size": [100, 200], "counts": [20_000.5]}}, ["20000.5"]),
        ({"segmentation": {"size": [100, 200], "counts": [10**400]}}, ["whole numbers"]),
        ({"segmentation": {"size": [100, 200], "counts": {}}}, ["{}"]),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, ["200 million"]),
        ({"segmentation": {"size": [0, 9], "counts": []}}, ["face", "[0, 9]"]),
        ({"segmentation": {"size": [100], "counts": []}}, ["ValueError"]),
        ({"segmentation": {"size": [100, 200]}}, ["KeyError", "counts"]),
        ({"segmentation": {"size": [100, 200], "counts": ""}}, ["COCO"]),
        ({"segmentation": {"size": [100, 200], "counts": "b65_2 \x7f"}}, ["COCO"]),
        ({"segmentation": {"size": [100, 200], "counts": "oooooooooooooooooo0"}}, ["too large"]),
        ({"bbox": [1, 2, 3]}, ["face", "[1, 2, 3]"]),
        ({"bbox": [1, 2, 3, -4]}, ["face", -4]),
        ({"bbox": [1, 2, 3, 4], "attributes": {"rotation": "left"}}, ["face", "left"]),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(written, annotation, named):
    with pytest.raises(DataError, match=naming("boxes.json", *named)) as caught:
        read_areas(written(coco(annotation)), **IMAGE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
