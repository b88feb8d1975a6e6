"""The three panels of a comparison hold what they are given, in pixels of the stimulus."""

import numpy as np
import pytest

from mrsal.evaluation.report.comparison_figure import comparison_figure
from mrsal.figures import figure_style, save_figure

STIMULUS = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
RAMP = np.tile(np.linspace(0, 1, 120), (90, 1))
X, Y = np.array([10.0, 60.5, np.nan]), np.array([80.0, 20.0, 5.0])


@pytest.fixture
def drawn():
    def draw(prediction=RAMP, **options):
        with figure_style():
            return comparison_figure(STIMULUS, prediction, RAMP[:, ::-1], **{"x": X, "y": Y, **options})

    return draw


def test_every_panel_has_its_picture_and_the_fixations_are_on_the_stimulus(drawn):
    stimulus, prediction, _, truth, _ = drawn().axes
    np.testing.assert_array_equal(stimulus.images[0].get_array(), STIMULUS)
    (dots,) = (line for line in stimulus.lines if line.get_gid() == "fixations")
    assert dots.get_xydata().tolist() == [[10, 80], [60.5, 20]]
    assert stimulus.get_xlim() == (0, 120) and stimulus.get_ylim() == (90, 0)
    assert stimulus.get_title(loc="left") == "Stimulus, 2 fixations"
    for axes, map_ in ((prediction, RAMP), (truth, RAMP[:, ::-1])):
        np.testing.assert_allclose(axes.images[0].get_array(), map_ / map_.mean(), rtol=1e-5)


def test_a_known_degree_changes_the_bars_and_the_scale(drawn):
    labels = [axes.xaxis.label.get_text() for axes in drawn().axes]
    assert labels[2] == labels[4] == "Density relative to uniform"
    figure = drawn(pixels_per_degree=30)
    assert figure.axes[2].xaxis.label.get_text() == "Density (% per square degree)"
    assert "1°" in [text.get_text() for text in figure.axes[0].texts]
    assert figure.axes[1].images[0].get_array().mean() * 3 * 4 == pytest.approx(100, rel=1e-5)


def test_a_prediction_with_negative_values_is_no_density(drawn):
    axes = drawn(RAMP - 0.5).axes
    assert axes[2].xaxis.label.get_text() == "Saliency above the lowest"
    np.testing.assert_allclose(axes[1].images[0].get_array(), RAMP, atol=1e-6)


def test_scores_are_in_the_title_if_there_is_room(drawn):
    assert drawn(caption="NSS 1.20").axes[1].get_title(loc="left") == "Prediction, NSS 1.20"
    assert drawn(caption="NSS 1.20 " * 9).axes[1].get_title(loc="left") == "Prediction"


def test_without_fixations_the_stimulus_stands_alone(drawn, tmp_path):
    empty = np.empty(0)
    assert drawn(x=empty, y=empty).axes[0].get_title(loc="left") == "Stimulus"
    save_figure(lambda: drawn(x=empty, y=empty), tmp_path / "a.pdf", title="s1.png")
    assert b"s1.png" in (tmp_path / "a.pdf").read_bytes()
