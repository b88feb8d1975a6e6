"""Break options on purpose, one at a time, and show that a test fails for each.

    python scripts/break_options.py

A copy of the checkout is changed, never the checkout itself. A line per change says which test fails; the exit status is 1 if
no test noticed a change. An option can be dead in three places: between its flag and the dataclass of options, between the
dataclass and the job, and in the job itself.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIRING = "tests/cli/test_wiring.py"
LOOP, JOB = "tests/training/test_loop.py", "tests/training/test_train_job.py"
PREDICT, EVALUATE = "tests/inference/test_predict_job.py", "tests/evaluation/test_evaluate_job.py"
TRAIN = "config_of(options, improvements=improvements)"

# what is broken, the file below src/mrsal, the text that is there, what replaces it, and the tests that have to notice
CHANGES = (
    (
        "no flag reaches its job",
        "options.py",
        "if item.flag in values}",
        "if item.flag in values and item.is_required}",
        WIRING,
    ),
    ("--learning_rate", "training/paper.py", "lr=config.learning_rate", "lr=0.002", LOOP),
    ("--lr_weight_decay", "training/paper.py", "weight_decay=config.weight_decay", "weight_decay=2e-4", LOOP),
    (
        "--conv1_weight_constraint",
        "training/paper.py",
        "self.network, self.config.conv1_limit",
        "self.network, 0.1",
        LOOP,
    ),
    ("--val_metric", "training/loop.py", "watch=self.config.watch", 'watch="CC"', LOOP),
    ("--average", "training/loop.py", "save_average(out, config.average)", "save_average(out, 3)", LOOP),
    ("--seed, order of samples", "training/loop.py", "seed=config.seed, epoch=", "seed=0, epoch=", LOOP),
    ("--seed, weights", "training/loop.py", "manual_seed(config.seed)", "manual_seed(0)", LOOP),
    ("--seed, dropout", "training/loop.py", "_seed_of(self.config.seed, step, i)", "_seed_of(0, step, i)", LOOP),
    (
        "momenta swapped",
        "training/schedule.py",
        "config.start_momentum + (config.end_momentum - config.start_momentum)",
        "config.end_momentum + (config.start_momentum - config.end_momentum)",
        LOOP,
    ),
    *(
        (f"train_job: {name}", "training/job.py", f"{TRAIN}, devices", f"{TRAIN}, {name}={value}, devices", JOB)
        for name, value in (
            ("learning_rate", "0.002"),
            ("weight_decay", "2e-4"),
            ("conv1_limit", "0.1"),
            ("watch", '"CC"'),
            ("average", "3"),
            ("seed", "0"),
            ("end_momentum", "0.99"),
        )
    ),
    ("--opacity, images", "inference/job.py", "overlay(opacity=options.opacity", "overlay(opacity=0.6", PREDICT),
    (
        "--colormap, images",
        "inference/job.py",
        "colormap=options.colormap), path",
        'colormap="inferno"), path',
        PREDICT,
    ),
    ("--opacity, videos", "inference/video.py", "_Heat(opacity, colormap,", "_Heat(0.6, colormap,", PREDICT),
    (
        "--colormap, videos",
        "inference/video.py",
        "_Heat(opacity, colormap,",
        '_Heat(opacity, "inferno",',
        PREDICT,
    ),
    (
        "--pixels_per_degree",
        "inference/job.py",
        "pixels_per_degree=options.pixels_per_degree",
        "pixels_per_degree=None",
        PREDICT,
    ),
    ("--figure_width", "inference/job.py", "width=options.figure_width", "width=180.0", PREDICT),
    ("--picture_format", "evaluation/task.py", "self.options.picture_format)", '("jpg",))', EVALUATE),
    ("--every", "inference/job.py", "every=options.every", "every=1", PREDICT),
    ("--smoothing", "inference/job.py", "smoothing=options.smoothing", "smoothing=0.0", PREDICT),
    ("--skip_first", "evaluation/task.py", "skip_first=options.skip_first", "skip_first=False", EVALUATE),
    ("--optimal", "evaluation/task.py", "options.protocol, options.optimal", "options.protocol, False", EVALUATE),
    ("--adjust", "evaluation/task.py", "adjustment=self.adjustment", "adjustment=None", EVALUATE),
)


def main() -> None:
    unnoticed = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mrsal"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "docs"))
        for name, file, old, new, tests in CHANGES:
            path = copy / "src" / "mrsal" / file
            text = path.read_text(encoding="utf-8")
            if old not in text:
                sys.exit(f"{name}: {file} no longer has {old!r}; bring this script up to date")
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
            failed = failing(copy, tests)
            path.write_text(text, encoding="utf-8")
            print(f"{name}: {failed or 'NO TEST NOTICED'}", flush=True)
            unnoticed += not failed
    sys.exit(unnoticed > 0)


def failing(copy: Path, tests: str) -> str:
    """The first test that fails, or nothing."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", "-m", "not slow", tests]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    names = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.M)
    return names[0] if names else ""


if __name__ == "__main__":
    main()
