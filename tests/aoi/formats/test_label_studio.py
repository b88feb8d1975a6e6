"""Label Studio's JSON and JSON-MIN as it exports them, for an image of 200x100."""

import json

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import read_areas
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import DataError

IMAGE = {"image": "home.png", "shape": (100, 200)}
SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}
BOX = {"x": 10, "y": 20, "width": 50, "height": 25, "rotation": 0}


def result(kind, value, region="Dx_aB91ISN", **more):
    return {
        "id": region,
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "origin": "manual",
        **SIZE,
        "value": value,
        **more,
    }


def task(*results):
    annotation = {"id": 1001, "result": list(results), "was_cancelled": False, "completed_by": 1}
    return [
        {"id": 1, "data": {"image": "/data/upload/1/8ed3b6a1-home.png"}, "annotations": [annotation], "predictions": []}
    ]


def minimal(**lists):
    return [
        {
            "image": "/data/upload/1/8ed3b6a1-home.png",
            "id": 1,
            "annotator": 1,
            "annotation_id": 3,
            "lead_time": 2.2,
            **lists,
        }
    ]


def bits_of_brush(inside):
    """The numbers of a brush, written by the description of rle-pack: repeated values and single ones in turn."""
    values = np.repeat(inside.ravel().astype(np.uint8) * 255, 4)
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    i = 0
    while i < len(values):
        run = 1
        while i + run < len(values) and values[i + run] == values[i] and run < 2**16:
            run += 1
        if run == 1:
            run = min(8, len(values) - i)
            bits += f"0{0:02b}{run - 1:03b}" + "".join(f"{value:08b}" for value in values[i : i + run])
        else:
            which, size = next((k, size) for k, size in enumerate((3, 4, 8, 16)) if run <= 2**size)
            bits += f"1{which:02b}{run - 1:0{size}b}{values[i]:08b}"
        i += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


INSIDE = np.zeros((100, 200), bool)
INSIDE[20:40, 30:90] = True
INSIDE[25, 40:60:2] = False
RLE = bits_of_brush(INSIDE)

