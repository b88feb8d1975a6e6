"""Blur and centre bias are found where they help, and left out where they do not."""

import numpy as np
import pytest
from made_up_examples import clusters
from messages import mentions, naming

from mrsal.datasets import fixation_density
from mrsal.datasets.fixations import fixation_map
from mrsal.errors import InputError
from mrsal.evaluation.adjustment import Adjusted, fit_adjustment
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.inference import FunctionModel
from mrsal.metrics import nss


@pytest.fixture(scope="module")
def examples():
    return clusters(np.random.default_rng(5))


def peaks(example):
    """A model that is right but for the width: one pixel at the middle of each cluster."""
    points = example.fixations
    return fixation_map([np.median(points.x)], [np.median(points.y)], example.shape)


def test_a_map_of_single_pixels_is_blurred_and_the_description_says_so(examples):
    adjustment = fit_adjustment(map(peaks, examples), examples, weights=[0])
    assert adjustment.blur == 4.0
    assert adjustment.centre_weight == 0.0
    assert adjustment.nss_after > adjustment.nss_before
    assert mentions(str(adjustment), "4 px", 0, 12)
    maps = iter([peaks(e) for e in examples])
    model = Adjusted(FunctionModel(lambda _: next(maps)), adjustment)
    scored = [nss(model.predict(e.image, name=e.name).values, e.fixations.x, e.fixations.y) for e in examples]
    assert np.mean(scored) == pytest.approx(adjustment.nss_after)


def test_noise_is_replaced_by_the_centre_bias_and_the_truth_is_left_alone(examples):
    rng = np.random.default_rng(6)
    noise = [rng.uniform(size=e.shape) for e in examples]
    adjustment = fit_adjustment(noise, examples, centre_bias=CentreBias(examples, bandwidth=0.1))
    assert adjustment.centre_weight >= 0.5
    scored = [
        nss(adjustment.apply(m, name=e.name), e.fixations.x, e.fixations.y)
        for m, e in zip(noise, examples, strict=True)
    ]
    assert np.mean(scored) == pytest.approx(adjustment.nss_after)
    truth = [fixation_density(e.fixations.x, e.fixations.y, e.shape, sigma=2.0) for e in examples]
    assert fit_adjustment(truth, examples).blur == 0.0


def test_maps_and_examples_have_to_fit(examples):
    maps = [peaks(e) for e in examples]
    with pytest.raises(InputError, match=naming(12, 11)):
        fit_adjustment(maps[:-1], examples, blurs=[0])
    with pytest.raises(InputError, match=naming(12)):
        fit_adjustment([*maps, maps[0]], examples, blurs=[0])
    with pytest.raises(InputError, match=naming("i0", (90, 120), (120, 90))):
        fit_adjustment([maps[0].T, *maps[1:]], examples, blurs=[0])
    with pytest.raises(InputError, match=naming("weights", 1.5)):
        fit_adjustment(maps, examples, weights=[1.5])
