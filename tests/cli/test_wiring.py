"""No option of a command is dead: a value other than the default reaches the job, under the right name and in every call.

:data:`OPTIONS` has an entry for each option and argument of each command; a new option without an entry fails. A command is run
with the option and without. The functions that do its work, its jobs, write down what they are called with and do nothing.
"""

import contextlib
import inspect
import itertools
import pkgutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from every_command import COMMANDS, GROUP
from PIL import Image

from mrsal.cli import _options

# What a command calls. After the jobs that are the last ones it ends; of the others, the result that it goes on with is here.


class Ended(BaseException):
    """The last job of a command has been called."""


class Empty:
    """A data set, and what is measured on a picture."""

    name, splits, fixations, shares, stimuli, left_out = "own", {}, (), [], (), {}
    saliency = SimpleNamespace(note=lambda: "")

    def has_ground_truth(self):
        return []

    def without_first_fixations(self):
        return self

    def __len__(self):
        return 0


LAST = object()
EMPTY = Empty()
LOOKS = "fixations on the image"
AREA = SimpleNamespace(name="cta")
MODEL_OPENED = SimpleNamespace(mode="exact", calibration=None, video_mode=None, with_mode=lambda mode: MODEL_OPENED)
JOBS: dict[str, dict[str, Any]] = {
    "demo": {"mrsal.cli.demo_job.run_demo": LAST},
    "predict": {"mrsal.inference.predict_job": LAST, "mrsal.inference.predict_on_ray": LAST},
    "serve": {
        "mrsal.web.Studio": contextlib.nullcontext(SimpleNamespace(folder="uploads")),
        "mrsal.cli.serving.set_gradio_environment": None,
        "mrsal.web.serve": LAST,
    },
    "aoi": {
        "mrsal.aoi.check_out": None,
        "mrsal.inference.open_model": MODEL_OPENED,
        "mrsal.aoi.read_looks": [LOOKS, LOOKS],
        "mrsal.aoi.measure": EMPTY,
        "mrsal.aoi.measured_table": None,
        "mrsal.aoi.compare_shares": [],
        "mrsal.aoi.write_out": None,
        "mrsal.aoi.share_table": "",
        "mrsal.aoi.difference_table": "",
        "mrsal.aoi.json_dict": {},
        "mrsal.aoi.video_shape": (6, 8),
        "mrsal.aoi.read_moving_areas": [AREA],
        "mrsal.aoi.measure_video": LAST,
    },
    "check": {
        "mrsal.aoi.video_shape": (6, 8),
        "mrsal.aoi.read_moving_areas": [AREA],
        "mrsal.aoi.measure_video": LAST,
        "mrsal.aoi.read_areas": [AREA],
        "mrsal.aoi.parse_rule": "rule",
        "mrsal.inference.open_model": MODEL_OPENED,
        "mrsal.aoi.measure": EMPTY,
        "mrsal.aoi.check_rules": [],
    },
    "prepare": {
        "mrsal.datasets.load": EMPTY,
        "mrsal.datasets.job.write_native": LAST,
        "mrsal.datasets.job.write_pth": LAST,
    },
    "train": {"mrsal.training.train_job": LAST},
    "evaluate": {
        "mrsal.inference.on_ray": contextlib.nullcontext("workers"),
        "mrsal.evaluation.evaluate_job": LAST,
    },
    "compare": {"mrsal.evaluation.compare_job": LAST},
    "submit": {
        "mrsal.evaluation.find_stimuli": [],
        "mrsal.evaluation.submit_job": None,
        "mrsal.evaluation.report_problems": LAST,
    },
    "export": {"mrsal.inference.export_model": LAST},
    "doctor": {"mrsal.cli.doctor_checks.examine": LAST},
    "datasets list": {"mrsal.datasets.info_of": LAST},
    "datasets info": {"mrsal.datasets.info_of": LAST},
    "datasets download": {"mrsal.datasets.download_job": LAST},
    "datasets show": {"mrsal.evaluation.show_job": LAST},
    "reproduce cvpr2015": {"mrsal.training.reproduce_job": LAST},
}


ANOTHER_JOB = "another job"


