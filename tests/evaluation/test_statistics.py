"""Intervals that cover as often as they say, and tests that agree with scipy and with published numbers."""

import numpy as np
import pytest
from scipy import stats

from mrsal.evaluation.statistics import bootstrap_means, bootstrap_p, holm, percentile_interval, wilcoxon_p


def test_the_interval_is_that_of_scipy():
    sample = np.random.default_rng(3).gamma(2.0, size=60)
    ours = percentile_interval(bootstrap_means(sample[:, None], resamples=500, seed=4)[:, 0], 0.9)
    theirs = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=500,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(4),  # draws the same images
    ).confidence_interval
    assert ours == pytest.approx(tuple(theirs), rel=1e-12)


def test_the_interval_covers_the_true_mean_as_often_as_it_says():
    rng, hits, runs = np.random.default_rng(0), 0, 400
    samples = rng.exponential(size=(80, runs))
    for k, column in enumerate(samples.T):
        low, high = percentile_interval(bootstrap_means(column[:, None], resamples=400, seed=k)[:, 0], 0.9)
        hits += low <= 1 <= high
    assert hits / runs == pytest.approx(0.9, abs=0.05)  # the deviation of such a share is 0.015


def test_blocks_do_not_change_the_draws(monkeypatch):
    columns = np.random.default_rng(1).normal(size=(30, 3))
    whole = bootstrap_means(columns, resamples=200, seed=2)
    monkeypatch.setattr("mrsal.evaluation.statistics._BLOCK", 30 * 7)
    assert bootstrap_means(columns, resamples=200, seed=2) == pytest.approx(whole)


def test_a_missing_value_is_left_out_of_the_means():
    columns = np.full((40, 2), 3.0)
    columns[::4, 0] = np.nan
    columns[1:, 1] = np.nan
    means = bootstrap_means(columns, resamples=200, seed=0)
    assert means[:, 0] == pytest.approx(3)
    assert set(means[~np.isnan(means[:, 1]), 1]) == {3.0}
    assert np.isnan(means[:, 1]).mean() == pytest.approx(np.exp(-1), abs=0.12)  # never drawn in 40 draws


def test_the_bootstrap_p_is_uniform_without_a_difference_and_small_with_one():
    p = []
    for k in range(300):
        sample = np.random.default_rng(k).normal(size=50)
        p.append(bootstrap_p(bootstrap_means(sample[:, None], resamples=300, seed=k)[:, 0]))
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.06)
    assert bootstrap_p(np.full(999, 0.3)) == 2 / 1000
    assert bootstrap_p(np.zeros(999)) == 1


@pytest.mark.parametrize("images", [9, 40, 200])
def test_wilcoxon_agrees_with_scipy_where_there_is_no_zero(images):
    differences = np.random.default_rng(images).normal(0.2, size=images)
    assert wilcoxon_p(differences) == pytest.approx(stats.wilcoxon(differences).pvalue)


def test_wilcoxon_splits_zeros_and_takes_rounding_for_a_zero():
    assert wilcoxon_p(np.zeros(20)) == 1
    few = np.r_[np.zeros(90), np.linspace(0.1, 0.5, 10)]
    assert wilcoxon_p(few) > 30 * stats.wilcoxon(few[90:]).pvalue
    noisy = few + np.r_[np.full(90, 1e-16), np.zeros(10)]
    assert wilcoxon_p(noisy) == wilcoxon_p(few)


def test_holm_by_hand():
    # sorted .005 .01 .03 .04 times 4 3 2 1: .02 .03 .06 .04, and never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
