"""The habits of all commands: what goes to which stream, silence, colours, exit statuses, completion."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from every_command import COMMANDS, GROUP
from messages import mentions
from rich.console import Console

import mrsal
from mrsal import cli, datasets
from mrsal.cli import _options
from mrsal.errors import TrainingError
from mrsal.evaluation.scores import Scores
from mrsal.progress import progress_bar

SOURCE = Path(mrsal.__file__).parents[1]
MAIN = "import sys; sys.argv[0] = 'mrsal'; from mrsal.cli import main; main()"


def script(*arguments, **environment):
    """Run ``mrsal`` in a process of its own, whose output is no terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": str(SOURCE), **environment},
    )


def options_of(command):
    return {option for parameter in command.params for option in parameter.opts}


def test_every_long_job_can_be_quiet_and_every_result_read_by_a_program():
    both = (
        "predict",
        "prepare",
        "train",
        "evaluate",
        "compare",
        "submit",
        "export",
        "datasets download",
        "datasets show",
        "reproduce cvpr2015",
    )
    for name in (*both, "demo"):
        assert "--quiet" in options_of(COMMANDS[name]), name
    for name in (*both, "doctor", "datasets list", "datasets info"):
        assert "--json" in options_of(COMMANDS[name]), name


def test_with_json_what_libraries_print_is_no_result(run, folder_root, monkeypatch):
    load = datasets.load
    monkeypatch.setattr(
        datasets, "load", lambda *given, **options: print("noise of a library") or load(*given, **options)
    )
    _, out, err = run("prepare", "folder", "--root", folder_root, "--out", "archive", "--json")
    assert json.loads(out)["stimuli"] == 10
    assert "noise of a library" in err
    assert run("prepare", "folder", "--root", folder_root, "--out", "again")[1].startswith("noise of a library")


def test_prepare_train_and_predict_print_one_json_object_and_nothing_else(run, folder_root):
    status, out, err = run("prepare", "folder", "--root", folder_root, "--out", "archive", "--json")
    assert status == 0 and "archive" in err
    assert json.loads(out)["splits"] == {"train": 8, "val": 1, "test": 1}
    status, out, err = run("train", "--data_dir", "archive", "--epochs", 1, "--device", "cpu", "--json")
    assert status == 0 and re.search(r"epoch 1\b.*loss", err)
    result = json.loads(out)
    assert [str(row["epoch"]) for row in result["epochs"]] == ["1"]  # as in the names of checkpoints
    checkpoint = Path(result["folder"]) / "cnn_epoch_1.pth"
    images = sorted((folder_root / "stimuli").iterdir())[:1]
    arguments = ("predict", *images, "gone.jpg", "--model", checkpoint, "--mode", "fast", "--out", "maps", "--json")
    status, out, err = run(*arguments)
    assert status == 1 and "gone.jpg" in err
    result = json.loads(out)
    assert (result["done"], result["skipped"], result["failed"]) == (1, 0, 1)
    assert Path(result["results"][str(images[0])]["overlay"]).is_file()
    assert "gone.jpg" in result["failures"][0]
    assert json.loads(run(*arguments, "--skip_existing")[1])["results"] == result["results"]


def test_evaluate_prints_means_with_intervals(run, native_folder):
    arguments = ("evaluate", "--data_dir", native_folder, "--model_path", "centre", "--split", "all")
    status, out, err = run(*arguments, "--num_saved_images", 0, "--json")
    assert status == 0 and "tuebingen" in err
    result = json.loads(out)
    assert (Path(result["folder"]) / "scores.csv").is_file()
    assert (result["images"], result["protocol"]) == (10, "tuebingen")
    auc = result["models"]["centre"]["AUC"]
    assert auc["low"] < auc["mean"] < auc["high"] and auc["images"] == 10
    assert result["models"]["uniform"]["AUC"]["mean"] == 0.5


def test_submit_prints_what_is_wrong(run, dataset):
    pytest.importorskip("h5py")
    paths = [stimulus.path for stimulus in dataset.stimuli[:2]]
    status, out, _ = run("submit", *paths, "--model", "centre", "--out", "m.hdf5", "--json")
    assert status == 0
    assert json.loads(out) == {"file": "m.hdf5", "stimuli": 2, "ready": True, "problems": []}
    status, out, _ = run("submit", *paths, dataset.stimuli[2].path, "--dry_run", "m.hdf5", "--json")
    result = json.loads(out)
    assert status == 1 and not result["ready"]
    assert result["problems"][0]["key"] == dataset.stimuli[2].path.name and result["problems"][0]["fatal"]


def test_quiet_leaves_what_went_wrong(run, native_folder, folder_root):
    quiet = ("--quiet", "--num_saved_images", 0)
    arguments = ("evaluate", "--data_dir", native_folder, "--model_path", "centre")
    assert run(*arguments, *quiet) == (0, "", "")
    assert run("prepare", "folder", "--root", folder_root, "--out", "archive", "--quiet") == (0, "", "")
    status, out, err = run("predict", "gone.jpg", "--out", "maps", "--quiet")
    assert (status, out) == (2, "") and "gone.jpg" in err
    assert "tuebingen" in run(*arguments)[1]  # the next command speaks again
    assert json.loads(run(*arguments, *quiet, "--json")[1])["images"] == 1


