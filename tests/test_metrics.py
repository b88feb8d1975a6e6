"""Metrics against hand-computed cases, properties, and independent implementations."""

import numpy as np
import pytest
import torch
from scipy.integrate import simpson, trapezoid
from scipy.stats import entropy, pearsonr
from sklearn.metrics import roc_auc_score

from mrsal import metrics
from mrsal.errors import InputError
from mrsal.images import read_grey

TIGHT = 1e-9


@pytest.fixture
def scene():
    """A map with many ties, and fixations that prefer its high values."""
    rng = np.random.default_rng(3)
    map_ = np.round(rng.random((31, 47)) ** 2, 2)
    at = rng.choice(map_.size, 60, p=map_.ravel() / map_.sum())
    y, x = np.divmod(at, 47)
    return map_, x + rng.random(60), y + rng.random(60)


def at(map_, x, y):
    return map_[np.asarray(y).astype(int), np.asarray(x).astype(int)]


def roc(positive, negative):
    return roc_auc_score(np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative])


def test_auc_with_uniform_negatives_is_sklearns(scene):
    map_, x, y = scene
    assert metrics.auc(map_, x, y) == pytest.approx(roc(at(map_, x, y), map_.ravel()), abs=TIGHT)


def test_auc_with_shuffled_negatives_is_sklearns_and_keeps_repeats(scene):
    map_, x, y = scene
    rng = np.random.default_rng(0)
    other_x, other_y = np.repeat(rng.uniform(0, 47, 40), 3), np.repeat(rng.uniform(0, 31, 40), 3)
    got = metrics.auc(map_, x, y, negatives="shuffled", other_x=other_x, other_y=other_y)
    assert got == pytest.approx(roc(at(map_, x, y), at(map_, other_x, other_y)), abs=TIGHT)


def test_judds_auc_has_thresholds_at_fixations_only(scene):
    map_, x, y = scene
    fixated = np.zeros(map_.shape, bool)
    fixated[y.astype(int), x.astype(int)] = True
    hits, alarms = [0.0], [0.0]
    for threshold in sorted(at(map_, x, y), reverse=True):
        hits.append(np.mean(at(map_, x, y) >= threshold))
        alarms.append(np.mean(map_[~fixated] >= threshold))
    expected = trapezoid([*hits, 1.0], [*alarms, 1.0])
    assert metrics.auc(map_, x, y, negatives="unfixated") == pytest.approx(expected, abs=TIGHT)


def test_borjis_auc_nears_the_exact_one_and_steps_punish_a_peaky_map(scene):
    map_, x, y = scene
    exact = metrics.auc(map_, x, y)
    assert metrics.auc(map_, x, y, negatives="borji", splits=400) == pytest.approx(exact, abs=0.01)
    peaky = map_**8
    assert metrics.auc(peaky, x, y, negatives="borji", step=0.1) < metrics.auc(peaky, x, y, negatives="borji") - 0.05


def test_auc_by_hand():
    # one fixation on the 2 of 0, 1, 2, 2: above two pixels, equal to two
    assert metrics.auc([[0.0, 1.0], [2.0, 2.0]], [0], [1]) == 0.75


@pytest.mark.parametrize("negatives", ["uniform", "unfixated", "borji", "shuffled"])
def test_constant_map_is_chance(negatives):
    got = metrics.auc(np.full((5, 7), 0.3), [1, 2], [3, 4], negatives=negatives, other_x=[0], other_y=[0])
    assert got == pytest.approx(0.5)


@pytest.mark.parametrize("negatives", ["uniform", "unfixated", "shuffled"])
def test_monotone_transforms_leave_auc_alone(scene, negatives):
    map_, x, y = scene
    options = {"negatives": negatives, "other_x": [3, 4, 5, 40], "other_y": [1, 2, 3, 30]}
    assert metrics.auc(np.exp(3 * map_) - 7, x, y, **options) == metrics.auc(map_, x, y, **options)


def test_nss_is_the_mean_z_score_and_ignores_affine_transforms(scene):
    map_, x, y = scene
    expected = at((map_ - map_.mean()) / map_.std(), x, y).mean()
    assert metrics.nss(map_, x, y) == pytest.approx(expected, abs=TIGHT)
    assert metrics.nss(5 * map_ - 2, x, y) == pytest.approx(expected, abs=TIGHT)
    assert metrics.nss(np.full((4, 4), 2.0), [1], [1]) == 0


def test_information_gain_by_hand():
    density = np.array([[1.0, 1.0], [2.0, 4.0]])  # probabilities 1/8, 1/8, 1/4, 1/2
    assert metrics.information_gain(density, [1, 0], [1, 1], baseline="uniform") == pytest.approx(0.5)
    assert metrics.information_gain(density, [1, 0], [1, 1], baseline=density) == 0
    assert metrics.information_gain([[0.0, 1.0]], [0], [0], baseline="uniform") == -np.inf


