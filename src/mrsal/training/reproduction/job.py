"""The job of ``mrsal reproduce cvpr2015``: the experiment of the paper on every data set that is there."""

import json
import logging
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from mrsal import datasets
from mrsal.datasets import LOADERS, PUBLISHED, info_of
from mrsal.errors import DataError, FileError, InputError, Stopped
from mrsal.files import make_folder, write_text
from mrsal.progress import log_file
from mrsal.training.reproduction.experiment import Experiment, folds_of
from mrsal.training.reproduction.options import ReproduceOptions
from mrsal.training.reproduction.published import FIRST_FIXATION_LEFT_OUT
from mrsal.training.reproduction.report import Report
from mrsal.training.reproduction.result import Result

log = logging.getLogger("mrsal")

Item = TypeVar("Item")

_FIRST = "mit1003"  # the data set of the paper's training comes first


def reproduce_job(options: ReproduceOptions, *, console: Console) -> Report:
    """Train and score a network on each data set in ``data``, and compare with the published numbers.

    Every step leaves a file and is skipped if its file is there, so an interrupted command continues where it stopped.

    Returns
    -------
    Report
        The results by data set, which are also in ``report.html`` and the other files in ``out_dir``.

    Raises
    ------
    InputError
        If ``out_dir`` holds results with other options, or data of a data set that has changed since.
    FileError, DataError
        If there is no data set, or one of them cannot be used.
    Stopped
        If Ctrl-C or another signal stopped it. The same command continues.
    """
    names, missing = find_data_sets(options)
    for name in missing:
        log.info("%s is not in %s; get it with: %s", name, options.data, missing[name])
    if options.improvements == 2:
        from mrsal.training.improved import frozen_stream

        frozen_stream(None)  # raises an error if the weights of ImageNet are not installed
    experiments = [_experiment(name, options) for name in names]
    out = make_folder(options.out_dir)
    _keep_options(out, options)
    earlier = [_experiment(name, options) for name in _earlier(options, names)]
    experiments = _in_order([*experiments, *(each for each in earlier if each.is_complete())], lambda each: each.name)
    names = [experiment.name for experiment in experiments]
    results: list[Result] = []
    try:
        with log_file(out / "log.txt"):
            for experiment in experiments:
                trainings = experiment.run(console)
                results.append(Result.of(experiment, trainings, experiment.limits(console)))
                report = Report(tuple(results), options, missing, waiting=names[len(results) :])
                report.save()
    except (Stopped, KeyboardInterrupt) as stop:
        number = stop.signal if isinstance(stop, Stopped) else signal.SIGINT
        raise Stopped(
            f"stopped; what is complete is in {out}. To continue, run the same command again", number
        ) from stop
    return report


def find_data_sets(options: ReproduceOptions) -> tuple[list[str], dict[str, str]]:
    """The names of the data sets that are there and wanted, and of the others the command that gets them.

    Raises
    ------
    InputError
        If ``only`` has an unknown name.
    FileError
        If a data set of ``only`` is not there, or there are none.
    """
    unknown = [name for name in options.only if name not in LOADERS]
    if unknown:
        raise InputError(f"expected the name of a data set, got {unknown[0]!r}; choose from {', '.join(LOADERS)}")
    wanted: Sequence[str] = tuple(dict.fromkeys(options.only)) or tuple(LOADERS)
    there = [name for name in wanted if (options.data / name).is_dir()]
    missing = {name: _how_to_get(name, options.data) for name in wanted if name not in there and name in PUBLISHED}
    if options.only and len(there) < len(wanted):
        absent = [name for name in wanted if name not in there]
        how = "".join(f"; get it with: {missing[name]}" for name in absent[:1] if name in missing)
        raise FileError(f"expected a folder {options.data / absent[0]}, found none{how}")
    if not there:
        raise FileError(
            f"expected folders of data sets in {options.data}, such as {options.data / _FIRST}, found none; get one with: "
            f"{_how_to_get(_FIRST, options.data)}"
        )
    return _in_order(there, str), missing


def _in_order(items: Sequence[Item], name_of: Callable[[Item], str]) -> list[Item]:
    return sorted(items, key=lambda item: (name_of(item) != _FIRST, name_of(item)))


def _earlier(options: ReproduceOptions, names: Sequence[str]) -> list[str]:
    """Other data sets that have results in the folder, from a command with another --only; they stay in the report."""
    return [
        name
        for name in LOADERS
        if name not in names and (options.out_dir / name).is_dir() and (options.data / name).is_dir()
    ]


def _how_to_get(name: str, data: Path) -> str:
    return (
        f"mrsal datasets download {name} --root {data / name}" if info_of(name).files else f"mrsal datasets info {name}"
    )


def _experiment(name: str, options: ReproduceOptions) -> Experiment:
    dataset = datasets.load(name, options.data / name)
    if name in FIRST_FIXATION_LEFT_OUT:
        dataset = dataset.without_first_fixations()
    return Experiment(name, dataset, folds_of(dataset, options.out_dir / name, options.folds), options)


def _keep_options(out: Path, options: ReproduceOptions) -> None:
    """Write the options into the folder of the results, or compare them with those that are there."""
    path, now = out / "options.json", options.fixed()
    if not path.is_file():
        write_text(path, json.dumps(now, indent=1) + "\n")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [
            f"--{name} was {before.get(name)}, is {value}" for name, value in now.items() if before.get(name) != value
        ]
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: {error}; choose another --out_dir") from error
    if changed:
        raise InputError(
            f"{out} holds results with other options: {'; '.join(changed)}. Give the same options, or another --out_dir"
        )
