"""What the drawing on the page sends, and what it is sent."""

import json

import numpy as np
import pytest
from messages import naming

from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import InputError
from mrsal.web.edits import Edit, areas_of, is_fixed, read_edit, shapes_of
from mrsal.web.options import UploadLimits

LIMITS = UploadLimits(areas=5, corners=4, letters=10)
TRIANGLE = [(0.1, 1.7), (20.123456789, 3), (9, 14)]
AREAS = [
    Rectangle("cta", 1.5, 2, 30.25, 40),
    Rectangle("tag", 1, 2, 30, 40, 15),
    Ellipse("face", 40, 40.1, 9, 5, 30),
    Polygon("roof", TRIANGLE),
]
FIXED = [
    Mask("blob", np.eye(9, dtype=np.float32) / 2, 3, 4),
    Polygon("ring", [[(0, 0), (9, 0), (9, 9), (0, 9)]], [[(2, 2), (5, 2), (5, 5)]]),
    Polygon("pair", [TRIANGLE, TRIANGLE]),
    Polygon("star", [(0, 0), (9, 0), (9, 9), (5, 5), (0, 9)]),
]


def test_areas_come_back_exactly():
    sent = json.loads(json.dumps(shapes_of(AREAS, ())))
    assert areas_of(sent, (), LIMITS) == AREAS
    assert not any(is_fixed(area, LIMITS) for area in AREAS)


def test_fixed_areas_come_back_exactly_under_any_name():
    assert all(is_fixed(area, LIMITS) for area in FIXED)
    sent = json.loads(json.dumps(shapes_of(FIXED, FIXED)))
    assert areas_of(sent, FIXED, LIMITS) == FIXED
    renamed = areas_of([{**sent[0], "name": "spot"}], FIXED, LIMITS)
    assert renamed == [Mask("spot", FIXED[0].pixels, 3, 4)]
    assert shapes_of(renamed, FIXED)[0]["number"] == 0


def test_lines_of_fixed_areas_are_short_enough_to_draw():
    angle = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    circle = Polygon("coast", np.stack([500 + 400 * np.cos(angle), 500 + 400 * np.sin(angle)], axis=1).tolist())
    [shape] = shapes_of([circle], [circle])
    [line] = shape["lines"]
    assert 200 < len(line) <= 400
    np.testing.assert_allclose(np.hypot(*(np.array(line) - 500).T), 400, atol=0.1)


def test_an_edit_is_read():
    sent = {"key": "a.png", "number": 7, "revision": 1, "areas": []}
    assert read_edit(sent) == Edit("a.png", 7, 1, [])


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        {},
        {"key": "a.png", "number": 7, "revision": 1},
        {"key": 5, "number": 7, "revision": 1, "areas": []},
        {"key": "a.png", "number": True, "revision": 1, "areas": []},
        {"key": "a.png", "number": 7, "revision": 1.5, "areas": []},
        {"key": "a.png", "number": 7, "revision": 1, "areas": "areas"},
    ],
)
def test_what_is_no_edit_is_refused(sent):
    with pytest.raises(InputError, match=naming("reload")):
        read_edit(sent)


BOX = {"kind": "rectangle", "name": "cta", "x": 0, "y": 0, "width": 5, "height": 5, "rotation": 0}


@pytest.mark.parametrize(
    ("shapes", "named"),
    [
        ([None], []),
        ([{**BOX, "name": 5}], []),
        ([{**BOX, "name": ""}], []),
        ([{**BOX, "name": "a\nb"}], []),
        ([{**BOX, "name": "x" * 11}], [10, 11]),
        ([{**BOX, "name": "x" * 10_000_000}], [10, 10_000_000]),
        ([BOX, {**BOX, "name": " cta "}], ["cta"]),
        ([{**BOX, "name": f"{i}"} for i in range(6)], [5, 6]),
        ([{**BOX, "kind": "line"}], ["cta"]),
        ([{**BOX, "kind": ["rectangle"]}], ["cta"]),
        ([{**BOX, "x": "1"}], ["cta"]),
        ([{**BOX, "x": True}], ["cta"]),
        ([{**BOX, "x": float("nan")}], ["cta"]),
        ([{**BOX, "x": float("inf")}], ["cta"]),
        ([{**BOX, "x": 10**400}], ["cta"]),
        ([{**BOX, "x": 1e300}], ["cta"]),
        ([{**BOX, "width": 0}], ["cta", "width"]),
        ([{key: value for key, value in BOX.items() if key != "y"}], ["cta"]),
        ([{"kind": "polygon", "name": "roof"}], ["roof"]),
        ([{"kind": "polygon", "name": "roof", "points": [[0, 0], [1, 1]]}], ["roof", 3]),
        ([{"kind": "polygon", "name": "roof", "points": [[0, 0], [1, 1, 1], [2, 0]]}], ["roof"]),
        ([{"kind": "polygon", "name": "roof", "points": [[0, 0], [1, None], [2, 0]]}], ["roof"]),
        ([{"kind": "polygon", "name": "roof", "points": [[i, i * i] for i in range(5)]}], ["roof", 4, 5]),
        ([{"kind": "fixed", "name": "blob", "number": 4}], ["blob"]),
        ([{"kind": "fixed", "name": "blob", "number": -1}], ["blob"]),
        ([{"kind": "fixed", "name": "blob", "number": "0"}], ["blob"]),
    ],
)
def test_what_is_no_list_of_areas_is_refused(shapes, named):
    with pytest.raises(InputError, match=naming(*named)) as caught:
        areas_of(shapes, FIXED, LIMITS)
    assert len(str(caught.value)) < 300
