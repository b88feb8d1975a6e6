"""Coverage of pixels against shapely and supersampling, and what must hold for shapes whatever the density is."""

import numpy as np
import pytest
import shapely
from messages import naming
from shapely.affinity import rotate

from mrsal.aoi.areas import attention_shares
from mrsal.aoi.coverage import covered_by
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle, joined
from mrsal.errors import InputError

SHAPE = (23, 31)
WHOLE = (0, 0, 31, 23)


@pytest.fixture
def density():
    values = np.random.default_rng(3).random(SHAPE) ** 3
    return values / values.sum()


def share(density, area):
    (found,) = attention_shares(density, [area])
    return found


def by_shapely(geometry, shape=SHAPE):
    """The part of each pixel that lies in a geometry, by intersection with each pixel's square."""
    rows, columns = np.indices(shape)
    return shapely.area(shapely.intersection(shapely.box(columns, rows, columns + 1, rows + 1), geometry))


def star(seed, corners=9, centre=(15, 11), radii=(2, 14)):
    """A polygon that does not cross itself and is not convex; a part of it may lie outside."""
    rng = np.random.default_rng(seed)
    angle, radius = np.sort(rng.uniform(0, 2 * np.pi, corners)), rng.uniform(*radii, corners)
    return np.stack([centre[0] + radius * np.cos(angle), centre[1] + radius * np.sin(angle)], axis=1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("order", [1, -1])
def test_a_polygon_covers_of_each_pixel_what_shapely_says(seed, order):
    points = star(seed)[::order]
    covered = Polygon("a", points).coverage(WHOLE)
    np.testing.assert_allclose(covered, by_shapely(shapely.Polygon(points)), atol=1e-9)


def test_corners_on_the_lines_between_pixels_are_no_problem():
    for points in (
        [(3, 3), (9, 3), (9, 8), (6, 5), (3, 8)],
        [(0, 0), (31, 23), (0, 23)],
        [(5, 5), (5, 9.5), (8, 9.5), (8, 5)],
    ):
        np.testing.assert_allclose(
            Polygon("a", points).coverage(WHOLE), by_shapely(shapely.Polygon(points)), atol=1e-12
        )


def test_a_window_has_what_the_whole_image_has_there():
    points = star(4, centre=(12, 12), radii=(5, 25))
    whole = covered_by(points, WHOLE)
    np.testing.assert_allclose(covered_by(points, (7, 3, 20, 19)), whole[3:19, 7:20], atol=1e-12)


@pytest.mark.parametrize("rotation", [0, 17.5, 90, 123.4, 180, 270, -30])
def test_a_turned_rectangle_is_what_shapely_turns(rotation):
    covered = Rectangle("a", 6.3, 8.2, 14.1, 5.5, rotation).coverage(WHOLE)
    box = shapely.box(6.3, 8.2, 6.3 + 14.1, 8.2 + 5.5)
    turned = rotate(box, rotation, origin="center")  # y points down, so counterclockwise is clockwise on the image
    np.testing.assert_allclose(covered, by_shapely(turned), atol=1e-9)


def test_an_upright_rectangle_is_the_polygon_of_its_corners(density):
    rectangle = Rectangle("a", 4.25, 7.5, 11.125, 9.75)
    corners = Polygon("a", rectangle.outlines()[0])
    np.testing.assert_allclose(rectangle.coverage(WHOLE), corners.coverage(WHOLE), atol=1e-12)
    assert share(density, rectangle).attention == pytest.approx(share(density, corners).attention, rel=1e-12)
    assert share(density, Rectangle("a", 4.25, 7.5, 11.125, 9.75, 180)).attention == share(density, rectangle).attention


def test_a_rectangle_turned_about_its_corner_keeps_the_corner():
    turned = Rectangle.turned_about_corner("a", 10, 5, 8, 4, 90)  # to the right becomes down, down becomes to the left
    assert turned.bounds == pytest.approx((6, 5, 10, 13))
    assert Rectangle.turned_about_corner("a", 10, 5, 8, 4, 0) == Rectangle("a", 10, 5, 8, 4)


@pytest.mark.parametrize("rotation", [0, 35])
def test_an_ellipse_covers_what_a_much_finer_grid_says(rotation):
    finer = 32
    y, x = (np.indices((SHAPE[0] * finer, SHAPE[1] * finer)) + 0.5) / finer
    angle = np.radians(rotation)
    along = (x - 15.2) * np.cos(angle) + (y - 10.7) * np.sin(angle)
    across = -(x - 15.2) * np.sin(angle) + (y - 10.7) * np.cos(angle)
    inside = (along / 11.3) ** 2 + (across / 5.6) ** 2 <= 1
    expected = inside.reshape(SHAPE[0], finer, SHAPE[1], finer).mean(axis=(1, 3))
    area = Ellipse("a", 15.2, 10.7, 11.3, 5.6, rotation)
    np.testing.assert_allclose(area.coverage(WHOLE), expected, atol=0.03)
    assert area.coverage(WHOLE).sum() == pytest.approx(np.pi * 11.3 * 5.6, rel=1e-9)


def test_an_ellipse_of_equal_axes_is_a_circle_however_it_is_turned():
    circle = Ellipse("a", 14, 11, 7, 7)
    np.testing.assert_allclose(Ellipse("a", 14, 11, 7, 7, 90).coverage(WHOLE), circle.coverage(WHOLE), atol=1e-9)
    np.testing.assert_allclose(Ellipse("a", 14, 11, 7, 7, 31).coverage(WHOLE), circle.coverage(WHOLE), atol=1e-4)
    np.testing.assert_allclose(circle.coverage(WHOLE), by_shapely(shapely.Point(14, 11).buffer(7, 2000)), atol=1e-4)


AREAS = [
    Rectangle("r", 5, 6, 9, 4, 25),
    Ellipse("e", 12, 9, 6, 3, 40),
    Polygon("p", star(2, centre=(11, 9), radii=(2, 7)), [[(10, 8), (12, 8), (12, 10)]]),
    Mask("m", np.random.default_rng(5).random((7, 9)), 4, 6),
]


def moved(area, dx, dy):
    if isinstance(area, Rectangle):
        return Rectangle(area.name, area.x0 + dx, area.y0 + dy, area.width, area.height, area.rotation)
    if isinstance(area, Ellipse):
        return Ellipse(area.name, area.x + dx, area.y + dy, area.radius_x, area.radius_y, area.rotation)
    if isinstance(area, Mask):
        return Mask(area.name, area.pixels, area.x0 + dx, area.y0 + dy)
    parts, holes = ([[(x + dx, y + dy) for x, y in line] for line in lines] for lines in (area.parts, area.holes))
    return Polygon(area.name, parts, holes)


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.kind)
def test_moving_area_and_map_by_whole_pixels_changes_nothing(density, area):
    wide = np.pad(density, 10)
    moved_map = np.roll(wide, (-4, 7), axis=(0, 1))
    here, there = share(wide, moved(area, 10, 10)), share(moved_map, moved(area, 17, 6))
    assert here.attention == pytest.approx(share(density, area).attention, rel=1e-9)
    assert there.attention == pytest.approx(here.attention, rel=1e-9)
    assert there.surface == pytest.approx(here.surface, rel=1e-9)


