"""Protocols against the public metrics, and against transcripts of the MATLAB code they follow."""

from dataclasses import replace

import numpy as np
import pytest
from messages import naming
from scipy.integrate import trapezoid

from mrsal import metrics
from mrsal.datasets.fixations import fixation_density
from mrsal.errors import InputError

TIGHT = 1e-9
SHAPE = (24, 32)


@pytest.fixture
def case():
    rng = np.random.default_rng(2)
    map_ = rng.random(SHAPE) ** 2
    y, x = np.divmod(rng.choice(map_.size, 40, p=map_.ravel() / map_.sum()), SHAPE[1])
    x, y = np.r_[x, x[:5]] + 0.5, np.r_[y, y[:5]] + 0.5  # five repeats
    return {
        "saliency_map": map_,
        "x": x,
        "y": y,
        "target": fixation_density(x, y, SHAPE, sigma=3),
        "other_x": rng.uniform(0, SHAPE[1], 300),
        "other_y": rng.uniform(0, SHAPE[0], 300),
        "baseline": rng.random(SHAPE) + 0.1,
        "density": map_ + 0.01,
    }


def test_the_protocols_are_these_and_every_column_has_a_direction():
    assert list(metrics.PROTOCOLS) == ["tuebingen", "mit-matlab", "mrcnn", "historical"]
    for name, protocol in metrics.PROTOCOLS.items():
        assert metrics.protocol(name) is protocol
        assert protocol.name == name
        assert set(protocol.metrics) <= set(metrics.HIGHER_IS_BETTER)
        assert len(protocol.description) > 80
    assert [name for name, higher in metrics.HIGHER_IS_BETTER.items() if not higher] == ["KL", "EMD"]
    assert not metrics.PROTOCOLS["historical"].needs_fixations
    assert metrics.PROTOCOLS["mrcnn"].needs_fixations
    with pytest.raises(InputError, match=naming("tübingen", *metrics.PROTOCOLS)):
        metrics.protocol("tübingen")


def test_sigma_is_the_benchmarks_or_one_degree():
    tuebingen = metrics.protocol("tuebingen")
    assert [tuebingen.sigma(name, 30.5) for name in ("MIT1003", "cat2000", "osie")] == [24, 40, 30.5]
    assert metrics.protocol("mit-matlab").sigma("mit1003", 35) == 35
    for wrong in (0, -1, np.nan, np.inf):
        with pytest.raises(InputError, match=naming("pixels_per_degree", "osie", wrong)):
            tuebingen.sigma("osie", wrong)


def test_tuebingen_is_the_public_metrics(case):
    map_, x, y, target = (case[name] for name in ("saliency_map", "x", "y", "target"))
    others = {name: case[name] for name in ("other_x", "other_y")}
    expected = {
        "IG": metrics.information_gain(case["density"], x, y, baseline=case["baseline"]),
        "AUC": metrics.auc(map_, x, y),
        "sAUC": metrics.auc(map_, x, y, negatives="shuffled", **others),
        "NSS": metrics.nss(map_, x, y),
        "CC": metrics.cc(map_, target),
        "KL": metrics.kl_divergence(map_, target),
        "SIM": metrics.sim(map_, target),
    }
    got = metrics.score(**case)
    assert list(got) == list(expected)
    assert got == pytest.approx(expected, abs=TIGHT)
    assert metrics.score(**case, protocol="mrcnn") == {"sAUC": got["sAUC"]}


def transcript_of_auc_borji(map_, fixation_map, draws, step):
    """AUC_Borji.m and AUC_shuffled.m differ in what they draw; ``draws`` are values of the scaled map."""
    positives = map_[fixation_map > 0]
    areas = []
    for negatives in draws:
        top = max(positives.max(), negatives.max())
        thresholds = [i * step for i in range(int(top / step + 1e-9) + 1)][::-1]
        hits = [0, *((positives >= t).mean() for t in thresholds), 1]
        alarms = [0, *((negatives >= t).mean() for t in thresholds), 1]
        areas.append(trapezoid(hits, alarms))
    return np.mean(areas)


def transcript_of_auc_judd(map_, fixation_map):
    positives = map_[fixation_map > 0]
    count, pixels = positives.size, map_.size
    hits, alarms = [0.0], [0.0]
    for i, threshold in enumerate(sorted(positives, reverse=True), start=1):
        hits.append(i / count)
        alarms.append(((map_ >= threshold).sum() - i) / (pixels - count))
    return trapezoid([*hits, 1], [*alarms, 1])


