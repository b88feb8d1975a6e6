"""The same jobs on many machines: shards of inputs flow to the workers of a Ray cluster, small reports flow back.

Ray Data keeps a pool of workers, each with a network of its own, that read pictures and write maps themselves: all machines see
the same folders. A worker that dies is replaced and does its shard again; results are the same whoever does them.
"""

import hashlib
import json
import logging
import os
import pickle
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import mrsal
from mrsal.errors import InputError, MrsalError
from mrsal.files import atomic_path, make_folder
from mrsal.inference import Predictor, load_model, load_network
from mrsal.model import MrCNN
from mrsal.predicting import Summary, predict_sources
from mrsal.progress import progress_bar
from mrsal.saliency_map import Heat
from mrsal.shards import SIZE, Manifest, Shards, cut_into_shards
from mrsal.sources import COLUMN, Source, list_sources
from mrsal.tasks import ScoringTask, ShareOut, everywhere

log = logging.getLogger("mrsal")

FAILURES = "failed.txt"

_TRIES = 3  # of a shard or image, where workers die of it
_SHOWN = 20  # failures in the log; the file has all
_BLOCKS = 10_000  # tasks that Ray is given at most, each of one or several shards
_STORE = 200 * 2**20  # bytes of shared memory for Ray on this machine; only numbers of shards and reports go through it


