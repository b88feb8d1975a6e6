"""The checks of ``mrsal doctor``: what mrsal finds on this machine, and whether it works.

A check that raises an error is reported and the others continue, so the list is complete and can be sent with a question.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mrsal
from mrsal._version import __version__
from mrsal.datasets import LOADERS
from mrsal.errors import first_line

_PACKAGES = ("torch", "numpy", "scipy", "pillow", "lightning-fabric", "safetensors")
_NOT_EXTRAS = ("dev", "docs", "test")
_SMALL_DISK = 5e9  # bytes; a training run with its archive takes about that
_LOOSE, _CLOSE = 0.2, 1e-3  # largest differences between maps: fast and exact, exact and crop by crop


@dataclass(frozen=True)
class Finding:
    """A result of a check.

    Parameters
    ----------
    name, value : str
        What was checked, and the result.
    state : str
        ``"fine"``, ``"missing"`` if mrsal works without it, or ``"broken"`` if it does not.
    mend : str
        What to do about it; empty if nothing.
    """

    name: str
    value: str
    state: str = "fine"
    mend: str = ""


def examine(data_dir: Path | None = None) -> list[Finding]:
    """Run all checks; ``data_dir`` is the folder of the data sets, by default the environment variable ``MRSAL_DATA``."""
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            findings += check()
        except Exception as error:  # an installation can be broken in any way, and this is where users learn it
            reason = f"{type(error).__name__}: {first_line(error)}"
            findings.append(Finding(name, reason, "broken", "install mrsal again: pip install --force-reinstall mrsal"))
    return [*findings, *_data(data_dir)]


def _versions() -> Iterator[Finding]:
    yield Finding("mrsal", f"{__version__} in {Path(mrsal.__file__).parent}")
    yield Finding("Python", f"{platform.python_version()} on {platform.platform()}, {sys.executable}")
    for package in _PACKAGES:
        if version := _version(package):
            yield Finding(package, version)
        else:
            yield Finding(package, "not installed", "broken", f"pip install {package}")


def _version(package: str) -> str:
    """The version of a package; empty if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _extras() -> Iterator[Finding]:
    """The optional libraries, as listed in the metadata of the installed mrsal."""
    try:
        requirements = importlib.metadata.requires("mrsal") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding("extras", "not known, because mrsal is not installed", "missing", "pip install -e .")
        return
    extras: dict[str, list[str]] = {}
    for requirement in requirements:
        package, which = re.match(r"[\w.-]+", requirement), re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if package and which and which[1] not in _NOT_EXTRAS:
            extras.setdefault(which[1], []).append(package[0])
    for extra, packages in extras.items():
        versions = {name: _version(name) for name in packages}
        absent = [name for name, version in versions.items() if not version]
        if absent:
            yield Finding(f"extra {extra}", f"without {', '.join(absent)}", "missing", f"pip install 'mrsal[{extra}]'")
        else:
            yield Finding(f"extra {extra}", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _devices() -> Iterator[Finding]:
    import torch

    from mrsal.model import has_bf16

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    abilities = [torch.backends.cpu.get_cpu_capability()]
    abilities += ["AMX"] if getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)() else []
    abilities += ["bf16"] if has_bf16("cpu") else []
    yield Finding("CPU", f"{cores} cores, {torch.get_num_threads()} threads of torch, {', '.join(abilities)}")
    for i in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(i)
        bf16 = ", bf16" if has_bf16("cuda") else ""
        yield Finding(f"GPU {i}", f"{device.name}, {device.total_memory / 2**30:.0f} GiB{bf16}")
    if not torch.cuda.is_available():
        yield Finding("GPU", f"none that torch can use (CUDA of this torch: {torch.version.cuda or 'none'})", "missing")


def _weights() -> Iterator[Finding]:
    from mrsal.model import BUNDLED, WEIGHTS

    for name, file in BUNDLED.items():
        expected = json.loads((WEIGHTS / f"{name}.json").read_text(encoding="utf-8"))["file"]["sha256"]
        if hashlib.sha256((WEIGHTS / file).read_bytes()).hexdigest() == expected:
            yield Finding(f"weights {name}", f"checksum {expected[:12]}, as in the manifest")
        else:
            advice = "install mrsal again: pip install --force-reinstall mrsal"
            yield Finding(f"weights {name}", "the checksum differs from the manifest", "broken", advice)


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    state, advice = ("missing", "a training run may not fit") if free < _SMALL_DISK else ("fine", "")
    yield Finding("disk", f"{free / 1e9:.0f} GB free at {Path.cwd()}", state, advice)


def _self_test() -> Iterator[Finding]:
    """Predict a generated image in the three modes of Mr-CNN; the maps must be finite, not constant, and agree."""
    from mrsal.inference import Predictor
    from mrsal.model import Grid, MrCNN, Pyramid, load_network

    began = time.monotonic()
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))
    network, _ = load_network("mrcnn")
    assert isinstance(network, MrCNN)
    predictor = Predictor(network, device="cpu", precision="fp32")
    fast = predictor.predict(image, mode="fast").values
    pyramid = Pyramid.from_image(image)
    few = Grid.cells(pyramid.shape, 3)
    exact, crops = (predictor.with_mode(mode).grid_map(pyramid, few) for mode in ("exact", "crops"))
    cells = predictor.with_mode("fast").grid_map(pyramid, few)
    close, loose = (float(np.abs(other - exact).max()) for other in (crops, cells))
    seconds = time.monotonic() - began
    wrong = [] if np.isfinite(fast).all() and np.ptp(fast) > _CLOSE else ["a map is not finite or constant"]
    wrong += [f"exact and crop by crop differ by {close:.1g}"] if not close <= _CLOSE else []
    wrong += [f"exact and fast differ by {loose:.1g}"] if not loose <= _LOOSE else []
    if wrong:
        advice = "the hardware or torch computes wrong values; try another version of torch"
        yield Finding("self-test", ", ".join(wrong), "broken", advice)
    else:
        agreement = f"exact and crop by crop differ by {close:.0e}, fast and exact by {loose:.0e}"
        yield Finding("self-test", f"{agreement}; {seconds:.1f} s including loading")


def _data(folder: Path | None) -> Iterator[Finding]:
    text = os.environ.get("MRSAL_DATA", "")
    root = folder or (Path(text) if text else None)
    if root is None:
        advice = "if you have data sets, set MRSAL_DATA to their folder, or use --data_dir"
        yield Finding("data", "no folder of data sets was given", "missing", advice)
    elif not root.is_dir():
        yield Finding("data", f"no folder at {root}", "missing", "correct MRSAL_DATA or --data_dir")
    else:
        inside = sorted(path.name for path in root.iterdir() if path.is_dir())
        known = [name for name in inside if name in LOADERS]
        archives = [path.parent for path in sorted([*root.glob("archive.json"), *root.glob("*/archive.json")])]
        found = [*known, *(f"archive {path}" for path in archives)]
        advice = "" if found else f"put data sets into folders called {', '.join(LOADERS)}"
        yield Finding("data", f"{', '.join(found) or 'no data sets'} in {root}", "fine" if found else "missing", advice)


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "versions": _versions,
    "extras": _extras,
    "devices": _devices,
    "weights": _weights,
    "disk": _disk,
    "self-test": _self_test,
}
