"""The same jobs on many machines: shards of inputs flow to the workers of a Ray cluster, small reports flow back.

Ray Data keeps a pool of workers, each with a network of its own, that read pictures and write maps themselves: all machines see
the same folders. A worker that dies is replaced and does its shard again; results are the same whoever does them.
"""

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from rich.console import Console

from mrsal._version import __version__
from mrsal.errors import InputError, MrsalError
from mrsal.files import atomic_path, make_folder
from mrsal.inference.executor import TRIES
from mrsal.inference.inputs import InputFile, list_sources
from mrsal.inference.job import Summary, predict_sources
from mrsal.inference.network_model import NetworkModel
from mrsal.inference.options import PredictOptions
from mrsal.inference.overlay import Heat
from mrsal.inference.predictor import load_model
from mrsal.inference.ray_pool import import_ray, on_ray
from mrsal.inference.shards import Manifest, Shards, cut_into_shards
from mrsal.model import Network, everywhere, load_network
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")

FAILURES = "failed.txt"

# options that decide what is in a result
_DECISIVE = ("precision", "mode", "opacity", "colormap", "smoothing", "every")
_SHOWN = 20  # failures in the log; the file has all


def predict_on_ray(options: PredictOptions, *, console: Console) -> Summary:
    """As :func:`mrsal.inference.predict_job`, with the same files as result, by the workers of a Ray cluster.

    Parameters
    ----------
    options : PredictOptions
        The output folder and the inputs have the same paths on all machines.

    Returns
    -------
    Summary
        ``skipped`` counts the inputs of shards that an earlier run finished, too. What failed, and why, is in
        ``out/failed.txt``, which can be given as a list of inputs again.

    Raises
    ------
    InputError
        If Ray is missing or cannot be reached, or ``out`` was begun with other settings.
    FileError
        If a worker cannot read the lists in ``out``, or write there.
    """
    Heat(options.opacity, options.colormap)  # says what is wrong with them before anything is started
    import_ray()
    if options.runtime == "onnx" or options.model.lower().endswith(".onnx"):
        raise InputError(f"--engine ray predicts with torch, not with an exported network such as {options.model}")
    network, _ = load_network(options.model)
    out = make_folder(options.out).absolute()
    settings = {
        "formats": sorted(options.format),
        "model": _digest(network),
        **{name: getattr(options, name) for name in _DECISIVE},
    }
    failed = 0

    def complain(error: MrsalError) -> None:
        nonlocal failed
        failed += 1
        log.error("skipped: %s", error)

    sources = list_sources(options.paths, complain, recursive=options.recursive, out=out, column=options.column)
    shards = cut_into_shards(
        sources, out, settings, size=options.shard_size, nested=options.nested, fresh=options.fresh
    )
    summary = Summary(skipped=shards.finished, failed=failed)
    if not shards.todo:
        log.info("0 of %d inputs written to %s, %d were there already", shards.finished + failed, out, shards.finished)
        return summary
    job = _PredictShards(
        shards=replace(shards, todo=[]), options=replace(options, paths=(), out=out, model=everywhere(options.model))
    )
    with on_ray(
        address=options.address,
        workers=options.workers,
        gpus_per_worker=options.gpus_per_worker,
        device=options.device,
    ) as execute:
        already = f", {shards.finished} inputs were finished earlier" if shards.finished else ""
        log.info("%d shards of up to %d inputs%s", len(shards.todo), options.shard_size, already)
        began = time.monotonic()
        with (
            atomic_path(out / FAILURES) as temporary,
            temporary.open("w", encoding="utf-8") as failures,
            progress_bar(console) as bar,
        ):
            task = bar.add_task("predicting", total=len(shards.todo), note="shards")
            for _, manifest in execute(job, shards.todo):
                summary = _add(summary, manifest, failures.write)
                rate = summary.done / (time.monotonic() - began)
                bar.update(task, advance=1, note=f"shards, {rate:.1f} inputs/s")
    seconds = time.monotonic() - began
    total = summary.done + summary.skipped + summary.failed
    already = f", {summary.skipped} were there already" if summary.skipped else ""
    log.info("%d of %d inputs written to %s%s", summary.done, total, out, already)
    log.info("%.1f inputs/s: %.1f s, the start of the workers included", summary.done / seconds, seconds)
    if summary.failed > failed:
        log.error("%d inputs failed; which, and why, is in %s", summary.failed - failed, out / FAILURES)
    return summary


