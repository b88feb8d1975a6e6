"""Score maps with pysaliency; the tests and benchmarks of mrsal's metrics compare their results with it.

    python scripts/pysaliency_oracle.py INPUTS.npz VALUES.json

The script imports nothing of mrsal. It needs its own environment, since pysaliency 0.2.22 needs setuptools before version 80
and an old name in NumPy:

    python3.11 -m venv oracle
    oracle/bin/pip install 'setuptools<80' 'torch>=2.6,<2.14' pysaliency==0.2.22
    export MRSAL_PYSALIENCY_PYTHON=$PWD/oracle/bin/python

INPUTS has ``maps``, ``targets``, ``densities``, all ``(B, H, W)``, ``baseline`` ``(H, W)``, ``x``, ``y`` and ``n`` of all
fixations, ``sigma``, and optionally ``other_x`` and ``other_y``, the negatives of all maps; by default the negatives are the
fixations on the other maps. The script writes a list of B numbers and the CPU seconds for each metric to VALUES. ``density`` is
the maximum of the fixation density.
"""

import json
import sys
import time
import warnings

import numpy as np

if not hasattr(np, "trapz"):
    np.__dict__["trapz"] = np.trapezoid  # pysaliency uses the name from before NumPy 2
warnings.simplefilter("ignore")

import pysaliency  # noqa: E402
from pysaliency.models import Model  # noqa: E402
from pysaliency.saliency_map_models import FixationMap, SaliencyMapModel  # noqa: E402

EPS = 2.2204e-16


class Maps(SaliencyMapModel):
    """Maps in memory; the pixels of a stimulus are its index."""

    def __init__(self, maps):
        super().__init__(caching=False)
        self.maps = maps

    def _saliency_map(self, stimulus):
        return self.maps[int(stimulus[0, 0])]


class Densities(Model):
    def __init__(self, densities):
        super().__init__(caching=False)
        self.densities = densities

    def _log_density(self, stimulus):
        return np.log(self.densities[int(stimulus[0, 0])])


def main():
    with np.load(sys.argv[1]) as file:
        data = {name: file[name] for name in file.files}
    maps = data["maps"].astype(np.float64)
    count, height, width = maps.shape
    stimuli = pysaliency.Stimuli([np.full((height, width), i, np.int32) for i in range(count)])
    fixations = points(data["x"], data["y"], data["n"])
    shared = "other_x" in data
    negatives = "shuffled"
    if shared:
        repeats = len(data["other_x"])
        negatives = points(
            np.tile(data["other_x"], count), np.tile(data["other_y"], count), np.repeat(np.arange(count), repeats)
        )
    model, truth = Maps(maps), Maps(data["targets"].astype(np.float64))
    density = data["densities"].astype(np.float64)
    densities = Densities(density / density.sum(axis=(1, 2), keepdims=True))
    baseline = Densities(np.broadcast_to(data["baseline"] / data["baseline"].sum(), maps.shape))
    kl = {"minimum_value": 0, "log_regularization": EPS, "quotient_regularization": EPS}

    def per_image(values):
        return [float(np.mean(values[data["n"] == i])) for i in range(count)]

    def gold_standard():
        gold = FixationMap(
            stimuli, fixations, kernel_size=float(data["sigma"]), convolution_mode="constant", caching=False
        )
        maps = [gold.saliency_map(stimulus) for stimulus in stimuli]
        return [float((map_ / map_.sum()).max()) for map_ in maps]

    metrics = {
        "density": gold_standard,
        "AUC": lambda: model.AUC_per_image(stimuli, fixations, nonfixations="uniform"),
        "sAUC": lambda: model.AUC_per_image(stimuli, fixations, nonfixations=negatives),
        "AUC-Judd": lambda: model.AUC_per_image(stimuli, fixations, nonfixations="unfixated", thresholds="fixations"),
        "NSS": lambda: per_image(model.NSSs(stimuli, fixations)),
        "CC": lambda: model.CCs(stimuli, truth),
        "SIM": lambda: model.SIMs(stimuli, truth),
        "KL": lambda: model.KLDivs(stimuli, truth, **kl),
        "IG": lambda: per_image(densities.information_gains(stimuli, fixations, baseline)),
        "LL": lambda: per_image(densities.log_likelihoods(stimuli, fixations) / np.log(2)),
    }
    # the first call compiles code, so it is not measured
    tiny = pysaliency.Stimuli([np.zeros((2, 2), np.int32)])
    Maps(np.eye(2)[None]).AUC(tiny, points(np.zeros(1), np.zeros(1), np.zeros(1, int)))

    values, seconds = {}, {}
    for name, compute in metrics.items():
        began = time.process_time()
        values[name] = [float(value) for value in compute()]
        seconds[name] = time.process_time() - began
    versions = {"pysaliency": "0.2.22", "numpy": np.__version__, "python": sys.version.split()[0]}
    with open(sys.argv[2], "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump({"values": values, "seconds": seconds, "versions": versions}, out)


def points(x, y, n):
    return pysaliency.Fixations.create_without_history(x, y, np.asarray(n, int))


if __name__ == "__main__":
    main()