def predict_on_ray(
    paths: Sequence[str],
    out: Path,
    model: str,
    *,
    formats: Sequence[str] = ("overlay",),
    mode: str | None = None,
    recursive: bool = False,
    opacity: float = 0.6,
    colormap: str = "inferno",
    smoothing: float = 0.0,
    every: int = 1,
    skip_existing: bool = False,
    column: str = COLUMN,
    device: str = "auto",
    precision: str = "auto",
    address: str | None = None,
    workers: int | None = None,
    gpus_per_worker: float = 1.0,
    shard_size: int = SIZE,
    nested: bool = False,
    fresh: bool = False,
    console: Console,
) -> Summary:
    """As :func:`mrsal.predicting.predict_job`, with the same files as result, by the workers of a Ray cluster.

    Parameters
    ----------
    paths, out, model, formats, mode, recursive, opacity, colormap, smoothing, every, skip_existing, column, device, precision
        As for :func:`mrsal.predicting.predict_job`. ``out`` and the inputs have the same paths on all machines.
    address : str, optional
        Of a cluster, ``"host:6379"``, or ``"auto"`` on one of its machines. None: this machine, without set-up.
    workers : int, optional
        Processes that predict. None: as many as the GPUs have room for, or else one per CPU core.
    gpus_per_worker : float
        0.25 puts four workers on each GPU, so that four processes read and write for it.
    shard_size, nested, fresh
        As for :func:`mrsal.shards.cut_into_shards`.

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
    Heat(opacity, colormap)  # what is wrong with them is said before anything is started
    _import_ray()
    if model.lower().endswith(".onnx"):
        raise InputError(f"--engine ray predicts with torch, and {model} is an exported network; give its checkpoint")
    network, _ = load_network(model)
    out = make_folder(out).absolute()
    options = {"mode": mode, "opacity": opacity, "colormap": colormap, "smoothing": smoothing, "every": every}
    settings = {"formats": sorted(formats), "precision": precision, "model": _digest(network), **options}
    failed = 0

    def complain(error: MrsalError) -> None:
        nonlocal failed
        failed += 1
        log.error("skipped: %s", error)

    sources = list_sources(paths, complain, recursive=recursive, out=out, column=column)
    shards = cut_into_shards(sources, out, settings, size=shard_size, nested=nested, fresh=fresh)
    summary = Summary(skipped=shards.finished, failed=failed)
    if not shards.todo:
        log.info("0 of %d inputs written to %s, %d were there already", shards.finished + failed, out, shards.finished)
        return summary
    with _connected(address, workers) as started:
        count, resources = _pool(workers, gpus_per_worker, device, started=started)
        already = f", {shards.finished} inputs were finished earlier" if shards.finished else ""
        log.info("%d shards of up to %d inputs for %d workers%s", len(shards.todo), shard_size, count, already)
        job = _Predict(
            shards=replace(shards, todo=[]),
            model=everywhere(model),
            how={"device": device, "precision": precision},
            formats=tuple(formats),
            options=options,
            skip_existing=skip_existing,
        )
        began = time.monotonic()
        with (
            atomic_path(out / FAILURES) as temporary,
            temporary.open("w", encoding="utf-8") as failures,
            progress_bar(console) as bar,
        ):
            task = bar.add_task("predicting", total=len(shards.todo), note="shards")
            for manifest in _share_out(job, shards.todo, count, resources):
                summary = _add(summary, manifest, failures.write)
                rate = summary.done / (time.monotonic() - began)
                bar.update(task, advance=1, note=f"shards, {rate:.1f} inputs/s")
    seconds = time.monotonic() - began
    total = summary.done + summary.skipped + summary.failed
    already = f", {summary.skipped} were there already" if summary.skipped else ""
    log.info("%d of %d inputs written to %s%s", summary.done, total, out, already)
    log.info("%.1f inputs/s: %.1f s with %d workers, their start included", summary.done / seconds, seconds, count)
    if summary.failed > failed:
        log.error("%d inputs failed; which, and why, is in %s", summary.failed - failed, out / FAILURES)
    return summary


@contextmanager
def scoring_on_ray(*, address: str | None = None, workers: int | None = None) -> Iterator[ShareOut]:
    """The ``share_out`` of :func:`mrsal.scoring.evaluate_job`: images are scored by workers, each with the archive opened.

    Parameters
    ----------
    address, workers
        As for :func:`predict_on_ray`; on GPUs one worker each. The archive has the same path on all machines.
    """
    _import_ray()
    with _connected(address, workers) as started:

        def share_out(task: ScoringTask) -> Callable[[Sequence[int]], Iterator[dict[str, float]]]:
            count, resources = _pool(workers, 1.0, task.opening.get("device", "auto"), started=started)

            def rows(images: Sequence[int]) -> Iterator[dict[str, float]]:
                waiting: dict[int, dict[str, float]] = {}
                following = iter(images)
                due = next(following, None)
                for image, row in _share_out(_Score(task), images, count, resources):
                    waiting[image] = row
                    while due in waiting:
                        yield waiting.pop(due)
                        due = next(following, None)

            return rows

        yield share_out


@dataclass(frozen=True)
class _Predict:
    """Does shards, one at a time, in whatever process it is."""

    shards: Shards
    model: str
    how: dict[str, str]
    formats: tuple[str, ...]
    options: dict[str, Any]
    skip_existing: bool
    run: str = ""
    version: str = mrsal.__version__

    def __post_init__(self) -> None:
        if not self.run:
            object.__setattr__(self, "run", uuid.uuid4().hex)

    @cached_property
    def predictor(self) -> Predictor:
        predictor = load_model(self.model, **self.how)
        if _digest(predictor.network) != self.shards.settings["model"]:
            raise InputError(f"a worker finds another network at {self.model}; give it the same file on all machines")
        return predictor

    def __call__(self, shard: int) -> Manifest:
        if self.version != mrsal.__version__:
            raise InputError(
                f"a worker has mrsal {mrsal.__version__}, this is {self.version}; install the same everywhere"
            )
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
        return self._lost(listed, f"the worker died {_TRIES} times with these inputs, which may need more memory")

    def _do(self, listed: list[Source], fingerprint: str, before: Manifest | None) -> Manifest:
        out, failed = self.shards.out, []
        sources: list[Source] = []
        for file in listed:
            sources += file.pictures(lambda error, file=file: failed.append(_failure(file, error)))  # type: ignore[misc]
        again = {name for name, *_ in before.failed} if before else set()
        if any(file.is_tar and str(file.name) in again for file in listed):
            before = None  # it was damaged, and may hold more by now
        if before:
            sources = [source for source in sources if str(source.name) in again]
        todo = [s for s in sources if not (self.skip_existing and s.is_done(out, self.formats))]
        done = 0
        with progress_bar(Console(quiet=True)) as bar:
            for source, error in predict_sources(todo, out, self.predictor, self.formats, bar=bar, **self.options):
                if error:
                    failed.append(_failure(source, error))
                else:
                    done += 1
        skipped = len(sources) - len(todo) + (before.done + before.skipped if before else 0)
        return Manifest(fingerprint, self.run, done, skipped, tuple(failed))

    def _lost(self, listed: list[Source], why: str) -> Manifest:
        return Manifest("", self.run, failed=tuple(_failure(source, why) for source in listed))


def _failure(source: Source, why: MrsalError | str) -> tuple[str, str, str]:
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


@dataclass(frozen=True)
class _Score:
    """Scores images, one at a time, in whatever process it is."""

    task: ScoringTask

    @cached_property
    def scorer(self) -> Callable[[int], dict[str, float]]:
        return self.task.scorer()

    def __call__(self, image: int) -> tuple[int, dict[str, Any]]:
        return image, self.scorer(image)

    def give_up(self, image: int) -> tuple[int, dict[str, Any]]:
        """Instead of a call, when too many workers died of it: a mean over the others would be of another data set."""
        name = self.task.examples()[image].name
        raise MrsalError(f"the worker died {_TRIES} times with {name}, which may need more memory")


class _Tries:
    """How often each item was begun, in a process that survives those that do them."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def begin(self, item: int) -> int:
        self.counts[item] += 1
        return self.counts[item]


