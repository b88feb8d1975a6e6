"""The job of ``mrsal submit``: finds the benchmark's images, writes a submission, and reports its problems."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mrsal.datasets import SUFFIXES, Stimulus, minimal_unique_names, read_stimuli
from mrsal.errors import InputError
from mrsal.evaluation.options import SubmitOptions
from mrsal.evaluation.submission import Problem, check_submission, write_submission
from mrsal.images import EXTENSIONS, image_size
from mrsal.inference import Adjusted, open_model
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


def find_stimuli(paths: Sequence[Path]) -> list[Stimulus]:
    """The stimuli in image files, in folders with their subfolders, and in pysaliency's ``stimuli.hdf5``.

    The name of a stimulus is the shortest end of its path that no other stimulus has.
    """
    files: list[Path] = []
    for path in paths:
        if path.suffix.lower() in SUFFIXES:
            stored = read_stimuli(path)
            if stored.paths is None:
                raise InputError(
                    f"expected an HDF5 file with the paths of images, got {path}, which has the images themselves; "
                    "give the image files, or a FileStimuli file"
                )
            files += stored.paths
        elif path.is_dir():
            files += sorted(p for p in path.rglob("*") if p.suffix.lower() in EXTENSIONS and p.name[0] != ".")
        else:
            files.append(path)
    if not files:
        raise InputError("expected at least one image, got none; give image files, or folders with images")
    names = minimal_unique_names([file.resolve() for file in files])
    return [Stimulus(name, file, image_size(file)) for name, file in zip(names, files, strict=True)]


def submit_job(stimuli: list[Stimulus], out: Path, options: SubmitOptions, *, console: Console) -> None:
    """Write a submission of ``options.model``, a model that :func:`mrsal.inference.open_model` opens."""
    model = open_model(
        options.model,
        mode=options.mode,
        precision=options.precision,
        device=options.device,
        resize=options.resize_maps,
        adjustment=options.adjustment,
    )
    numbers = [model.adjustment.to_dict()] if isinstance(model, Adjusted) else []
    label = json.dumps([options.model, model.mode, *numbers])
    with progress_bar(console) as bar:
        task = bar.add_task("predicting", total=len(stimuli), note="")
        write_submission(model, stimuli, out, label=label, progress=lambda n: bar.update(task, advance=n))
    log.info("wrote %d log-densities to %s, %.0f MB", len(stimuli), out, out.stat().st_size / 1e6)


def report_problems(path: Path, stimuli: list[Stimulus]) -> list[Problem]:
    """Check a submission, log at most three problems of each kind, and return all of them.

    If none of them is fatal, the submission can be sent.
    """
    problems = check_submission(path, stimuli)
    kinds: dict[tuple[str, bool], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.expected.split(" (")[0], problem.fatal), []).append(problem)
    for (_, fatal), same in kinds.items():
        for problem in same[:3]:
            log.log(logging.ERROR if fatal else logging.WARNING, "%s", problem)
        if len(same) > 3:
            log.info("... and %d more like this", len(same) - 3)
    fatal_count = sum(problem.fatal for problem in problems)
    result = f"{fatal_count} problems must be solved before it is sent" if fatal_count else "ready to be sent"
    log.info("%s, %d stimuli: %s", path, len(stimuli), result)
    return problems
