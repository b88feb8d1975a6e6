"""What is said about differences, in each case that there is."""

import numpy as np
import pytest

from mrsal.aoi.areas import AreaDifference, AreaShare, attention_shares, clear_level, compare_shares
from mrsal.aoi.sentences import clear_text, moved_text, points, share_summary, summary
from mrsal.aoi.shapes import Mask, Rectangle
from mrsal.inference import ShareCalibration


def share(name, attention, rank=1):
    return AreaShare(Rectangle(name, 0, 0, 10, 10), attention, 0.1, rank, None)


def pair(name, a, b, *, low=None, high=None, is_clear=None):
    """An area with shares in per cent, and the interval in points."""
    interval = None if low is None else (low / 100, high / 100)
    return AreaDifference(share(name, a / 100), share(name, b / 100), interval, is_clear)


BUTTON = pair("button", 8.1, 12.3, low=0.9, high=7.6, is_clear=True)
CARD = pair("card", 10, 4, low=-9, high=-2, is_clear=True)
HEADLINE = pair("headline", 20, 17, low=-8, high=2, is_clear=False)
LOGO = pair("logo", 5, 4.9, low=-2, high=2, is_clear=False)
GETS = "is predicted to get 12.3 % of the attention instead of 8.1 % (+4.2 points, 95 % interval +0.9 to +7.6)"


@pytest.mark.parametrize(
    ("differences", "elsewhere", "expected"),
    [
        ([], None, "No areas were compared."),
        ([BUTTON], None, f'In B, "button" {GETS}.'),
        (
            [BUTTON],
            -0.042,
            f'In B, "button" {GETS}; most of this attention comes from places outside the areas (-4.2 points).',
        ),
        (
            [BUTTON, HEADLINE],
            -0.012,
            f'In B, "button" {GETS}; most of this attention comes from "headline" (-3.0 points). '
            '"headline" does not differ clearly.',
        ),
        (
            [LOGO, BUTTON, HEADLINE],
            None,
            f'In B, "button" {GETS}; most of this attention comes from "headline" (-3.0 points). '
            "The other 2 areas do not differ clearly.",
        ),
        ([BUTTON, LOGO], -0.02, f'In B, "button" {GETS}. "logo" does not differ clearly.'),  # from no single place
        (
            [CARD],
            0.05,
            'In B, "card" is predicted to get 4.0 % of the attention instead of 10.0 % (-6.0 points, 95 % interval -9.0 to '
            "-2.0); most of this attention goes to places outside the areas (+5.0 points).",
        ),
        (
            [BUTTON, CARD],
            0.018,
            'In B, "card" is predicted to get 4.0 % of the attention instead of 10.0 % (-6.0 points, 95 % interval -9.0 to '
            '-2.0) and "button" 12.3 % instead of 8.1 % (+4.2, +0.9 to +7.6).',
        ),
        (
            [HEADLINE],
            None,
            'No area differs clearly between A and B: "headline" is predicted to get 17.0 % of the attention in B instead of '
            "20.0 % (-3.0 points, 95 % interval -8.0 to +2.0).",
        ),
        (
            [LOGO, HEADLINE],
            0.03,
            'No area differs clearly between A and B. The largest difference is that of "headline", which is predicted to get '
            "17.0 % of the attention in B instead of 20.0 % (-3.0 points, 95 % interval -8.0 to +2.0).",
        ),
        (
            [LOGO, pair("tag", 1, 6, low=0.1, high=9, is_clear=False)],
            None,
            'No area differs clearly between A and B. The largest difference is that of "tag", which is predicted to get 6.0 % '
            "of the attention in B instead of 1.0 % (+5.0 points, 95 % interval +0.1 to +9.0); its interval excludes 0, but "
            "among 2 areas this can be chance.",
        ),
        (
            [pair("logo", 5, 5, low=-2, high=2, is_clear=False)],
            0.0,
            'No area differs between A and B: "logo" is predicted to get 5.0 % of the attention in both.',
        ),
        (
            [pair("logo", 5, 5), pair("tag", 7, 7.04)],
            0.0,
            "No area differs between A and B: each is predicted to get the same share of the attention in both.",
        ),
        (
            [pair("logo", 5, 4)],
            None,
            '"logo" is predicted to get 4.0 % of the attention in B instead of 5.0 % (-1.0 points). The model is not '
            "calibrated, so it is not known whether this is a clear difference.",
        ),
        (
            [pair("logo", 5, 4), pair("tag", 7, 9)],
            None,
            'The largest difference is that of "tag", which is predicted to get 9.0 % of the attention in B instead of 7.0 % '
            "(+2.0 points). The model is not calibrated, so it is not known whether this is a clear difference.",
        ),
    ],
)
def test_the_summary_of_a_comparison(differences, elsewhere, expected):
    assert summary(differences, elsewhere=elsewhere) == expected


