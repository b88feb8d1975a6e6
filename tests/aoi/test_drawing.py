"""Pictures and curves show what they are made of: pixels where they should be, and the numbers of the history."""

import numpy as np
import pytest
from matplotlib import colormaps

from mrsal.aoi.drawing import side_by_side, with_areas, with_contours, with_spots
from mrsal.aoi.shapes import Ellipse, Mask, Polygon, Rectangle
from mrsal.aoi.spots import Spot
from mrsal.evaluation.report.curves import curves_plot, save_curves
from mrsal.evaluation.report.pictures import comparison_picture, sheet, with_fixations
from mrsal.figures import save_figure
from mrsal.images import image_size
from mrsal.inference.overlay import colour_map

GREY = 128
PAIR = ((0, (30, 40, 3)), (1, (50, 20, 3)))  # seed and shape


def grey(height, width):
    return np.full((height, width, 3), GREY, np.uint8)


def coloured(picture, colour="#E69F00", tolerance=12):
    """Where a picture has a colour, as ``(N, 2)`` rows and columns."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.argwhere(abs(picture.astype(int) - wanted).max(axis=2) <= tolerance)


# maps and comparisons


def test_a_map_is_hottest_where_it_is_highest():
    values = np.random.default_rng(0).random((9, 11)) * 5 - 3
    colours = colour_map(values)
    assert (colours.shape, colours.dtype) == ((9, 11, 3), np.uint8)
    order = np.argsort(values, axis=None)
    brightness = colours.reshape(-1, 3).astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness[order]) >= -1).all()  # inferno grows brighter all the way, up to rounding
    for extreme, end in ((order[-1], 1.0), (order[0], 0.0)):
        expected = np.array(colormaps["inferno"](end)[:3]) * 255
        assert colours.reshape(-1, 3)[extreme] == pytest.approx(expected, abs=1)


def test_a_constant_map_has_one_colour():
    assert len(np.unique(colour_map(np.full((4, 4), 0.7)).reshape(-1, 3), axis=0)) == 1


def test_a_comparison_shows_stimulus_prediction_and_truth_side_by_side():
    stimulus = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    prediction, target = np.random.default_rng(2).random((2, 60, 80))
    picture = comparison_picture(stimulus, prediction, target)
    body, title = picture[-60:], picture[:-60]
    gutter = (body.shape[1] - 3 * 80) // 2
    for column, panel in enumerate((stimulus, colour_map(prediction), colour_map(target))):
        left = column * (80 + gutter)
        np.testing.assert_array_equal(body[:, left : left + 80], panel)
        assert title[:, left : left + 80].min() < 128  # a title in dark letters
        if column:
            assert (body[:, left - gutter : left] == 255).all()


def test_a_caption_stands_above_the_prediction_where_there_is_room_for_it():
    values = np.zeros((100, 300))
    plain, said = (comparison_picture(grey(100, 300), values, values, caption=text) for text in ("", "sAUC 0.70"))
    changed = np.argwhere((plain != said).any(axis=2))
    assert changed[:, 0].max() < plain.shape[0] - 100
    assert changed[:, 1].min() > 308 + 150 and changed[:, 1].max() < 308 + 300
    crowded = comparison_picture(grey(100, 300), values, values, caption="sAUC 0.70 " * 9)
    np.testing.assert_array_equal(crowded, plain)


def test_two_pictures_stand_side_by_side_each_at_its_own_size():
    left, right = (np.random.default_rng(i).integers(0, 250, shape, np.uint8) for i, shape in PAIR)
    both = side_by_side(left, right).copy()
    np.testing.assert_array_equal(both[:30, :40], left)
    np.testing.assert_array_equal(both[:50, -20:], right)
    assert both.shape[0] == 50 and both.shape[1] > 60
    both[:30, :40], both[:50, -20:] = 255, 255
    assert (both == 255).all()


def test_a_sheet_keeps_the_order_and_the_proportions():
    shades = [grey(100, 300) // 2 + shade for shade in (0, 30, 60)]
    column = sheet(shades, width=150)
    assert column.shape == (50 * 3 + 16, 150, 3)
    assert [int(column[top + 25, 75, 0]) for top in (0, 58, 116)] == [64, 94, 124]
    grid = sheet(shades, width=150, columns=2)
    assert grid.shape == (50 * 2 + 8, 308, 3)
    assert [int(grid[y, x, 0]) for y, x in ((25, 75), (25, 233), (83, 75), (83, 233))] == [64, 94, 124, 255]


# marks on pictures


def test_fixations_are_dots_at_their_places_and_those_without_a_place_are_left_out():
    picture = with_fixations(
        grey(100, 200), np.array([50.0, np.nan, 150.0]), np.array([25.0, 50.0, 75.0]), size=(400, 200)
    )
    assert picture.shape == (200, 400, 3)
    dots = coloured(picture)
    first, last = dots[dots[:, 1] < 200], dots[dots[:, 1] >= 200]
    assert first.mean(axis=0) == pytest.approx([50, 100], abs=1)
    assert last.mean(axis=0) == pytest.approx([150, 300], abs=1)
    assert abs(first - [50, 100]).max() < 8 and abs(last - [150, 300]).max() < 8


def test_an_area_is_outlined_along_its_edges():
    area = Rectangle("a", 40, 60, 50, 30)
    picture = with_areas(grey(150, 200), [area], [""])
    line = picture[75]  # through the middle of the box: black, white, black, the picture, and the same from the right
    changed = np.flatnonzero((line != GREY).any(axis=1))
    assert (changed.min(), changed.max()) == (40, 89)
    assert line[[40, 41, 42, 87, 88, 89], 0].tolist() == [0, 255, 0, 0, 255, 0]
    assert (line[43:87] == GREY).all()
    column = picture[:, 85]
    assert column[[87, 88, 89], 0].tolist() == [0, 255, 0]
    changed = np.flatnonzero((column[60:] != GREY).any(axis=1)) + 60
    assert (changed.min(), changed.max()) == (60, 89)
    assert (picture[90:] == GREY).all() and (picture[:, :40] == GREY).all()


@pytest.mark.parametrize(
    ("area", "edge", "inside", "outside"),
    [
        (Ellipse("a", 100, 75, 60, 40), [(100, 35), (160, 75), (100, 115)], (100, 75), (170, 30)),
        (Rectangle("a", 60, 50, 80, 50, 45), [(89.4, 75 - 46), (110.6, 75 + 46)], (100, 75), (20, 20)),
        (Polygon("a", [(40, 40), (160, 40), (40, 130)]), [(100, 40), (40, 80), (100, 85)], (60, 60), (150, 120)),
        (
            Polygon(
                "a", [[(40, 40), (160, 40), (160, 130), (40, 130)]], [[(80, 60), (120, 60), (120, 110), (80, 110)]]
            ),
            [(100, 40), (80, 80), (120, 80)],
            (60, 80),
            (20, 20),
        ),
        (Mask("a", np.ones((60, 80), bool), 50, 40), [(90, 40), (50, 70), (130, 70)], (90, 70), (40, 30)),
    ],
    ids=["ellipse", "turned", "triangle", "hole", "mask"],
)
@pytest.mark.parametrize("scale", [1, 0.5])
def test_every_kind_is_outlined_along_its_edge(area, edge, inside, outside, scale):
    picture = with_areas(grey(round(150 * scale), round(200 * scale)), [area], [""], scale=scale)
    for x, y in edge:
        x, y = round(x * scale), round(y * scale)
        around = picture[max(y - 3, 0) : y + 3, max(x - 3, 0) : x + 3]
        assert around.max() > 160 and around.min() < 80  # white between black
    for x, y in (inside, outside):
        assert (picture[round(y * scale), round(x * scale)] == GREY).all()


def test_an_outline_beyond_the_picture_is_cut():
    areas = [Ellipse("a", 0, 0, 60, 40), Ellipse("b", 500, 500, 60, 40), Ellipse("c", 100, 75, 400, 300)]
    picture = with_areas(grey(150, 200), areas, ["", "", ""])
    assert picture[35:45, 0].max() > 180
    assert (picture[100:, 100:] == GREY).all()


def test_labels_do_not_cover_each_other_or_a_low_area():
    low = Rectangle("low", 20, 2, 100, 12)
    plain, said = (with_areas(grey(150, 200), [low], [text]) for text in ("", "first"))
    changed = np.argwhere((plain != said).any(axis=2))
    assert changed[changed[:, 1] > 40][:, 0].min() >= 14
    many = [Ellipse(str(i), 100, 75, 30, 20) for i in range(5)]
    picture = with_areas(grey(150, 200), many, ["a long label"] * 5)
    assert (picture == 255).all(axis=2).any(axis=1).sum() > 5 * 9  # five labels below each other


def test_every_area_has_its_label_above_it_or_inside_where_there_is_no_room_above():
    areas = [Rectangle("a", 20, 60, 60, 30), Rectangle("b", 120, 0, 60, 60)]
    plain, said = (with_areas(grey(150, 200), areas, texts) for texts in (["", ""], ["first", "second"]))
    changed = np.argwhere((plain != said).any(axis=2))
    above, inside = changed[changed[:, 1] < 100], changed[changed[:, 1] >= 100]
    assert above[:, 0].max() < 60 and above[:, 0].min() > 30
    assert 20 <= above[:, 1].min() < 30
    assert inside[:, 0].min() < 5 and inside[:, 0].max() < 30
    with pytest.raises(ValueError, match="shorter"):
        with_areas(grey(150, 200), areas, ["first"])


def test_spots_are_discs_at_their_places_joined_in_their_order():
    spots = [Spot(50.5, 50.5, 1.0), Spot(250.5, 50.5, 0.8), Spot(250.5, 150.5, 0.5)]
    picture = with_spots(grey(200, 300), spots)
    for spot in spots:
        x, y = int(spot.x), int(spot.y)
        disc = picture[y - 8 : y + 9, x - 8 : x + 9]
        assert len(coloured(disc)) > 60
        ring = [picture[y, x - 8], picture[y, x + 8], picture[y - 8, x], picture[y + 8, x]]
        assert np.max(ring) < 100  # a black rim
    on_the_way = [picture[50, 150], picture[100, 250]]
    assert all(len(coloured(pixel[None, None])) == 1 for pixel in on_the_way)
    assert (picture[100, 150] == GREY).all()  # between the first and the third
    assert (picture[160:, :200] == GREY).all()


def test_where_spots_overlap_the_first_lies_on_top():
    near = [Spot(100.5, 100.5, 1.0), Spot(106.5, 100.5, 0.5)]
    alone, both, turned = (with_spots(grey(200, 200), spots) for spots in (near[:1], near, near[::-1]))
    disc = (slice(95, 106), slice(95, 106))
    np.testing.assert_array_equal(both[disc], alone[disc])
    assert (turned[disc] != alone[disc]).any()


def test_a_contour_runs_where_the_density_has_the_level_of_the_share():
    rows, columns = np.indices((120, 160)) + 0.5
    density = np.exp(-((rows - 60) ** 2 + (columns - 80) ** 2) / (2 * 20.0**2))
    picture = with_contours(grey(120, 160), density, [0.5])
    radius = 20 * np.sqrt(2 * np.log(2))  # which holds half of a round Gaussian
    white = np.argwhere((picture[70:] == 255).all(axis=2))  # below the label
    away = np.hypot(white[:, 0] + 70.5 - 60, white[:, 1] + 0.5 - 80)
    assert len(white) > 40
    assert abs(away - radius).max() < 2
    changed = np.argwhere((picture != GREY).any(axis=2))
    assert 25 < changed[:, 0].min() < 60 - radius  # the label stands on top


# curves

HISTORY = [
    {"epoch": 1, "loss": 0.7, "accuracy": 0.55, "learning_rate": 0.1},
    {"epoch": 2, "loss": 0.5, "accuracy": 0.70, "val_CC": 0.2, "val_KL": 1.5},
    {"epoch": 4, "loss": 0.4, "accuracy": 0.85, "val_CC": 0.3, "val_KL": 1.1},
]


def test_curves_carry_the_rows_of_the_history():
    loss, accuracy, validation = curves_plot(HISTORY).axes
    assert loss.get_title() == "training loss (binary cross-entropy)"
    assert accuracy.get_title() == "training accuracy"
    assert validation.get_title() == "validation"
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        (line,) = axes.lines
        assert list(line.get_xdata()) == [1, 2, 4]
        assert list(line.get_ydata()) == [row[name] for row in HISTORY]
        assert axes.get_xlabel() == "epoch"
    curves = {line.get_label(): line for line in validation.lines}
    assert [text.get_text() for text in validation.get_legend().get_texts()] == list(curves) == ["CC", "KL"]
    assert len({line.get_color() for line in validation.lines}) == 2
    for name, line in curves.items():
        assert list(line.get_xdata()) == [1, 2, 4]
        np.testing.assert_array_equal(line.get_ydata(), [row.get(f"val_{name}", np.nan) for row in HISTORY])


def test_curves_without_validation_have_two_panels():
    assert len(curves_plot(HISTORY[:1]).axes) == 2


def test_a_file_of_curves_holds_the_curves(tmp_path):
    save_curves(HISTORY, tmp_path / "curves.svg")
    save_figure(lambda: curves_plot(HISTORY), tmp_path / "expected" / "curves.svg")
    assert (tmp_path / "curves.svg").read_bytes() == (tmp_path / "expected" / "curves.svg").read_bytes()
    save_curves(HISTORY, tmp_path / "curves.png")
    assert image_size(tmp_path / "curves.png") == (int(55 / 25.4 * 300), int(180 / 25.4 * 300))