def test_turning_map_and_area_by_90_degrees_changes_nothing(density):
    turned = np.rot90(density, -1)  # clockwise: x, y goes to H - y, x
    height = SHAPE[0]
    for area in AREAS[:3]:
        lines = [np.stack([height - line[:, 1], line[:, 0]], axis=1) for line in area.outlines()]
        count = len(lines) - len(getattr(area, "holes", ()))
        there = share(turned, Polygon("a", lines[:count], lines[count:]))
        assert there.attention == pytest.approx(share(density, area).attention, rel=1e-9)
    square = Rectangle("a", 8, 4, 9, 9, 20)
    assert share(density, Rectangle("a", 8, 4, 9, 9, 110)).attention == pytest.approx(share(density, square).attention)


def test_the_parts_of_a_partition_sum_to_1(density):
    cut = star(7, centre=(15, 11), radii=(3, 9))
    frame = [(0, 0), (31, 0), (31, 23), (0, 23)]
    areas = [Polygon("inside", cut), Polygon("outside", [frame], [cut])]
    assert sum(one.attention for one in attention_shares(density, areas)) == pytest.approx(1, rel=1e-12)
    wheel = [(15.3, 11.2), *cut, cut[0]]
    slices = [Polygon(str(i), [wheel[0], wheel[i], wheel[i + 1]]) for i in range(1, len(wheel) - 1)]
    whole = sum(one.attention for one in attention_shares(density, slices))
    assert whole == pytest.approx(attention_shares(density, areas)[0].attention, rel=1e-9)
    mask = np.random.default_rng(1).random(SHAPE) < 0.3
    halves = attention_shares(density, [Mask("a", mask), Mask("b", ~mask)])
    assert sum(one.attention for one in halves) == pytest.approx(1, rel=1e-12)


def test_several_parts_and_holes_are_what_shapely_makes_of_them(density):
    parts = [[(2, 2), (12.5, 3), (9, 12)], [(16, 5), (28, 4), (26, 20), (15, 18)]]
    hole = [(18, 8), (24, 9.5), (20, 15)]
    expected = by_shapely(shapely.MultiPolygon([(parts[0], []), (parts[1], [hole])]))
    area = Polygon("a", parts, [hole])
    np.testing.assert_allclose(area.coverage(WHOLE), expected, atol=1e-9)
    assert share(density, area).attention == pytest.approx((density * expected).sum(), rel=1e-9)