@dataclass(frozen=True)
class To:
    """A value to give to an option, and what becomes of it.

    Parameters
    ----------
    given
        What is written on the command line; True for a flag alone, False for ``--no_<name>``.
    received : dict
        What changes in the calls of the jobs: names there, and new values. By default the option's own name, and ``given``.
        Or :data:`ANOTHER_JOB`, where an option decides which jobs are called.
    besides : dict
        Other options without which this one is refused or does nothing, in both runs. None takes one away.
    """

    given: Any
    received: dict[str, Any] | str | None = None
    besides: dict[str, Any] = field(default_factory=dict)


QUIET = {"quiet": To(True)}
JSON = {"json": To(True, {"stderr": True})}
ADJUSTMENT = {"adjustment": To("own.json")}
MODEL = {"model": To("centre"), "mode": To("fast"), "precision": To("bf16"), "device": To("cpu"), **ADJUSTMENT}
ON_RAY = {"engine": "ray"}
RAY = {
    "engine": To("ray", ANOTHER_JOB),
    "address": To("host:6379", besides=ON_RAY),
    "workers": To(3, besides=ON_RAY),
}
TABLE = {
    "columns": To(["x=FixX", "y=FixY"]),
    "coordinates": To("relative"),
    "screen": To("1920x1080"),
    "offset": To("320,180"),
    "scale": To(1.5),
}
STUDY = {"observers": To(40), "per_observer": To(9), "level": To(0.5)}

# without which a command does not begin
REQUIRED: dict[str, dict[str, Any]] = {
    "predict": {"paths": ["a.png"], "out": "maps"},
    "aoi": {"image": "a.png", "boxes": "a.json"},
    "check": {"image": "a.png", "boxes": "a.json", "rule": ["cta>0.1"]},
    "prepare": {"name": "osie", "root": "data", "out": "archive"},
    "train": {"data_dir": "data"},
    "evaluate": {"data_dir": "data", "model_path": "centre"},
    "compare": {"paths": ["a.csv", "b.csv"]},
    "submit": {"paths": ["a.png"], "out": "m.hdf5"},
    "export": {"model": "mrcnn", "out": "m.onnx"},
    "datasets info": {"name": "osie"},
    "datasets download": {"name": "osie", "root": "data"},
    "datasets show": {"name": "osie", "root": "data", "out": "a.png"},
    "reproduce cvpr2015": {"data": "data", "out_dir": "out"},
}

