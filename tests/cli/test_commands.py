"""The commands as users type them: files in, files out, one clear line when something is wrong."""

import contextlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import known_images
import numpy as np
import pytest
from messages import mentions
from PIL import Image
from tiny_network import tiny

from mrsal import cli
from mrsal.datasets import NativeArchive
from mrsal.evaluation.scores import Scores
from mrsal.images import read_image
from mrsal.inference import load_model, video
from mrsal.model.checkpoint import load_checkpoint, save_checkpoint
from mrsal.model.network import MrCNN

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--epochs", "1", "--batch_size", "16", "--device", "cpu")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Weights as they start, with a louder output so that maps vary."""
    network = MrCNN(tiny())
    network.output.weight.data *= 30
    return save_checkpoint(network, tmp_path_factory.mktemp("model") / "cnn_epoch_1.pth")


def only(folder):
    (found,) = folder.iterdir()
    return found


@pytest.mark.parametrize("data", ["native_folder", "pth_folder"])
def test_train_writes_checkpoints_and_logs(run, data, request, tmp_path):
    status, out, _ = run("train", "--data_dir", request.getfixturevalue(data), "--out_dir", tmp_path, *QUICK)
    assert status == 0
    assert "GPU" not in out  # nobody has asked for several
    folder = only(tmp_path / "trained")
    written = {path.name for path in folder.iterdir()}
    assert {"cnn_epoch_1.pth", "log.txt", "metrics.csv", "config.json", "curves.png", "tensorboard"} <= written
    assert re.search(r"epoch 1\b.*loss", (folder / "log.txt").read_text())
    network, about = load_checkpoint(folder / "cnn_epoch_1.pth")
    assert about["epoch"] == 1
    assert network.config.mean != (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("watched", ["CC", "agreement"])
def test_train_validates_and_keeps_the_best(run, native_folder, tmp_path, watched):
    options = ("--use_val", "--val_metric", watched, *QUICK)
    status, out, _ = run("train", "--data_dir", native_folder, "--out_dir", tmp_path, *options)
    assert status == 0
    folder = only(tmp_path / "trained")
    assert (folder / "cnn_best.pth").is_file()
    columns = (folder / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "val_CC" in columns
    assert ("val_agreement" in columns) is (watched == "agreement")
    assert mentions(out, watched)


@pytest.mark.slow
def test_improvements_trains_the_blur_variant_and_resume_goes_on(run, native_folder, tmp_path):
    arguments = ["train", "--data_dir", native_folder, "--improvements", "1", *QUICK[2:]]
    assert run(*arguments, "--out_dir", tmp_path, "--epochs", "1")[0] == 0
    folder = only(tmp_path / "trained")
    assert load_checkpoint(folder / "cnn_epoch_1.pth")[0].config.variant == "blur"
    assert run(*arguments, "--resume", folder, "--epochs", "2")[0] == 0
    assert (folder / "cnn_epoch_2.pth").is_file()
    assert only(tmp_path / "trained") == folder


@pytest.mark.parametrize("data", ["native_folder", "pth_folder"])
def test_evaluate_writes_scores_and_comparisons(run, data, request, checkpoint, tmp_path):
    data_dir = request.getfixturevalue(data)
    status, out, _ = run(
        "evaluate", "--data_dir", data_dir, "--out_dir", tmp_path, "--model_path", checkpoint, "--mode", "fast"
    )
    assert status == 0
    assert "CC" in out and "agreement" not in out
    folder = only(tmp_path / "eval")
    assert "| model | " in (folder / "log.txt").read_text()
    picture = only(folder / "Comparison images")
    assert picture.name.endswith("_comparison.jpg")
    assert read_image(picture).shape[1] > 3 * 64


@pytest.mark.parametrize(
    ("entry", "options", "printed"),
    [
        (cli.main, [], False),
        (cli.main, ["--agreement"], True),
        (cli.main, ["--protocol", "historical"], True),
        (cli.evaluate_script, [], True),
        (cli.evaluate_script, ["--no_agreement"], False),
    ],
)
def test_only_eval_py_and_who_asks_get_the_historical_score(run, pth_folder, tmp_path, entry, options, printed):
    command = ["evaluate"] if entry is cli.main else []
    where = ("--data_dir", pth_folder, "--out_dir", tmp_path, "--model_path", "centre")
    status, out, _ = run(*command, *where, *options, entry=entry)
    assert status == 0
    assert ("agreement" in out) is printed
    header = (only(tmp_path / "eval") / "scores.csv").read_text(encoding="utf-8").splitlines()[0]
    assert ("agreement" in header.split(",")) is printed


@pytest.mark.parametrize(("asked", "saved"), [(0, 0), (2, 2), (-1, 10)])
def test_num_saved_images(run, native_folder, tmp_path, asked, saved):
    run(
        *("evaluate", "--data_dir", native_folder, "--out_dir", tmp_path, "--model_path", "centre"),
        *("--split", "all", "--num_saved_images", asked),
    )
    assert len(list(tmp_path.rglob("*_comparison.jpg"))) == saved


def test_wrong_improvements_is_an_error_and_not_a_wrong_score(run, native_folder, checkpoint, tmp_path):
    arguments = ("evaluate", "--data_dir", native_folder, "--model_path", checkpoint, "--out_dir", tmp_path)
    status, _, err = run(*arguments, "--improvements", "1")
    assert status == 2
    assert "--improvements 0" in err
    assert not (tmp_path / "eval").exists()


def test_what_is_wrong_with_an_evaluation_is_said_before_it_has_a_folder(run, native_folder, tmp_path):
    arguments = ("evaluate", "--data_dir", native_folder, "--model_path", "centre", "--out_dir", tmp_path)
    status, out, err = run(*arguments, "--protocol", "tubingen")
    assert (status, out) == (2, "") and mentions(err, "tubingen", "tuebingen")
    assert not (tmp_path / "eval").exists()


def test_hyphens_do_as_well_as_underscores(run, native_folder, tmp_path):
    assert run("evaluate", "--data-dir", native_folder, "--out-dir", tmp_path, "--model-path", "uniform")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--data_dir", "{tmp}"], ["mrsal prepare"]),
        (["train", "--data_dir", "{native}", "--early_stopping_patience", "3"], ["--use_val"]),
        (["train", "--data_dir", "{native}", "--start_momentum", "1.5"], ["start_momentum", 1.5]),
        (["train", "--data_dir", "{native}", "--out_dir", "{tmp}/file/below"], ["{tmp}/file"]),
        (["train", "--data_dir", "{native}", "--resume", "{tmp}"], ["state.pt"]),
        (["evaluate", "--data_dir", "{native}", "--model_path", "{tmp}/no.pth"], ["{tmp}/no.pth", "mrcnn"]),
        (["evaluate", "--data_dir", "{native}", "--model_path", "mrcnn_osie"], ["mrcnn_osie", "mrcnn"]),
        (["evaluate", "--data_dir", "{native}", "--model_path", "centre", "--split", "nope"], ["nope", "test"]),
        (["prepare", "nope", "--root", "{tmp}", "--out", "{tmp}/out"], ["nope", "osie", "mit1003"]),
        (["prepare", "osie", "--root", "{tmp}", "--out", "{tmp}/out"], ["{tmp}/data/stimuli"]),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, native_folder, tmp_path, arguments, named):
    (tmp_path / "file").write_text("")
    status, _, err = run(*(text.format(tmp=tmp_path, native=native_folder) for text in arguments))
    assert status == 2
    assert err.startswith("error: ")
    assert mentions(err, *(str(value).format(tmp=tmp_path) for value in named))
    assert "Traceback" not in err


def test_prepare_makes_both_kinds_of_archive(run, folder_root, tmp_path):
    for kind, file in (("native", "archive.json"), ("pth", "train_data.pth.tar")):
        out = tmp_path / kind
        assert run("prepare", "folder", "--root", folder_root, "--out", out, "--format", kind)[0] == 0
        assert (out / file).is_file()


def test_prepare_leaves_out_first_fixations_and_says_where_a_marker_was(run, folder_root, tmp_path):
    rows = ["stimulus,subject,x,y"]
    for i in range(10):
        for subject in "ab":
            rows += [f"s{i}.png,{subject},{place}" for place in ("0.5,0.5", f"0.0{i},0.1", f"0.9,0.2{i}")]
    (folder_root / "fixations.csv").write_text("\n".join(rows) + "\n")
    table = ("prepare", "folder", "--root", folder_root, "--coordinates", "relative")
    status, out, _ = run(*table, "--out", tmp_path / "all")
    assert status == 0 and mentions(out, "100 %", "--skip_first")
    status, out, _ = run(*table, "--out", tmp_path / "rest", "--skip_first")
    assert status == 0 and mentions(out, "20 of 60") and "marker" not in out
    assert len(NativeArchive(tmp_path / "all").fixations) == 60
    rest = NativeArchive(tmp_path / "rest").fixations
    assert len(rest) == 40 and rest.order.min() == 1


def test_predict_skips_a_broken_file_and_says_so(run, folder_root, checkpoint, tmp_path):
    stimuli = folder_root / "stimuli"
    for path in sorted(stimuli.iterdir())[2:]:
        path.unlink()
    (stimuli / "broken.jpg").write_bytes(b"\xff\xd8 not a picture")
    arguments = ("predict", stimuli, "--model", checkpoint, "--out", tmp_path / "maps", "--mode", "fast")
    status, out, _ = run(*arguments, "--format", "npy")
    assert status == 1
    assert "broken.jpg" in out
    assert re.search(r"\b2\D{1,9}\b3\b", out)
    map_ = np.load(tmp_path / "maps" / "s0.npy")
    assert map_.shape == (61, 83)
    assert map_.dtype == np.float32
    assert np.ptp(map_) > 0


def test_predict_tells_by_its_exit_status_how_much_could_be_done(run, folder_root, checkpoint, tmp_path):
    stimulus = folder_root / "stimuli" / "s3.png"
    arguments = ("predict", "--model", checkpoint, "--out", "maps", "--mode", "fast", "--format", "npy", "--format")
    status, out, _ = run(*arguments, "overlay", "--quiet", stimulus)
    assert (status, out) == (0, "")
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["s3.npy", "s3_overlay.jpg"]
    status, out, _ = run(*arguments, "overlay", "--skip-existing", stimulus, "https://example.org/a.jpg")
    assert (status, "https://example.org/a.jpg" in out) == (1, True)
    assert run("predict", "--out", "new", "gone.jpg")[0] == 2
    assert not (tmp_path / "new").exists()


@pytest.fixture
def film(tmp_path):
    """A video of two frames."""
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "film.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 40, 30, "bgr0"
        for value in (0, 200):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.full((30, 40, 3), value, np.uint8))))
        container.mux(video.encode(None))
    return tmp_path / "film.mkv"