SHAPES = {
    "rectangle": ("rectanglelabels", {**BOX, "rectanglelabels": ["cta"]}, Rectangle("cta", 20, 20, 100, 25)),
    "ellipse": (
        "ellipselabels",
        {"x": 50, "y": 40, "radiusX": 10, "radiusY": 30, "rotation": 15, "ellipselabels": ["cta"]},
        Ellipse("cta", 100, 40, 20, 30, 15),
    ),
    "polygon": (
        "polygonlabels",
        {"points": [[10, 10], [50, 10], [10, 60.5]], "closed": True, "polygonlabels": ["cta"]},
        Polygon("cta", [(20, 10), (100, 10), (20, 60.5)]),
    ),
    "brush": ("brushlabels", {"format": "rle", "rle": RLE, "brushlabels": ["cta"]}, Mask("cta", INSIDE)),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_in_json_and_json_min(written, kind):
    name, value, expected = SHAPES[kind]
    assert read_areas(written(task(result(name, value))), **IMAGE) == [expected]
    assert read_areas(written(minimal(label=[{**value, **SIZE}])), **IMAGE) == [expected]


def test_a_rectangle_turns_about_its_upper_left_corner(written):
    # the report https://github.com/HumanSignal/label-studio-converter/issues/131, in round numbers
    value = {"x": 50, "y": 20, "width": 20, "height": 10, "rotation": 90, "rectanglelabels": ["Bone"]}
    (area,) = read_areas(written(task(result("rectanglelabels", value))), **IMAGE)
    assert area.bounds == pytest.approx((100 - 10, 20, 100, 20 + 40))
    assert (area.kind, area.name) == ("rectangle", "Bone")


TEXT = {"text": ["Buy now"]}


def test_the_template_for_ocr_gives_one_area_with_its_label(written):
    parts = [
        result("rectangle", BOX),
        result("labels", {**BOX, "labels": ["Text"]}),
        result("textarea", {**BOX, **TEXT}),
    ]
    other = [result(one["type"], one["value"] | {"x": 40}, "other") for one in parts]
    expected = [Rectangle("Text 1", 20, 20, 100, 25), Rectangle("Text 2", 80, 20, 100, 25)]
    assert read_areas(written(task(*parts, *other)), **IMAGE) == expected
    assert read_areas(written(task(*parts[::-1], *other)), **IMAGE) == expected
    boxes = [BOX, BOX | {"x": 40}]
    lists = {
        "bbox": [{**box, **SIZE} for box in boxes],
        "label": [{**box, **SIZE, "labels": ["Text"]} for box in boxes],
        "transcription": ["Buy now", "Buy now"],
    }
    assert read_areas(written(minimal(**lists)), **IMAGE) == expected


def test_a_region_without_a_label_has_the_name_of_its_text_or_none(written):
    file = written(task(result("rectangle", BOX), result("textarea", {**BOX, "text": ["Buy\nnow"]})))
    assert [area.name for area in read_areas(file, **IMAGE)] == ["Buy now"]
    assert [area.name for area in read_areas(written(task(result("rectangle", BOX))), **IMAGE)] == ["area"]


def test_two_regions_with_the_same_numbers_stay_two(written):
    pair = [{**BOX, **SIZE, "rectanglelabels": [name]} for name in ("a", "b")]
    assert [area.name for area in read_areas(written(minimal(label=pair)), **IMAGE)] == ["a", "b"]
    several = result("rectanglelabels", {**BOX, "rectanglelabels": ["a", "b"]})
    assert [area.name for area in read_areas(written(task(several)), **IMAGE)] == ["a b"]


def test_what_has_no_surface_is_left_out_with_one_warning(written):
    box = result("rectanglelabels", {**BOX, "rectanglelabels": ["cta"]})
    others = [
        result("keypointlabels", {"x": 5, "y": 5, "width": 0.3, "keypointlabels": ["eye"]}, "a"),
        result("keypointlabels", {"x": 6, "y": 5, "width": 0.3, "keypointlabels": ["eye"]}, "b"),
        result("vectorlabels", {"vertices": [{"x": 1, "y": 1}], "closed": False, "vectorlabels": ["x"]}, "c"),
        result("polygonlabels", {"points": [[1, 1], [2, 2]], "closed": False, "polygonlabels": ["x"]}, "d"),
        result("videorectangle", {"sequence": [{"frame": 1, **BOX}], "labels": ["x"]}, "e"),
        result("brushlabels", {"format": "rle", "rle": bits_of_brush(np.zeros((100, 200))), "brushlabels": ["x"]}, "f"),
        {"id": "g", "type": "choices", "value": {"choices": ["good"]}},
        {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    ]
    with pytest.warns(UserWarning, match=naming("2 keypoints", "2 lines", "1 video track", "1 empty mask")) as caught:
        assert [area.name for area in read_areas(written(task(*others, box)), **IMAGE)] == ["cta"]
    assert len(caught) == 1


def test_a_brush_with_soft_edges_counts_parts_of_pixels(written):
    def soft(value):
        bits = f"{80_000:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
        bits += f"0{0:02b}{7:03b}" + "".join(f"{v:08b}" for v in (1, 2, 3, value, 1, 2, 3, 255))
        for run in (2**16, 80_000 - 8 - 2**16):
            bits += f"1{3:02b}{run - 1:016b}{0:08b}"
        bits += "0" * (-len(bits) % 8)
        return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]

    value = {"format": "rle", "rle": soft(51), "brushlabels": ["cta"]}
    (area,) = read_areas(written(task(result("brushlabels", value))), **IMAGE)
    assert area.pixels.tolist() == [pytest.approx([0.2, 1])]


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        ("rectanglelabels", {**BOX, "x": "left"}, ["x", "left"]),
        ("rectanglelabels", {**BOX, "width": 0}, ["area", 0]),
        ("rectanglelabels", {**BOX, "rotation": None, "y": None}, ["null"]),
        ("polygonlabels", {"points": [[1, 2], [3, 4]]}, ["area", 3]),
        ("polygonlabels", {"points": [1, 2, 3]}, ["TypeError"]),
        ("ellipselabels", {"x": 1, "y": 1, "radiusX": -1, "radiusY": 1}, ["area", -2]),
        ("brushlabels", {"rle": RLE[:-400]}, ["too early"]),
        ("brushlabels", {"rle": RLE[:9]}, ["too early"]),
        ("brushlabels", {"rle": []}, ["too early"]),
        ("brushlabels", {"rle": [300, *RLE]}, ["255"]),
        ("brushlabels", {"rle": "abc"}, ["255"]),
        ("brushlabels", {"rle": [255, 255, 255, 255, *RLE[4:]]}, ["4,294,967,295", "20,000"]),
        ("brushlabels", {"rle": [*RLE[:7], *([255] * 60)]}, ["80,000"]),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(written, kind, value, named):
    with pytest.raises(DataError, match=naming("boxes.json", *named)) as caught:
        read_areas(written(task(result(kind, value))), **IMAGE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_an_image_of_another_size_is_refused_before_a_brush_is_read(written):
    huge = {**result("brushlabels", {"rle": RLE}), "original_width": 10**6, "original_height": 10**6}
    with pytest.raises(DataError, match=naming("1e+06x1e+06", "200x100")):
        read_areas(written(task(huge)), **IMAGE)
    with pytest.raises(DataError, match=naming("200 million")):
        read_areas(written(json.dumps(task(huge))), image="home.png")
