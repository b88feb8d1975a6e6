"""Metrics against hand-computed cases, properties, and independent implementations."""

import sys

import numpy as np
import pytest
import torch
from messages import naming
from scipy.integrate import simpson, trapezoid
from scipy.stats import entropy, pearsonr, wasserstein_distance
from sklearn.metrics import roc_auc_score

from mrsal import metrics
from mrsal.errors import InputError
from mrsal.images import read_grey
from mrsal.metrics._kernels import ranks

# what rounding may do to a metric of a map of this type; ranks are exact in both
TOLERANCES = {"float64": 1e-9, "float32": 1e-6}
TIGHT = TOLERANCES["float64"]


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


def test_auc_with_thousands_of_tied_negatives_is_sklearns():
    rng = np.random.default_rng(5)
    map_ = rng.integers(0, 6, (60, 80)).astype(np.uint8)
    x, y, other_x, other_y = (rng.uniform(0, size, n) for n in (200, 14_000) for size in (80, 60))
    got = metrics.auc(map_, x, y, negatives="shuffled", other_x=other_x, other_y=other_y)
    assert got == pytest.approx(roc(at(map_, x, y), at(map_, other_x, other_y)), abs=TIGHT)


def test_judds_auc_nears_half_a_fixation_above_the_exact_one():
    rng = np.random.default_rng(0)
    map_ = rng.random((100, 100))
    pixels = [np.divmod(rng.choice(map_.size, 5, replace=False), 100) for _ in range(300)]
    judd = [metrics.auc(map_, x, y, negatives="unfixated") for y, x in pixels]
    exact = [metrics.auc(map_, x, y) for y, x in pixels]
    # what it gains is 1 / (2 N) times the share of negatives above the lowest fixated value, here 5 in 6
    assert np.mean(np.subtract(judd, exact)) == pytest.approx(5 / 6 / (2 * 5), abs=0.01)


def test_borjis_steps_draw_the_curve_of_the_matlab_code(scene):
    map_, x, y = scene
    scaled = (map_ - map_.min()) / np.ptp(map_)
    positive = at(scaled, x, y)
    areas = []
    for negative in np.random.default_rng(4).choice(scaled.ravel(), (3, 60)):
        hits, alarms, threshold = [1.0], [1.0], 0
        while threshold * 0.1 <= max(positive.max(), negative.max()):
            hits.append(np.mean(positive >= threshold * 0.1))
            alarms.append(np.mean(negative >= threshold * 0.1))
            threshold += 1
        areas.append(-trapezoid([*hits, 0.0], [*alarms, 0.0]))
    got = metrics.auc(map_, x, y, negatives="borji", step=0.1, splits=3, seed=4)
    assert got == pytest.approx(np.mean(areas), abs=TIGHT)


def test_borjis_draws_follow_the_seed(scene):
    first, again, other = (metrics.auc(*scene, negatives="borji", splits=2, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("option", [{"splits": 0}, {"step": 0}, {"step": -0.1}, {"step": 2}])
def test_draws_and_steps_that_make_no_curve_are_refused(option):
    with pytest.raises(InputError, match=naming(*option, *option.values())):
        metrics.auc(np.eye(3), [1], [1], negatives="borji", **option)


def test_negatives_must_be_known_and_there():
    with pytest.raises(InputError, match=naming("judd", "uniform", "unfixated", "shuffled", "borji")):
        metrics.auc(np.eye(3), [1], [1], negatives="judd")
    with pytest.raises(InputError, match=naming("other_x", "other_y")):
        metrics.auc(np.eye(3), [1], [1], negatives="shuffled")
    with pytest.raises(InputError, match=naming(1, 2, "3x3")):
        metrics.auc(np.eye(3), [1], [1], negatives="shuffled", other_x=[1, 3], other_y=[1, 1])
    with pytest.raises(InputError, match="unfixated"):
        metrics.auc([[1.0, 2.0]], [0, 1], [0, 0], negatives="unfixated")


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


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e200])
def test_tiny_and_huge_maps_keep_their_nss_and_cc(scene, factor):
    map_, x, y = scene
    other = np.random.default_rng(1).random(map_.shape)
    assert metrics.nss(factor * map_, x, y) == pytest.approx(metrics.nss(map_, x, y), abs=TIGHT)
    assert metrics.cc(factor * map_, other) == pytest.approx(metrics.cc(map_, other), abs=TIGHT)


def test_nss_takes_fractions_to_their_pixel():
    map_ = np.arange(12.0).reshape(3, 4)
    assert metrics.nss(map_, [3.99, 0.0], [2.99, 0.5]) == metrics.nss(map_, [3, 0], [2, 0])


