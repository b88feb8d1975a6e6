"""Options are said once: what the command line, Python and a worker elsewhere make of a dataclass is the same."""

import inspect
import pickle
import shlex
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import every_command
import pytest
import typer
from messages import mentions, naming

import mrsal
from mrsal import aoi, datasets, evaluation, inference, training, web
from mrsal.cli import checking, demo_options
from mrsal.cli._options import Command, command
from mrsal.errors import InputError
from mrsal.inference.video import predict_video
from mrsal.options import Option, check, from_flags, settings_of
from mrsal.training.config import config_of
from mrsal.training.job import _available_devices

COMMANDS = {
    "predict": inference.PredictOptions,
    "serve": web.ServeOptions,
    "aoi": aoi.AoiOptions,
    "check": aoi.CheckOptions,
    "prepare": datasets.PrepareOptions,
    "train": training.TrainOptions,
    "evaluate": evaluation.EvaluateOptions,
    "compare": evaluation.CompareOptions,
    "submit": evaluation.SubmitOptions,
    "export": inference.ExportOptions,
    "demo": demo_options.DemoOptions,
    "doctor": checking.DoctorOptions,
    "datasets list": datasets.ListOptions,
    "datasets info": datasets.InfoOptions,
    "datasets download": datasets.DownloadOptions,
    "datasets show": evaluation.ShowOptions,
    "reproduce cvpr2015": training.ReproduceOptions,
}


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What several have."""

    device: Annotated[Literal["cpu", "cuda"], Option("Where.")] = "cpu"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Walk(Shared):
    """One option of each kind."""

    places: Annotated[Sequence[Path], Option("Where to.", argument=True)]
    shoes: Annotated[Sequence[Literal["left", "right"]], Option("On which foot.", flag="shoe")] = ("left",)
    steps: Annotated[int, Option("How many.", minimum=1, maximum=9)] = 3
    pace: Annotated[float | None, Option("Metres a second.", above=0, below=10)] = None
    fast: Annotated[bool, Option("Run.")] = False
    back: Annotated[bool, Option("And home again.")] = True
    old: Annotated[bool, Option("As ever.", switch=True)] = False
    lead: Annotated[float, Option("Metres of a leash.", only_with="device=cuda")] = 1.5
    name: str = "not an option"


def typed(words: str, options: type = Walk) -> Any:
    """What a command with these options runs with."""
    ran = []

    @command(options)
    def walk(options):
        """Walk."""
        ran.append(options)

    application = typer.Typer()
    application.command(cls=Command)(walk)
    typer.main.get_command(application).main(shlex.split(words), standalone_mode=False)
    return ran.pop()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a", {}),
        ("a b", {"places": (Path("a"), Path("b"))}),
        ("--shoe right --shoe left a", {"shoes": ("right", "left")}),
        ("--steps 9 --pace 0.5 --fast a", {"steps": 9, "pace": 0.5, "fast": True}),
        ("--no_back a", {"back": False}),
        ("--old=1 a", {"old": True}),
        ("--old 0 a", {}),
        ("--old --fast a", {"old": True, "fast": True}),
        ("--device cuda --lead 2 a", {"device": "cuda", "lead": 2.0}),
    ],
)
def test_the_command_line_and_python_make_the_same_options(words, expected):
    assert typed(words) == Walk(**{"places": (Path("a"),)} | expected)


def test_a_default_is_that_of_the_dataclass():
    @dataclass(frozen=True, kw_only=True)
    class Longer(Walk):
        steps: Annotated[int, Option("How many.")] = 8

    assert typed("a").steps == 3
    assert typed("a", Longer).steps == 8
    assert [setting.name for setting in settings_of(Longer)][:2] == ["steps", "places"]  # its own come first, and once


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"steps": 0}, ("steps", 1, 9, 0)),
        ({"steps": 10}, ("steps", 1, 9, 10)),
        ({"steps": 2.5}, ("steps", 2.5)),
        ({"steps": "2"}, ("steps", "'2'")),
        ({"steps": None}, ("steps", None)),
        ({"pace": 0.0}, ("pace", 10, 0.0)),
        ({"pace": 10}, ("pace", 0, 10)),
        ({"pace": float("nan")}, ("pace", "nan")),
        ({"device": "tpu"}, ("device", "cpu", "cuda", "tpu")),
        ({"shoes": ["left", "middle"]}, ("shoes", "--shoe", "right", "middle")),
        ({"lead": 2.0}, ("--lead", "--device cuda")),
    ],
)
def test_what_is_not_allowed_is_refused_by_name_from_python_too(values, named):
    fine = Walk(places=(Path("a"),))
    with pytest.raises(InputError, match=naming(*named)):
        replace(fine, **values)


@pytest.mark.parametrize("words", ["--steps 0 a", "--steps x a", "--pace 0 a", "--device tpu a", "--shoe middle a", ""])
def test_what_is_not_allowed_is_refused_on_the_command_line(words):
    with pytest.raises((typer.BadParameter, InputError)):
        typed(words)


def test_values_by_flag_leave_the_rest_at_its_default():
    assert from_flags(Walk, {"places": (), "shoe": ["right"]}) == Walk(places=(), shoes=["right"])


def required(options: type) -> dict[str, Any]:
    """A value for each field that needs one."""
    examples = {"paths": ("a.png",), "rule": ("a>0.1",)}
    needed = [item.name for item in fields(options) if item.default is MISSING and item.default_factory is MISSING]
    return {name: examples.get(name, Path(name)) for name in needed} | (
        {"out": Path("m")} if "dry_run" in dir(options) else {}
    )


def test_every_command_is_made_of_its_options():
    commands = every_command.COMMANDS
    assert set(commands) == set(COMMANDS)
    for name, options in COMMANDS.items():
        flags = {setting.flag for setting in settings_of(options)}
        assert {parameter.name for parameter in commands[name].params} - {"quiet", "json"} == flags, name


@pytest.mark.parametrize("options", COMMANDS.values(), ids=COMMANDS)
def test_every_field_is_documented_and_every_default_allowed(options):
    assert {setting.name for setting in settings_of(options)} == {item.name for item in fields(options)}
    for setting in settings_of(options):
        assert setting.option.help.endswith("."), setting.name
    made = options(**required(options))
    assert pickle.loads(pickle.dumps(made)) == made  # a worker gets it
    assert options.__dataclass_params__.frozen and all(item.kw_only for item in fields(options))


def test_training_has_the_same_defaults_from_python_and_from_the_command_line():
    config, options = mrsal.TrainConfig(), training.TrainOptions(data_dir=Path())
    assert config == config_of(options)
    assert mrsal.ImprovedTrainConfig() == config_of(options, improvements=2)
    assert config_of(options, improvements=1).model.variant == "blur"
    assert config_of(replace(options, epochs=7, watch="NSS")) == replace(config, epochs=7, watch="NSS")


@pytest.mark.parametrize(
    ("there", "asked", "device", "used", "warns"),
    [
        (0, None, "auto", 1, False),
        (1, None, "auto", 1, False),
        (8, None, "auto", 2, False),
        (8, None, "cpu", 1, False),
        (8, 4, "auto", 4, False),
        (1, 1, "auto", 1, False),
        (0, 1, "auto", 1, False),
        (1, 2, "auto", 1, True),
        (0, 2, "auto", 1, True),
    ],
)
def test_only_who_asks_for_gpus_that_are_not_there_hears_of_it(there, asked, device, used, warns, monkeypatch, caplog):
    monkeypatch.setattr("torch.cuda.device_count", lambda: there)
    options = training.TrainOptions(data_dir=Path(), devices=asked, device=device)
    assert _available_devices(options) == used
    assert bool(caplog.records) == warns


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (mrsal.load_model, inference.PredictOptions),
        (inference.open_model, inference.PredictOptions),
        (mrsal.SaliencyMap.overlay, inference.PredictOptions),
        (predict_video, inference.PredictOptions),
        (inference.on_ray, inference.PredictOptions),
        (mrsal.evaluate, evaluation.EvaluateOptions),
        (mrsal.compare, evaluation.CompareOptions),
        (mrsal.Scores.intervals, evaluation.CompareOptions),
        (aoi.attention_shares, aoi.AoiOptions),
        (web.Studio, web.ServeOptions),
        (web.serve, web.ServeOptions),
    ],
)
def test_a_function_has_the_defaults_of_the_command(function, options):
    of_function = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty
    }
    of_command = {item.name: item.default for item in fields(options) if item.default is not MISSING}
    shared = of_function.keys() & of_command.keys() - {"mode"}  # each command, and the function, has its own
    assert shared
    assert {name: of_function[name] for name in shared} == {name: of_command[name] for name in shared}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("train --data_dir x --learning_rate 0", ("learning_rate", 0.0)),
        ("train --data_dir x --early_stopping_patience 0", ("patience", "--early_stopping_patience", -1, 0)),
        ("predict a.png --out x --workers 2 --nested", ("--nested", "--workers", "--engine ray")),
        ("predict a.png --out x --shard_size 5", ("--shard_size", "--engine ray")),
        ("predict a.png --out x --engine ray --gpus_per_worker 0", ("gpus_per_worker", 0.0)),
        ("predict a.onnx --out x --engine ray --runtime onnx", ("--engine ray", "--runtime onnx")),
        ("evaluate --data_dir x --model_path centre --address auto", ("--address", "--engine ray")),
        ("submit a.png", ("--out", "--dry_run")),
        ("aoi a.png --boxes a.json --compare_boxes b.json", ("--compare_boxes", "--compare")),
    ],
)
def test_wrong_values_are_one_line(words, named, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["mrsal", *words.split()])
    with pytest.raises(SystemExit) as leaving:
        mrsal.cli.main()
    assert leaving.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert mentions(line, *named)