def test_mit_matlab_is_the_matlab_code(case):
    map_, target = case["saliency_map"], case["target"]
    fixation_map = np.zeros(SHAPE)
    fixation_map[case["y"].astype(int), case["x"].astype(int)] = 1
    scaled, scaled_target = ((m - m.min()) / np.ptp(m) for m in (map_, target))
    fixated = int(fixation_map.sum())
    others = np.unique(case["other_y"].astype(int) * SHAPE[1] + case["other_x"].astype(int))
    rng = np.random.default_rng(7)
    shuffled = [scaled.ravel()[rng.choice(others, fixated, replace=False, shuffle=False)] for _ in range(100)]
    borji = np.random.default_rng(7).choice(scaled.ravel(), (100, fixated))
    z = (map_ - map_.mean()) / map_.std(ddof=1)
    p, q = map_ / map_.sum(), target / target.sum()
    eps = 2.2204e-16
    expected = {
        "AUC-Judd": transcript_of_auc_judd(map_, fixation_map),
        "AUC-Borji": transcript_of_auc_borji(scaled, fixation_map, borji, 0.1),
        "AUC-shuffled": transcript_of_auc_borji(scaled, fixation_map, shuffled, 0.1),
        "NSS": z[fixation_map > 0].mean(),
        "CC": np.corrcoef(map_.ravel(), target.ravel())[0, 1],
        "SIM": np.minimum(scaled / scaled.sum(), scaled_target / scaled_target.sum()).sum(),
        "KL": (q * np.log(eps + q / (p + eps))).sum(),
    }
    got = metrics.score(**case, protocol="mit-matlab", seed=7)
    assert list(got) == list(expected)
    assert got == pytest.approx(expected, abs=TIGHT)
    assert metrics.score(**case, protocol="mit-matlab", seed=8)["AUC-Borji"] != got["AUC-Borji"]


def test_historical_scales_a_density_to_eight_bits(case):
    target = case["target"]
    expected = {"agreement": metrics.agreement_score(case["saliency_map"], target * (255 / target.max()))}
    assert metrics.score(**case, protocol="historical") == expected
    published = np.round(target / target.max() * 200)
    assert metrics.score(case["saliency_map"], target=published, protocol="historical") == {
        "agreement": metrics.agreement_score(case["saliency_map"], published)
    }


def test_what_the_data_do_not_allow_is_left_out(case):
    map_, x, y, target = (case[name] for name in ("saliency_map", "x", "y", "target"))
    assert list(metrics.score(map_, target=target)) == ["CC", "KL", "SIM"]
    assert list(metrics.score(map_, x=x, y=y)) == ["AUC", "NSS"]
    assert list(metrics.score(map_, x=x, y=y, density=map_)) == ["AUC", "NSS"]
    assert list(metrics.score(map_, x=x, y=y, other_x=[], other_y=[])) == ["AUC", "NSS"]
    assert list(metrics.score(map_, x=x, y=y, protocol="mit-matlab")) == ["AUC-Judd", "AUC-Borji", "NSS"]
    assert metrics.score(map_, x=x, y=y, protocol="mrcnn") == {}
    with pytest.raises(InputError, match=naming("tuebingen", "x", "y", "target")):
        metrics.score(map_)
    with pytest.raises(InputError, match=naming("x", "y", "other_x", "other_y")):
        metrics.score(map_, x=x, target=target)


def test_a_protocol_of_fewer_metrics_gives_those(case):
    few = replace(metrics.protocol("tuebingen"), metrics=("SIM", "AUC"))
    assert list(metrics.score(**case, protocol=few)) == ["SIM", "AUC"]
    with pytest.raises(InputError, match=naming("tuebingen", "EMD")):
        metrics.score(**case, protocol=replace(few, metrics=("EMD",)))


def test_emd_is_asked_for(case):
    pytest.importorskip("ot", reason="needs mrsal[emd]")
    protocol = metrics.protocol("mit-matlab", emd=True)
    assert protocol.metrics == (*metrics.PROTOCOLS["mit-matlab"].metrics, "EMD")
    wide = {
        "saliency_map": np.kron(case["saliency_map"], np.ones((4, 4))),
        "target": np.kron(case["target"], np.ones((4, 4))),
    }
    got = metrics.score(**wide, protocol=protocol)["EMD"]
    assert got == metrics.emd(wide["saliency_map"], wide["target"], match_histogram=True)
    assert np.isfinite(metrics.score(np.zeros((96, 128)), target=wide["target"], protocol=protocol)["EMD"])
    with pytest.raises(InputError, match=naming("tuebingen", "EMD", "mit-matlab")):
        metrics.protocol("tuebingen", emd=True)


