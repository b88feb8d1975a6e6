"""The networks that ship with mrsal: they match their manifests, their files are small, and they predict fixations well."""

import hashlib
import json
from dataclasses import asdict

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

from mrsal import datasets, load_model, metrics
from mrsal.aoi import Rectangle, attention_shares
from mrsal.inference import open_model
from mrsal.inference.simple_models import centre
from mrsal.model.pretrained import BUNDLED, WEIGHTS


@pytest.fixture(scope="module", params=BUNDLED)
def predictor(request):
    predictor = load_model(request.param, device="cpu", precision="fp32")
    return predictor.with_mode("fast" if predictor.modes else None)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_file_is_the_one_of_the_manifest(name):
    content = (WEIGHTS / BUNDLED[name]).read_bytes()
    manifest = json.loads((WEIGHTS / f"{name}.json").read_text())
    assert hashlib.sha256(content).hexdigest() == manifest["file"]["sha256"]
    assert len(content) < {"mrsal": 12e6, "mrcnn": 15e6}[name]
    network = load_model(name).network
    assert json.loads(json.dumps(network.config.to_dict())) == manifest["architecture"]
    assert manifest.get("network", "MrCNN") == type(network).__name__


@pytest.mark.parametrize("name", BUNDLED)
def test_its_calibration_is_that_of_the_manifest_however_it_is_opened(name):
    fitted = json.loads((WEIGHTS / f"{name}.json").read_text())["calibration"]
    for model in (load_model(name), open_model(name)):
        assert asdict(model.calibration) == {key: fitted[key] for key in ("slope", "concentration")}
    assert load_model(WEIGHTS / BUNDLED[name]).calibration is None  # a file may hold any network


def test_its_intervals_hold_what_was_measured_on_osie(predictor, data_root):
    """Boxes are anywhere or around fixations of other observers, on a tenth of the test split; docs/areas.md has all."""
    osie = datasets.load("osie", data_root / "osie").without_first_fixations()
    rng, held = np.random.default_rng(0), {0.5: [], 0.95: []}
    for i in osie.split("test")[::10]:
        points, (height, width) = osie.fixations_of(i), osie.stimuli[i].shape
        saliency = predictor.predict(osie.stimuli[i].path)
        for number in range(40):
            w, h = rng.uniform(0.1, 0.5, 2) * (width, height)
            x, y = rng.uniform(0, 1, 2) * (width - w, height - h)
            counted = np.ones(len(points), bool)
            if number % 2:
                chosen = rng.integers(len(points))
                x, y = np.clip([points.x[chosen] - w / 2, points.y[chosen] - h / 2], 0, [width - w, height - h])
                counted = points.subject != points.subject[chosen]
            inside = (points.x >= x) & (points.x < x + w) & (points.y >= y) & (points.y < y + h)
            measured = inside[counted].mean()
            for level, results in held.items():
                study = {"calibration": predictor.calibration, "observers": 1, "per_observer": int(counted.sum())}
                [share] = attention_shares(saliency, [Rectangle("box", x, y, w, h)], level=level, **study)
                low, high = share.interval
                results.append(low - 1e-9 <= measured <= high + 1e-9)
    assert np.mean(held[0.95]) > 0.9
    assert 0.45 < np.mean(held[0.5]) < 0.75


@pytest.mark.slow
def test_it_finds_the_face_in_a_portrait(predictor):
    map_ = predictor.predict(get_sample_data("grace_hopper.jpg", asfileobj=False)).values
    assert map_.shape == (600, 512)
    assert map_[110:260, 190:330].mean() > (4 if predictor.gives_density else 1.5) * map_.mean()


def test_it_beats_the_centre_on_osie(predictor, data_root):
    osie = datasets.load("osie", data_root / "osie")
    gains = []
    for i in osie.split("test")[::10]:
        image, points = osie.stimuli[i].read(), osie.fixations_of(i)
        map_ = predictor.predict(image).values
        gains.append(metrics.auc(map_, points.x, points.y) - metrics.auc(centre(image), points.x, points.y))
    assert np.mean(gains) > (0.12 if predictor.gives_density else 0.05)


def test_the_manifest_of_the_improved_network_says_where_it_comes_from():
    manifest = json.loads((WEIGHTS / "mrsal.json").read_text())
    assert {data["licence"] for data in manifest["data"]} == {"MIT"} and len(manifest["data"]) == 3
    assert "ImageNet" in manifest["stream"]["pretrained on"] and "Apache-2.0" in manifest["stream"]["licence"]
    assert manifest["commands"] and manifest["commit"] and manifest["seeds"]
    for part in ("osie-test", "mit1003-100", "mit1003-all"):
        score = manifest["scores"][part]["IG"]
        assert score["low"] < score["mean"] < score["high"]
    for name in ("mrsal-NOTICE.txt", "LICENSE-Apache-2.0.txt"):
        assert "Apache License" in (WEIGHTS / name).read_text()
