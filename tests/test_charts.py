"""Charts are drawn for few and many models, in both formats, and hold what they should."""

import numpy as np
import pytest
from messages import naming

from mrsal.charts import _labels, save_distributions, save_pairwise, save_score_plot
from mrsal.comparison import compare
from mrsal.errors import InputError
from mrsal.images import image_size
from mrsal.scores import Scores


def some(count, *, metrics=("AUC",), images=12):
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(images)))
    return {f"model {k}": Scores(names, {m: rng.normal(k, 1, images) for m in metrics}) for k in range(count)}


def test_every_chart_grows_with_the_models(tmp_path):
    heights = []
    for count in (2, 5):
        scores = some(count)
        save_score_plot(scores, tmp_path / "scores.png", resamples=100)
        save_distributions(scores, tmp_path / "distributions.png")
        save_pairwise(compare(scores, resamples=100), tmp_path / "pairs.png")
        heights.append([image_size(tmp_path / f"{n}.png")[0] for n in ("scores", "distributions", "pairs")])
    assert (np.array(heights[1]) > heights[0]).all()
    assert image_size(tmp_path / "pairs.png")[1] == 1800


def test_the_same_scores_give_the_same_svg(tmp_path):
    for name in ("a", "b"):
        save_pairwise(compare(some(3), reference="model 0", resamples=100), tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_constant_undefined_and_missing_scores_are_drawn(tmp_path):
    scores = some(2, metrics=("AUC", "KL"))
    names = scores["model 0"].names
    scores["flat"] = Scores(names, {"AUC": np.full(12, 0.5)})
    scores["none"] = Scores(names, {"AUC": np.full(12, np.nan), "KL": np.r_[np.nan, np.ones(11)]})
    save_distributions(scores, tmp_path / "d.png")
    save_score_plot(scores, tmp_path / "s.png", floor="flat", ceiling="model 1", resamples=100)
    assert (tmp_path / "d.png").stat().st_size > 5000
    assert (tmp_path / "s.png").stat().st_size > 5000


def test_long_names_are_shortened_but_stay_apart():
    names = [f"trained/2026-11-23_10-00-0{k}/cnn_epoch_20_of_a_long_run" for k in range(3)]
    labels = _labels([*names, "centre"])
    assert len(set(labels)) == 4
    assert all(len(label) < len(names[0]) for label in labels)
    assert labels[3] == "centre"


def test_errors(tmp_path):
    with pytest.raises(InputError, match=naming(".png", ".svg", "x.jpg")):
        save_distributions(some(2), tmp_path / "x.jpg")
    with pytest.raises(InputError, match=naming("gold", "model 0", "model 1")):
        save_score_plot(some(2), tmp_path / "x.png", ceiling="gold")
    with pytest.raises(InputError, match=naming("floor", "ceiling")):
        save_score_plot(some(1), tmp_path / "x.png", floor="model 0")
