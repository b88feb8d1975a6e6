"""CVAT's own format for images, laid out as https://docs.cvat.ai/docs/other/xml_format has it."""

import numpy as np
import pytest
from messages import naming

from mrsal.aoi import read_areas
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.errors import DataError

IMAGE = {"image": "home.png", "shape": (100, 200)}


def cvat(shapes, before="", name="shots/home.png"):
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><name>pages</name><labels><label><name>cta</name></label></labels></task></meta>
  {before}
  <image id="0" name="first.png" width="50" height="50">
    <box label="logo" source="manual" occluded="0" xtl="0" ytl="0" xbr="5" ybr="5" z_order="0"></box>
  </image>
  <image id="1" name="{name}" subset="default" task_id="4" width="200" height="100">
    {shapes}
  </image>
</annotations>
"""


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (
            '<box label="cta" source="manual" occluded="0" xtl="10.50" ytl="20.00" xbr="40.00" ybr="60.25" z_order="0">'
            '<attribute name="state">new</attribute></box>',
            Rectangle("cta", 10.5, 20, 29.5, 40.25),
        ),
        (
            '<box label="cta" xtl="60" ytl="30" xbr="100" ybr="50" rotation="33.50" z_order="0"></box>',
            Rectangle("cta", 60, 30, 40, 20, 33.5),
        ),
        (
            '<ellipse label="cta" source="manual" occluded="0" cx="50.5" cy="40" rx="20" ry="10.5" rotation="15.0" z_order="0">'
            "</ellipse>",
            Ellipse("cta", 50.5, 40, 20, 10.5, 15),
        ),
        (
            '<polygon label="cta" occluded="0" points="10.00,10.00;50.00,10.00;10.00,60.50" z_order="0"></polygon>',
            Polygon("cta", [(10, 10), (50, 10), (10, 60.5)]),
        ),
        (
            '<mask label="cta" occluded="0" rle="1, 2, 1, 1, 1" left="30" top="12" width="3" height="2" z_order="0"></mask>',
            Mask("cta", np.array([[0, 1, 1], [0, 1, 0]], bool), 30, 12),
        ),
    ],
)
def test_every_shape(written, shape, expected):
    assert read_areas(written(cvat(shape), "annotations.xml"), **IMAGE) == [expected]


def test_the_format_is_recognised_whatever_the_file_is_called(written):
    shape = '<box label="cta" xtl="1" ytl="2" xbr="4" ybr="6"/>'
    assert read_areas(written("\ufeff" + cvat(shape), "boxes.json"), **IMAGE) == [Rectangle("cta", 1, 2, 3, 4)]


def test_what_has_no_surface_is_left_out_with_one_warning(written):
    shapes = """
    <polyline label="road" points="1,1;5,5;9,1"></polyline>
    <points label="eye" points="3,3"></points>
    <points label="eye" points="3,3;4,4"></points>
    <cuboid label="car" xtl1="1" ytl1="2"></cuboid>
    <skeleton label="man"><points label="hand" points="1,2"></points></skeleton>
    <tag label="good"></tag>
    <mask label="void" rle="6" left="0" top="0" width="3" height="2"></mask>
    <box label="cta" xtl="1" ytl="2" xbr="4" ybr="6"></box>"""
    track = '<track id="0" label="car"><box frame="0" xtl="1" ytl="2" xbr="4" ybr="6"></box></track>'
    found = naming(
        "annotations.xml", "1 video track", "1 line", "2 keypoints", "1 cuboid", "1 skeleton", "1 empty mask"
    )
    with pytest.warns(UserWarning, match=found) as caught:
        assert read_areas(written(cvat(shapes, track), "annotations.xml"), **IMAGE) == [Rectangle("cta", 1, 2, 3, 4)]
    assert len(caught) == 1


def test_an_upload_of_label_studio_and_other_names(written):
    shape = '<box label="cta" xtl="1" ytl="2" xbr="4" ybr="6"/>'
    assert len(read_areas(written(cvat(shape, name="8ed3b6a1-home.png"), "a.xml"), **IMAGE)) == 1
    with pytest.raises(DataError, match=naming("home.png", "first.png", "away.png", 2)):
        read_areas(written(cvat(shape, name="away.png"), "a.xml"), **IMAGE)


LAUGHS = """<?xml version="1.0"?><!DOCTYPE annotations [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotations><image name="home.png" width="200" height="100"><box label="&b;"/></image></annotations>"""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (cvat('<box label="cta" xtl="1" ytl="2" xbr="4"/>'), ["ybr", "cta"]),
        (cvat('<box label="cta" xtl="1" ytl="2" xbr="x" ybr="6"/>'), ["xbr", "cta", "x"]),
        (cvat('<box label="cta" xtl="9" ytl="2" xbr="4" ybr="6"/>'), ["cta", -5]),
        (cvat('<box xtl="1" ytl="2" xbr="4" ybr="6"/>'), ["''"]),
        (cvat('<polygon label="cta" points="1,2;3,4"/>'), ["cta", 3]),
        (cvat('<polygon label="cta" points="1,2;3;4,5"/>'), ["cta"]),
        (cvat('<mask label="cta" rle="1,2" left="0" top="0" width="3" height="2"/>'), [6]),
        (cvat('<mask label="cta" rle="-1,7" left="0" top="0" width="3" height="2"/>'), [6]),
        (cvat('<mask label="cta" rle="a" left="0" top="0" width="3" height="2"/>'), ["a"]),
        (cvat('<mask label="cta" rle="9" left="0" top="0" width="300000" height="200000"/>'), ["200 million"]),
        (cvat('<mask label="cta" rle="0" left="0" top="0" width="0" height="2"/>'), ["cta", 0]),
        (cvat('<blob label="cta"/>'), ["blob"]),
        (cvat("").replace('width="200"', 'width="400"'), ["400x100", "200x100"]),
        (cvat(""), ["home.png"]),
        (cvat("")[:300], ["XML"]),
        ("<", ["XML"]),
        ("<html><body/></html>", ["CVAT", "html"]),
        ('<annotations><track id="0" label="car"/></annotations>', ["video tracks", "CVAT for images 1.1"]),
        ("<annotations/>", ["home.png", 0]),
        (LAUGHS, ["document type"]),
        ("<annotations>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotations>", ["home.png", 0]),
    ],
)
def test_what_is_damaged_is_refused_in_one_line(written, text, named):
    with pytest.raises(DataError, match=naming("annotations.xml", *named)) as caught:
        read_areas(written(text, "annotations.xml"), **IMAGE)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
