"""Comparisons find what was planted and nothing else, whatever the order of models and images."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from messages import mentions, naming
from rich.console import Console
from scipy import stats

from mrsal.errors import InputError
from mrsal.evaluation.comparison import compare
from mrsal.evaluation.scores import Scores

NAMES = tuple(f"s{i:03d}" for i in range(120))
QUICK = {"resamples": 1000}


def score(shift=0.0, *, seed=0, noise=0.03, **about):
    """Images differ much, models by ``shift`` and a little noise: only a paired test sees it."""
    images = np.random.default_rng(99).normal(0.7, 0.2, len(NAMES))
    own = np.random.default_rng(seed).normal(shift, noise, len(NAMES))
    return Scores(NAMES, {"AUC": images + own, "KL": 2 - images + own}, **about)


@pytest.fixture(scope="module")
def models():
    return {"good": score(0.02, seed=1), "same": score(0.02, seed=2), "bad": score(0, seed=3)}


def test_a_planted_difference_is_found_and_none_is_not(models):
    found = compare(models, **QUICK)
    assert [pair.winner for pair in found.of("AUC")] == ["", "good", "same"]
    assert [pair.winner for pair in found.of("KL")] == ["", "bad", "bad"]  # lower is better
    assert found.leaders("AUC") == ("good", "same")
    assert found.leaders("KL") == ("bad",)
    pair = found.of("AUC")[1]
    assert pair.low < 0.02 < pair.high
    assert pair.a_better > 0.6
    assert found.of("KL")[1].a_better < 0.4
    assert stats.ttest_ind(models["good"].values["AUC"], models["bad"].values["AUC"]).pvalue > 0.1  # unpaired


def test_numbers_agree_with_scipy(models):
    pair = compare(models, **QUICK).of("KL")[1]
    a, b = models["good"].values["KL"], models["bad"].values["KL"]
    assert pair.p_wilcoxon == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert (pair.mean_a, pair.mean_b) == pytest.approx((a.mean(), b.mean()))
    expected = stats.bootstrap((a - b,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0))
    assert (pair.low, pair.high) == pytest.approx(tuple(expected.confidence_interval))
    assert pair.difference == pytest.approx((a - b).mean())


def test_images_are_paired_by_name(models):
    order = np.random.default_rng(5).permutation(len(NAMES))
    values = {metric: column[order] for metric, column in models["bad"].values.items()}
    shuffled = models | {"bad": Scores(tuple(NAMES[i] for i in order), values)}
    assert compare(shuffled, **QUICK).to_dict() == compare(models, **QUICK).to_dict()


def test_the_order_of_models_leaves_p_alone(models):
    turned = compare(dict(reversed(models.items())), **QUICK)
    there = {frozenset((pair.a, pair.b)): pair for pair in turned.of("AUC")}
    for pair in compare(models, **QUICK).of("AUC"):
        other = there[frozenset((pair.a, pair.b))]
        assert other.difference == pytest.approx(-pair.difference)
        for p in ("p_bootstrap", "p_wilcoxon", "holm_bootstrap", "holm_wilcoxon"):
            assert getattr(other, p) == pytest.approx(getattr(pair, p))
        assert other.winner == pair.winner


def test_a_model_is_not_different_from_itself():
    (auc, kl) = compare({"a": score(), "b": score()}, **QUICK).pairs
    for pair in (auc, kl):
        assert (pair.difference, pair.low, pair.high, pair.a_better) == (0, 0, 0, 0.5)
        assert (pair.p_bootstrap, pair.p_wilcoxon, pair.holm_bootstrap, pair.winner) == (1, 1, 1, "")


def test_a_reference_makes_fewer_pairs_and_a_smaller_correction(models):
    every, some = compare(models, **QUICK), compare(models, reference="bad", **QUICK)
    assert [(pair.a, pair.b) for pair in some.of("AUC")] == [("good", "bad"), ("same", "bad")]
    assert some.of("AUC")[0].p_wilcoxon == every.of("AUC")[1].p_wilcoxon
    assert some.of("AUC")[0].holm_wilcoxon < every.of("AUC")[1].holm_wilcoxon
    text = "\n".join(some.table())
    assert any("▲" in line and mentions(line, "bad") for line in some.table())
    assert text.count("▼") == 3  # KL of two models, and the legend


def test_an_undefined_score_leaves_its_image_out_for_all(models):
    column = models["bad"].values["AUC"].copy()
    column[:10] = np.nan
    found = compare(models | {"bad": Scores(NAMES, {**models["bad"].values, "AUC": column})}, **QUICK)
    assert {pair.images for pair in found.of("AUC")} == {110}
    assert {pair.images for pair in found.of("KL")} == {120}
    assert found.means["AUC"]["good"] == pytest.approx(models["good"].values["AUC"][10:].mean())
    assert any(mentions(note, "AUC", 110, 120) for note in found.notes)


def test_a_metric_that_one_model_lacks_is_left_out_and_named(models):
    found = compare(models | {"bad": Scores(NAMES, {"AUC": models["bad"].values["AUC"]})}, **QUICK)
    assert found.metrics == ("AUC",)
    assert any(mentions(note, "KL", "bad") for note in found.notes)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_metric_that_is_infinite_somewhere_is_not_compared_and_the_others_are(models, sign, tmp_path):
    columns = {"IG": np.ones(len(NAMES)), **models["bad"].values}
    columns["IG"][3] = sign * np.inf
    others = {
        name: replace(scores, values={"IG": np.full(120, 0.5), **scores.values}) for name, scores in models.items()
    }
    found = compare(others | {"bad": replace(models["bad"], values=columns)}, **QUICK)
    without = compare(models, **QUICK)
    assert found.metrics == without.metrics == ("AUC", "KL")
    assert found.pairs == without.pairs
    reason = found.not_defined["IG"]
    assert mentions(reason, "IG", "bad", 1, 120, NAMES[3], ".npy", without="good")
    assert reason in found.explanation()
    assert mentions("\n".join(found.table()), "IG ↑", "not defined", "0.500", NAMES[3])
    console = Console(width=100, file=io.StringIO())
    console.print(found.mean_table())
    assert mentions(console.file.getvalue(), "IG ↑", "not defined", "0.500")
    shown = found.to_dict()
    assert shown["not_defined"] == {"IG": reason}
    assert shown["means"]["IG"]["bad"] is None
    found.save(tmp_path / "pairs.csv")
    assert "IG" not in (tmp_path / "pairs.csv").read_text()


def test_what_cannot_be_compared_is_refused(models):
    one = models["good"]
    fewer = Scores(NAMES[:-2], {metric: column[:-2] for metric, column in one.values.items()})
    twice = Scores((NAMES[0], *NAMES[:-1]), one.values)
    endless = Scores(NAMES, {"AUC": np.r_[-np.inf, one.values["AUC"][1:]]})
    for scores, options, named in (
        ({"a": one}, {}, (1,)),
        ({"a": one, "b": fewer}, {}, (2, "a", "b", "s118", "s119")),
        ({"a": fewer, "b": one}, {}, (2, "a", "b", "s118", "s119")),
        ({"a": one, "b": twice}, {}, ("b", "s000")),
        ({"a": one, "b": endless}, {}, ("AUC", "b", "s000")),
        ({"a": score(protocol="p1"), "b": score(protocol="p2")}, {}, ("protocol", "p1", "p2")),
        ({"a": score(dataset="d1"), "b": score(dataset="d2")}, {}, ("dataset", "d1", "d2")),
        ({"a": one, "b": Scores(NAMES, {"NSS": one.values["AUC"]})}, {}, ("AUC", "KL", "NSS")),
        ({"a": one, "b": one}, {"reference": "gold"}, ("gold", "a", "b")),
        ({"a": one, "b": one}, {"level": 95}, (95,)),
    ):
        with pytest.raises(InputError, match=naming(*named)):
            compare(scores, **options)


def test_the_direction_of_an_own_metric_has_to_be_told():
    own = {name: Scores(NAMES, {"mine": score(shift).values["KL"]}) for name, shift in (("a", 0), ("b", 0.1))}
    with pytest.raises(InputError, match=naming("mine", "higher_is_better")):
        compare(own)
    assert compare(own, higher_is_better={"mine": False}, **QUICK).pairs[0].winner == "a"


def test_a_silent_file_is_noted():
    found = compare({"a": score(protocol="tuebingen"), "b": score()}, **QUICK)
    assert found.protocol == "tuebingen"
    assert any(mentions(note, "b", "protocol") for note in found.notes)


def test_what_is_saved(models, tmp_path):
    found = compare(models, **QUICK)
    found.save(tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.pairs) == 6
    assert float(rows[4]["difference"]) == found.pairs[4].difference
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["leaders"]["AUC"] == ["good", "same"]
    table = list(found.table())
    assert table[0] == "| model | AUC ↑ | KL ↓ |"
    assert table[2].startswith("| good | **")
    assert [line.count("|") for line in table[:5]] == [4] * 5


def test_the_table_of_means_has_the_names_in_80_columns():
    values = {
        metric: np.linspace(0.1, 0.9, 12) for metric in ("IG", "AUC", "sAUC", "NSS", "CC", "KL", "SIM", "agreement")
    }
    models = {name: Scores(NAMES[:12], values) for name in ("centre", "uniform", "cnn_best")}
    console = Console(file=io.StringIO(), width=80)
    console.print(compare(models, **QUICK).mean_table())
    assert all(name in console.file.getvalue() for name in models)
