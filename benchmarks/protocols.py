"""How far the score of the same prediction moves between protocols, as Markdown tables.

    python benchmarks/protocols.py --data_dir osie-native --split test --images 100

Scores the bundled network (fast mode), a Gaussian in the middle and the uniform map on an archive of ``mrsal prepare``. Without
--data_dir OSIE is prepared in a temporary folder, from MRSAL_DATA or ../shared/data beside the checkout. The shuffled
negatives are the fixations of all images of the split, whether they are scored or not.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mrsal
from mrsal import datasets, metrics
from mrsal.archive import Example
from mrsal.baselines import BASELINES
from mrsal.fixations import Fixations, density
from mrsal.metrics import HIGHER_IS_BETTER, PROTOCOLS, Protocol
from mrsal.native import NativeArchive, write_native

Row = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="an archive that mrsal prepare has made")
    parser.add_argument("--split", default="test")
    parser.add_argument("--images", type=int, default=100)
    arguments = parser.parse_args()
    with opened(arguments.data_dir) as (name, archive):
        examples = [e for e in archive.examples(arguments.split, skip_first=True) if e.fixations is not None]
        print(table(name, archive.pixels_per_degree, examples, arguments.images))


@contextmanager
def opened(data_dir: Path | None) -> Iterator[tuple[str, NativeArchive]]:
    if data_dir is not None:
        yield data_dir.name.split("-")[0], NativeArchive(data_dir)
        return
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "osie"
    if not root.is_dir():
        sys.exit(f"no data at {root}; give --data_dir, or set MRSAL_DATA to the folder that holds osie/")
    with tempfile.TemporaryDirectory() as folder:
        yield "osie", NativeArchive(write_native(datasets.load("osie", root), Path(folder) / "osie"))


def table(name: str, pixels_per_degree: float, examples: list[Example], count: int) -> str:
    chosen = [examples[i] for i in np.linspace(0, len(examples) - 1, min(count, len(examples))).astype(int)]
    network = mrsal.load_model(mode="fast")
    rows: dict[str, dict[str, list[Row]]] = {}
    for done, example in enumerate(chosen):
        print(f"\r{done + 1} of {len(chosen)}", end="", file=sys.stderr, flush=True)
        shape = example.pyramid.shape
        image = np.empty((*shape, 3), np.uint8)
        predictions = {
            "Mr-CNN, bundled, fast": network.values(example.pyramid, example.grid),
            "Gaussian in the middle": BASELINES["centre"](image),
            "uniform": BASELINES["uniform"](image),
        }
        for protocol in PROTOCOLS.values():
            data = compared_to(example, examples, protocol, protocol.sigma(name, pixels_per_degree))
            for model, map_ in predictions.items():
                row = metrics.score(map_, protocol=protocol, density=map_ - min(map_.min(), 0) + 1e-6, **data)
                rows.setdefault(protocol.name, {}).setdefault(model, []).append(row)
    print(file=sys.stderr)
    lines = [f"## {name}: {len(chosen)} images", ""]
    for protocol in PROTOCOLS.values():
        sigma = protocol.sigma(name, pixels_per_degree)
        lines += [f"**{protocol.name}** (sigma {sigma:g} px). {protocol.about}", ""]
        lines += [*as_table(rows[protocol.name]), ""]
    return "\n".join(lines)


def compared_to(example: Example, examples: list[Example], protocol: Protocol, sigma: float) -> dict[str, Any]:
    """Fixations, density and negatives of an image as the protocol wants them."""
    height, width = example.pyramid.shape
    own = inside(example)
    others = [e for e in examples if e is not example]
    if protocol.other_images is not None:
        chosen = np.random.default_rng(examples.index(example)).choice(
            len(others), protocol.other_images, replace=False
        )
        others = [others[i] for i in chosen]
    relative = np.concatenate(
        [np.stack([inside(e).x / e.pyramid.shape[1], inside(e).y / e.pyramid.shape[0]]) for e in others], 1
    )
    other_x, other_y = relative * [[width], [height]]
    # other images' fixations are the centre bias as well: blurred, with a little of the uniform density
    centre = density(other_x, other_y, (height, width), sigma=0.05 * width) + 0.01 / (height * width)
    return {
        "x": own.x,
        "y": own.y,
        "target": density(own.x, own.y, (height, width), sigma=sigma),
        "other_x": other_x,
        "other_y": other_y,
        "baseline": centre,
    }


def inside(example: Example) -> Fixations:
    assert example.fixations is not None
    return example.fixations.where(example.fixations.inside(*example.pyramid.shape))


def as_table(rows: dict[str, list[Row]]) -> list[str]:
    names = list(next(iter(rows.values()))[0])
    heads = [f"{name} {'↑' if HIGHER_IS_BETTER[name] else '↓'}" for name in names]
    lines = [f"| | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(names)}"]
    for model, scores in rows.items():
        means: NDArray[np.float64] = np.array([[row[name] for name in names] for row in scores]).mean(axis=0)
        lines.append(f"| {model} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    return lines


if __name__ == "__main__":
    main()
