"""Exports of CVAT in its own format, "CVAT for images 1.1" (https://docs.cvat.ai/docs/other/xml_format)."""

from collections import Counter
from collections.abc import Iterator
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from mrsal.aoi.formats.reading import Reading, mask, number, polygon, short
from mrsal.aoi.formats.run_lengths import from_counts, split_numbers
from mrsal.aoi.shapes import Area, Ellipse, Rectangle
from mrsal.errors import DataError

NO_SURFACE = {"polyline": "line", "points": "keypoint", "skeleton": "skeleton", "cuboid": "cuboid"}
_BLOCK = 1 << 20  # letters that are parsed at a time


def is_xml(text: str) -> bool:
    """Whether this is XML."""
    return text.lstrip()[:1] == "<"


def read(text: str, reading: Reading) -> None:
    """Read the shapes of the image; each has the name of its label."""
    named: list[tuple[str, Element | None]] = []
    tracks: Counter[str] = Counter()
    for element in children(text):
        if element.tag == "image":
            name = element.get("name", "")
            named.append((name, element if reading.is_named(name) else None))
        elif element.tag == "track":
            tracks["video track"] += 1
    reading.left_out.update(tracks)
    if not named and tracks:
        raise DataError(
            "it has video tracks, which are for the video, and no images; export it as “CVAT for images 1.1”"
        )
    image = reading.choose(named)
    assert image is not None  # the chosen one has the name that was kept
    if image.get("width") and image.get("height"):
        reading.check_size(image.get("width"), image.get("height"))
    for shape in image:
        if shape.tag in NO_SURFACE:
            reading.leave_out(NO_SURFACE[shape.tag])
        elif shape.tag != "tag":  # a tag is a label of the whole image
            reading.add(area_of(shape, shape.get("label", "")))


def children(text: str) -> Iterator[Element]:
    """The description, the images and the tracks. Entities and external files, of which exports have none, are refused."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError("it has a document type, which exports of CVAT do not have; remove it")
    parser: XMLPullParser = XMLPullParser(["start", "end"])
    root: Element | None = None
    depth = 0
    try:
        for start in range(0, len(text), _BLOCK):
            parser.feed(text[start : start + _BLOCK])
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                depth += 1 if event == "start" else -1
                if root is None:
                    root = element
                    if element.tag != "annotations":
                        raise DataError(f"expected an export of CVAT in XML, got <{short(element.tag)[1:-1]}>")
                if event == "end" and depth == 1:
                    yield element
                    root.remove(element)
        parser.close()
    except ParseError as error:
        raise DataError(f"it is not complete XML: {error}") from error


def area_of(shape: Element, label: str) -> Area | None:
    """The area of a shape; None if it is an empty mask."""

    def value(name: str) -> float:
        return number(shape.get(name), f"{name} of {label!r}")

    rotation = number(shape.get("rotation", 0), f"the rotation of {label!r}")
    if shape.tag == "box":
        x, y = value("xtl"), value("ytl")
        return Rectangle(label, x, y, value("xbr") - x, value("ybr") - y, rotation)
    if shape.tag == "ellipse":
        return Ellipse(label, value("cx"), value("cy"), value("rx"), value("ry"), rotation)
    if shape.tag == "polygon":
        return polygon(label, [[point.split(",") for point in shape.get("points", "").split(";")]])
    if shape.tag == "mask":
        width, height = int(value("width")), int(value("height"))
        if min(width, height) < 1:
            raise DataError(f"expected a mask with width and height above 0 for {label!r}, got {width} and {height}")
        runs = split_numbers(shape.get("rle", ""))
        pixels = from_counts(runs, width * height).reshape(height, width)
        return mask(label, pixels, int(value("left")), int(value("top")))
    raise DataError(f"expected a shape of CVAT, got <{shape.tag}>")