def test_what_lies_in_two_parts_counts_once():
    parts = [[(2, 2), (12, 2), (12, 12), (2, 12)], [(8, 8), (20, 8), (20, 18), (8, 18)]]
    expected = by_shapely(shapely.union_all([shapely.Polygon(part) for part in parts]))
    np.testing.assert_allclose(Polygon("a", parts).coverage(WHOLE), expected, atol=1e-12)


def test_an_outline_that_crosses_itself_covers_what_it_goes_around():
    bow = Polygon("a", [(4, 4), (20, 16), (20, 4), (4, 16)])
    expected = by_shapely(shapely.make_valid(shapely.Polygon([(4, 4), (20, 16), (20, 4), (4, 16)])))
    assert (abs(bow.coverage(WHOLE) - expected) > 1e-9).sum() <= 2  # where it crosses itself


def test_an_area_may_reach_beyond_the_image_and_have_its_surface_from_what_is_on_it(density):
    with pytest.warns(UserWarning, match=naming("a", "31x23")):
        found = share(density, Ellipse("a", 0, 0, 10, 10))
    assert found.surface == pytest.approx(np.pi * 100 / 4 / density.size, rel=1e-6)
    with pytest.raises(InputError, match=naming("a", "31x23")):
        share(density, Ellipse("a", -20, 0, 10, 10))


def test_an_area_whose_box_is_on_the_image_but_not_itself_is_refused(density):
    with pytest.raises(InputError, match=naming("far", "31x23")), pytest.warns(UserWarning, match="far"):
        share(density, Polygon("far", [(-30, 5), (5, -30), (-30, -30)]))
    with pytest.raises(InputError, match=naming("flat", "31x23")):
        share(density, Polygon("flat", [(3, 3), (9, 9), (6, 6)]))


def test_a_mask_is_cut_to_its_pixels_and_sums_them(density):
    pixels = np.zeros(SHAPE, bool)
    pixels[4:9, 11:20:2] = True
    mask = Mask("a", pixels)
    assert (mask.x0, mask.y0, mask.pixels.shape) == (11, 4, (5, 9))
    assert share(density, mask).attention == pytest.approx(density[pixels].sum(), rel=1e-12)
    half = share(density, Mask("a", pixels * 0.5))
    assert half.attention == pytest.approx(density[pixels].sum() / 2, rel=1e-12)
    assert mask == Mask("a", pixels) != Mask("b", pixels)


def test_the_outlines_of_a_mask_go_around_it():
    pixels = np.zeros(SHAPE, bool)
    pixels[4:14, 5:17] = True
    pixels[8:10, 8:12] = False
    outlines = Mask("a", pixels).outlines()
    assert len(outlines) == 2
    drawn = np.abs(covered_by(outlines[0], WHOLE) - covered_by(outlines[1], WHOLE))
    assert (drawn > 0.5).tolist() == pixels.tolist()


def test_parts_of_different_kinds_are_joined():
    circle, box = Ellipse("a", 8, 8, 4, 4), Rectangle("a", 20, 5, 6, 6)
    both = joined("a", [circle, box])
    assert both.kind == "polygon"
    np.testing.assert_allclose(both.coverage(WHOLE), circle.coverage(WHOLE) + box.coverage(WHOLE), atol=1e-12)
    with_mask = joined("a", [circle, Mask("a", np.ones((3, 3), bool), 25, 18)])
    assert with_mask.kind == "mask"
    assert with_mask.coverage(WHOLE).sum() == pytest.approx(np.pi * 16 + 9, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Ellipse("hero", 5, 6, 0, 7), ["hero", 0, 7]),
        (lambda: Ellipse("hero", 5, 6, 1, float("nan")), ["hero", "nan"]),
        (lambda: Rectangle("hero", 5, 6, 1, 1, float("inf")), ["hero", "inf"]),
        (lambda: Ellipse("hero", 1e308, 6, 1e308, 5), ["hero", "1e+308"]),
        (lambda: Polygon("hero", [(0, 0), (1, 1)]), ["hero", 3]),
        (lambda: Polygon("hero", []), ["hero"]),
        (lambda: Polygon("hero", [(0, 0, 0), (1, 1, 1), (2, 3, 4)]), ["hero", "(3, 3)"]),
        (lambda: Polygon("hero", [(0, 0), (1, float("nan")), (5, 5)]), ["hero"]),
        (lambda: Polygon("hero", [(0, 0), (1, 1e300), (5, 5)]), ["hero"]),
        (lambda: Mask("hero", np.zeros((3, 3), bool)), ["hero"]),
        (lambda: Mask("hero", np.full((3, 3), 1.5)), ["hero"]),
        (lambda: Mask("hero", np.full((3, 3), 7)), ["hero", "(3, 3)"]),
        (lambda: Mask("hero", np.zeros((0, 3), bool)), ["hero"]),
        (lambda: Mask(" ", np.ones((3, 3), bool)), ["' '"]),
    ],
)
def test_what_is_no_area_is_refused(make, named):
    with pytest.raises(InputError, match=naming(*named)):
        make()