@dataclass(frozen=True)
class _PredictShards:
    """Does shards, one at a time, in whatever process it is."""

    shards: Shards
    options: PredictOptions
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    version: str = __version__

    @cached_property
    def predictor(self) -> NetworkModel:
        predictor = load_model(self.options.model, device=self.options.device, precision=self.options.precision)
        if _digest(predictor.network) != self.shards.settings["model"]:
            where = self.options.model
            raise InputError(f"a worker finds another network at {where}; give it the same file on all machines")
        return predictor

    def __call__(self, shard: int) -> Manifest:
        if self.version != __version__:
            raise InputError(f"a worker has mrsal {__version__}, this is {self.version}; install the same everywhere")
        listed, fingerprint = self.shards.sources(shard)
        before = self.shards.manifest(shard, fingerprint)
        if before and (before.run == self.run or not before.failed):
            return before  # its worker died after the last file
        try:
            manifest = self._do(listed, fingerprint, before)
        except MrsalError:
            raise
        except Exception as error:  # one shard that cannot be done keeps none of the others
            return self._lost(listed, f"{type(error).__name__}: {error}")
        self.shards.finish(shard, manifest)
        return manifest

    def give_up(self, shard: int) -> Manifest:
        """Instead of a call, when too many workers died of it."""
        listed, _ = self.shards.sources(shard)
        return self._lost(listed, f"the worker died {TRIES} times with these inputs, which may need more memory")

    def _do(self, listed: list[InputFile], fingerprint: str, before: Manifest | None) -> Manifest:
        out, failed = self.shards.out, []
        sources: list[InputFile] = []
        for file in listed:
            sources += file.pictures(lambda error, file=file: failed.append(_failure(file, error)))  # type: ignore[misc]
        again = {name for name, *_ in before.failed} if before else set()
        if any(file.is_tar and str(file.name) in again for file in listed):
            before = None  # it was damaged, and may hold more by now
        if before:
            sources = [source for source in sources if str(source.name) in again]
        todo = [s for s in sources if not (self.options.skip_existing and s.is_done(out, self.options.format))]
        done = 0
        with progress_bar(Console(quiet=True)) as bar:
            for source, error in predict_sources(todo, self.predictor, self.options, bar=bar):
                if error:
                    failed.append(_failure(source, error))
                else:
                    done += 1
        skipped = len(sources) - len(todo) + (before.done + before.skipped if before else 0)
        return Manifest(fingerprint, self.run, done, skipped, tuple(failed))

    def _lost(self, listed: list[InputFile], why: str) -> Manifest:
        return Manifest("", self.run, failed=tuple(_failure(source, why) for source in listed))


def _failure(source: InputFile, why: MrsalError | str) -> tuple[str, str, str]:
    return str(source.name), str(source.path), str(why)


def _add(summary: Summary, manifest: Manifest, write: Callable[[str], object]) -> Summary:
    for i, (_, path, why) in enumerate(manifest.failed):
        why = " ".join(why.split())
        write(f"# {why}\n{path}\n".encode(errors="backslashreplace").decode())
        if summary.failed + i < _SHOWN:
            log.error("failed: %s: %s", path, why)
    return Summary(
        summary.done + manifest.done, summary.skipped + manifest.skipped, summary.failed + len(manifest.failed)
    )


def _digest(network: Network) -> str:
    """Of the weights, whatever file they are from."""
    digest = hashlib.sha256(json.dumps(str(network.config)).encode())
    for name, values in sorted(network.state_dict().items()):
        digest.update(name.encode() + values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
