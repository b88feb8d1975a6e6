"""Make the report in docs/images/report.png, of the bundled network on made-up scenes, so that it contains no real images.

    python scripts/example_report.py OUT

The report is OUT/report.html. The picture is its top in a browser that is 1200 pixels wide, for example

    chromium --headless --no-sandbox --hide-scrollbars --window-size=1200,2400 --screenshot=docs/images/report.png \
        OUT/report.html
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mrsal import datasets
from mrsal._version import __version__
from mrsal.datasets.archives.example import Example
from mrsal.datasets.archives.native import NativeArchive, write_native
from mrsal.datasets.synthetic import write_synthetic
from mrsal.evaluation.evaluator import evaluate
from mrsal.evaluation.report.html import write_report
from mrsal.evaluation.report.panels import Panel, pick
from mrsal.inference.predictor import load_model
from mrsal.inference.simple_models import BASELINES

SCENES, SEED = 60, 0
METRIC = "sAUC"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=SCENES, help="number of scenes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_synthetic(Path(folder) / "scenes", scenes=arguments.scenes, seed=SEED)
        dataset = datasets.load("folder", Path(folder) / "scenes")
        archive = NativeArchive(write_native(dataset, Path(folder) / "archive", seed=SEED))
        examples = list(archive.examples("test", skip_first=True))
        print(write_example(arguments.out / "report.html", examples))


def write_example(path: Path, examples: list[Example]) -> Path:
    panels: dict[str, Panel] = {}

    def add_panel(example: Example, map_: NDArray, row: dict[str, float]) -> None:
        panels[example.name] = Panel.of(example, map_, row)

    results = {"mrcnn": evaluate(load_model("mrcnn", mode="fast"), examples, on_image=add_panel)}
    results |= {name: evaluate(baseline, examples) for name, baseline in BASELINES.items()}
    ground_truths = iter([example.ground_truth() for example in examples])
    results["ground truth"] = evaluate(lambda image: next(ground_truths), examples)

    about = {
        "command": "python scripts/example_report.py OUT",
        "versions": {"mrsal": __version__, "torch": torch.__version__, "numpy": np.__version__},
        "seeds": {"scenes": SEED, "bootstrap": 0},
    }
    origin = {"dataset": "made-up scenes, test split", "about": about}
    results = {name: replace(scores, model=name, **origin) for name, scores in results.items()}
    chosen = pick(results["mrcnn"], METRIC, count=1)
    return write_report(
        path,
        results,
        title="mrcnn on made-up scenes",
        protocol_description=(
            "AUC: exact, a tie counts one half, negatives are all pixels. sAUC: negatives are fixations on the other images. "
            "CC, SIM, KL: compared with the fixation density with a standard deviation of one degree."
        ),
        panels={group: [panels[name] for name in names] for group, names in chosen.items()},
        floor="centre",
        ceiling="ground truth",
        notes=["The first fixation of each trial is left out. The network has never seen scenes of this kind."],
    )


if __name__ == "__main__":
    main()
