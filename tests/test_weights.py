"""The network that ships: it is what its manifest says, small, and good at its work."""

import hashlib
import json

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mrsal import datasets, load_model, metrics
from mrsal.baselines import centre
from mrsal.inference import BUNDLED, WEIGHTS
from mrsal.model import ModelConfig


@pytest.fixture(scope="module")
def predictor():
    return load_model(device="cpu", precision="fp32")


@pytest.mark.parametrize("name", BUNDLED)
def test_the_file_is_the_one_of_the_manifest(name):
    content = (WEIGHTS / BUNDLED[name]).read_bytes()
    manifest = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert hashlib.sha256(content).hexdigest() == manifest["file"]["sha256"]
    assert len(content) < 15e6
    assert load_model(name).network.config == ModelConfig.from_dict(manifest["architecture"])


@pytest.mark.slow
def test_it_finds_the_face_in_a_portrait(predictor):
    map_ = predictor.predict(get_sample_data("grace_hopper.jpg", asfileobj=False), mode="fast").values
    assert map_.shape == (600, 512)
    assert map_[110:260, 190:330].mean() > 1.5 * map_.mean()


def test_it_beats_the_centre_on_osie(predictor, data_root):
    osie = datasets.load("osie", data_root / "osie")
    gains = []
    for i in osie.split("test")[::10]:
        image, points = osie.stimuli[i].read(), osie.fixations_of(i)
        map_ = predictor.predict(image, mode="fast").values
        gains.append(metrics.auc(map_, points.x, points.y) - metrics.auc(centre(image), points.x, points.y))
    assert np.mean(gains) > 0.05
