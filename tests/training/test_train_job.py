"""The job of ``mrsal train``: the files of the run show that each setting has its effect."""

import io
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mrsal.evaluation.report.curves import read_history
from mrsal.model.checkpoint import load_checkpoint
from mrsal.training import loop
from mrsal.training.job import train_job
from mrsal.training.options import Recipe, TrainOptions

# no value is a default, except that there is one process
SETTINGS = TrainOptions(
    data_dir=Path(),
    epochs=2,
    batch_size=8,
    learning_rate=0.02,
    start_momentum=0.3,
    end_momentum=0.6,
    weight_decay=0.01,
    conv1_limit=0.4,
    patience=7,
    watch="KL",
    average=2,
    precision="fp32",
    device="cpu",
    timeout=50.0,
    seed=5,
    use_val=True,
    improvements=1,
)


@pytest.fixture(scope="module")
def run(few_samples, tmp_path_factory):
    """A run with these settings and validation. Tests must not change it."""
    out = tmp_path_factory.mktemp("job")
    return train_job(replace(SETTINGS, data_dir=few_samples, out_dir=out), console=Console(file=io.StringIO()))


def test_the_settings_are_those_of_the_run(run):
    saved = json.loads((run / "config.json").read_text())
    for name in {item.name for item in fields(Recipe)} - {"devices"}:
        assert saved[name] == getattr(SETTINGS, name), name
    assert saved["devices"] == 1
    assert saved["model"]["variant"] == "blur"


def test_momentum_seed_and_limit_are_in_the_files(run):
    assert [row["momentum"] for row in read_history(run)] == pytest.approx([0.42, 0.6])  # after 3 and 6 of 6 steps
    network, about = load_checkpoint(run / "cnn_epoch_2.pth")
    assert about["seed"] == 5
    norms = [stream.conv1.weight.flatten(1).norm(dim=1).max().item() for stream in network.streams]
    assert norms == pytest.approx([0.4] * 3, rel=1e-4)


def test_the_best_checkpoint_has_the_lowest_of_the_metric_that_is_watched(run):
    best = int(np.argmin([row["val_KL"] for row in read_history(run)])) + 1
    assert load_checkpoint(run / "cnn_best.pth")[1]["epoch"] == best
    assert load_checkpoint(run / "cnn_average.pth")[1]["mean of epochs"] == [1, 2]


def test_the_job_has_the_c_library_keep_freed_memory_on_a_cpu(few_samples, monkeypatch, tmp_path):
    class ReachedError(Exception):
        pass

    def reach():
        raise ReachedError

    monkeypatch.setattr(loop, "keep_freed_memory", reach)
    with pytest.raises(ReachedError):
        train_job(replace(SETTINGS, data_dir=few_samples, out_dir=tmp_path), console=Console(file=io.StringIO()))
