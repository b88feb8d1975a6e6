"""Score the same predictions under every protocol, and write Markdown tables.

    python benchmarks/protocols.py --data_dir osie-native --split test

The bundled network (fast mode), a Gaussian in the centre and the uniform map are scored on an archive of ``mrsal prepare``.
Without --data_dir, OSIE is prepared in a temporary folder; it is in the folder MRSAL_DATA, or in ../shared/data beside the
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
from mrsal.evaluation.table_text import markdown_table, metric_title
from mrsal.inference import BASELINES, PreparedImage, SaliencyMap, SaliencyModel
from mrsal.metrics import PROTOCOLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="an archive of mrsal prepare")
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
        sys.exit(f"expected OSIE at {root}, got no folder; give --data_dir, or set MRSAL_DATA to the folder of osie/")
    with tempfile.TemporaryDirectory() as folder:
        yield NativeArchive(write_native(datasets.load("osie", root), Path(folder) / "osie"))


class PredictsOnce(SaliencyModel):
    """The bundled network, which predicts each image once and keeps the map for the other protocols."""

    def __init__(self) -> None:
        self.network, self.maps = mrsal.load_model("mrcnn", mode="fast"), dict[str, SaliencyMap]()

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
        "Gaussian in the centre": BASELINES["centre"],
        "uniform": BASELINES["uniform"],
    }
    lines = [f"### {name}: {len(examples)} images", ""]
    for protocol in PROTOCOLS.values():
        means = {
            label: mrsal.evaluate(model, examples, protocol=protocol.name).mean() for label, model in models.items()
        }
        metrics = [metric for metric in next(iter(means.values())) if metric in protocol.metrics]
        lines += [f"**{protocol.name}**, density of {protocol.sigma(name, pixels_per_degree):g} px", ""]
        rows = [[label, *(f"{row[metric]:.3f}" for metric in metrics)] for label, row in means.items()]
        lines += [*markdown_table(["", *map(metric_title, metrics)], rows), ""]
        print(f"{name}: {protocol.name}", file=sys.stderr)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