def test_the_bar_shows_names_with_brackets_as_they_are():
    console = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    with progress_bar(console) as bar:
        bar.add_task("[red]film.mp4", total=1, note="a [red] b.png")
    assert "[red]film.mp4" in console.file.getvalue() and "a [red] b.png" in console.file.getvalue()


def test_a_message_that_quotes_a_file_is_short_and_harmless(run):
    assert _options.readable("a ü b\x1b[31m\x07\n") == r"a ü b\x1b[31m\x07"
    long = _options.readable(f"first {'x' * 5000} last")
    assert len(long) < 1100 and long.startswith("first x") and long.endswith("x last")
    assert len(_options.readable("line\n" * 100).splitlines()) < 10
    Path("boxes.json").write_text(json.dumps({"\x1b[31mred" + "x" * 9000: 5}))
    Path("a.png").touch()
    status, _, err = run("check", "a.png", "--boxes", "boxes.json", "--rule", "a>b")
    assert status == 2 and "\x1b" not in err and len(err) < 1100


def test_numbers_that_are_none_are_null(capsys):
    _options.print_json({"a": float("nan"), "b": [np.float64("inf"), 1.5], "c": Path("d"), "e": {"f": ("ä", None)}})
    out = capsys.readouterr().out
    assert json.loads(out) == {"a": None, "b": [None, 1.5], "c": "d", "e": {"f": ["ä", None]}}
    assert "NaN" not in out and "ä" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_and_for_those_who_want_them(environment, coloured, tmp_path):
    done = script("prepare", "nope", "--root", tmp_path, "--out", tmp_path / "out", **environment)
    assert done.returncode == 2
    assert mentions(done.stderr, "nope", "osie", "mit1003")
    assert ("\x1b[31m" in done.stderr) == coloured


def test_exit_statuses_tell_a_failure_from_a_wrong_command_and_from_a_stop(run, native_folder, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    def fail(*_, **__):
        raise TrainingError("the loss is not a number")

    train = ("train", "--data_dir", native_folder, "--device", "cpu")
    assert run("train", "--nope")[0] == 2
    assert run("train", "--data_dir", "nowhere")[0] == 2
    for action, expected in ((stop, 130), (fail, 1)):
        monkeypatch.setattr("mrsal.training.loop.train", action)
        status, _, err = run(*train)
        assert status == expected
        assert "Traceback" not in err


@pytest.mark.slow
def test_output_that_takes_only_ascii_breaks_nothing(tmp_path):
    for name, value in (("ä", 0.5), ("b", 0.7)):
        Scores(("1", "2", "3"), {"AUC": np.array([0, 0.1, 0.2]) + value}).save(tmp_path / f"{name}.csv")
    arguments = ("compare", tmp_path / "ä.csv", tmp_path / "b.csv", "--resamples", 100, "--out", tmp_path / "out")
    done = script(*arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "") and "AUC ?" in done.stdout
    done = script(*arguments, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["models"] == ["ä", "b"]


@pytest.mark.slow
def test_names_are_completed(monkeypatch):
    def completed(words):
        done = script(_MRSAL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
        return done.stdout.split()

    assert completed("mrsal pre") == ["predict", "prepare"]
    assert completed("mrsal predict a.png --model mrc") == ["mrcnn"]
    assert completed("mrsal evaluate --protocol m") == ["mit-matlab", "mrcnn"]
    assert "osie" in completed("mrsal prepare o")
    assert completed("mrsal datasets info c") == ["cat2000", "crowd"]
    assert completed("mrsal datasets sh") == ["show"]
    assert completed("mrsal evaluate --model_path ce") == ["centre"]


@pytest.mark.slow
def test_the_shell_script_of_the_completion_is_there():
    assert "_MRSAL_COMPLETE=complete_bash" in script("--show-completion", "bash").stdout


@pytest.mark.slow
def test_the_package_runs_as_a_module():
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    called = subprocess.run(
        [sys.executable, "-m", "mrsal", "--version"], capture_output=True, text=True, env=environment
    )
    assert (called.returncode, called.stdout.strip()) == (0, mrsal.__version__)


def without_spaces(text):
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", ["", "datasets", "reproduce", *COMMANDS])
def test_help_is_whole_at_80_columns(run, name, monkeypatch):
    """Every help text is there to its end, wherever its lines are broken."""
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = run(*name.split(), "--help")
    assert status == 0
    assert [line for line in out.splitlines() if len(line) > 80] == []
    commands = {**COMMANDS, **GROUP.commands}
    if name:
        texts = [commands[name].help, *(parameter.help for parameter in commands[name].params)]
    else:
        texts = [command.help.partition("\n\n")[0] for command in GROUP.commands.values()]
        lines = [line.split(maxsplit=1) for line in out.partition("Use a model:")[2].splitlines() if line]
        assert [words for words in lines if words[0] in commands and not words[1].endswith(".")] == []
    assert [text for text in texts if without_spaces(text) not in without_spaces(out)] == []
    assert [text for text in texts if re.match(r"Of\b", text) or text.endswith("...")] == []


def test_help_lists_each_command_under_one_heading(run):
    listed = re.findall(r"^  ([a-z]+) ", run("--help")[1].partition("Use a model:")[2], re.MULTILINE)
    assert sorted(listed) == sorted(typer.main.get_command(cli.app).commands)
    assert "Train and evaluate:" in run("--help")[1]