class _Worker:
    """What Ray keeps in a process of its own: a job, and what the job has loaded."""

    def __init__(self, job: _Predict | _Score, begin: Callable[[int], int]) -> None:
        self.job, self.begin = job, begin

    def __call__(self, batch: dict[str, NDArray]) -> dict[str, NDArray]:
        return {"result": np.array([pickle.dumps(self._result(int(item))) for item in batch["item"]], dtype=object)}

    def _result(self, item: int) -> Any:
        """Of the job, or its error. Ray itself would try for ever what kills its worker."""
        try:
            return self.job(item) if self.begin(item) <= _TRIES else self.job.give_up(item)
        except MrsalError as error:
            return error


def _share_out(job: _Predict | _Score, items: Sequence[int], count: int, resources: dict[str, Any]) -> Iterator[Any]:
    """The results of a job, as they come; the first error of ours ends it."""
    import ray
    from ray import data
    from ray.exceptions import RayError

    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Tries).remote()

    def begin(item: int) -> int:
        return ray.get(tries.begin.remote(item))

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    with data.DataContext.current(context):
        dataset = data.from_items(
            [{"item": item} for item in items], override_num_blocks=min(len(items), _BLOCKS)
        ).map_batches(
            _Worker,
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(count, len(items))),
            fn_constructor_args=(job, begin),
            **resources,
        )
    try:
        for row in dataset.iter_rows():
            result = pickle.loads(row["result"])
            if isinstance(result, MrsalError):
                raise result
            yield result
    except RayError as error:
        raise MrsalError(f"Ray stopped: {error}") from error


def _import_ray() -> None:
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        raise InputError("--engine ray needs Ray: pip install 'mrsal[ray]'") from error


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[bool]:
    """Connect to a cluster, or start Ray here, and leave it at the end; a connection that is there is used."""
    import ray

    if ray.is_initialized():
        yield False
        return
    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unless someone wants it
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what ends a job comes as an exception, too
        os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever runs beside them keeps workers from starting
        cores = max(workers or 1, os.cpu_count() or 1)
        options |= {"include_dashboard": False, "object_store_memory": _STORE, "num_cpus": cores}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"no Ray cluster at {address}: {error}; start one with: ray start --head"
            if address
            else f"Ray cannot start here: {error}"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray's own ends the process with another status
    try:
        yield address is None
    finally:
        ray.shutdown()


def _pool(workers: int | None, gpus_per_worker: float, device: str, *, started: bool) -> tuple[int, dict[str, Any]]:
    """How many workers, and what each of them takes."""
    import ray

    if (workers is not None and workers < 1) or gpus_per_worker <= 0:
        raise InputError(f"expected at least 1 worker with more than 0 GPUs, got {workers} with {gpus_per_worker:g}")
    there = ray.cluster_resources()
    gpus = 0 if device == "cpu" else int(there.get("GPU", 0))
    if not gpus and device == "cuda":
        raise InputError("device cuda was asked for, but Ray sees no GPU; see: ray status")
    room = int(gpus / gpus_per_worker) if gpus else int(there.get("CPU", 1))
    if not room:
        raise InputError(f"a worker needs {gpus_per_worker:g} GPUs, and there are {gpus}; lower --gpus_per_worker")
    count = workers or room
    if count > room:
        kind = f"{gpus} GPUs, {gpus_per_worker:g} for each worker" if gpus else f"{room} CPU cores"
        if started:
            raise InputError(f"{count} workers were asked for, and there is room for {room}: {kind}")
        log.warning("%d workers were asked for, and there is room for %d: %s", count, room, kind)
    return count, ({"num_gpus": gpus_per_worker} if gpus else {"num_cpus": 1.0})


def _digest(network: MrCNN) -> str:
    """Of the weights, whatever file they are from."""
    digest = hashlib.sha256(json.dumps(str(network.config)).encode())
    for name, values in sorted(network.state_dict().items()):
        digest.update(name.encode() + values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