OPTIONS: dict[str, dict[str, To]] = {
    "demo": {"out": To("elsewhere"), "seed": To(7), **QUIET},
    "predict": {
        "paths": To(["b.png", "c.png"]),
        "out": To("elsewhere"),
        "format": To(["npy", "png"]),
        "recursive": To(True),
        "pages": To("all"),
        "opacity": To(0.25),
        "colormap": To("gray"),
        "pixels_per_degree": To(24.0, besides={"format": "figure"}),
        "figure_width": To(85.0, besides={"format": "figure"}),
        "smoothing": To(0.5),
        "every": To(4),
        "skip_existing": To(True),
        "column": To("file"),
        "runtime": To("onnx"),
        **MODEL,
        **RAY,
        "gpus_per_worker": To(0.25, besides=ON_RAY),
        "shard_size": To(7, besides=ON_RAY),
        "nested": To(True, besides=ON_RAY),
        "fresh": To(True, besides=ON_RAY),
        **QUIET,
        **JSON,
    },
    "serve": {
        "model": To("own.pth"),
        **ADJUSTMENT,
        "host": To("0.0.0.0"),
        "port": To(7000),
        "browser": To(True),
        "max_megabytes": To(3, {"megabytes": 3}),
        "max_megapixels": To(5, {"megapixels": 5}),
        "max_waiting": To(9, {"waiting": 9}),
        "precision": To("bf16"),
        "device": To("cpu"),
    },
    "aoi": {
        "image": To("b.png", {"image": "b.png", "inputs": ["b.png", "a.json"]}),
        "boxes": To("b.json", {"boxes": "b.json", "inputs": ["a.png", "b.json"]}),
        "compare": To(
            "b.png", {"image": "b.png", "inputs": ["a.png", "a.json", "b.png"]}, besides={"compare": "c.png"}
        ),
        "compare_boxes": To(
            "b.json",
            {"boxes": "b.json", "inputs": ["a.png", "a.json", "b.png", "b.json"]},
            besides={"compare": "b.png"},
        ),
        "out": To(["c.png"], {"paths": ["c.png"], "path": "c.png"}, besides={"out": ["c.csv"]}),
        "title": To("Our shop", besides={"out": ["c.html"]}),
        "fixations": To(
            "d.csv", {"table": "d.csv", "inputs": ["a.png", "a.json", "d.csv"]}, besides={"fixations": "c.csv"}
        ),
        **{name: replace(to, besides={"fixations": "c.csv"}) for name, to in TABLE.items()},
        **STUDY,
        **MODEL,
        "model": To("centre", {"name": "centre"}),
        "every": To(4, besides={"image": "a.mp4"}),
        "smoothing": To(0.5, besides={"image": "a.mp4"}),
        "json": To(True, ANOTHER_JOB),
    },
    "check": {
        "image": To("b.png"),
        "boxes": To("b.json", {"path": "b.json"}),
        "rule": To(["cta>0.5"], {"text": "cta>0.5"}),
        **MODEL,
        "model": To("centre", {"name": "centre"}),
        "every": To(4, besides={"image": "a.mp4"}),
        "smoothing": To(0.5, besides={"image": "a.mp4"}),
        **JSON,
    },
    "prepare": {
        "name": To("mit1003"),
        "root": To("elsewhere"),
        "out": To("elsewhere"),
        "format": To("pth", ANOTHER_JOB),
        "split": To("test=1", {"split": "test=1", "test": 1}),
        "skip_first": To(True),
        "seed": To(7),
        **TABLE,
        **QUIET,
        **JSON,
    },
    "train": {
        "data_dir": To("elsewhere"),
        "more_data": To(["elsewhere"]),
        "out_dir": To("elsewhere"),
        "init": To("mrcnn"),
        "stream_rate": To(0.25),
        "epochs": To(7),
        "num_gpus": To(5, {"devices": 5}),
        "use_val": To(1, {"use_val": True}),
        "batch_size": To(32),
        "learning_rate": To(0.25),
        "start_momentum": To(0.25),
        "end_momentum": To(0.75),
        "lr_weight_decay": To(0.125, {"weight_decay": 0.125}),
        "conv1_weight_constraint": To(0.5, {"conv1_limit": 0.5}),
        "using_windows": To(1),
        "improvements": To(1),
        "early_stopping_patience": To(6, {"patience": 6}),
        "average": To(5),
        "val_metric": To("NSS", {"watch": "NSS"}),
        "precision": To("bf16"),
        "device": To("cpu"),
        "seed": To(7),
        "resume": To("last"),
        "timeout": To(30.0),
        **QUIET,
        **JSON,
    },
    "evaluate": {
        "data_dir": To("elsewhere"),
        "model_path": To("uniform"),
        "out_dir": To("elsewhere"),
        "improvements": To(1),
        "num_saved_images": To(2),
        "picture_format": To(["pdf", "jpg"]),
        "split": To("val"),
        "mode": To("fast"),
        "skip_first": To(True),
        "protocol": To("mrcnn"),
        "optimal": To(True),
        "agreement": To(True),
        "adjust": To(True),
        **ADJUSTMENT,
        "limits": To(False),
        "parquet": To(True),
        "resize_maps": To(True),
        **RAY,
        "precision": To("bf16"),
        "device": To("cpu"),
        **QUIET,
        **JSON,
    },
    "compare": {
        "paths": To(["c.csv", "d.csv"]),
        "names": To("A,B"),
        "reference": To("A"),
        "out": To("elsewhere"),
        "level": To(0.5),
        "resamples": To(500),
        "seed": To(7),
        **QUIET,
        **JSON,
    },
    "submit": {
        "paths": To(["b.png"]),
        "out": To("n.hdf5", {"out": "n.hdf5", "path": "n.hdf5"}),
        **MODEL,
        "dry_run": To("n.hdf5", {"path": "n.hdf5"}, besides={"out": None, "dry_run": "m.hdf5"}),
        "resize_maps": To(True),
        **QUIET,
        **JSON,
    },
    "export": {"model": To("own.pth", {"name_or_path": "own.pth"}), "out": To("n.onnx"), **QUIET, **JSON},
    "doctor": {"data_dir": To("elsewhere"), **JSON},
    "datasets list": {**JSON},
    "datasets info": {"name": To("sun"), **JSON},
    "datasets download": {"name": To("sun"), "root": To("elsewhere"), **QUIET, **JSON},
    "datasets show": {
        "name": To("sun"),
        "root": To("elsewhere"),
        "out": To("b.png"),
        "count": To(4),
        "seed": To(7),
        **QUIET,
        **JSON,
    },
    "reproduce cvpr2015": {
        "data": To("elsewhere"),
        "out_dir": To("elsewhere"),
        "only": To(["mit1003", "osie"]),
        "improvements": To(1),
        "format": To("pth"),
        "seeds": To(3),
        "folds": To(5),
        "epochs": To(7),
        "mode": To("fast"),
        "precision": To("bf16"),
        "device": To("cpu"),
        **QUIET,
        **JSON,
    },
}


