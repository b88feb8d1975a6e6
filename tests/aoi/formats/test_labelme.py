"""LabelMe's files as version 5 writes them."""

import base64
import io

import numpy as np
import pytest
from messages import naming
from PIL import Image

from mrsal.aoi import read_areas
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import DataError

IMAGE = {"image": "home.png", "shape": (100, 200)}


def labelme(*shapes, **more):
    filled = [
        {"label": "cta", "group_id": None, "description": "", "flags": {}, "mask": None, **shape} for shape in shapes
    ]
    head = {"version": "5.5.0", "flags": {}, "shapes": filled, "imagePath": "..\\shots\\home.png", "imageData": None}
    return {**head, "imageHeight": 100, "imageWidth": 200, **more}


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


PIXELS = np.array([[0, 1, 1], [1, 1, 0]], np.uint8)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"shape_type": "polygon", "points": [[1, 2], [30, 4], [5, 60]]}, Polygon("cta", [(1, 2), (30, 4), (5, 60)])),
        ({"points": [[1, 2], [30, 4], [5, 60]]}, Polygon("cta", [(1, 2), (30, 4), (5, 60)])),  # before version 3
        ({"shape_type": "rectangle", "points": [[30, 50], [10, 20]]}, Rectangle("cta", 10, 20, 20, 30)),
        ({"shape_type": "circle", "points": [[50, 50], [53, 54]]}, Ellipse("cta", 50, 50, 5, 5)),
        (
            {"shape_type": "rotation", "direction": 0.3, "points": [[20, 10], [30, 20], [20, 30], [10, 20]]},
            Polygon("cta", [(20, 10), (30, 20), (20, 30), (10, 20)]),  # X-AnyLabeling
        ),
        (
            {"shape_type": "mask", "points": [[12, 30], [14, 31]], "mask": png(PIXELS)},
            Mask("cta", PIXELS > 0, 12, 30),
        ),
    ],
)
def test_every_shape(written, shape, expected):
    assert read_areas(written(labelme(shape)), **IMAGE) == [expected]


def test_shapes_of_one_label_and_group_are_one_object(written):
    left = {"shape_type": "polygon", "points": [[0, 0], [10, 0], [10, 10], [0, 10]], "group_id": 1}
    right = {"shape_type": "rectangle", "points": [[20, 0], [30, 10]], "group_id": 1}
    alone = {"shape_type": "rectangle", "points": [[50, 50], [60, 60]], "group_id": 2}
    first, second = read_areas(written(labelme(left, alone, right)), **IMAGE)
    assert (first.name, second.name) == ("cta 1", "cta 2")
    assert first.coverage((0, 0, 200, 100)).sum() == pytest.approx(200)
    assert second == Rectangle("cta 2", 50, 50, 10, 10)


def test_lines_and_points_are_left_out_with_one_warning(written):
    shapes = [{"shape_type": kind, "points": [[1, 1], [5, 5]]} for kind in ("line", "linestrip", "point", "points")]
    box = {"shape_type": "rectangle", "points": [[20, 0], [30, 10]]}
    with pytest.warns(UserWarning, match=naming("2 lines", "2 points")) as caught:
        assert len(read_areas(written(labelme(*shapes, box)), **IMAGE)) == 1
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (labelme({"shape_type": "blob", "points": [[1, 1], [2, 2]]}), ["cta", "blob", 2]),
        (labelme({"shape_type": "rectangle", "points": [[1, 1]]}), ["cta", "rectangle", 1]),
        (labelme({"shape_type": "rectangle", "points": [[1, 1], [1, 1]]}), ["cta", 0]),
        (labelme({"shape_type": "rectangle", "points": [[1, "a"], [1, 1]]}), ["cta", "a"]),
        (labelme({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "%%%"}), ["cta", "base64"]),
        (labelme({"shape_type": "mask", "points": [[1, 1], [2, 2]], "mask": "aGVsbG8="}), ["not an image"]),
        (labelme({"shape_type": "mask", "points": [[1, 1], [2, 2]]}), ["cta", "base64"]),
        (labelme({"shape_type": "polygon", "points": 5}), ["TypeError"]),
        (labelme({"points": [[1, 1]]}, imagePath="other.png"), ["other.png", "home.png"]),
        (labelme({"points": [[1, 1]]}, imageWidth=400), ["400x100", "200x100"]),
        (labelme(), ["home.png"]),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(written, content, named):
    with pytest.raises(DataError, match=naming("boxes.json", *named)) as caught:
        read_areas(written(content), **IMAGE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
