"""The jobs of evaluation: floor, model and ceiling in one table, adjustments fitted on validation images only, files."""

import html
import io
import json
import logging
import pickle
from dataclasses import replace

import numpy as np
import pytest
from made_up_examples import example
from messages import mentions, naming
from PIL import Image
from rich.console import Console

from mrsal.datasets.archives.native import write_native
from mrsal.datasets.archives.open import open_archive
from mrsal.errors import DataError, InputError
from mrsal.evaluation.adjusting import fit_adjustment
from mrsal.evaluation.comparison_job import compare_job
from mrsal.evaluation.evaluator import evaluate
from mrsal.evaluation.job import evaluate_job
from mrsal.evaluation.options import CompareOptions, EvaluateOptions
from mrsal.evaluation.report.tables import score_table, table_lines
from mrsal.evaluation.scores import Scores
from mrsal.evaluation.task import _draw
from mrsal.inference import Adjusted, Adjustment, FunctionModel, execute_here
from mrsal.inference.simple_models import centre


def job(folder, out, model="centre", **options):
    execute = options.pop("execute", execute_here)
    options = {"num_saved_images": 0, **options}
    settings = EvaluateOptions(data_dir=folder, out_dir=out, model_path=model, **options)
    return evaluate_job(settings, execute=execute, console=Console(quiet=True))


def test_floor_and_ceiling_stand_around_the_model_and_are_files_to_compare(native_folder, tmp_path):
    run, results = job(native_folder, tmp_path, split="all", parquet=True)
    assert list(results) == ["uniform", "centre bias", "centre", "observers"]
    assert results["uniform"].mean()["AUC"] == 0.5
    assert results["centre bias"].mean()["IG"] == pytest.approx(0)
    assert "CC" not in results["observers"].values  # one observer's density is another truth than everybody's
    for name, path in {
        "centre": "scores.csv",
        "observers": "limits/observers.csv",
        "uniform": "limits/uniform.csv",
    }.items():
        loaded = Scores.load(run / path)
        assert (loaded.model, loaded.protocol, loaded.dataset) == (name, "tuebingen", "own")
        np.testing.assert_array_equal(loaded.values["NSS"], results[name].values["NSS"])
    assert Scores.load(run / "scores.parquet").mean() == results["centre"].mean()
    about = json.loads((run / "scores.about.json").read_text())
    assert {"command", "torch", "split", "data", "first fixation of each trial"} <= set(about)


def test_few_images_are_named_with_the_way_to_score_more(native_folder, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="mrsal")
    job(native_folder, tmp_path, limits=False)
    assert mentions(caplog.text, "--split all", "10")
    caplog.clear()
    job(native_folder, tmp_path, split="all", limits=False)
    assert "--split all" not in caplog.text


def test_a_ceiling_that_is_asked_for_needs_two_subjects(dataset, tmp_path, caplog):
    one = replace(dataset, fixations=dataset.fixations.where(dataset.fixations.subject == dataset.fixations.subject[0]))
    archive = write_native(one, tmp_path / "archive")
    _, results = job(archive, tmp_path, split="all")
    assert "observers" not in results and "no ceiling" in caplog.text
    with pytest.raises(DataError, match=naming("--limits", "one subject")):
        job(archive, tmp_path / "again", split="all", limits=True)
    assert not (tmp_path / "again").exists()


def test_without_limits_only_the_model_is_scored(native_folder, tmp_path):
    run, results = job(native_folder, tmp_path, split="all", limits=False)
    assert list(results) == ["centre"]
    assert not (run / "limits").exists()


@pytest.fixture(scope="module")
def maps_of_8_bits(native_folder, tmp_path_factory):
    """Grey images, of which one has a 0 under a fixation."""
    folder = tmp_path_factory.mktemp("maps")
    for i, image in enumerate(open_archive(native_folder).examples("all")):
        map_ = np.maximum(np.round(centre(image.stimulus()) * 255), 1).astype(np.uint8)
        if i == 4:
            map_[int(image.fixations.y[0]), int(image.fixations.x[0])] = 0
        Image.fromarray(map_).save(folder / f"{image.name}.png")
    return folder