def test_predict_writes_a_video(run, film, checkpoint, tmp_path):
    options = ("--model", checkpoint, "--out", "maps", "--smoothing", "0.2", "--every", "2", "--format")
    assert run("predict", film, *options, "overlay", "--format", "npy")[0] == 0
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {"film_overlay.mp4", "film.npy", "film_times.npy"}
    assert np.load(tmp_path / "maps" / "film.npy").shape == (2, 50, 50)


def test_a_damaged_video_is_reported_as_written_and_damaged(run, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (20, 33, 47, 3), dtype=np.uint8)
    film = known_images.film(tmp_path / "film.mkv", list(frames))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    status, out, _ = run("predict", film, "--model", "centre", "--out", "maps", "--format", "npy", "--json")
    found = json.loads(out)
    assert (status, found["done"], found["damaged"], found["failed"]) == (1, 1, 1, 0)
    assert found["results"] == {str(film): {"npy": "maps/film.npy"}}
    assert mentions(found["failures"][0], film)


def test_long_images_and_first_pages_are_said_to_be_such(run, checkpoint, tmp_path):
    first = Image.new("RGB", (70, 400), "white")
    first.save(tmp_path / "long.gif", save_all=True, append_images=[Image.new("RGB", (70, 400))])
    (tmp_path / "boxes.json").write_text('{"cta": [0, 0, 70, 50]}')
    shared = ("--model", checkpoint, "--mode", "fast")
    windows = load_model(checkpoint, device="cpu", mode="fast").predict(first).windows
    for command in (
        ("predict", "long.gif", "--out", "maps"),
        ("aoi", "long.gif", "--boxes", "boxes.json"),
        ("check", "long.gif", "--boxes", "boxes.json", "--rule", "cta>=0"),
    ):
        status, out, _ = run(*command, *shared)
        assert status == 0 and mentions(out, "long.gif", 2, windows), command
        status, out, _ = run(*command, *shared, "--json")
        assert status == 0 and mentions(str(json.loads(out)["notes"]), "long.gif", 2, windows), command


