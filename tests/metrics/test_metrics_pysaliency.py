"""The metrics against pysaliency 0.2.22, which lives in an environment of its own."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mrsal import metrics
from mrsal.datasets.fixations import fixation_density

ORACLE = Path(__file__).parents[2] / "scripts" / "pysaliency_oracle.py"
SHAPE, COUNT, SIGMA = (60, 80), 4, 5.0
# relative for what is far above 1
TOLERANCE = {"rel": 1e-6, "abs": 1e-6}


def make_scenes(seed):
    """Maps with ties, fixations that prefer high values, some on one pixel."""
    rng = np.random.default_rng(seed)
    maps = np.round(rng.random((COUNT, *SHAPE)) ** 3, 2)
    maps[1] += 2  # an offset must not matter where the metric says so
    maps[2] -= 0.4  # negative values
    maps[3] = 1.0  # no information
    n = np.repeat(np.arange(COUNT), [40, 1, 25, 30])
    at = [rng.choice(maps[i].size, (n == i).sum(), p=maps[0].ravel() / maps[0].sum()) for i in range(COUNT)]
    y, x = np.divmod(np.concatenate(at), SHAPE[1])
    x, y = x + 0.75, y + 0.25
    targets = np.stack([fixation_density(x[n == i], y[n == i], SHAPE, sigma=SIGMA) for i in range(COUNT)])
    densities = rng.random(maps.shape) + 0.01
    baseline = rng.random(SHAPE) + 0.01
    inputs = {"maps": maps, "targets": targets, "densities": densities, "baseline": baseline, "sigma": SIGMA}
    return inputs | {"x": x, "y": y, "n": n}


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(0)


@pytest.fixture(scope="module")
def oracle(scenes, tmp_path_factory):
    python = os.environ.get("MRSAL_PYSALIENCY_PYTHON")
    if not python:
        pytest.skip(f"needs pysaliency's own environment: set MRSAL_PYSALIENCY_PYTHON as {ORACLE.name} says")
    folder = tmp_path_factory.mktemp("pysaliency")
    np.savez(folder / "inputs.npz", **scenes)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, ORACLE, folder / "inputs.npz", folder / "values.json"]
    subprocess.run(command, check=True, env=environment, timeout=600)
    return json.loads((folder / "values.json").read_text())["values"]


def by_image(scenes):
    own = [scenes["n"] == i for i in range(COUNT)]
    x, y = ([scenes[axis][mask] for mask in own] for axis in "xy")
    others = {f"other_{axis}": [scenes[axis][~mask] for mask in own] for axis in "xy"}
    return x, y, others


def test_a_protocol_gives_what_pysaliency_gives(scenes, oracle):
    x, y, others = by_image(scenes)
    rows = [
        metrics.score(
            scenes["maps"][i],
            x=x[i],
            y=y[i],
            target=scenes["targets"][i],
            other_x=others["other_x"][i],
            other_y=others["other_y"][i],
            baseline=scenes["baseline"],
            density=scenes["densities"][i],
        )
        for i in range(COUNT)
    ]
    assert list(rows[0]) == list(metrics.PROTOCOLS["tuebingen"].metrics)
    for metric in rows[0]:
        assert [row[metric] for row in rows] == pytest.approx(oracle[metric], **TOLERANCE), metric


def test_metrics_of_stacks_give_what_pysaliency_gives(scenes, oracle):
    x, y, others = by_image(scenes)
    maps, densities = scenes["maps"], scenes["densities"]
    ours = {
        "AUC": metrics.auc(maps, x, y),
        "sAUC": metrics.auc(maps, x, y, negatives="shuffled", **others),
        "AUC-Judd": metrics.auc(maps, x, y, negatives="unfixated"),
        "NSS": metrics.nss(maps, x, y),
        "CC": metrics.cc(maps, scenes["targets"]),
        "IG": metrics.information_gain(densities, x, y, baseline=scenes["baseline"]),
        "LL": metrics.log_likelihood(densities, x, y),
    }
    for metric, values in ours.items():
        assert values == pytest.approx(np.array(oracle[metric]), **TOLERANCE), metric


def test_the_fixation_density_is_pysaliencys(scenes, oracle):
    assert scenes["targets"].max(axis=(1, 2)) == pytest.approx(np.array(oracle["density"]), **TOLERANCE)
