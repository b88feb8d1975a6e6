"""Pictures: panels are where they should be and show what they should."""

import numpy as np

from mrsal.images import image_size
from mrsal.plots import colour_map, comparison, save_curves, sheet


def test_a_comparison_shows_stimulus_prediction_and_truth_side_by_side():
    stimulus = np.full((60, 80, 3), 200, np.uint8)
    prediction, target = np.zeros((60, 80)), np.zeros((60, 80))
    prediction[:, :40], target[:, 40:] = 1, 1
    picture = comparison(stimulus, prediction, target)
    body = picture[-60:]
    gutter = (body.shape[1] - 3 * 80) // 2
    assert (body[:, :80] == 200).all()
    assert body[30, 80 + gutter + 5].sum() > body[30, 80 + gutter + 75].sum()
    assert body[30, -5].sum() > body[30, -75].sum()


def test_a_constant_map_has_one_colour():
    assert len(np.unique(colour_map(np.full((4, 4), 0.7)).reshape(-1, 3), axis=0)) == 1


def test_a_sheet_keeps_proportions():
    assert sheet([np.zeros((100, 300, 3), np.uint8)] * 3, width=150).shape == (50 * 3 + 16, 150, 3)


def test_curves_have_a_panel_for_validation(tmp_path):
    rows = [{"epoch": i, "loss": 1 / i, "accuracy": 0.5, "val_CC": 0.1 * i} for i in (1, 2, 3)]
    save_curves(rows, tmp_path / "with.png")
    save_curves([{k: v for k, v in row.items() if k != "val_CC"} for row in rows], tmp_path / "without.png")
    assert image_size(tmp_path / "with.png")[1] > image_size(tmp_path / "without.png")[1]