def test_a_metric_that_is_infinite_does_not_stop_the_others(native_folder, maps_of_8_bits, tmp_path):
    run, results = job(native_folder, tmp_path, str(maps_of_8_bits), split="all")
    scores = results[maps_of_8_bits.name]
    assert np.isinf(scores.values["IG"]).sum() == 1
    console = Console(width=100, file=io.StringIO())
    console.print(score_table(results))
    ig, auc = (
        next(line for line in console.file.getvalue().splitlines() if f" {name}" in line) for name in ("IG", "AUC")
    )
    assert "not defined" in ig and "not defined" not in auc
    for text in ((run / "log.txt").read_text(), html.unescape((run / "report.html").read_text())):
        assert mentions(text, "IG is not defined", 1, 10, "s4.png", ".npy")
    assert mentions((run / "report.html").read_text(), "−∞", without="-inf")
    other, _ = job(native_folder, tmp_path, "uniform", split="all", limits=False)
    folder, comparison = compare_job(CompareOptions(paths=[run, other], out=tmp_path / "compare"))
    assert list(comparison.not_defined) == ["IG"]
    assert comparison.metrics == tuple(metric for metric in scores.values if metric != "IG")
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".md", ".png", ".pdf"}
    assert mentions((folder / "comparison.md").read_text(), "not defined", "s4.png", ".npy")


def test_json_says_what_is_not_defined(native_folder, maps_of_8_bits, run):
    evaluate_ = (
        "evaluate",
        "--data_dir",
        native_folder,
        "--model_path",
        maps_of_8_bits,
        "--split",
        "all",
        "--no_limits",
    )
    status, out, _ = run(*evaluate_, "--num_saved_images", 0, "--json")
    found = json.loads(out)["models"][maps_of_8_bits.name]
    assert status == 0
    assert (found["IG"]["mean"], found["IG"]["low"]) == (None, None)
    assert mentions(found["IG"]["not_defined"], "IG", 1, 10, "s4.png", ".npy")
    assert "not_defined" not in found["AUC"]


@pytest.mark.parametrize(
    ("protocol", "options", "columns"),
    [
        ("mrcnn", {}, ["sAUC"]),
        ("mrcnn", {"agreement": True}, ["sAUC", "agreement"]),
        ("historical", {}, ["agreement"]),
    ],
)
def test_a_protocol_decides_on_the_columns_and_is_said_in_the_log(native_folder, tmp_path, protocol, options, columns):
    run, results = job(native_folder, tmp_path, split="all", limits=False, protocol=protocol, **options)
    assert list(results["centre"].values) == columns
    assert f"protocol {protocol}" in (run / "log.txt").read_text()
    with pytest.raises(InputError, match=naming("tübingen", "tuebingen", "mit-matlab", "mrcnn", "historical")):
        job(native_folder, tmp_path, protocol="tübingen")


def test_adjustments_are_fitted_on_validation_images_and_said(dataset, tmp_path, caplog):
    folder = write_native(replace(dataset, splits={"val": np.arange(5), "test": np.arange(5, 10)}), tmp_path / "native")
    run, results = job(folder, tmp_path, limits=False, adjust=True)
    scores = results["centre adjusted"]
    assert scores.names == tuple(stimulus.name for stimulus in dataset.stimuli[5:])
    adjustment = Adjustment.load(run / "adjustment.json")
    assert (adjustment.model, adjustment.images, adjustment.fixations) == ("centre", 5, 60)
    assert "val" in adjustment.data and "own" in adjustment.data
    assert scores.about["adjustment"] == str(adjustment)
    assert str(adjustment) in (run / "log.txt").read_text()
    assert any(mentions(line, 5, 50) for line in caplog.messages)  # that these are few images
    assert str(adjustment).replace("'", "&#39;") in (run / "report.html").read_text(encoding="utf-8")


def test_an_adjustment_is_used_again_from_its_file(halves, tmp_path):
    run, fitted = job(halves, tmp_path, limits=False, adjust=True)
    again, used = job(halves, tmp_path, limits=False, adjustment=run / "adjustment.json")
    assert list(used) == list(fitted) == ["centre adjusted"]
    for metric, values in fitted["centre adjusted"].values.items():
        np.testing.assert_array_equal(used["centre adjusted"].values[metric], values)
    assert (again / "adjustment.json").read_text() == (run / "adjustment.json").read_text()
    assert used["centre adjusted"].about["adjustment"] == fitted["centre adjusted"].about["adjustment"]


