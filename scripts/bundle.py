"""Make the checkpoint that ships, with its manifest, from a finished run of benchmarks/osie.py.

    python scripts/bundle.py WORK --name mrcnn --commit HASH

WORK is the benchmark's work folder. The weights are ``base/cnn_average.pth`` in it. The script writes
src/mrsal/weights/NAME.safetensors (half precision) and NAME.json, which contains the data, the recipe and the scores. Then fit
the calibration of its shares of attention: python benchmarks/areas.py --fit --model NAME
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

from mrsal.evaluation.report.curves import read_history
from mrsal.evaluation.scores import Scores
from mrsal.model.checkpoint import load_checkpoint, save_checkpoint
from mrsal.model.pretrained import WEIGHTS

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--name", default="mrcnn")
    parser.add_argument("--commit", required=True, help="commit of the code that trained it")
    arguments = parser.parse_args()
    run = arguments.work / "base"
    config = json.loads((run / "config.json").read_text())
    network, about = load_checkpoint(run / "cnn_average.pth")
    weights = WEIGHTS / f"{arguments.name}.safetensors"
    save_checkpoint(network, weights, about=about | {"name": arguments.name}, half=True)

    osie = Path(os.environ.get("MRSAL_DATA") or ROOT.parent / "shared" / "data") / "osie"
    manifest = {
        "name": arguments.name,
        "file": about_file(weights),
        "architecture": network.config.to_dict(),
        "data": {
            "name": "OSIE, training split: 500 images, 15,000 samples",
            "source": "Xu, Jiang, Wang, Kankanhalli and Zhao, Predicting human gaze beyond pixels, Journal of Vision 2014",
            "licence": "MIT",
            "fixations.mat sha256": sha256(osie / "data" / "eye" / "fixations.mat"),
            "stimuli sha256 (over the files, sorted by name)": sha256(*sorted((osie / "data" / "stimuli").iterdir())),
        },
        "recipe": {key: value for key, value in config.items() if key != "model"},
        "command": "python benchmarks/osie.py --work WORK --variants base --modes fast exact && "
        f"python scripts/bundle.py WORK --name {arguments.name} --commit COMMIT",
        "commit": arguments.commit,
        "weights": f"mean of those after epochs {', '.join(map(str, about['mean of epochs']))}",
        "last epoch": read_history(run)[-1],
        "scored on": {
            "osie": "test split, 100 images",
            "mit1003": "the 100 images with a published map, first fixation of each trial left out",
        },
        "scores": {
            path.stem.removeprefix("scores-"): means(path)
            for path in sorted(arguments.work.glob("scores-*-base-*-average-*"))
        },
    }
    (WEIGHTS / f"{arguments.name}.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(weights, weights.stat().st_size, "bytes")


def means(path: Path) -> dict[str, object]:
    scores = Scores.load(path)
    return {"protocol": scores.protocol} | {metric: round(mean, 4) for metric, mean in scores.mean().items()}


def about_file(path: Path) -> dict[str, object]:
    return {"name": path.name, "sha256": sha256(path), "bytes": path.stat().st_size}


def sha256(*paths: Path) -> str:
    """The checksum of the files' contents, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
