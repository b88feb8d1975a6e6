"""Baselines: densities that have not seen what they are scored on, and maps that need no learning."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_examples import clusters, example
from messages import naming

from mrsal.datasets import load
from mrsal.errors import DataError, InputError
from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.baselines.observers import InterObserver
from mrsal.inference.simple_models import BASELINES, spectral_residual
from mrsal.metrics import information_gain, nss


def of(model, example):
    """The model's map of an example."""
    return model.predict(example.image, name=example.name).values


@pytest.mark.parametrize("name", BASELINES)
def test_a_simple_baseline_gives_a_finite_map_of_the_images_size(name):
    image = np.random.default_rng(0).integers(0, 256, (41, 67, 3), dtype=np.uint8)
    map_ = BASELINES[name](image)
    assert (map_.shape, map_.dtype) == ((41, 67), np.float32)
    assert np.isfinite(map_).all()
    assert (map_ >= 0).all()
    assert np.array_equal(map_, BASELINES[name](image))


def test_spectral_residual_finds_the_odd_one_out_and_nothing_in_one_colour():
    y, x = np.mgrid[:192, :256]
    odd = (slice(64, 96), slice(160, 192))
    picture = 130 + 70 * np.sin(2 * np.pi * x / 32)
    picture[odd] = (130 + 70 * np.sin(2 * np.pi * y / 16))[odd]  # a patch of another orientation and frequency
    map_ = spectral_residual(np.repeat(picture[..., None], 3, axis=2).astype(np.uint8))
    row, column = np.unravel_index(map_.argmax(), map_.shape)
    assert 64 <= row < 96
    assert 160 <= column < 192
    assert map_[odd].mean() > 3 * map_.mean()
    assert not spectral_residual(np.full((30, 40, 3), 90, np.uint8)).any()


def test_the_centre_bias_of_an_image_has_not_seen_its_fixations():
    a, b = example("a", [5.0] * 30, [5.0] * 30), example("b", [70.0] * 10, [50.0] * 10)
    bias = CentreBias([a, b], bandwidth=0.05)
    of_a = of(bias, a)
    assert of_a[50, 70] > 100 * of_a[5, 5]
    moved = CentreBias([example("a", [40.0] * 30, [9.0] * 30), b], bandwidth=0.05)
    assert np.allclose(of_a, of(moved, a))
    of_new = of(bias, example("new", [], []))
    assert min(of_new[5, 5], of_new[50, 70]) > 20 * of_new[5, 70]


@pytest.mark.parametrize("shape", [(60, 80), (33, 500), (301, 200)])
def test_the_centre_bias_is_a_density_on_any_size(shape):
    bias = CentreBias(clusters(np.random.default_rng(1)), bandwidth=0.08)
    map_, reference = bias.density(shape), bias.density((128, 128))
    assert map_.shape == shape
    assert map_.min() > 0
    assert map_.sum() == pytest.approx(1)
    y, x = (np.array([0.2, 0.5, 0.8])[:, None] * shape[0]).astype(int), (np.array([0.3, 0.6]) * shape[1]).astype(int)
    y0, x0 = ((y + 0.5) / shape[0] * 128).astype(int), ((x + 0.5) / shape[1] * 128).astype(int)
    assert np.allclose(map_[y, x] * map_.size, reference[y0, x0] * reference.size, rtol=0.1)


def test_the_fitted_bandwidth_is_that_of_the_data():
    # a narrow and sharply peaked distribution wants a narrow kernel: sigma n^(-1/6) is Silverman's rule in two dimensions
    rng = np.random.default_rng(2)
    for sigma in (0.08, 0.16):
        points = np.clip(rng.normal(0.5, sigma, (2, 40, 25)), 0, 0.999)
        bias = CentreBias([example(f"i{i}", points[0, i] * 80, points[1, i] * 60) for i in range(40)])
        assert bias.bandwidth == pytest.approx(sigma * 1000 ** (-1 / 6), rel=0.5)


def test_the_map_of_the_others_does_not_see_the_one_left_out():
    examples = clusters(np.random.default_rng(3))
    limit = InterObserver(examples)
    first = examples[0]
    mine = first.fixations.subject == 2
    moved = replace(first.fixations, x=np.where(mine, 1.0, first.fixations.x), y=np.where(mine, 1.0, first.fixations.y))
    before = {subject: (map_, mask) for subject, map_, mask in limit.leave_one_out(first)}
    after = {subject: map_ for subject, map_, _ in limit.leave_one_out(replace(first, fixations=moved))}
    assert list(before) == [0, 1, 2, 3]
    assert np.array_equal(before[2][0], after[2])
    assert not np.allclose(before[1][0], after[1])
    assert np.array_equal(before[2][1], mine)
    assert np.array_equal(sum(mask.astype(int) for _, mask in before.values()), np.ones(len(mine)))
    for map_, _ in before.values():
        assert map_.min() > 0
        assert map_.sum() == pytest.approx(1)


def test_observers_who_agree_predict_each_other_and_those_who_do_not_fall_back_on_the_centre_bias():
    rng = np.random.default_rng(4)
    agreed = clusters(rng)
    limit = InterObserver(agreed)
    assert limit.weights[0] > 0.8
    assert 1 < limit.sigma < 4  # the spread of each cluster is 4 pixels; a kernel is narrower than its data
    first = agreed[0]
    x, y = first.fixations.x, first.fixations.y
    assert nss(of(limit, first), x, y) > 3
    for _, map_, mask in limit.leave_one_out(first):
        assert information_gain(map_, x[mask], y[mask], baseline=of(limit.centre_bias, first)) > 1
    subjects = np.repeat(np.arange(4), 5)
    random = [example(f"r{i}", *(rng.uniform(0, 1, (20, 2)) * (80, 60)).T, subject=subjects) for i in range(12)]
    assert InterObserver(random, sigma=4).weights[0] < 0.2


def test_what_cannot_be_done_is_refused():
    one, two = example("a", [1, 2], [1, 2]), example("b", [3, 4], [3, 4])
    with pytest.raises(DataError, match=naming(1)):
        CentreBias([one, example("c", [], [])])
    with pytest.raises(DataError, match="observers"):
        InterObserver([one, two])
    with pytest.raises(DataError, match=naming("b7", "80x60")):
        CentreBias([one, example("b7", [80.0], [3.0])])
    with pytest.raises(InputError, match=naming("uniform", 1.5)):
        CentreBias([one, two], uniform_share=1.5)
    with pytest.raises(InputError, match=naming("bandwidth", 0.003)):
        CentreBias([one, two], bandwidth=0.003)
    with pytest.raises(InputError, match=naming("sigma", 0.7)):
        InterObserver([one, two], sigma=0.7)
    with pytest.raises(InputError, match=naming("weights", (1.0, 0.0, 0.0))):
        InterObserver([one, two], weights=(1.0, 0.0, 0.0))


def test_on_osie_the_centre_bias_predicts_better_than_chance(data_root):
    dataset = load("osie", data_root / "osie")
    test = dataset.splits["test"]
    found = []
    for i in test:
        points, shape = dataset.fixations.where(dataset.fixations.n == i), dataset.stimuli[int(i)].shape
        found.append(example(dataset.stimuli[int(i)].name, points.x, points.y, subject=points.subject, shape=shape))
    bias = CentreBias(found)
    gains = [information_gain(of(bias, e), e.fixations.x, e.fixations.y, baseline="uniform") for e in found[:10]]
    assert np.mean(gains) > 0.2