def test_images_to_fit_to_are_there_and_are_not_scored(dataset, halves, pth_folder, tmp_path):
    without = write_native(replace(dataset, splits={"val": np.arange(0), "test": np.arange(10)}), tmp_path / "no-val")
    with pytest.raises(InputError, match=naming("--adjust", str(without))):
        job(without, tmp_path, adjust=True)
    for split in ("val", "all"):
        with pytest.raises(InputError, match=naming("--adjust", 5, "--split")):
            job(halves, tmp_path, adjust=True, split=split)
    with pytest.raises(DataError, match="fixations"):
        job(pth_folder, tmp_path, adjust=True)
    with pytest.raises(InputError, match=naming("--adjust", "--adjustment")):
        job(halves, tmp_path, adjust=True, adjustment=tmp_path / "adjustment.json")
    assert not (tmp_path / "eval").exists()


def in_another_place(task, images):
    """Scores images as workers do: they have nothing but the task, and finish in any order."""
    task = pickle.loads(pickle.dumps(task))
    for image in reversed(images):
        yield image, task(image)


@pytest.fixture(scope="module")
def halves(dataset, tmp_path_factory):
    """An archive with five images for validation and five for testing."""
    splits = {"val": np.arange(5), "test": np.arange(5, 10)}
    return write_native(replace(dataset, splits=splits), tmp_path_factory.mktemp("halves") / "native")


@pytest.mark.parametrize("execute", [execute_here, in_another_place])
@pytest.mark.parametrize("option", ["skip_first", "optimal", "adjust"])
def test_an_option_of_an_evaluation_has_its_effect(halves, tmp_path, option, execute):
    _, plain = job(halves, tmp_path, limits=False)
    _, results = job(halves, tmp_path, limits=False, execute=execute, **{option: True})
    test, val = (
        list(open_archive(halves).examples(split, skip_first=option == "skip_first")) for split in ("test", "val")
    )
    model, name = centre, "centre adjusted" if option == "adjust" else "centre"
    if option == "adjust":
        model = Adjusted(FunctionModel(centre), fit_adjustment(centre, val))
    expected = evaluate(model, test, optimal=option == "optimal")
    for metric, values in expected.values.items():
        np.testing.assert_allclose(results[name].values[metric], values, rtol=1e-6)
    assert results[name].mean()["KL"] != pytest.approx(plain["centre"].mean()["KL"], rel=1e-3)


def test_tables_show_every_metric_and_a_dash_where_there_is_none():
    a = Scores(("i", "j"), {"AUC": np.array([0.25, 0.75]), "KL": np.array([1.0, 2.0])})
    b = Scores(("i", "j"), {"AUC": np.array([0.5, 0.5])})
    assert list(table_lines({"a": a, "b": b}))[2:] == ["| a | 0.500 | 1.500 |", "| b | 0.500 | – |"]
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(score_table({"a": a, "[b]": b}, intervals=True))
    text = console.export_text()
    assert "AUC ↑" in text and "KL ↓" in text and "[b]" in text and "0.500 0.25 to 0.75" in text


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_narrow_terminal_breaks_no_interval(width):
    scores = Scores(("i", "j"), {"agreement": np.array([-1.25, 0.25])})
    results = dict.fromkeys(["a", "b", "c", "d"][: max(1, width // 25)], scores)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(score_table(results, intervals=True, width=width))
    assert console.export_text().count("-1.25 to 0.25") == len(results)


def test_comparisons_are_pictures_or_figures_as_asked_for(native_folder, tmp_path):
    options = {"split": "all", "limits": False, "num_saved_images": 2}
    run, _ = job(native_folder, tmp_path, picture_format=("svg", "jpg"), **options)
    drawn = sorted((run / "Comparison images").iterdir())
    assert [path.suffix for path in drawn] == [".jpg", ".svg"] * 2
    text = drawn[1].read_text(encoding="utf-8")
    for said in ("Stimulus, 12 fixations", "Ground truth", "Density (% per square degree)", "NSS"):
        assert said in text


def test_comparisons_of_stimuli_with_one_name_in_two_folders_are_two_files(tmp_path):
    row = {"NSS": 1.0}
    for folder in ("action", "art"):
        made = replace(example("001.jpg", [3.0], [4.0]), name=f"{folder}/001.jpg")
        _draw(tmp_path, frozenset([made.name]), ("jpg", "pdf"), made, np.ones(made.shape), row)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")) == [
        "action/001_comparison.jpg",
        "art/001_comparison.jpg",
    ]
    assert len(list(tmp_path.rglob("*/001_comparison.pdf"))) == 2
