"""The fit finds the numbers that fixations were drawn with, and never makes a density worse."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_examples import clusters, example
from messages import naming
from scipy.ndimage import gaussian_filter

from mrsal.errors import DataError, InputError
from mrsal.evaluation import fit_adjustment
from mrsal.evaluation.adjusting import FIT_IMAGES
from mrsal.inference import Adjusted, SaliencyMap, SaliencyModel
from mrsal.metrics import information_gain

SHAPES = [(72, 96), (96, 72), (80, 80), (150, 200)]  # the last one is reduced
PRIOR = {"x": 0.4, "y": 0.6, "sigma_x": 0.22, "sigma_y": 0.16, "uniform_share": 0.2}


class Known(SaliencyModel):
    """A model whose maps are given, by the names of their images."""

    def __init__(self, maps, *, gives_density=True):
        self.maps, self.gives_density = maps, gives_density

    def predict_prepared(self, images):
        return [image.map(self.maps[image.name]) for image in images]


def log_prior(shape, *, x, y, sigma_x, sigma_y, uniform_share):
    """Of pixels, normalised by their sum."""
    height, width = shape
    across = (np.arange(width) + 0.5) / width - x
    down = (np.arange(height) + 0.5) / height - y
    gaussian = np.exp(-((across / sigma_x) ** 2 + (down[:, None] / sigma_y) ** 2) / 2)
    return np.log((1 - uniform_share) * gaussian / gaussian.mean() + uniform_share)


def normalised(log_density):
    density = np.exp(log_density - log_density.max())
    return density / density.sum()


def fields(rng, count=24, contrast=1.2):
    """Densities with as much structure at every place: exp of smooth noise."""
    found = {}
    for i in range(count):
        shape = SHAPES[i % len(SHAPES)]
        smooth = gaussian_filter(rng.normal(size=shape), 0.04 * max(shape), mode="wrap")
        found[f"i{i}.png"] = normalised(contrast * smooth / smooth.std())
    return found


def drawn(rng, densities, each=1500):
    """Examples with fixations that are drawn from densities."""
    examples = []
    for name, density in densities.items():
        y, x = np.unravel_index(rng.choice(density.size, each, p=density.ravel()), density.shape)
        examples.append(example(name, x + rng.random(each), y + rng.random(each), shape=density.shape))
    return examples


def gain(densities, examples):
    """Mean over all fixations, in bit; every image has as many."""
    return np.mean(
        [information_gain(densities[e.name], e.fixations.x, e.fixations.y, baseline="uniform") for e in examples]
    )


def adjusted_maps(model, adjustment, examples):
    adjusted = Adjusted(model, adjustment)
    return {e.name: adjusted.predict(e.image, name=e.name).density for e in examples}


@pytest.fixture(scope="module")
def maps():
    """Not to be changed."""
    return fields(np.random.default_rng(3))


def test_the_numbers_that_fixations_were_drawn_with_are_found():
    maps = fields(
        np.random.default_rng(3), 40, contrast=0.7
    )  # with more contrast, positions alone would not show the prior
    truth = {
        name: normalised(
            1.6 * np.log(gaussian_filter(map_, 0.03 * max(map_.shape), mode="reflect")) + log_prior(map_.shape, **PRIOR)
        )
        for name, map_ in maps.items()
    }
    examples = drawn(np.random.default_rng(4), truth)
    found = fit_adjustment(Known(maps), examples, name="known", data="made up")
    assert found.blur == 0.03
    assert found.exponent == pytest.approx(1.6, abs=0.1)
    assert found.centre_weight == pytest.approx(1, abs=0.1)
    assert found.centre.x == pytest.approx(0.4, abs=0.02) and found.centre.y == pytest.approx(0.6, abs=0.02)
    assert found.centre.sigma_x == pytest.approx(0.22, abs=0.03)
    assert found.centre.sigma_y == pytest.approx(0.16, abs=0.03)
    assert found.centre.uniform_share == pytest.approx(0.2, abs=0.06)
    assert (found.images, found.fixations) == (40, 40 * 1500)
    assert (found.model, found.data, found.curve) == ("known", "made up", ())
    others = drawn(np.random.default_rng(5), truth)  # the fit has not seen them
    reached = gain(adjusted_maps(Known(maps), found, others), others)
    best = gain(truth, others)
    assert best - 0.005 < reached <= best + 0.001
    assert found.gain_after == pytest.approx(gain(adjusted_maps(Known(maps), found, examples), examples), abs=0.01)
    assert found.gain_before == pytest.approx(gain(maps, examples), abs=0.01)
    assert found.gain_after > found.gain_before + 0.3


def test_a_perfect_density_stays_as_it_is(maps):
    examples = drawn(np.random.default_rng(6), maps)
    found = fit_adjustment(Known(maps), examples)
    assert found.blur == 0
    assert found.exponent == pytest.approx(1, abs=0.05)
    assert found.centre_weight < 0.1
    assert found.gain_before <= found.gain_after < found.gain_before + 0.002


@pytest.mark.parametrize(
    "transform",
    [np.sqrt, np.cbrt, lambda m: m**2, lambda m: 5 * np.log(m) - 3],
    ids=["root", "cubic root", "square", "log"],
)
def test_a_curve_undoes_a_monotone_transformation(maps, transform):
    # one range of values on all images, so that scaling each map does not change what a value means
    truth = {name: normalised(np.interp(map_, [map_.min(), map_.max()], [0, 4]) * 1.0) for name, map_ in maps.items()}
    examples = drawn(np.random.default_rng(7), truth)
    model = Known({name: transform(density) for name, density in truth.items()}, gives_density=False)
    found = fit_adjustment(model, examples)
    assert len(found.curve) == 8 and (np.diff(found.curve) >= 0).all()
    best = gain(truth, examples)
    assert gain(adjusted_maps(model, found, examples), examples) == pytest.approx(best, abs=0.04)
    assert found.gain_after == pytest.approx(best, abs=0.04)
    assert found.blur <= 0.01


def test_the_curve_is_found(maps):
    """Drawn with a curve that is linear between the same points, the values at the points come back."""
    curve = np.array([0.0, 0.4, 0.8, 0.8, 2.0, 2.4, 2.6, 4.0])
    scaled = {name: ((m - m.min()) / np.ptp(m)) for name, m in maps.items() if max(m.shape) <= 128}
    knots = [(k / 7) ** 3 for k in range(8)]
    truth = {name: normalised(np.interp(m, knots, curve)) for name, m in scaled.items()}
    examples = drawn(np.random.default_rng(8), truth, each=6000)
    found = fit_adjustment(Known(scaled, gives_density=False), examples)
    np.testing.assert_allclose(found.curve, curve, atol=0.25)
    assert found.blur == 0


@pytest.mark.parametrize(("x", "y"), [(0.2, 0.3), (0.8, 0.5), (0.5, 0.75)])
def test_the_prior_moves_with_the_fixations(x, y):
    flat = {f"i{i}": np.full(SHAPES[i % 3], 1 / np.prod(SHAPES[i % 3])) for i in range(6)}
    truth = {
        name: normalised(log_prior(m.shape, x=x, y=y, sigma_x=0.1, sigma_y=0.1, uniform_share=0.05))
        for name, m in flat.items()
    }
    examples = drawn(np.random.default_rng(9), truth, each=800)
    found = fit_adjustment(Known(flat, gives_density=False), examples)
    assert (found.centre.x, found.centre.y) == (pytest.approx(x, abs=0.02), pytest.approx(y, abs=0.02))
    assert found.centre_weight == pytest.approx(1, abs=0.1)
    assert found.gain_after == pytest.approx(gain(truth, examples), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_a_density_is_never_made_worse(seed):
    """Few fixations on images that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    examples = clusters(rng, images=5, observers=1, each=4)
    maps = {e.name: normalised(3 * rng.normal(size=e.shape)) for e in examples}
    found = fit_adjustment(Known(maps), examples)
    assert found.gain_after >= found.gain_before
    assert found.gain_before == pytest.approx(gain(maps, examples), abs=1e-9)
    assert found.gain_after == pytest.approx(gain(adjusted_maps(Known(maps), found, examples), examples), abs=1e-5)


