"""How far the scores of the same maps move between protocols: one table per protocol, for a network and two baselines.

    python benchmarks/protocols.py --data_dir ARCHIVE [--split all] [--images 50] [--out protocols.md]

ARCHIVE is made by `mrsal prepare`; the first fixation of each trial is left out, as is usual on MIT1003.
"""

import argparse
from pathlib import Path

import numpy as np

import mrsal
from mrsal.baselines import centre, spectral_residual, uniform
from mrsal.evaluation import evaluate
from mrsal.metrics import PROTOCOLS
from mrsal.native import NativeArchive
from mrsal.scoring import table_lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--split", default="all")
    parser.add_argument("--images", type=int, default=50, help="evenly spaced in the split")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    archive = NativeArchive(arguments.data_dir)
    examples = list(archive.examples(arguments.split, skip_first=True))
    chosen = np.unique(np.linspace(0, len(examples) - 1, arguments.images).round().astype(int))
    examples = [examples[i] for i in chosen]
    network = mrsal.load_model(mode="fast")
    maps = {example.name: network.values(example.pyramid, example.grid) for example in examples}

    class Network:
        """The maps of the network, predicted once for all protocols."""

        @staticmethod
        def predict_example(example: object) -> np.ndarray:
            return maps[example.name]  # type: ignore[attr-defined]

    models = {
        "uniform": uniform,
        "centre": centre,
        "spectral residual": spectral_residual,
        "mrcnn-osie, fast": Network(),
    }
    lines = [
        f"mrsal {mrsal.__version__}, {len(examples)} images of {archive.name}, first fixation of each trial left out.",
        "",
    ]
    for protocol in PROTOCOLS:
        results = {name: evaluate(model, examples, protocol=protocol) for name, model in models.items()}
        lines += [f"**{protocol}**", "", *table_lines(results), ""]
    results = {name: evaluate(model, examples, optimal=True) for name, model in models.items() if name != "uniform"}
    lines += ["**tuebingen, metric-optimal maps** (each map taken for a density)", "", *table_lines(results), ""]
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
