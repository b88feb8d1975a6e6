"""Ray's workers do what one process does: same bytes, same scores; a killed worker changes nothing."""

import contextlib
import io
import json
import logging
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from known_images import Brightness, encoded, film, grey_ramp, write_tar
from messages import mentions, naming
from PIL import Image
from pyarrow import parquet
from rich.console import Console
from tiny_network import tiny

import mrsal
from mrsal.errors import FileError, InputError, MrsalError
from mrsal.evaluation.evaluator import evaluate
from mrsal.evaluation.job import evaluate_job
from mrsal.evaluation.limits import limits_of
from mrsal.evaluation.options import EvaluateOptions
from mrsal.evaluation.task import ScoringTask
from mrsal.inference import Adjustment, CentrePrior, job as inference_job, ray_job, ray_pool
from mrsal.inference.executor import execute_here
from mrsal.inference.job import Summary, predict_job
from mrsal.inference.options import PredictOptions
from mrsal.inference.ray_job import FAILURES, predict_on_ray
from mrsal.inference.ray_pool import on_ray
from mrsal.inference.shards import FOLDER
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.network import MrCNN
from mrsal.model.pretrained import everywhere

pytestmark = pytest.mark.usefixtures("everything_logged")
QUIET = Console(file=io.StringIO())


@pytest.fixture
def everything_logged(caplog):
    caplog.set_level(logging.INFO, logger="mrsal")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Weights as they start, with a louder output so that maps vary."""
    network = MrCNN(tiny())
    network.output.weight.data *= 30
    return save_checkpoint(network, tmp_path_factory.mktemp("model") / "cnn.pth")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with a broken file and two of one name, a table, and a tar: 17 inputs."""
    root = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(0)

    def write_image(name):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (rng.integers(20, 40), 30, 3), dtype=np.uint8)).save(root / name)

    for name in [f"photos/{i}.png" for i in range(8)] + ["photos/deep/1.png", "photos/1.jpg", "more/x.png"]:
        write_image(name)
    (root / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    parquet.write_table(pa.table({"file": ["more/x.png", "photos/2.png", "more/gone.png"]}), root / "list.parquet")
    write_tar(root / "web.tar", {f"{i}.png": encoded(40 * i) for i in range(3)} | {"bad.png": b"\x89PNG"})
    return root


def inputs(photos):
    return tuple(str(photos / name) for name in ("photos", "list.parquet", "web.tar"))


def files(folder):
    """What is in an output folder, and its bytes."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != FAILURES]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if FOLDER not in path.parts}


# ---- with Ray; what it starts takes seconds, so little is done with it


@pytest.fixture(scope="module")
def deadly(ray_modules):
    """A folder with a model that kills its process on one of the images."""
    (ray_modules / "deadly.py").write_text(
        "import os, signal\n"
        "def model(image):\n"
        "    if image.shape[:2] == (41, 55):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return image.mean(axis=2)\n"
    )
    return ray_modules


@pytest.fixture
def one_thread():
    """One thread, as workers have: the last digit depends on the order in which threads add."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def workers():
    """The processes that do a job, by the names that Ray gives them; Linux only."""
    names = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            names[int(path.parent.name)] = path.read_bytes()
    return {pid for pid, name in names.items() if name.startswith(b"ray::") and b"MapWorker" in name}


def kill_a_worker(out, pids):
    """Kill the process that does shard 0 after its first map."""
    while not any(out.rglob("*.npy")):
        time.sleep(0.002)
    [pid] = workers()
    os.kill(pid, signal.SIGKILL)
    pids.append(pid)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the process to kill as Linux lists them")
def test_a_killed_worker_changes_nothing_and_a_rerun_does_what_failed(
    ray_here, one_thread, photos, checkpoint, tmp_path, caplog
):
    options = PredictOptions(
        paths=inputs(photos),
        out=tmp_path / "one",
        model=str(checkpoint),
        format=("npy",),
        mode="fast",
        recursive=True,
        column="file",
    )
    expected = predict_job(options, console=QUIET)
    assert expected == Summary(done=14, failed=3)
    caplog.clear()

    pids = []
    killer = threading.Thread(target=kill_a_worker, args=(tmp_path / "out", pids), daemon=True)
    killer.start()
    # one worker, so that the first map is of the first shard
    options = replace(options, out=tmp_path / "out", engine="ray", workers=1, shard_size=6)
    assert predict_on_ray(options, console=QUIET) == expected
    killer.join(timeout=60)
    assert pids, "a worker was killed"
    assert files(tmp_path / "out").keys() >= files(tmp_path / "one").keys()
    extra = files(tmp_path / "out").keys() - files(tmp_path / "one").keys()
    assert all(name.endswith(".part") for name in extra)  # what the killed worker had begun to write
    assert all(files(tmp_path / "out")[name] == content for name, content in files(tmp_path / "one").items())
    failed = (tmp_path / "out" / FAILURES).read_text()
    assert sorted(line for line in failed.splitlines() if not line.startswith("#")) == sorted(
        str(photos / name) for name in ("photos/broken.jpg", "more/gone.png", "web.tar")
    )
    assert re.search(r"# .*broken\.jpg.* JPEG", failed) and "web.tar/bad.png: " in failed
    assert any(mentions(message, 14, 17) for message in caplog.messages) and "/s" in caplog.text

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.npy")}
    Image.new("RGB", (30, 20)).save(photos / "photos" / "broken.jpg")
    try:
        again = predict_on_ray(replace(options, workers=2), console=QUIET)
    finally:
        (photos / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    assert again == Summary(done=1, skipped=14, failed=2)
    assert (tmp_path / "out" / "broken.npy").is_file()
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())


def test_scores_are_those_of_one_process(ray_here, one_thread, native_folder, checkpoint, tmp_path):
    options = EvaluateOptions(
        data_dir=native_folder,
        model_path=str(checkpoint),
        out_dir=tmp_path / "one",
        split="all",
        mode="fast",
        limits=False,
        num_saved_images=2,
    )
    _, expected = evaluate_job(options, console=QUIET)
    with on_ray(workers=2) as execute:
        run, results = evaluate_job(replace(options, out_dir=tmp_path), execute=execute, console=QUIET)
    for name, scores in expected.items():
        assert scores.names == results[name].names and len(scores.names) == 10
        for metric, values in scores.values.items():
            np.testing.assert_allclose(results[name].values[metric], values, rtol=0, atol=1e-12)
    assert len(list((run / "Comparison images").iterdir())) == 2


def test_an_image_that_kills_its_worker_ends_the_evaluation(ray_here, deadly, native_folder, tmp_path, monkeypatch):
    """Ray itself would start another worker for it again and again."""
    monkeypatch.syspath_prepend(deadly)
    options = EvaluateOptions(
        data_dir=native_folder,
        model_path="deadly:model",
        out_dir=tmp_path,
        split="all",
        limits=False,
        num_saved_images=0,
    )
    with pytest.raises(MrsalError, match=naming(3, "s7.png")), on_ray(workers=1) as execute:
        evaluate_job(options, execute=execute, console=QUIET)


# in a process of its own, in which Ray is not running yet
WITH_ITS_ENVIRONMENT = """
import os, signal
os.environ["RAY_BACKEND_LOG_LEVEL"] = "error"
before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
from mrsal.inference import on_ray


class Job:
    def __call__(self, item):
        return {name: value for name, value in os.environ.items() if name.startswith("RAY_")}


with on_ray(workers=1) as execute:
    [(_, worker)] = execute(Job(), [0])
    print("RAY_USAGE_STATS_ENABLED" in os.environ)
    print(worker.get("RAY_USAGE_STATS_ENABLED"), worker.get("RAY_worker_niceness"), worker.get("RAY_BACKEND_LOG_LEVEL"))
print(dict(os.environ) == before, signal.getsignal(signal.SIGTERM) == handler)
"""


@pytest.mark.slow
def test_workers_get_their_environment_and_the_process_keeps_its_own():
    pytest.importorskip("ray")
    environment = {**os.environ, "PYTHONPATH": str(Path(mrsal.__file__).parents[1])}
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_worker_niceness", "RAY_BACKEND_LOG_LEVEL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", WITH_ITS_ENVIRONMENT], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines() == ["False", "0 0 error", "True True"]


# ---- without: the same code in this process


def execute_by(monkeypatch, execute):
    """Let ``execute`` take the place of a cluster."""
    monkeypatch.setattr(ray_job, "on_ray", lambda **_: contextlib.nullcontext(execute))


@pytest.fixture
def in_process(monkeypatch, tmp_path):
    """Shards are done in this process, by a job that was pickled, with a model whose maps are known."""

    def execute(job, items):
        job = pickle.loads(pickle.dumps(job))
        vars(job)["predictor"] = Brightness()
        return execute_here(job, items)

    execute_by(monkeypatch, execute)
    monkeypatch.setattr(ray_job, "import_ray", lambda: None)
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.png").write_bytes(encoded(50 * i))
    base = PredictOptions(paths=(str(folder),), out=tmp_path / "out", format=("npy",), engine="ray", shard_size=2)
    return lambda **options: predict_on_ray(replace(base, **options), console=QUIET)


def test_the_summary_is_that_of_one_process(in_process, tmp_path, monkeypatch):
    """With failures of every kind, a damaged video, notes, and results that exist."""
    folder = tmp_path / "in"
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    write_tar(folder / "web.tar", {"x.png": encoded(10), "bad.png": b"\x89PNG"})
    frames = [Image.new("RGB", (8, 6), (value,) * 3) for value in (20, 200)]
    frames[0].save(folder / "move.gif", save_all=True, append_images=frames[1:])
    video = film(folder / "cut.mkv", list(np.random.default_rng(0).integers(0, 256, (20, 33, 47, 3), dtype=np.uint8)))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    monkeypatch.setattr(inference_job, "open_model", lambda *_, **__: Brightness())
    paths = (str(folder), str(tmp_path / "gone.png"))

    def summaries(**options):
        local = PredictOptions(paths=paths, out=tmp_path / "local", format=("npy",), **options)
        for summary in (predict_job(local, console=QUIET), in_process(paths=paths, **options)):
            values = summary.to_dict()
            values["failures"] = sorted(values["failures"])
            yield json.loads(json.dumps(values).replace(str(tmp_path / "local"), str(tmp_path / "out")))

    one, cluster = summaries()
    assert one == cluster
    assert (one["done"], one["failed"], one["damaged"]) == (8, 3, 1)
    assert len(one["results"]) == 8 and len(one["failures"]) == 4
    assert list(one["notes"]) == [str(folder / "move.gif")]
    assert mentions(" ".join(one["failures"]), "broken.jpg", "gone.png", "web.tar/bad.png", "cut.mkv")
    one, cluster = summaries(skip_existing=True)
    assert one == cluster and (one["done"], one["skipped"], len(one["results"])) == (0, 8, 8)
    for name in ("local", "out"):
        shutil.rmtree(tmp_path / name)
    one, cluster = summaries(pages="all")
    assert one == cluster and one["done"] == 9


def test_shards_that_cannot_be_done_are_reported_and_the_others_done(in_process, tmp_path, monkeypatch, caplog):
    def predict(sources, *arguments, **options):
        if any(source.name.name == "2" for source in sources):
            raise RuntimeError("a surprise")
        return predict_inputs(sources, *arguments, **options)

    predict_inputs = ray_job.predict_inputs
    monkeypatch.setattr(ray_job, "predict_inputs", predict)
    assert in_process() == Summary(done=3, failed=2)
    assert "RuntimeError: a surprise" in (tmp_path / "out" / FAILURES).read_text()
    monkeypatch.setattr(ray_job, "predict_inputs", predict_inputs)
    assert in_process() == Summary(done=2, skipped=3)
    assert in_process() == Summary(skipped=5)
    assert any(mentions(message, 0, 5) for message in caplog.messages)
    assert in_process(fresh=True) == Summary(done=5)


def test_a_shard_of_which_workers_die_is_given_up(in_process, tmp_path, monkeypatch, caplog):
    def dies(*_, **__):
        raise KeyboardInterrupt  # passes by all that catches errors, as the end of a process does

    def retry(job, items):
        tries = ray_pool._Tries()
        for item in items:
            for _ in range(10):
                try:
                    yield pickle.loads(ray_pool._Worker(job, tries.begin)({"item": [item]})["result"][0])
                    break
                except KeyboardInterrupt:
                    continue

    monkeypatch.setattr(ray_job, "predict_inputs", dies)
    execute_by(monkeypatch, retry)
    monkeypatch.setattr(ray_job, "load_model", lambda *_, **__: Brightness())
    monkeypatch.setattr(ray_job, "_digest", lambda network: "same")
    monkeypatch.setattr(Brightness, "network", None, raising=False)
    assert in_process() == Summary(failed=5)
    assert any(mentions(message, "0.png", 3) for message in caplog.messages)


def test_workers_do_what_one_process_does_with_every_option(in_process, tmp_path, monkeypatch):
    options = {"opacity": 0.25, "colormap": "gray", "smoothing": 0.2, "every": 2, "format": ("overlay", "npy")}
    Image.fromarray(grey_ramp()).save(tmp_path / "in" / "ramp.png")
    film(tmp_path / "in" / "film.mkv", [np.full((64, 64, 3), value, np.uint8) for value in (0, 250, 90, 160, 20)])
    monkeypatch.setattr(inference_job, "open_model", lambda *_, **__: Brightness())
    local = predict_job(PredictOptions(paths=(str(tmp_path / "in"),), out=tmp_path / "local", **options), console=QUIET)
    assert in_process(**options).done == local.done == 7
    for path in (tmp_path / "local").iterdir():
        assert path.suffix == ".mp4" or (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name


def test_workers_draw_the_figures_that_one_process_draws(in_process, tmp_path, monkeypatch):
    options = {"colormap": "gray", "pixels_per_degree": 20.0, "figure_width": 85.0, "format": ("figure", "figure-svg")}
    (tmp_path / "in" / "film.mkv").touch()
    monkeypatch.setattr(inference_job, "open_model", lambda *_, **__: Brightness())
    local = predict_job(PredictOptions(paths=(str(tmp_path / "in"),), out=tmp_path / "local", **options), console=QUIET)
    assert in_process(**options) == local == Summary(done=5, failed=1)
    drawn = sorted((tmp_path / "local").iterdir())
    assert len(drawn) == 10
    for path in drawn:
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    with pytest.raises(InputError, match=naming("figure_width", 85.0, 100.0)):
        in_process(**options | {"figure_width": 100.0})


def test_workers_adjust_maps_as_one_process_does(photos, checkpoint, tmp_path, monkeypatch):
    execute_by(monkeypatch, lambda job, items: execute_here(pickle.loads(pickle.dumps(job)), items))
    monkeypatch.setattr(ray_job, "import_ray", lambda: None)
    centre = CentrePrior(x=0.5, y=0.5, sigma_x=0.2, sigma_y=0.2, uniform_share=0.1)
    curve = tuple(np.linspace(0, 3, 8).tolist())
    adjustment = Adjustment(0.02, 1.0, curve, 0.5, centre, "cnn", "own, val", 50, 900, float("nan"), 1.0)
    path = adjustment.save(tmp_path / "adjustment.json")
    options = PredictOptions(
        paths=(str(photos / "photos" / "*.png"),),
        out=tmp_path / "one",
        model=str(checkpoint),
        format=("npy",),
        mode="fast",
    )
    predict_job(replace(options, out=tmp_path / "plain"), console=QUIET)
    assert predict_job(replace(options, adjustment=path), console=QUIET) == Summary(done=8)
    on_ray_too = replace(options, adjustment=path, out=tmp_path / "out", engine="ray")
    assert predict_on_ray(on_ray_too, console=QUIET) == Summary(done=8)
    assert files(tmp_path / "out") == files(tmp_path / "one") != files(tmp_path / "plain")
    assert predict_on_ray(on_ray_too, console=QUIET) == Summary(skipped=8)
    with pytest.raises(InputError, match=naming("adjustment")):  # the results in the folder have other settings
        predict_on_ray(replace(on_ray_too, adjustment=None), console=QUIET)


def test_results_that_are_there_are_left_out_on_request(in_process, tmp_path):
    assert in_process() == Summary(done=5)
    (tmp_path / "out" / "3.npy").unlink()
    assert in_process(fresh=True, skip_existing=True) == Summary(done=1, skipped=4)


def test_what_stops_a_worker_stops_the_job(in_process, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_job.Shards, "inputs", lambda *_: (_ for _ in ()).throw(FileError("not shared")))
    with pytest.raises(FileError, match="not shared"):
        in_process()


def test_workers_of_another_version_are_refused(in_process, monkeypatch):
    execute_by(monkeypatch, lambda job, items: execute_here(replace(job, version="0"), items))
    with pytest.raises(InputError, match=naming(mrsal.__version__, 0)):
        in_process()


@pytest.mark.parametrize("limit", ["uniform", "centre bias", "observers"])
def test_a_task_scores_limits_as_one_process_does(native_folder, limit):
    task = ScoringTask(EvaluateOptions(data_dir=native_folder, model_path="centre", split="all"), limit=limit)
    examples = task.examples
    expected = evaluate(limits_of(examples)[limit](), examples)
    row = pickle.loads(pickle.dumps(task))(4)
    for metric, values in expected.values.items():
        np.testing.assert_allclose(row.get(metric, np.nan), values[4], rtol=0, atol=1e-12)


def test_without_ray_the_install_line_is_printed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[ray\]'"):
        predict_on_ray(PredictOptions(paths=(str(tmp_path),), out=tmp_path / "out"), console=QUIET)
    with pytest.raises(InputError, match=r"pip install 'mrsal\[ray\]'"), on_ray():
        pass


def test_a_tar_that_was_replaced_is_done_whole(in_process, tmp_path):
    for path in (tmp_path / "in").iterdir():
        path.unlink()
    whole = write_tar(tmp_path / "in" / "w.tar", {f"photos/{i}.png": encoded(40 * i) for i in range(4)})
    content = whole.read_bytes()
    whole.write_bytes(content[:2100])  # within the header of the third picture
    assert in_process() == Summary(done=2, failed=1)
    whole.write_bytes(content)
    assert in_process() == Summary(done=4)
    assert len(list((tmp_path / "out" / "w.tar" / "photos").glob("*.npy"))) == 4
    assert in_process() == Summary(skipped=4)


def test_models_are_found_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cnn.pth").touch()
    (tmp_path / "uniform").touch()
    names = ("cnn.pth", "uniform", "mrcnn", "package.module:function", "hf://owner/name")
    options = [EvaluateOptions(data_dir=Path("native"), model_path=name) for name in names]
    assert [ScoringTask.of(each).options.model_path for each in options] == [str(tmp_path / "cnn.pth"), *names[1:]]
    assert {ScoringTask.of(each).options.data_dir for each in options} == {tmp_path / "native"}
    of_networks = ("cnn.pth", "mrcnn", "hf://owner/name")
    assert [everywhere(name) for name in of_networks] == [str(tmp_path / "cnn.pth"), *of_networks[1:]]


def test_an_exported_network_is_refused(tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=naming("--engine ray", "cnn.onnx")):
        predict_on_ray(PredictOptions(paths=(str(tmp_path),), out=tmp_path / "out", model="cnn.onnx"), console=QUIET)
