"""Intervals against simulated studies and SciPy's distributions; a fit finds the parameters of simulated data."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from mrsal.errors import InputError
from mrsal.inference.calibration import ShareCalibration

TYPICAL = ShareCalibration(slope=0.7, concentration=8)


def simulate(rng, shares, fixations, calibration=TYPICAL):
    """Numbers of fixations inside, drawn step by step: the mean, the true share of the image, the sample."""
    inside, outside = shares**calibration.slope, (1 - shares) ** calibration.slope
    mean = inside / (inside + outside)
    true = rng.beta(mean * calibration.concentration, (1 - mean) * calibration.concentration)
    return rng.binomial(fixations, true)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_an_interval_holds_what_simulated_studies_measure(share, level):
    measured = simulate(np.random.default_rng(0), np.full(20_000, share), 90) / 90
    low, high = TYPICAL.interval(share, 90, level)
    assert np.mean((measured >= low - 1e-9) & (measured <= high + 1e-9)) >= level - 0.01
    assert np.mean((measured > low + 1e-9) & (measured < high - 1e-9)) < level + 0.01  # a narrower one would not do


@pytest.mark.parametrize(("a", "b"), [(0.1, 0.3), (0.02, 0.01), (0.5, 0.5)])
def test_the_interval_of_a_difference_holds_what_simulated_studies_measure(a, b):
    rng = np.random.default_rng(1)
    measured = (simulate(rng, np.full(20_000, b), 60) - simulate(rng, np.full(20_000, a), 60)) / 60
    low, high = TYPICAL.difference_interval(a, b, 60, 0.95)
    assert np.mean((measured >= low - 1e-9) & (measured <= high + 1e-9)) >= 0.94
    assert np.mean((measured > low + 1e-9) & (measured < high - 1e-9)) < 0.96


def test_of_a_model_without_error_chance_in_the_sample_remains():
    exact = ShareCalibration(slope=1, concentration=1e7)
    for share, fixations in ((0.25, 90), (0.01, 40), (0.6, 500)):
        expected = binom.ppf([0.025, 0.975], fixations, share) / fixations
        assert exact.interval(share, fixations, 0.95) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("fixations", [99_000, 10**9])
def test_of_a_large_study_the_error_of_the_model_remains(fixations):
    expected = beta.ppf([0.1, 0.9], 0.3 * 12, 0.7 * 12)
    found = ShareCalibration(slope=1, concentration=12).interval(0.3, fixations, 0.8)
    assert found == pytest.approx(tuple(expected), abs=2e-3)


@pytest.mark.parametrize(("share", "expected"), [(0.0, (0, 0)), (1.0, (1, 1)), (1e-300, (0, 0))])
def test_what_a_model_is_certain_of_has_no_interval(share, expected):
    assert TYPICAL.interval(share, 90, 0.95) == expected
    assert TYPICAL.difference_interval(share, share, 90, 0.95) == (0, 0)


@pytest.mark.parametrize("drawn_from", [TYPICAL, ShareCalibration(1.2, 40), ShareCalibration(1, 3)])
def test_a_fit_finds_what_the_data_were_drawn_from(drawn_from):
    rng = np.random.default_rng(2)
    shares, fixations = rng.uniform(0.01, 0.7, 4000), rng.integers(40, 150, 4000)
    found = ShareCalibration.fit(shares, simulate(rng, shares, fixations, drawn_from), fixations)
    assert found.slope == pytest.approx(drawn_from.slope, rel=0.06)
    assert found.concentration == pytest.approx(drawn_from.concentration, rel=0.1)


def test_weights_count_as_repeated_areas_do():
    rng = np.random.default_rng(3)
    shares = rng.uniform(0.05, 0.6, 200)
    hits = simulate(rng, shares, 90)
    times = np.repeat([1, 5], 100)
    weighted = ShareCalibration.fit(shares, hits, np.full(200, 90), weights=times)
    repeated = ShareCalibration.fit(np.repeat(shares, times), np.repeat(hits, times), np.full(600, 90))
    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-3)
    assert weighted.concentration == pytest.approx(repeated.concentration, rel=1e-3)
    assert weighted != ShareCalibration.fit(shares, hits, np.full(200, 90))


@pytest.mark.parametrize(
    ("shares", "hits", "fixations"),
    [([0.5], [1, 2], [3, 4]), ([], [], []), ([0.0], [1], [3]), ([1.0], [1], [3]), ([0.5], [4], [3]), ([0.5], [0], [0])],
)
def test_what_cannot_be_fitted_is_refused(shares, hits, fixations):
    with pytest.raises(InputError, match="expected shares"):
        ShareCalibration.fit(shares, hits, fixations)


@pytest.mark.parametrize(
    ("slope", "concentration"), [(0, 8), (0.7, -1), (float("nan"), 8), (0.7, float("inf")), ("1", 8)]
)
def test_what_is_no_calibration_is_refused(slope, concentration):
    with pytest.raises(InputError, match="calibration"):
        ShareCalibration(slope, concentration)
