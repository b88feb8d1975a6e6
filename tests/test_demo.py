"""The demo and its scenes: what observers look at follows from what is shown."""

import numpy as np
import pytest
from rich.console import Console

from mrsal.datasets import load
from mrsal.datasets.synthetic import HEIGHT, WIDTH, make_scene, write_synthetic
from mrsal.demo import run_demo
from mrsal.images import image_size


def test_fixations_follow_from_content(tmp_path):
    """Most fixations fall on pixels that differ strongly from the scene's mean colour."""
    data = load("folder", write_synthetic(tmp_path / "data", scenes=4, seed=1))
    at_fixations, everywhere = [], []
    for i, stimulus in enumerate(data.stimuli):
        image = stimulus.read().astype(float)
        contrast = np.linalg.norm(image - np.median(image, axis=(0, 1)), axis=2)
        points = data.fixations_of(i)
        at_fixations.append(contrast[points.y.astype(int), points.x.astype(int)].mean())
        everywhere.append(contrast.mean())
    assert np.mean(at_fixations) > 2 * np.mean(everywhere)


def test_the_same_seed_makes_the_same_scene():
    first, again, other = (make_scene(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first[0].shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    assert np.isclose(first[1][:, 3].sum(), 1)


@pytest.mark.slow
def test_demo_leaves_pictures_curves_and_scores(tmp_path):
    with (tmp_path / "terminal.txt").open("w") as terminal:
        out = run_demo(tmp_path / "demo", console=Console(file=terminal, width=100), scenes=20, epochs=1)
    assert image_size(out / "comparisons.jpg")[1] > 600
    assert image_size(out / "curves.png")[1] > 600
    assert "| Mr-CNN |" in (out / "scores.md").read_text()
    assert "sAUC" in (tmp_path / "terminal.txt").read_text()