@pytest.mark.parametrize("name", ["tuebingen", "mit-matlab", "mrcnn", "historical"])
@pytest.mark.parametrize("value", [0.0, 0.3, -2.0])
def test_a_constant_map_is_chance_in_every_protocol(case, name, value):
    got = metrics.score(**case | {"saliency_map": np.full(SHAPE, value)}, protocol=name)
    for metric, chance in {"AUC": 0.5, "sAUC": 0.5, "AUC-Judd": 0.5, "AUC-Borji": 0.5, "AUC-shuffled": 0.5}.items():
        assert got.get(metric, chance) == pytest.approx(chance)
    assert got.get("NSS", 0) == got.get("CC", 0) == 0
    assert all(np.isfinite(list(got.values())))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"target": np.ones((3, 3))}, [SHAPE, (3, 3)]),
        ({"x": [999.0], "y": [0.0]}, [1, "32x24"]),
        ({"saliency_map": np.eye(3) * np.nan}, [9, "NaN"]),
    ],
)
def test_wrong_arrays_are_refused(case, wrong, named):
    with pytest.raises(InputError, match=naming(*named)):
        metrics.score(**case | wrong)


def test_optimal_maps_are_the_density_its_blur_and_its_ratio(case):
    p = case["density"] / case["density"].sum()
    shuffled = case["baseline"]
    for metric in metrics.HIGHER_IS_BETTER:
        got = metrics.optimal_map(3 * case["density"], metric, sigma=2, shuffled_density=shuffled)
        assert got.shape == SHAPE
        assert (got >= 0).all()
    for metric in ("IG", "AUC", "NSS"):
        np.testing.assert_allclose(metrics.optimal_map(3 * case["density"], metric, sigma=2), p, atol=TIGHT)
    ratio = metrics.optimal_map(case["density"], "sAUC", sigma=2, shuffled_density=shuffled)
    np.testing.assert_allclose(ratio * (shuffled / shuffled.sum()), p, atol=TIGHT)
    # a density of one point is blurred to what fixations there are blurred to
    point = np.zeros(SHAPE)
    point[5, 6] = 2
    for metric in ("CC", "KL", "SIM"):
        np.testing.assert_allclose(
            metrics.optimal_map(point, metric, sigma=2), fixation_density([6.5], [5.5], SHAPE, sigma=2), atol=TIGHT
        )
    with pytest.raises(InputError, match=naming("sAUC", "shuffled_density")):
        metrics.optimal_map(point, "sAUC", sigma=2)
    with pytest.raises(InputError, match=naming(0)):
        metrics.optimal_map(p, "sAUC", sigma=2, shuffled_density=point)
    with pytest.raises(InputError, match=naming("accuracy", "sAUC")):
        metrics.optimal_map(p, "accuracy", sigma=2)


def test_optimal_maps_score_highest_for_the_density_fixations_come_from():
    rng = np.random.default_rng(0)
    truth, centre = (
        np.exp(-((np.mgrid[:24, :32].T - c) ** 2).sum(-1).T / (2 * s**2)) + 0.01
        for c, s in (((8, 8), 2), ((12, 16), 8))
    )
    at = [rng.choice(truth.size, 4000, p=(d / d.sum()).ravel()) for d in (truth, centre)]
    (y, x), (other_y, other_x) = (np.divmod(a, 32) for a in at)
    target = fixation_density(x, y, SHAPE, sigma=3)
    data = {"x": x, "y": y, "other_x": other_x, "other_y": other_y, "target": target, "baseline": centre}
    optimal = metrics.score_optimal(truth, sigma=3, shuffled_density=centre, **data)
    plain = metrics.score(truth, density=truth, **data)
    assert list(optimal) == list(plain) == list(metrics.PROTOCOLS["tuebingen"].metrics)
    for metric in ("CC", "SIM", "sAUC"):
        assert optimal[metric] > plain[metric] + 0.001
    assert optimal["KL"] < plain["KL"] - 0.01
    assert {m: optimal[m] for m in ("IG", "AUC", "NSS")} == pytest.approx(
        {m: plain[m] for m in ("IG", "AUC", "NSS")}, abs=TIGHT
    )
    assert "sAUC" not in metrics.score_optimal(truth, sigma=3, **data)