def test_cc_is_pearsons(scene):
    map_, _, _ = scene
    other = np.random.default_rng(1).random(map_.shape)
    assert metrics.cc(map_, other) == pytest.approx(pearsonr(map_.ravel(), other.ravel()).statistic, abs=TIGHT)
    assert metrics.cc(3 * map_ + 1, other) == pytest.approx(metrics.cc(map_, other), abs=TIGHT)
    assert metrics.cc(np.ones_like(map_), other) == 0


def test_kl_is_scipys_relative_entropy(scene):
    prediction = scene[0] + 0.01
    truth = np.random.default_rng(1).random(prediction.shape)
    assert metrics.kl_divergence(prediction, truth) == pytest.approx(
        entropy(truth.ravel(), prediction.ravel()), abs=1e-6
    )
    assert metrics.kl_divergence(truth, truth) == pytest.approx(0, abs=TIGHT)


def test_kl_is_asymmetric_and_finite_where_the_prediction_is_zero():
    assert 30 < metrics.kl_divergence([[1.0, 0.0]], [[0.0, 1.0]]) < 37
    assert metrics.kl_divergence([[1.0, 3.0]], [[1.0, 1.0]]) != metrics.kl_divergence([[1.0, 1.0]], [[1.0, 3.0]])


def test_sim_is_shared_mass(scene):
    map_, _, _ = scene
    assert metrics.sim(map_, map_) == pytest.approx(1)
    assert metrics.sim([[1.0, 0.0]], [[0.0, 1.0]]) == 0
    other = np.random.default_rng(1).random(map_.shape)
    assert metrics.sim(map_, other) == pytest.approx(metrics.sim(10 * other, map_), abs=TIGHT)


def test_agreement_score_counts_what_twenty_comparisons_count(scene):
    prediction = scene[0]
    target = np.round(np.random.default_rng(2).random(prediction.shape) * 255)
    scaled = (prediction - prediction.min()) / np.ptp(prediction)
    shares = [np.mean((scaled > t) == (target / 255 > t)) for t in np.linspace(0, 1, 20)]
    assert metrics.agreement_score(prediction, target) == pytest.approx(simpson(shares) / 20, abs=TIGHT)


def test_agreement_score_prefers_a_constant_map(data_root):
    paths = sorted((data_root / "mit1003" / "ALLFIXATIONMAPS").glob("*_fixMap.jpg"))[:20]
    maps = [read_grey(path) for path in paths]
    perfect = np.mean([metrics.agreement_score(m, m) for m in maps])
    constant = np.mean([metrics.agreement_score(np.zeros(m.shape), m) for m in maps])
    assert perfect == pytest.approx(0.95, abs=0.002)
    assert constant > 0.85


@pytest.mark.parametrize("metric", [metrics.cc, metrics.sim, metrics.kl_divergence, metrics.agreement_score])
def test_maps_of_two_sizes_are_refused_with_both_shapes(metric):
    with pytest.raises(InputError, match=r"\(3, 4\).*\(4, 3\)"):
        metric(np.ones((3, 4)), np.ones((4, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    map_ = np.ones((3, 3))
    map_[1, 1] = bad
    for call in (metrics.auc, metrics.nss):
        with pytest.raises(InputError, match="NaN or infinite"):
            call(map_, [0], [0])
    with pytest.raises(InputError, match="NaN or infinite"):
        metrics.cc(map_, np.eye(3))


@pytest.mark.parametrize(("x", "y", "complaint"), [([], [], "none"), ([9], [0], "outside"), ([-0.5], [0], "outside")])
def test_no_fixations_and_fixations_outside_are_refused(x, y, complaint):
    for call in (metrics.auc, metrics.nss):
        with pytest.raises(InputError, match=complaint):
            call(np.eye(3), x, y)


def test_distributions_must_not_be_negative_or_empty():
    with pytest.raises(InputError, match="negative"):
        metrics.sim([[-1.0, 1.0]], [[1.0, 1.0]])
    with pytest.raises(InputError, match="zero everywhere"):
        metrics.kl_divergence([[0.0, 0.0]], [[1.0, 1.0]])


def test_torch_maps_are_accepted(scene):
    map_, x, y = scene
    assert metrics.auc(torch.tensor(map_, requires_grad=True), x, y) == metrics.auc(map_, x, y)


def test_x_comes_before_y():
    map_ = np.zeros((2, 5))
    map_[1, 4] = 1
    assert metrics.auc(map_, [4], [1]) > 0.9
    with pytest.raises(InputError, match="outside"):
        metrics.auc(map_, [1], [4])