def test_fewer_than_twenty_numbers(maps):
    examples = drawn(np.random.default_rng(1), maps, each=50)
    about = {"mrsal_adjustment", "model", "data", "images", "fixations", "gain_before", "gain_after"}
    for is_density in (True, False):
        values = fit_adjustment(Known(maps, gives_density=is_density), examples).to_dict()
        numbers = json.loads(json.dumps([value for name, value in values.items() if name not in about]))
        flat = [n for value in numbers for n in (value.values() if isinstance(value, dict) else np.atleast_1d(value))]
        assert len(flat) < 20


def test_zeros_under_fixations_make_the_gain_before_undefined(maps):
    holes = {name: np.where(np.arange(m.shape[1]) < m.shape[1] // 2, 0, m) for name, m in maps.items()}
    examples = drawn(np.random.default_rng(2), maps, each=40)
    found = fit_adjustment(Known(holes), examples)
    assert np.isnan(found.gain_before)
    assert np.isfinite(found.gain_after)


def test_images_without_fixations_are_ignored_and_many_are_thinned_out(maps):
    flat = np.ones((10, 12))
    many = [example(f"i{i}", [3.0, 5.0], [4.0, 2.0], shape=flat.shape) for i in range(FIT_IMAGES + 30)]
    empty = example("empty", [], [], shape=flat.shape)
    predicted = []
    model = Known({e.name: flat for e in many})
    found = fit_adjustment(model, [empty, *many], on_image=lambda e: predicted.append(e.name))
    assert (found.images, found.fixations) == (FIT_IMAGES, 2 * FIT_IMAGES)
    assert len(set(predicted)) == FIT_IMAGES
    assert predicted[0] == "i0" and predicted[-1] == f"i{FIT_IMAGES + 29}"


def test_a_function_can_be_adjusted():
    examples = clusters(np.random.default_rng(0))
    found = fit_adjustment(lambda image: image.mean(axis=2), examples)
    assert found.curve and found.gain_before == pytest.approx(0, abs=1e-12)


def test_what_cannot_be_fitted_to_is_refused():
    flat = Known({"a": np.ones((10, 12)), "b": np.full((10, 12), np.nan)})
    one = example("a", [3.0], [4.0], shape=(10, 12))
    for none in ([], [replace(one, fixations=None)]):
        with pytest.raises(DataError, match="fixations"):
            fit_adjustment(flat, none)
    with pytest.raises(DataError, match=naming("a")):
        fit_adjustment(flat, [example("a", [3.0, 12.0], [4.0, 2.0], shape=(10, 12))])
    with pytest.raises(InputError, match=naming("b")):
        fit_adjustment(flat, [replace(one, name="b")])
    with pytest.raises(InputError, match=naming((10, 12), (12, 10))):
        fit_adjustment(flat, [example("a", [3.0], [4.0], shape=(12, 10))])
    assert isinstance(flat.predict(one.image, name="a"), SaliencyMap)