@pytest.mark.parametrize(
    ("count", "more"), [(3, ""), (4, " 1 more area differs clearly."), (6, " 3 more areas differ")]
)
def test_of_many_clear_differences_the_three_largest_are_named(count, more):
    many = [pair(f"area {k}", 1, 2 + k, low=1, high=2 + k, is_clear=True) for k in range(count)]
    text = summary(many)
    first, second, third = (f'"area {count - k}"' for k in (1, 2, 3))
    assert text.index(first) < text.index(f", {second}") < text.index(f" and {third}")
    assert text.count('"') == 6 and more in text


def test_areas_of_every_kind_are_summarised():
    masks = [Mask(name, np.ones((2, 2)), 1, 1) for name in ("blot", "stain")]
    found = [
        AreaDifference(AreaShare(mask, 0.1, 0.1, 1, None), AreaShare(mask, b, 0.1, 1, None), (0.0, 0.2), is_clear)
        for mask, b, is_clear in zip(masks, (0.3, 0.05), (True, False), strict=True)
    ]
    assert summary(found).startswith('In B, "blot"') and summary(found).endswith('"stain" does not differ clearly.')


def test_the_level_of_the_intervals_is_named():
    assert "(+4.2 points, 80 % interval +0.9 to +7.6)" in summary([BUTTON], level=0.8)


def test_a_difference_is_clear_if_its_interval_at_the_corrected_level_excludes_0():
    calibration = ShareCalibration(1.0, 400.0)
    for count in (1, 2, 12):
        before = [share(f"area {k}", 0.10) for k in range(count)]
        after = [
            share(f"area {k}", 0.10 + 0.01 * step) for k, step in zip(range(count), range(8, 8 + count), strict=True)
        ]
        for found in compare_shares(before, after, calibration=calibration, observers=60):
            level = 1 - 0.05 / count
            low, high = calibration.difference_interval(0.10, found.b.attention, 360, level)
            assert found.is_clear == (low > 0 or high < 0)
            assert found.interval == calibration.difference_interval(0.10, found.b.attention, 360, 0.95)


def test_among_many_areas_a_difference_has_to_be_larger():
    calibration = ShareCalibration(1.0, 400.0)
    one = compare_shares([share("a", 0.1)], [share("a", 0.17)], calibration=calibration, observers=60)
    others = [share(f"area {k}", 0.1) for k in range(30)]
    many = compare_shares(
        [share("a", 0.1), *others], [share("a", 0.17), *others], calibration=calibration, observers=60
    )
    assert [found.is_clear for found in one] == [True]
    assert not any(found.is_clear for found in many)
    assert many[0].interval == one[0].interval


def test_the_text_names_the_level_and_the_number_of_areas():
    assert "95 % interval excludes 0" in clear_text(0.95, 1) and "Bonferroni" not in clear_text(0.95, 1)
    assert "5 areas" in clear_text(0.95, 5) and "99 % interval" in clear_text(0.95, 5)
    assert clear_level(0.95, 5) == pytest.approx(0.99)


@pytest.mark.parametrize(("change", "text"), [(0.0004, "0.0"), (-0.0004, "0.0"), (0.0351, "+3.5"), (-0.1, "-10.0")])
def test_points_have_a_sign_unless_they_are_0(change, text):
    assert points(change) == text


def test_the_summary_of_one_image():
    density = [[1, 1, 4, 4]]
    areas = [Rectangle("logo", 0, 0, 1, 1), Rectangle("cta", 2, 0, 2, 1)]
    assert share_summary([], level=0.95) == "No areas were marked."
    assert share_summary(attention_shares(density, areas), level=0.95) == (
        '"cta" is predicted to get 80.0 % of the attention, the most of the 2 areas. It covers 50.0 % of the surface.'
    )
    twins = [Rectangle("a", 2, 0, 1, 1), Rectangle("b", 3, 0, 1, 1)]
    assert "40.0 % of the attention, as others do." in share_summary(attention_shares(density, twins), level=0.95)
    calibration = ShareCalibration(1.0, 40.0)
    [alone] = attention_shares(density, areas[:1], calibration=calibration)
    low, high = (f"{100 * end:.1f}" for end in alone.interval)
    assert f"10.0 % of the attention (80 % interval {low} to {high}). It covers" in share_summary([alone], level=0.8)


def test_labels_are_explained_where_there_are_any():
    assert "label" in moved_text([BUTTON]) and "label" not in moved_text([])
