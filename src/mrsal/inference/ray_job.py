"""``mrsal predict --engine ray``: predict shards of inputs on the workers of a Ray cluster.

Each worker has its own copy of the network, reads images and writes maps itself, and reports what became of each shard. All
machines need to see the same folders. A worker that dies is replaced, and its shard is done again; the results do not depend
on which worker does it.
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
from mrsal.inference.adjustment import Adjustment, with_adjustment
from mrsal.inference.executor import TRIES
from mrsal.inference.inputs import InputFile, list_inputs
from mrsal.inference.job import Summary, log_notes, predict_inputs
from mrsal.inference.options import FIGURES, PredictOptions
from mrsal.inference.overlay import Heat
from mrsal.inference.predictor import load_model
from mrsal.inference.ray_pool import import_ray, on_ray
from mrsal.inference.saliency_model import SaliencyModel
from mrsal.inference.shards import Manifest, ShardResults, Shards, cut_into_shards
from mrsal.model import Network, everywhere, load_network
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")

FAILURES = "failed.txt"

# the options that results depend on
_DECISIVE = ("precision", "mode", "opacity", "colormap", "smoothing", "every", "pages")
_SHOWN = 20  # failures and notes that are logged; the file has all failures


def predict_on_ray(options: PredictOptions, *, console: Console) -> Summary:
    """Write the same files as :func:`mrsal.inference.predict_job`, with the workers of a Ray cluster.

    Parameters
    ----------
    options : PredictOptions
        The options of ``mrsal predict``. The inputs and the output folder need to have the same paths on all machines.

    Returns
    -------
    Summary
        That of :func:`mrsal.inference.predict_job`, with absolute paths. ``skipped`` includes the inputs of shards that an
        earlier run finished. The file ``failed.txt`` in the output folder lists the inputs that failed, with the reasons; it
        can be given as a list of inputs.

    Raises
    ------
    InputError
        If Ray is missing or cannot be reached, or an earlier run into ``out`` had other settings.
    FileError
        If a worker cannot read the lists in ``out``, or cannot write there.
    """
    Heat(options.opacity, options.colormap)  # raises an error for wrong values before anything is started
    import_ray()
    if options.runtime == "onnx" or options.model.lower().endswith(".onnx"):
        raise InputError(
            f"--engine ray cannot use an exported network such as {options.model}; give a checkpoint or a name"
        )
    network, _ = load_network(options.model)
    adjustment = Adjustment.load(options.adjustment) if options.adjustment else None
    out = make_folder(options.out).absolute()
    settings = {
        "formats": sorted(options.format),
        "model": _digest(network),
        **{name: getattr(options, name) for name in _DECISIVE},
    }
    if not FIGURES.keys().isdisjoint(options.format):
        settings |= {name: getattr(options, name) for name in ("pixels_per_degree", "figure_width")}
    if adjustment:
        settings["adjustment"] = adjustment.to_dict()
    failures: list[str] = []

    def report(error: MrsalError) -> None:
        failures.append(str(error))
        log.error("skipped: %s", error)

    inputs = list_inputs(options.paths, report, recursive=options.recursive, out=out, column=options.column)
    shards = cut_into_shards(
        inputs,
        out,
        settings,
        size=options.shard_size,
        nested=options.nested,
        fresh=options.fresh,
        pages=options.pages,
    )
    unusable = len(failures)  # paths; the workers do not see them
    results = ShardResults(shards, options)
    summary = Summary(skipped=shards.finished, failed=unusable, results=results, failures=failures)
    if not shards.todo:
        summary.log_totals(out)
        return summary
    job = _PredictShards(
        shards=replace(shards, todo=[]),
        options=replace(options, paths=(), out=out, model=everywhere(options.model), adjustment=None),
        adjustment=adjustment,
    )
    with on_ray(
        address=options.address,
        workers=options.workers,
        gpus_per_worker=options.gpus_per_worker,
        device=options.device,
    ) as execute:
        earlier = f", {shards.finished} inputs were finished earlier" if shards.finished else ""
        log.info("%d shards of up to %d inputs%s", len(shards.todo), options.shard_size, earlier)
        start = time.monotonic()
        with (
            atomic_path(out / FAILURES) as temporary,
            temporary.open("w", encoding="utf-8") as file,
            progress_bar(console) as bar,
        ):
            task = bar.add_task("predicting", total=len(shards.todo), note="shards")
            for _, manifest in execute(job, shards.todo):
                summary = _add(summary, manifest, file.write)
                rate = summary.done / (time.monotonic() - start)
                bar.update(task, advance=1, note=f"shards, {rate:.1f} inputs/s")
    seconds = time.monotonic() - start
    summary.log_totals(out)
    log.info("%.1f inputs/s: %.1f s, including the start of the workers", summary.done / seconds, seconds)
    if summary.failed > unusable:
        log.error("%d inputs failed; %s lists them, with the reasons", summary.failed - unusable, out / FAILURES)
    return summary


@dataclass(frozen=True)
class _PredictShards:
    """The job of a worker: predict shards, one at a time."""

    shards: Shards
    options: PredictOptions
    adjustment: Adjustment | None = None
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    version: str = __version__

    @cached_property
    def predictor(self) -> SaliencyModel:
        predictor = load_model(self.options.model, device=self.options.device, precision=self.options.precision)
        if _digest(predictor.network) != self.shards.settings["model"]:
            raise InputError(f"a worker has another network at {self.options.model}; use the same file on all machines")
        return with_adjustment(predictor, self.adjustment, name=self.options.model) if self.adjustment else predictor

    def __call__(self, shard: int) -> Manifest:
        if self.version != __version__:
            raise InputError(
                f"a worker has mrsal {__version__}, this machine has {self.version}; install the same version everywhere"
            )
        files, fingerprint = self.shards.inputs(shard)
        before = self.shards.manifest(shard, fingerprint)
        if before and (before.run == self.run or not before.failed):
            return before  # the worker died after it had finished the shard
        try:
            manifest = self._predict(files, fingerprint, before)
        except MrsalError:
            raise
        except Exception as error:  # the other shards go on
            return self._failed(files, f"{type(error).__name__}: {error}")
        self.shards.finish(shard, manifest)
        return manifest

    def give_up(self, shard: int) -> Manifest:
        """Report all inputs of a shard that killed its worker too often as failed."""
        files, _ = self.shards.inputs(shard)
        return self._failed(files, f"the worker died {TRIES} times with these inputs, which may need more memory")

    def _predict(self, files: list[InputFile], fingerprint: str, before: Manifest | None) -> Manifest:
        """Predict the inputs of a shard, or those that failed before."""
        out, failed = self.shards.out, []
        inputs: list[InputFile] = []
        for file in files:
            inputs += file.images(
                lambda error, file=file: failed.append(_failure(file, error)),  # type: ignore[misc]
                pages=self.options.pages,
                formats=self.options.format,
            )
        failed_before = {name for name, *_ in before.failed} if before else set()
        if any((file.is_tar or file.has_pages) and str(file.name) in failed_before for file in files):
            before = None  # a tar or a document that was damaged may contain more images by now
        if before:
            inputs = [file for file in inputs if str(file.name) in failed_before]
        todo = [file for file in inputs if not (self.options.skip_existing and file.is_done(out, self.options.format))]
        done, damaged, notes = 0, [], []
        with progress_bar(Console(quiet=True)) as bar:
            for file, outcome in predict_inputs(todo, self.predictor, self.options, bar=bar):
                if outcome.error:
                    failed.append(_failure(file, outcome.error))
                else:
                    done += 1
                if outcome.damage:
                    damaged.append((str(file), outcome.damage))
                if outcome.notes:
                    notes.append((str(file), outcome.notes))
        skipped = len(inputs) - len(todo) + (before.done + before.skipped if before else 0)
        return Manifest(fingerprint, self.run, done, skipped, tuple(failed), tuple(damaged), tuple(notes))

    def _failed(self, files: list[InputFile], reason: str) -> Manifest:
        return Manifest("", self.run, failed=tuple(_failure(file, reason) for file in files))


def _failure(file: InputFile, reason: MrsalError | str) -> tuple[str, str, str]:
    return str(file.name), str(file.path), str(reason)


def _add(summary: Summary, manifest: Manifest, write: Callable[[str], object]) -> Summary:
    """Add a shard to the summary, and write and log what failed in it."""
    for i, (_, path, reason) in enumerate(manifest.failed):
        line = " ".join(reason.split())
        write(f"# {line}\n{path}\n".encode(errors="backslashreplace").decode())
        if summary.failed + i < _SHOWN:
            log.error("failed: %s: %s", path, line)
        summary.failures.append(reason if path in reason else f"{path}: {reason}")
    for i, (_, damage) in enumerate(manifest.damaged):
        summary.failures.append(damage)
        if summary.damaged + i < _SHOWN:
            log.error("%s", damage)
    for file, notes in manifest.notes:
        if len(summary.notes) < _SHOWN:
            log_notes(file, notes)
        summary.notes[file] = list(notes)
    return replace(
        summary,
        done=summary.done + manifest.done,
        skipped=summary.skipped + manifest.skipped,
        failed=summary.failed + len(manifest.failed),
        damaged=summary.damaged + len(manifest.damaged),
    )


def _digest(network: Network) -> str:
    """A digest of weights and configuration, which does not depend on the file that they are from."""
    digest = hashlib.sha256(json.dumps(str(network.config)).encode())
    for name, values in sorted(network.state_dict().items()):
        digest.update(name.encode() + values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
