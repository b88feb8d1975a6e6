"""A thousand damaged files: whatever happens to a file, mrsal ends with one of its exit statuses and a short message.

The runs are those of ``tests/mutated_commands.py``, in a process of its own, which a failure of a library may end. A run that
fails is printed with its case and seed; repeat it with ``python tests/mutated_commands.py CASE:SEED``.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mrsal

pytest.importorskip("resource", reason="limits the memory; not on Windows")
SEEDS = 26
TESTS = Path(__file__).resolve().parents[1]


def runs(wanted: list[str]) -> Iterator[dict]:
    """The outcome of each run. If one of them ends the process, the others go on in another."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        **{"PYTHONPATH": os.pathsep.join([str(Path(mrsal.__file__).parents[1]), str(TESTS)]), "OMP_NUM_THREADS": "1"},
    }
    while wanted:
        script = [sys.executable, str(TESTS / "mutated_commands.py"), *wanted]
        done = subprocess.run(script, capture_output=True, text=True, env=environment)
        outcomes = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
        finished = [outcome for outcome in outcomes if "problems" in outcome]
        yield from finished
        if done.returncode == 0:
            return
        assert outcomes, done.stderr
        last = "{case}:{seed}".format(**outcomes[-1])
        yield outcomes[-1] | {"problems": [f"{last} ended the process ({done.returncode})\n{done.stderr[-3000:]}"]}
        wanted = wanted[wanted.index(last) + 1 :]


@pytest.mark.slow
def test_damaged_files_end_in_a_status_and_a_short_message():
    from mutated_commands import CASES

    wanted = [f"{case}:{seed}" for seed in range(SEEDS) for case in CASES]
    outcomes = list(runs(wanted))
    problems = [problem for outcome in outcomes for problem in outcome["problems"]]
    assert not problems, "\n\n".join([f"{len(problems)} of {len(outcomes)} runs", *problems])
    assert len({outcome["case"] for outcome in outcomes}) > 25  # those of libraries that are not installed are left out
