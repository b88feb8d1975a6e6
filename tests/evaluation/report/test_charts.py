"""Charts show the scores they are made of, and save them in both formats.

What was drawn is read back from the artists of the figures and compared with the scores, whose values differ between all
models and metrics, so that no two can be taken for each other.
"""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from messages import naming

from mrsal.errors import InputError
from mrsal.evaluation.comparison import compare
from mrsal.evaluation.report.charts import (
    _labels,
    distribution_plot,
    pairwise_plot,
    save_distributions,
    save_pairwise,
    save_score_plot,
    score_plot,
)
from mrsal.evaluation.scores import Scores
from mrsal.figures import save_figure
from mrsal.images import image_size

BLUE, ORANGE, GREY, WHITE = "#0072b2", "#d55e00", "#595959", "#ffffff"
QUICK = {"resamples": 200}


def some(count, *, metrics=("AUC",), images=12):
    rng = np.random.default_rng(0)
    names = tuple(map(str, range(images)))
    return {f"model {k}": Scores(names, {m: rng.normal(k, 1, images) for m in metrics}) for k in range(count)}


def shifted(shifts):
    """Scores by model and metric at a distance from common values per image, which is small noise above or below."""
    names = tuple(f"image {i}" for i in range(30))
    rng = np.random.default_rng(4)
    common = rng.normal(2, 0.5, len(names))
    noise = {model: rng.normal(0, 0.02, len(names)) for model in shifts}
    return {m: Scores(names, {k: common + d + noise[m] for k, d in by.items()}) for m, by in shifts.items()}


def panels(figure):
    """The visible panels by their titles; a bar of colours has none."""
    return {axes.get_title(): axes for axes in figure.axes if axes.get_visible() and axes.get_title()}


def row_names(figure):
    first = figure.axes[0]
    return dict(zip(first.get_yticks().tolist(), (text.get_text() for text in first.get_yticklabels()), strict=True))


def lines_of(axes):
    """Horizontal lines as ``{row: (low, high, colour)}``, marks as ``{row: (x, colour, face)}``, vertical ones as a list."""
    spans, marks, upright = {}, {}, []
    for line in axes.lines:
        x, y = (np.asarray(values, float) for values in line.get_data())
        if len(x) == 1:
            marks[y[0]] = (x[0], to_hex(line.get_color()), to_hex(line.get_markerfacecolor()))
        elif x[0] == x[1] and y[0] != y[1]:
            upright.append(line)
        else:
            assert y[0] == y[1]
            spans[y[0]] = (*x, to_hex(line.get_color()))
    return spans, marks, upright


def legend_of(figure):
    """The colour and face of each mark by its text, up to the first bracket."""
    (legend,) = figure.legends
    handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
    return {t.get_text().split(" (")[0]: (to_hex(h.get_color()), to_hex(h.get_markerfacecolor())) for t, h in handles}


# means with intervals


def test_the_score_plot_has_a_row_per_model_with_its_mean_and_its_interval():
    scores = some(4, metrics=("AUC", "NSS", "KL"))
    figure = score_plot(scores, level=0.8, resamples=300, seed=5)
    assert row_names(figure) == dict(enumerate(scores))
    assert figure.axes[0].get_ylim() == (3.5, -0.5)  # the first model on top
    assert list(panels(figure)) == ["AUC ↑", "NSS ↑", "KL ↓"]
    for title, axes in panels(figure).items():
        metric = title[:-2]
        spans, marks, upright = lines_of(axes)
        assert not upright
        for row, model in enumerate(scores):
            interval = scores[model].intervals(level=0.8, resamples=300, seed=5)[metric]
            assert spans[row][:2] == pytest.approx(interval)
            assert marks[row][0] == pytest.approx(scores[model].values[metric].mean())
        assert len(spans) == len(marks) == len(scores)
        assert axes.get_xlabel() == "mean, 80 % interval"
        left, right = axes.get_xlim()
        assert all(left <= low < high <= right for low, high, _ in spans.values())