def received(command: str, options: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    """What the jobs of a command are called with: values by job and number of the call, and names of settings in it."""
    calls: dict[tuple[str, ...], Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for path, result in JOBS[command].items():
            patch.setattr(path, recorder(path, result, calls))
        patch.setattr(signal, "signal", lambda *_: None)  # serve sets one
        _options.reset_console()
        with contextlib.suppress(Ended):
            GROUP.main([*command.split(), *words_of(command, options)], standalone_mode=False)
        _options.reset_console()
    assert calls, f"mrsal {command} calls none of {', '.join(JOBS[command])}"
    return calls


def words_of(command: str, options: dict[str, Any]) -> list[str]:
    arguments: list[str] = []
    words: list[str] = []
    for parameter in COMMANDS[command].params:
        value = options.get(parameter.name)
        values = [] if value is None else value if isinstance(value, list) else [value]
        if parameter.param_type_name == "argument":
            arguments += map(str, values)
        elif isinstance(value, bool):
            words.append(f"--{parameter.name}" if value else f"--no_{parameter.name}")
        else:
            words += [word for single in values for word in (f"--{parameter.name}", str(single))]
    return [*words, *arguments]


def recorder(path: str, result: Any, calls: dict[tuple[str, ...], Any]) -> Callable[..., Any]:
    """Stands in for the job at ``path``: writes its arguments into ``calls``, defaults included."""
    signature = inspect.signature(pkgutil.resolve_name(path))
    numbers = itertools.count()

    def record(*positional: Any, **named: Any) -> Any:
        bound = signature.bind(*positional, **named)
        bound.apply_defaults()
        console = bound.arguments.pop("console", _options.console)
        heard = {"quiet": console.quiet, "stderr": console.stderr}
        calls.update(leaves((path, str(next(numbers))), {**heard, **bound.arguments}))
        if result is LAST:
            raise Ended
        return result

    return record


def leaves(key: tuple[str, ...], value: Any) -> dict[tuple[str, ...], Any]:
    """Settings in dataclasses and dictionaries by their own names. Functions, which show progress, are left out."""
    if is_dataclass(value):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, dict):
        return {name: leaf for inner in value for name, leaf in leaves((*key, inner), value[inner]).items()}
    return {} if callable(value) else {key: value}


def is_same(got: Any, expected: Any) -> bool:
    """Paths and choices are the words they are written as."""
    if isinstance(expected, list):
        return len(got) == len(expected) and all(map(is_same, got, expected))
    return got == expected or str(got) == str(expected)


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    """Three pictures of one size, in which commands look for their size."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (8, 6)).save(name)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_an_entry_and_every_entry_an_option(command):
    assert set(OPTIONS[command]) == {parameter.name for parameter in COMMANDS[command].params}


EVERY = [(command, parameter.name) for command in COMMANDS for parameter in COMMANDS[command].params]


@pytest.mark.parametrize(("command", "option"), EVERY, ids=lambda word: word)
def test_an_option_changes_what_the_job_receives(command, option):
    to = OPTIONS[command][option]
    others = {**REQUIRED.get(command, {}), **to.besides}
    before, after = received(command, others), received(command, {**others, option: to.given})
    if to.received == ANOTHER_JOB:
        assert {job for job, *_ in before} != {job for job, *_ in after}
        return
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    expected = {option: to.given} if to.received is None else to.received
    assert {key[-1] for key in changed} == set(expected), "these settings have changed"
    for key in changed:
        assert is_same(after[key], expected[key[-1]]), key
    for key in before.keys() - changed:  # the same setting in another call of a job
        assert not any(key[-1] == other[-1] and before[key] == before[other] for other in changed), key
