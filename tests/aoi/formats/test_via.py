"""The VGG Image Annotator's files: projects and annotations of version 2, of version 1, and CSV."""

import csv
import io
import json

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import read_areas
from mrsal.aoi.shapes import Ellipse, Polygon, Rectangle
from mrsal.errors import DataError

IMAGE = {"image": "home.png", "shape": (100, 200)}
SHAPES = {
    "rect": ({"x": 10, "y": 20, "width": 30, "height": 40}, Rectangle("cta", 10, 20, 30, 40)),
    "circle": ({"cx": 50, "cy": 40, "r": 12.5}, Ellipse("cta", 50, 40, 12.5, 12.5)),
    "ellipse": ({"cx": 50, "cy": 40, "rx": 20, "ry": 10, "theta": np.pi / 6}, Ellipse("cta", 50, 40, 20, 10, 30)),
    "polygon": (
        {"all_points_x": [10, 50, 10], "all_points_y": [10, 10, 60]},
        Polygon("cta", [(10, 10), (50, 10), (10, 60)]),
    ),
}


def region(kind, numbers, attributes=None):
    return {
        "shape_attributes": {"name": kind, **numbers},
        "region_attributes": {"label": "cta"} if attributes is None else attributes,
    }


def annotations(*regions):
    other = {"filename": "other.png", "size": 7, "regions": [region("rect", SHAPES["rect"][0])], "file_attributes": {}}
    ours = {"filename": "home.png", "size": 12345, "regions": list(regions), "file_attributes": {"caption": ""}}
    return {"other.png7": other, "home.png12345": ours}


def project(*regions):
    head = {"_via_settings": {"ui": {}, "project": {"name": "pages"}}, "_via_attributes": {"region": {}, "file": {}}}
    return {**head, "_via_img_metadata": annotations(*regions)}


def first_version(*regions):
    found = annotations(*regions)
    found["home.png12345"]["regions"] = {str(i): one for i, one in enumerate(regions)}
    return found


def table(
    *regions, head="filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    text.write(head + "\n")
    writer.writerow(["empty.png", 5, "{}", 0, 0, "{}", "{}"])
    for i, one in enumerate(regions):
        cells = json.dumps(one["shape_attributes"]), json.dumps(one["region_attributes"])
        writer.writerow(["home.png", 12345, "{}", len(regions), i, *cells])
    return text.getvalue()


@pytest.mark.parametrize("form", [annotations, project, first_version, table])
@pytest.mark.parametrize("kind", SHAPES)
def test_every_shape_in_every_form(written, form, kind):
    numbers, expected = SHAPES[kind]
    (area,) = read_areas(written(form(region(kind, numbers)), "via.csv" if form is table else "via.json"), **IMAGE)
    assert (type(area), area.name) == (type(expected), "cta")
    assert np.concatenate(area.outlines()) == pytest.approx(np.concatenate(expected.outlines()))


def test_the_header_of_the_first_version_of_csv(written):
    head = "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    file = written(table(region("rect", SHAPES["rect"][0]), head=head), "via.csv")
    assert read_areas(file, **IMAGE) == [SHAPES["rect"][1]]


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"label": "cta"}, "cta"),
        ({"id": "7", "Name": "hero"}, "hero"),
        ({"colour": "red"}, "red"),
        ({"kind": {"new": True, "big": False, "blue": True}}, "new blue"),
        ({"label": "", "colour": "red"}, "red"),
        ({}, "area"),
    ],
)
def test_a_region_is_named_after_its_attribute(written, attributes, name):
    (area,) = read_areas(written(project(region("rect", SHAPES["rect"][0], attributes))), **IMAGE)
    assert area.name == name


def test_lines_and_points_are_left_out_with_one_warning(written):
    lines = [region("polyline", {"all_points_x": [1, 2], "all_points_y": [1, 2]}), region("point", {"cx": 1, "cy": 2})]
    with pytest.warns(UserWarning, match=naming("1 line", "1 point")) as caught:
        assert len(read_areas(written(project(*lines, region("rect", SHAPES["rect"][0]))), **IMAGE)) == 1
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (project(region("rect", {"x": 1, "y": 2, "width": 3})), ["KeyError", "height"]),
        (project(region("rect", {"x": 1, "y": 2, "width": 3, "height": None})), ["height", "null"]),
        (project(region("blob", {})), ["cta", "blob"]),
        (project(region("polygon", {"all_points_x": [1, 2, 3], "all_points_y": [1, 2]})), ["ValueError"]),
        (project(region("polygon", {"all_points_x": [1, 2], "all_points_y": [1, 2]})), ["cta", 3]),
        (project(), ["home.png"]),
        ({"project": {"pid": "x"}, "config": {}, "attribute": {}, "file": {}, "metadata": {}, "view": {}}, ["VIA 3"]),
        (table(region("rect", {"x": 1})), ["KeyError"]),
        (table(region("rect", {"x": 1})).replace('""', '"'), ["line"]),
        (table().replace("empty", "home").replace(",{},{}\n", ",{,{}\n"), ["line 2", "JSON"]),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(written, content, named):
    with pytest.raises(DataError, match=naming(*named)) as caught:
        read_areas(written(content, "via.csv" if isinstance(content, str) else "via.json"), **IMAGE)
    assert "via." in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400