def test_floor_and_ceiling_are_lines_at_their_means_and_no_rows():
    scores = some(4, metrics=("AUC", "NSS"))
    figure = score_plot(scores, floor="model 0", ceiling="model 3", **QUICK)
    assert list(row_names(figure).values()) == ["model 1", "model 2"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["model 0", "model 3"]
    looks = [(handle.get_color(), handle.get_linestyle()) for handle in figure.legends[0].legend_handles]
    assert len(set(looks)) == 2
    for metric, axes in zip(("AUC", "NSS"), figure.axes, strict=True):
        _, marks, upright = lines_of(axes)
        assert [line.get_xdata()[0] for line in upright] == pytest.approx(
            [scores[model].values[metric].mean() for model in ("model 0", "model 3")]
        )
        assert [line.get_color() for line in upright] == [colour for colour, _ in looks]
        assert [marks[row][0] for row in (0, 1)] == pytest.approx(
            [scores[model].values[metric].mean() for model in ("model 1", "model 2")]
        )


def test_a_metric_that_a_model_lacks_leaves_its_row_empty():
    scores = some(2, metrics=("AUC", "KL"))
    scores["model 1"] = Scores(scores["model 1"].names, {"KL": scores["model 1"].values["KL"]})
    spans, marks, _ = lines_of(panels(score_plot(scores, **QUICK))["AUC ↑"])
    assert np.isfinite(spans[0][:2]).all() and np.isfinite(marks[0][0])
    assert np.isnan(spans[1][:2]).all() and np.isnan(marks[1][0])


# distributions


def test_distributions_show_the_quartiles_the_median_and_the_mean_of_each_model():
    scores = some(3, metrics=("AUC", "KL"), images=25)
    scores["model 1"].values["KL"][:5] = np.nan
    scores["model 2"].values["AUC"][:] += np.arange(25) ** 2  # skewed: the mean is far from the median
    figure = distribution_plot(scores)
    assert row_names(figure) == dict(enumerate(scores))
    assert list(panels(figure)) == ["AUC ↑", "KL ↓"]
    for metric, axes in zip(("AUC", "KL"), figure.axes, strict=True):
        spans, marks, upright = lines_of(axes)
        medians = {line.get_ydata().mean(): line.get_xdata()[0] for line in upright}
        bodies = [body.get_paths()[0].vertices for body in axes.collections]
        for row, model in enumerate(scores):
            column = scores[model].values[metric]
            assert spans[row][:2] == pytest.approx(tuple(np.nanquantile(column, [0.25, 0.75])))
            assert medians[row] == pytest.approx(np.nanmedian(column))
            assert marks[row][0] == pytest.approx(np.nanmean(column))
            assert (bodies[row][:, 0].min(), bodies[row][:, 0].max()) == pytest.approx(
                (np.nanmin(column), np.nanmax(column))
            )
            assert abs(bodies[row][:, 1] - row).max() <= 0.5


def test_a_model_that_scores_the_same_everywhere_is_a_dot_and_one_without_scores_is_not_drawn():
    names = tuple("abcd")
    scores = {"flat": Scores(names, {"AUC": np.full(4, 0.5)}), "none": Scores(names, {"AUC": np.full(4, np.nan)})}
    spans, marks, upright = lines_of(distribution_plot(scores).axes[0])
    assert (spans, upright) == ({}, [])
    assert {row: mark[0] for row, mark in marks.items()} == {0: 0.5}


# differences

SHIFTS = {
    "good": {"AUC": 0.3, "KL": -0.3},
    "same": {"AUC": 0.0, "KL": 0.0},
    "bad": {"AUC": -0.2, "KL": 0.2},
    "floor": {"AUC": 0.0, "KL": 0.0},
}


@pytest.mark.parametrize("metric", ["AUC", "KL"])
def test_against_a_reference_better_is_blue_and_worse_is_orange_whichever_way_the_metric_goes(metric):
    scores = shifted(SHIFTS)
    scores["same"].values[metric][:] = scores["floor"].values[metric] + 0.02 * np.resize([1, -1], 30)
    comparison = compare(scores, reference="floor", **QUICK)
    figure = pairwise_plot(comparison)
    assert list(row_names(figure).values()) == ["good", "same", "bad"]
    axes = panels(figure)[{"AUC": "AUC ↑", "KL": "KL ↓"}[metric]]
    spans, marks, (zero,) = lines_of(axes)
    assert list(zero.get_xdata()) == [0, 0]
    for row, pair in enumerate(comparison.of(metric)):
        assert spans[row][:2] == (pair.low, pair.high)
        own, other = scores[pair.a].values[metric], scores["floor"].values[metric]
        assert marks[row][0] == pytest.approx((own - other).mean())
    good, same, bad = ((BLUE, BLUE), (GREY, WHITE), (ORANGE, ORANGE))
    assert [marks[row][1:] for row in range(3)] == [good, same, bad]
    assert [spans[row][2] for row in range(3)] == [BLUE, GREY, ORANGE]
    assert legend_of(figure) == {"better than floor": good, "worse": bad, "not distinguishable": same}


def test_few_pairs_are_rows_that_name_both_models():
    comparison = compare(shifted({name: SHIFTS[name] for name in ("good", "bad", "same")}), **QUICK)
    figure = pairwise_plot(comparison)
    assert list(row_names(figure).values()) == ["good\n− bad", "good\n− same", "bad\n− same"]
    for metric, title in (("AUC", "AUC ↑"), ("KL", "KL ↓")):
        spans, marks, _ = lines_of(panels(figure)[title])
        assert [marks[row][0] for row in range(3)] == [pair.difference for pair in comparison.of(metric)]
        assert [spans[row][:2] for row in range(3)] == [(pair.low, pair.high) for pair in comparison.of(metric)]
        assert [marks[row][1] for row in range(3)] == [BLUE, BLUE, ORANGE]
    assert legend_of(figure)["A better"] == (BLUE, BLUE)
    assert legend_of(figure)["A worse"] == (ORANGE, ORANGE)


@pytest.mark.parametrize("metric", ["AUC", "KL"])
def test_with_many_models_rows_that_are_better_are_blue(metric):
    scores = shifted({f"m{k}": {"AUC": 0.1 * k, "KL": -0.1 * k} for k in (3, 0, 4, 1, 2)})
    scores["m0"].values[metric][:] = scores["m1"].values[metric] + 0.02 * np.resize([1, -1], 30)  # no difference
    figure = pairwise_plot(compare(scores, resamples=1000))
    models = list(scores)
    assert list(row_names(figure).values()) == [f"{model}  {i}" for i, model in enumerate(models, 1)]
    axes = panels(figure)[{"AUC": "AUC ↑", "KL": "KL ↓"}[metric]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3", "4", "5"]
    (image,) = axes.images
    gains, colours = np.ma.filled(image.get_array(), np.nan), image.cmap(image.norm(image.get_array()))
    dots = {(line.get_ydata()[k], line.get_xdata()[k]) for line in axes.lines for k in range(2)}
    sign = {"AUC": 1, "KL": -1}[metric]
    for i, better in enumerate(models):
        assert np.isnan(gains[i, i])
        for j, worse in enumerate(models):
            if i == j:
                continue
            gain = sign * (scores[better].values[metric] - scores[worse].values[metric]).mean()
            assert gains[i, j] == pytest.approx(gain)
            assert ((i, j) in dots) == ({better, worse} != {"m0", "m1"})
            if abs(gain) > 0.25:
                red, _, blue, _ = colours[i, j]
                assert (blue > red) == (gain > 0)
    assert image.norm.vmin == -image.norm.vmax  # no difference is in the middle of the colours
    assert np.nanmax(abs(gains)) == pytest.approx(image.norm.vmax)


# files


def test_every_chart_grows_with_the_models(tmp_path):
    heights = []
    for count in (2, 5):
        scores = some(count)
        save_score_plot(scores, tmp_path / "scores.png", resamples=100)
        save_distributions(scores, tmp_path / "distributions.png")
        save_pairwise(compare(scores, resamples=100), tmp_path / "pairs.png")
        heights.append([image_size(tmp_path / f"{n}.png")[0] for n in ("scores", "distributions", "pairs")])
    assert (np.array(heights[1]) > heights[0]).all()
    assert image_size(tmp_path / "pairs.png")[1] == int(180 / 25.4 * 300)


def test_a_file_holds_the_chart_of_its_name_with_all_options(tmp_path):
    scores = some(4)
    options = {"floor": "model 3", "ceiling": "model 0", "level": 0.5, "resamples": 150, "seed": 3}
    comparison = compare(scores, reference="model 0", **QUICK)
    save_score_plot(scores, tmp_path / "scores.svg", **options)
    save_distributions(scores, tmp_path / "distributions.svg")
    save_pairwise(comparison, tmp_path / "pairs.svg")
    figures = {"scores": score_plot(scores, **options), "distributions": distribution_plot(scores)}
    for name, figure in (figures | {"pairs": pairwise_plot(comparison)}).items():
        save_figure(lambda figure=figure: figure, tmp_path / "expected" / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").read_bytes() == (tmp_path / "expected" / f"{name}.svg").read_bytes(), name


def test_the_same_scores_give_the_same_svg(tmp_path):
    for name in ("a", "b"):
        save_pairwise(compare(some(3), reference="model 0", resamples=100), tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


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