def test_what_a_terminated_command_had_begun_to_write_is_removed(run, film, checkpoint, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    begun = []

    def terminated(*_):
        begun.extend((tmp_path / "maps").iterdir())
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(video.MovingHeat, "__call__", terminated)
    assert run("predict", film, "--model", checkpoint, "--out", "maps")[0] == 128 + signal.SIGTERM
    assert len(begun) == 1
    assert not list((tmp_path / "maps").iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_run_that_is_told_to_stop_says_how_to_go_on_and_has_its_own_exit_status(
    run, native_folder, tmp_path, monkeypatch, number, status
):
    from mrsal.training import job as training_job

    @contextlib.contextmanager
    def asked():
        yield lambda: number

    monkeypatch.setattr(training_job, "catch_signals", asked)
    arguments = ("train", "--data_dir", native_folder, "--out_dir", tmp_path, *QUICK)
    got, out, _ = run(*arguments)
    assert got == status
    folder = only(tmp_path / "trained")
    assert f"--resume {folder}" in out
    monkeypatch.undo()
    assert run(*arguments, "--resume", "last")[0] == 0
    assert only(tmp_path / "trained") == folder
    assert (folder / "cnn_epoch_1.pth").is_file()


def test_a_second_ctrl_c_exits_with_130(run, native_folder, tmp_path, monkeypatch):
    from mrsal.training import loop

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "epoch", interrupted)
    status, *_ = run("train", "--data_dir", native_folder, "--out_dir", tmp_path, *QUICK)
    assert status == 130


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train.py", "eval.py"])
def test_the_scripts_at_the_root_offer_the_known_flags(script):
    known = {
        "train.py": "data_dir out_dir epochs num_gpus use_val batch_size learning_rate start_momentum end_momentum "
        "lr_weight_decay conv1_weight_constraint using_windows improvements early_stopping_patience",
        "eval.py": "data_dir out_dir model_path improvements num_saved_images",
    }
    help_ = subprocess.run([sys.executable, ROOT / script, "--help"], capture_output=True, text=True, check=True).stdout
    for flag in known[script].split():
        assert f"--{flag}" in help_


@pytest.mark.parametrize(
    ("entry", "form", "validates"),
    [
        ("train_script", "--use_val", True),
        ("main", "--use_val --using_windows", True),
        ("main", "--use-val --early_stopping_patience 3", True),
        ("train_script", "--use_val=1", True),
        ("main", "--use_val=1", True),
        ("train_script", "--use_val 1 --using_windows 0", True),
        ("main", "--use_val 1 --using_windows 0", True),
        ("train_script", "--use_val=0", False),
        ("main", "--use_val 0 --using_windows=1", False),
        ("train_script", "--using-windows 1 --use-val=0", False),
    ],
)
def test_a_switch_stands_alone_or_takes_0_or_1(run, few_samples, entry, form, validates, tmp_path):
    command = ["train"] if entry == "main" else []
    options = ["--data_dir", few_samples, "--out_dir", tmp_path, *QUICK, "--num_gpus", 1]
    status, _, err = run(*command, *options, *form.split(), entry=getattr(cli, entry))
    assert (status, err) == (0, "")
    assert (only(tmp_path / "trained") / "cnn_epoch_1.pth").is_file()
    assert (only(tmp_path / "trained") / "cnn_best.pth").is_file() == validates


@pytest.mark.parametrize("value", ["=2", " yes", "=", " 01"])
@pytest.mark.parametrize("name", ["--use_val", "--using-windows"])
def test_a_switch_takes_nothing_but_0_and_1(run, native_folder, name, value):
    argument = [name, value.strip()] if value[0] == " " else [name + value]
    status, _, err = run("train", "--data_dir", native_folder, *argument, *QUICK)
    assert status == 2
    complaint = err.splitlines()[-1]
    assert name.replace("-w", "_w") in complaint and f"expected 0 or 1, got '{value[1:]}'" in complaint


@pytest.mark.slow
def test_the_script_trains_as_users_of_the_method_call_it(few_samples, tmp_path):
    command = [sys.executable, ROOT / "train.py", "--data_dir", few_samples, "--out_dir", tmp_path, *QUICK]
    done = subprocess.run([*command, "--use_val", "1", "--using_windows", "0"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (only(tmp_path / "trained") / "cnn_best.pth").is_file()


def test_compare_reads_folders_and_files(run, tmp_path):
    import json

    names = tuple(f"s{i}" for i in range(20))
    values = np.linspace(0.5, 0.9, 20)
    (tmp_path / "eval").mkdir()
    Scores(names, {"AUC": values}, model="Mr-CNN").save(tmp_path / "eval" / "scores.csv")
    Scores(names, {"AUC": values - 0.1}).save(tmp_path / "other.csv")
    arguments = ("compare", tmp_path / "eval", tmp_path / "other.csv", "--resamples", 100, "--out", tmp_path / "out")
    status, out, _ = run(*arguments)
    assert status == 0
    assert "Mr-CNN −" in out
    written = {path.name for path in (tmp_path / "out").iterdir()}
    charts = {f"{name}.{kind}" for name in ("comparison", "scores", "distributions") for kind in ("png", "pdf")}
    assert written == {"comparison.csv", "comparison.md", *charts}
    status, out, _ = run(*arguments, "--names", "A,B", "--reference", "B", "--json")
    assert json.loads(out)["pairs"][0]["winner"] == "A"
    assert mentions(run(*arguments, "--names", "A,A")[2], "error:", "A, A", "--names")
    assert mentions(run(*arguments, "--names", "A")[2], "error:", "A", 1, 2)
    assert mentions(run("compare", "gone", "other.csv")[2], "error:", "gone", "mrsal evaluate")
    out = run(*arguments[:-2], "--out", tmp_path / "[red]", "--names", "[red]a,[red]b")[1]
    assert "│ [red]a" in out and "[red]a −" in out and out.endswith("[red]\n")


def test_submit_writes_and_checks_log_densities(run, dataset, tmp_path):
    pytest.importorskip("h5py")
    images = dataset.stimuli[0].path.parent
    status, out, _ = run("submit", images, "--model", "centre", "--out", tmp_path / "m.hdf5")
    assert status == 0 and mentions(out, 10)
    status, out, _ = run("submit", dataset.stimuli[0].path, "--dry_run", tmp_path / "m.hdf5")
    assert status == 0 and mentions(out, dataset.stimuli[1].name, 6)
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "other.png").write_bytes(dataset.stimuli[0].path.read_bytes())
    status, out, _ = run("submit", tmp_path / "few", "--dry_run", tmp_path / "m.hdf5")
    assert status == 1 and mentions(out, "other.png")
    status, _, error = run("submit", images)
    assert status == 2 and mentions(error, "--out", "--dry_run")


def test_evaluate_scores_a_folder_of_maps_and_a_function(run, native_folder, dataset, tmp_path):
    (tmp_path / "maps").mkdir()
    for stimulus in dataset.stimuli:
        np.save(tmp_path / "maps" / f"{stimulus.path.stem}.npy", stimulus.read()[..., 0])
    Path("own_red.py").write_text("def red(image):\n    return image[..., 0]\n")
    for model in (tmp_path / "maps", "own_red:red"):
        status, _, _ = run("evaluate", "--data_dir", native_folder, "--model_path", model, "--num_saved_images", 0)
        assert status == 0
    of_maps, of_function = (Scores.load(path) for path in sorted((tmp_path / "eval").glob("*/scores.csv")))
    assert of_maps.mean() == of_function.mean()
    assert (of_maps.model, of_function.model, of_maps.dataset) == ("maps", "own_red:red", "own")
    missing = dataset.stimuli[int(dataset.splits["test"][0])].path
    (tmp_path / "maps" / f"{missing.stem}.npy").unlink()
    status, _, error = run("evaluate", "--data_dir", native_folder, "--model_path", tmp_path / "maps")
    assert status == 2 and mentions(error, tmp_path / "maps", missing.name, 1)
