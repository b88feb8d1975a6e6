"""How far the score of the same prediction moves between protocols, as Markdown tables.

    python benchmarks/protocols.py --data_dir osie-native --split test

Scores the bundled network (fast mode), a Gaussian in the middle and the uniform map on an archive of ``mrsal prepare``, each
under every protocol. Without --data_dir OSIE is prepared in a temporary folder, from MRSAL_DATA or ../shared/data beside the
checkout.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mrsal
from mrsal import datasets
from mrsal.datasets.archives.example import Example
from mrsal.datasets.archives.native import NativeArchive, write_native
from mrsal.inference import BASELINES, PreparedImage, SaliencyMap, SaliencyModel
from mrsal.metrics import HIGHER_IS_BETTER, PROTOCOLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="an archive that mrsal prepare has made")
    parser.add_argument("--split", default="test")
    parser.add_argument("--skip_first", action="store_true", help="leave out the first fixation of each trial")
    arguments = parser.parse_args()
    with opened(arguments.data_dir) as archive:
        examples = list(archive.examples(arguments.split, skip_first=arguments.skip_first))
        print(tables(archive.name, archive.pixels_per_degree, examples))


@contextmanager
def opened(data_dir: Path | None) -> Iterator[NativeArchive]:
    if data_dir is not None:
        yield NativeArchive(data_dir)
        return
    root = Path(os.environ.get("MRSAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data") / "osie"
    if not root.is_dir():
        sys.exit(f"no data at {root}; give --data_dir, or set MRSAL_DATA to the folder that holds osie/")
    with tempfile.TemporaryDirectory() as folder:
        yield NativeArchive(write_native(datasets.load("osie", root), Path(folder) / "osie"))


class PredictsOnce(SaliencyModel):
    """The network, which predicts each image once for all protocols."""

    def __init__(self) -> None:
        self.network, self.maps = mrsal.load_model(mode="fast"), dict[str, SaliencyMap]()

    def prepare(self, image: object, *, name: str = "") -> PreparedImage:
        return self.network.prepare(image, name=name)

    def predict_prepared(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        for image in images:
            if image.name not in self.maps:
                [self.maps[image.name]] = self.network.predict_prepared([image])
        return [self.maps[image.name] for image in images]


def tables(name: str, pixels_per_degree: float, examples: list[Example]) -> str:
    models = {
        "Mr-CNN, bundled, fast": PredictsOnce(),
        "Gaussian in the middle": BASELINES["centre"],
        "uniform": BASELINES["uniform"],
    }
    lines = [f"### {name}: {len(examples)} images", ""]
    for protocol in PROTOCOLS.values():
        means = {model: mrsal.evaluate(maps, examples, protocol=protocol.name).mean() for model, maps in models.items()}
        metrics = [metric for metric in next(iter(means.values())) if metric in protocol.metrics]
        lines += [f"**{protocol.name}**, density of {protocol.sigma(name, pixels_per_degree):g} px", ""]
        lines += ["| | " + " | ".join(f"{m} {'↑' if HIGHER_IS_BETTER[m] else '↓'}" for m in metrics) + " |"]
        lines += ["| --- |" + " ---: |" * len(metrics)]
        lines += [f"| {model} | " + " | ".join(f"{row[m]:.3f}" for m in metrics) + " |" for model, row in means.items()]
        lines += [""]
        print(f"{name}: {protocol.name}", file=sys.stderr)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