def test_information_gain_refuses_a_baseline_it_cannot_divide_by():
    density = np.ones((2, 3))
    with pytest.raises(InputError, match=naming((2, 3), (3, 2))):
        metrics.information_gain(density, [0], [0], baseline=density.T)
    with pytest.raises(InputError, match=naming("baseline", 0)):
        metrics.information_gain(density, [0], [0], baseline=[[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    with pytest.raises(InputError, match=naming("uniform", "centre")):
        metrics.information_gain(density, [0], [0], baseline="centre")


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
    assert metrics.cc(1 - other, other) == pytest.approx(-1, abs=TIGHT)
    with pytest.raises(InputError, match="constant"):
        metrics.cc(other, np.ones_like(map_))


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


def test_agreement_score_of_a_constant_map_and_of_a_target_in_unit_range():
    target = np.zeros((10, 10))
    target[:2, :2] = 255
    # wrong on four pixels of a hundred at all thresholds but the last, t = 1, above which nothing is
    shares = [0.96] * 19 + [1.0]
    assert metrics.agreement_score(np.full((10, 10), 3.0), target) == pytest.approx(simpson(shares) / 20, abs=TIGHT)
    with pytest.raises(InputError, match=naming("target", 0, 255, 1)):
        metrics.agreement_score(target, target / 255)
    with pytest.raises(InputError, match=naming("target", 0, 255, 1, 256)):
        metrics.agreement_score(target, target + 1)


def test_agreement_score_prefers_a_constant_map(data_root):
    paths = sorted((data_root / "mit1003" / "ALLFIXATIONMAPS").glob("*_fixMap.jpg"))[:20]
    if not paths:
        pytest.skip(f"needs MIT1003's published density maps: none under {data_root}")
    maps = [read_grey(path) for path in paths]
    perfect, constant, inverted = (
        np.mean([metrics.agreement_score(change(m), m) for m in maps])
        for change in (lambda m: m, np.zeros_like, lambda m: 255 - m)
    )
    # the 20 thresholds are 19 steps: 19 / 20. All 100 maps: docs/agreement-score.md
    assert perfect == pytest.approx(0.95, abs=TIGHT)
    assert constant == pytest.approx(0.917, abs=0.01)
    assert inverted == pytest.approx(0.071, abs=0.02)


@pytest.mark.parametrize("metric", [metrics.cc, metrics.sim, metrics.kl_divergence, metrics.agreement_score])
def test_maps_of_two_sizes_are_refused_with_both_shapes(metric):
    with pytest.raises(InputError, match=naming((3, 4), (4, 3))):
        metric(np.ones((3, 4)), np.ones((4, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    map_ = np.ones((3, 3))
    map_[1, 1] = bad
    for call in (metrics.auc, metrics.nss):
        with pytest.raises(InputError, match=naming(1, "NaN")):
            call(map_, [0], [0])
    with pytest.raises(InputError, match=naming(1, "NaN")):
        metrics.cc(map_, np.eye(3))


@pytest.mark.parametrize(("x", "y", "named"), [([], [], "fixations"), ([9], [0], "3x3"), ([-0.5], [0], "3x3")])
def test_no_fixations_and_fixations_outside_are_refused(x, y, named):
    for call in (metrics.auc, metrics.nss):
        with pytest.raises(InputError, match=naming(named)):
            call(np.eye(3), x, y)


def test_distributions_must_not_be_negative_or_empty():
    with pytest.raises(InputError, match="negative"):
        metrics.sim([[-1.0, 1.0]], [[1.0, 1.0]])
    with pytest.raises(InputError, match="zero"):
        metrics.kl_divergence([[0.0, 0.0]], [[1.0, 1.0]])


def test_torch_maps_and_positions_are_accepted(scene):
    map_, x, y = scene
    assert metrics.auc(torch.tensor(map_, requires_grad=True), x, y) == metrics.auc(map_, x, y)
    assert metrics.nss(map_, torch.tensor(x, requires_grad=True), torch.tensor(y)) == metrics.nss(map_, x, y)
    half = torch.tensor(map_, dtype=torch.bfloat16)
    assert metrics.nss(half, x, y) == metrics.nss(half.float().numpy(), x, y)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("map.png", "str"),
        (None, "NoneType"),
        ([[1.0, 2.0], [3.0]], "list"),
        (np.eye(3) * 1j, "complex128"),
        (np.ones(4), (4,)),
        (np.ones((1, 3, 4, 1)), (1, 3, 4, 1)),
    ],
)
def test_what_is_no_map_of_real_numbers_is_refused(bad, named):
    with pytest.raises(InputError, match=naming(named)):
        metrics.nss(bad, [0], [0])


def test_x_comes_before_y():
    map_ = np.zeros((2, 5))
    map_[1, 4] = 1
    assert metrics.auc(map_, [4], [1]) > 0.9
    with pytest.raises(InputError, match=naming(1, "5x2")):
        metrics.auc(map_, [1], [4])


def positions_for(count, shape, rng):
    return [rng.uniform(0, shape[1], count), rng.uniform(0, shape[0], count)]


ON_STACKS = {
    "auc": lambda m, x, y, t: metrics.auc(m, x, y),
    "auc shuffled": lambda m, x, y, t: metrics.auc(m, x, y, negatives="shuffled", other_x=y, other_y=y),
    "auc borji": lambda m, x, y, t: metrics.auc(m, x, y, negatives="borji", splits=3),
    "nss": lambda m, x, y, t: metrics.nss(m, x, y),
    "log_likelihood": lambda m, x, y, t: metrics.log_likelihood(m, x, y),
    "information_gain": lambda m, x, y, t: metrics.information_gain(m, x, y, baseline=t),
    "information_gain uniform": lambda m, x, y, t: metrics.information_gain(m, x, y, baseline="uniform"),
    "cc": lambda m, x, y, t: metrics.cc(m, t),
    "sim": lambda m, x, y, t: metrics.sim(m, t),
    "kl_divergence": lambda m, x, y, t: metrics.kl_divergence(m, t),
    "agreement_score": lambda m, x, y, t: metrics.agreement_score(m, t),
}


@pytest.mark.parametrize("form", [np.asarray, list, torch.tensor])
@pytest.mark.parametrize("name", ON_STACKS)
def test_a_stack_gives_what_its_maps_give_one_by_one(name, form):
    rng = np.random.default_rng(6)
    maps, targets = rng.random((3, 9, 11)), rng.integers(1, 255, (3, 9, 11)).astype(float)
    points = [positions_for(n, (9, 9), rng) for n in (1, 4, 7)]  # ragged; inside whichever axis is which
    x, y = ([p[axis] for p in points] for axis in (0, 1))
    metric = ON_STACKS[name]
    one_by_one = [metric(maps[i], x[i], y[i], targets[i]) for i in range(3)]
    assert all(isinstance(value, float) for value in one_by_one)
    got = metric(form(maps), x, y, form(targets))
    assert got.shape == (3,)
    assert got.dtype == np.float64
    assert got.tolist() == one_by_one
    shared = metric(form(maps), x, y, targets[0])
    assert shared.tolist() == [metric(maps[i], x[i], y[i], targets[0]) for i in range(3)]


def test_a_stack_may_hold_maps_of_different_sizes():
    rng = np.random.default_rng(0)
    maps = [rng.random((4, 6)), rng.random((7, 3))]
    assert metrics.nss(maps, [[5], [2]], [[3], [6]]).tolist() == [
        metrics.nss(map_, x, y) for map_, x, y in zip(maps, ([5], [2]), ([3], [6]), strict=True)
    ]


def test_a_stack_with_too_few_positions_is_refused_and_a_bad_map_is_named():
    maps = np.random.default_rng(0).random((3, 4, 5))
    with pytest.raises(InputError, match=naming("x", 3)):
        metrics.auc(maps, [1, 2, 3], [1, 2, 3])
    with pytest.raises(InputError, match=naming("y", 3)):
        metrics.nss(maps, [[1]] * 3, [[1]] * 2)
    with pytest.raises(InputError, match=naming("b", 3)):
        metrics.cc(maps, maps[:2])
    with pytest.raises(InputError, match=naming("map", 1)):
        metrics.nss(maps, [[1], [], [1]], [[1], [], [1]])
    with pytest.raises(InputError, match="empty"):
        metrics.cc(np.ones((0, 3, 4)), np.eye(3))


@pytest.mark.parametrize("dtype", TOLERANCES)
def test_float32_maps_lose_no_more_than_their_rounding(scene, dtype):
    map_, x, y = scene
    given, exact = map_.astype(dtype), map_.astype(dtype).astype(np.float64)
    other = np.random.default_rng(1).random(map_.shape)
    for call in (metrics.cc, metrics.sim, metrics.kl_divergence):
        assert call(given, other) == pytest.approx(call(exact, other), abs=TOLERANCES[dtype])
        assert call(given, other) == pytest.approx(call(map_, other), abs=TOLERANCES[dtype])
    assert metrics.nss(given, x, y) == pytest.approx(metrics.nss(map_, x, y), abs=TOLERANCES[dtype])
    for negatives in ("uniform", "unfixated"):
        assert metrics.auc(given, x, y, negatives=negatives) == metrics.auc(exact, x, y, negatives=negatives)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "population",
    [
        lambda rng: rng.random(20_000),
        lambda rng: rng.integers(0, 40, 20_000),  # ties everywhere
        lambda rng: rng.lognormal(0, 6, 20_000),  # almost all in one bin
        lambda rng: np.full(20_000, 0.1),
        lambda rng: np.where(rng.random(20_000) < 0.5, -1e30, 1e30),
        lambda rng: rng.random(20_000) * 1e-42,  # subnormal in float32
        lambda rng: 1e6 + np.round(rng.random(20_000), 1),  # a large offset
    ],
)
def test_ranks_are_those_of_a_sort(population, dtype):
    rng = np.random.default_rng(8)
    values = population(rng).astype(dtype)
    # some of them, the ends, and values outside on both sides
    probes = np.r_[rng.choice(values, 50), values.min(), values.max(), values.min() - 1, values.max() + 1].astype(dtype)
    below, equal = ranks(values, probes)
    assert below.tolist() == [(values < probe).sum() for probe in probes]
    assert equal.tolist() == [(values == probe).sum() for probe in probes]


def test_ranks_do_not_overflow():
    values = np.linspace(-1.0, 1.0, 20_000) * np.finfo(np.float64).max
    below, equal = ranks(values, values[[0, 77]])
    assert (below.tolist(), equal.tolist()) == ([0, 77], [1, 1])


def test_log_likelihood_by_hand_and_beside_information_gain():
    density = np.array([[1.0, 1.0], [2.0, 4.0]])  # probabilities 1/8, 1/8, 1/4, 1/2
    x, y = [1, 0], [1, 0]
    assert metrics.log_likelihood(density, x, y) == pytest.approx((-1 - 3) / 2)
    assert metrics.log_likelihood(np.ones((4, 8)), [3], [3]) == -5
    gain = metrics.information_gain(density, x, y, baseline=density.T[::-1])
    expected = metrics.log_likelihood(density, x, y) - metrics.log_likelihood(density.T[::-1], x, y)
    assert gain == pytest.approx(expected, abs=TIGHT)
    assert metrics.log_likelihood([[0.0, 1.0]], [0], [0]) == -np.inf
    with pytest.raises(InputError, match="negative"):
        metrics.log_likelihood(-density, x, y)


def test_emd_is_scipys_wasserstein_distance_on_a_line():
    pytest.importorskip("ot", reason="needs mrsal[emd]")
    rng = np.random.default_rng(0)
    p, q = rng.random((1, 30)), rng.random((1, 30))
    expected = wasserstein_distance(np.arange(30), np.arange(30), p[0], q[0])
    assert metrics.emd(p, q, reduction=1) == pytest.approx(expected, abs=TOLERANCES["float32"])
    assert metrics.emd(q, q, reduction=1) == pytest.approx(0, abs=TIGHT)


def test_emd_is_in_pixels_of_the_stimulus():
    pytest.importorskip("ot", reason="needs mrsal[emd]")
    left, right = np.zeros((96, 160)), np.zeros((96, 160))
    left[32:64, 32:64] = right[32:64, 96:128] = 1
    assert metrics.emd(left, right) == pytest.approx(64, abs=1)  # bicubic spreads it unevenly
    assert metrics.emd(np.stack([left, right]), right).tolist() == pytest.approx([64, 0], abs=1)
    # 150 columns are 5 cells of 30 pixels
    assert metrics.emd(left[:, :150], right[:, :150]) == pytest.approx(64, abs=4)
    with pytest.raises(InputError, match="zero"):
        metrics.emd(0 * left, left)
    with pytest.raises(InputError, match=naming("reduction", 0)):
        metrics.emd(left, right, reduction=0)


def test_emd_after_histogram_matching_sees_ranks_only():
    pytest.importorskip("ot", reason="needs mrsal[emd]")
    rng = np.random.default_rng(0)
    p, q = rng.random((4, 5)), rng.random((4, 5))
    matched = np.empty(20)
    matched[np.argsort(p.ravel())] = np.sort(q.ravel())
    expected = metrics.emd(matched.reshape(4, 5), q, reduction=1)
    for map_ in (p, p**3):
        got = metrics.emd(map_, q, reduction=1, match_histogram=True)
        assert got == pytest.approx(expected, abs=TIGHT)
    constant = metrics.emd(np.ones((4, 5)), q, reduction=1, match_histogram=True)
    assert constant == pytest.approx(metrics.emd(np.ones((4, 5)), q, reduction=1), abs=TIGHT)


def test_emd_without_pot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[emd\]'"):
        metrics.emd(np.eye(3), np.eye(3))
