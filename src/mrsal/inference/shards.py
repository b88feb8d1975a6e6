"""Cut any number of inputs into shards, which any process on any machine can predict.

The output folder contains, beside the results::

    .mrsal-shards/run.json                the settings that results depend on, with a digest of the model
    .mrsal-shards/lists/00000012.jsonl    the inputs of a shard, and the names of their results
    .mrsal-shards/done/00000012.json      written when the shard is finished: numbers, and the failures with their reasons

Every process that sees the folder can predict a shard, repeat it, or find out whether it is finished. Cutting needs about 500
bytes of disk per input for a temporary database in ``TMPDIR``, and hardly any memory.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from mrsal.errors import FileError, InputError
from mrsal.files import atomic_path, decoding, write_text
from mrsal.images import PAGED
from mrsal.inference.inputs import InputFile
from mrsal.inference.options import Pages, PredictOptions
from mrsal.inference.result_names import TAR, tell_apart

FOLDER = ".mrsal-shards"

_REMEDY = "start again with --fresh"


@dataclass(frozen=True)
class Manifest:
    """What became of a shard.

    Parameters
    ----------
    fingerprint : str
        A digest of its inputs and of the settings; if they change, the shard is no longer finished.
    run : str
        The run in which it was finished.
    done, skipped : int
        The number of inputs predicted, and of inputs whose results existed.
    failed : tuple of (str, str, str)
        For each input that failed: the name of its results, its path, and the reason.
    damaged : tuple of (str, str)
        For each damaged video, of which the frames that can be decoded were predicted: its path, and what is wrong.
    notes : tuple of (str, (str, ...))
        For some inputs: the path, and what the user should know about the results.
    """

    fingerprint: str
    run: str = ""
    done: int = 0
    skipped: int = 0
    failed: tuple[tuple[str, str, str], ...] = ()
    damaged: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Shards:
    """The shards of a run.

    Parameters
    ----------
    out : Path
        The output folder.
    settings : dict
        The settings that results depend on.
    todo : list of int
        The numbers of the shards that are not finished.
    finished : int
        The number of inputs in shards that were finished earlier.
    count : int
        The number of all shards.
    """

    out: Path
    settings: dict[str, Any]
    todo: list[int] = field(default_factory=list)
    finished: int = 0
    count: int = 0

    def inputs(self, shard: int) -> tuple[list[InputFile], str]:
        """The inputs of a shard, and the fingerprint of these and of the settings."""
        path = self.list_path(shard)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror}; all machines need access to {self.out}") from error
        with decoding(path, "a list of images", remedy=_REMEDY):
            rows = [json.loads(line) for line in content.splitlines()]
            return [InputFile(Path(path), Path(name)) for path, name in rows], self.fingerprint(content)

    def manifest(self, shard: int, fingerprint: str) -> Manifest | None:
        """The manifest of a shard that was finished with these inputs and settings, or None."""
        try:
            values = json.loads((self._folder / "done" / f"{shard:08}.json").read_text(encoding="utf-8"))
            manifest = Manifest(
                **values
                | {
                    "failed": tuple((name, path, reason) for name, path, reason in values["failed"]),
                    "damaged": tuple((path, what) for path, what in values["damaged"]),
                    "notes": tuple((path, tuple(notes)) for path, notes in values["notes"]),
                }
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):  # missing, damaged, or of another version
            return None
        return manifest if manifest.fingerprint == fingerprint else None

    def finish(self, shard: int, manifest: Manifest) -> None:
        """Mark a shard as finished."""
        write_text(self._folder / "done" / f"{shard:08}.json", json.dumps(asdict(manifest)))

    @property
    def _folder(self) -> Path:
        return self.out / FOLDER

    def list_path(self, shard: int) -> Path:
        """The file that lists the inputs of a shard."""
        return self._folder / "lists" / f"{shard:08}.jsonl"

    def fingerprint(self, content: bytes) -> str:
        """A digest of the settings and of the content of a list."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode() + b"\n" + content).hexdigest()


class ShardResults(Mapping[str, dict[str, str]]):
    """The paths of the results of finished shards in each format, by input. They are read when they are first looked at.

    Parameters
    ----------
    shards : Shards
        The shards of a run.
    options : PredictOptions
        The options of the run.
    """

    def __init__(self, shards: Shards, options: PredictOptions) -> None:
        self._shards, self._options = shards, options

    @cached_property
    def _results(self) -> dict[str, dict[str, str]]:
        results = {}
        for shard in range(self._shards.count):
            files, fingerprint = self._shards.inputs(shard)
            manifest = self._shards.manifest(shard, fingerprint)
            if manifest is None:
                continue
            failed = {name for name, *_ in manifest.failed}
            for file in files:
                for image in file.images(lambda _: None, pages=self._options.pages):
                    if str(image.name) not in failed:
                        results[str(image)] = image.result_texts(self._shards.out, self._options.format)
        return results

    def __getitem__(self, key: str) -> dict[str, str]:
        return self._results[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def cut_into_shards(
    inputs: Iterable[InputFile],
    out: Path,
    settings: dict[str, Any],
    *,
    size: int = PredictOptions.shard_size,
    nested: bool = False,
    fresh: bool = False,
    pages: Pages = PredictOptions.pages,
) -> Shards:
    """Cut inputs into shards and write their lists; each ``.tar`` becomes a shard of its own.

    Parameters
    ----------
    inputs : iterable of InputFile
        The inputs from :func:`mrsal.inference.inputs.list_inputs`, in any order. Repeated files are left out, and results are
        named as by :func:`mrsal.inference.inputs.find_inputs`; but here a link and its target are two files.
    out : Path
        The output folder.
    settings : dict
        The settings that results depend on, as values of JSON.
    size : int
        The number of inputs in a shard.
    nested : bool
        Whether to spread results over 256 folders, ``00`` to ``ff``, by a hash of their names.
    fresh : bool
        Whether to repeat what an earlier run finished.
    pages : str
        As for :func:`mrsal.inference.inputs.find_inputs`.

    Returns
    -------
    Shards
        Its ``todo`` includes finished shards with inputs that failed.

    Raises
    ------
    InputError
        If an earlier run into the same folder had other settings, or an input lies in the output folder.
    """
    if size < 1:
        raise InputError(f"expected a shard_size of at least 1, got {size}")
    shards = Shards(out, settings | {"shard_size": size, "nested": nested})
    if fresh:
        shutil.rmtree(out / FOLDER, ignore_errors=True)
    settings_file = out / FOLDER / "run.json"
    if settings_file.exists():
        _refuse_other_settings(settings_file, shards.settings)
    todo, finished, count = [], 0, 0
    for shard, rows in enumerate(_cut(_named(inputs, out, pages), size, nested)):
        count += 1
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        manifest = shards.manifest(shard, shards.fingerprint(content))
        if manifest and not manifest.failed:
            finished += manifest.done + manifest.skipped
            continue
        todo.append(shard)
        with atomic_path(shards.list_path(shard)) as temporary:
            temporary.write_bytes(content)
    if todo:
        write_text(settings_file, json.dumps(shards.settings, indent=1))
    return replace(shards, todo=todo, finished=finished, count=count)


def _refuse_other_settings(path: Path, settings: dict[str, Any]) -> None:
    """Raise an error if the results in the folder were made with other settings."""
    with decoding(path, "settings", remedy=_REMEDY):
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    other = [key for key in sorted({*before, *settings}) if before.get(key) != settings.get(key)]
    if other:
        changes = "; ".join(f"{key} was {before.get(key)}, is {settings.get(key)}" for key in other)
        raise InputError(
            f"{path.parent.parent} contains results of other settings: {changes}. "
            "Choose another --out, or repeat everything with --fresh"
        )


def _cut(rows: Iterable[tuple[str, str]], size: int, nested: bool) -> Iterator[list[tuple[str, str]]]:
    shard: list[tuple[str, str]] = []
    for path, name in rows:
        if nested:
            name = f"{hashlib.sha1(os.fsencode(name)).hexdigest()[:2]}/{name}"
        if path.lower().endswith(TAR):  # contains many images
            yield [(path, name)]
            continue
        shard.append((path, name))
        if len(shard) == size:
            yield shard
            shard = []
    if shard:
        yield shard


def _named(inputs: Iterable[InputFile], out: Path, pages: Pages) -> Iterator[tuple[str, str]]:
    """The paths, in which links to folders are resolved, and the names of the results, ordered by path, without repetition."""
    out_folder = out.resolve()

    @lru_cache(10_000)
    def resolved(folder: str) -> str:
        real = Path(folder).resolve()
        if real.is_relative_to(out_folder):
            raise InputError(f"the inputs in {folder} lie in --out {out}; choose another folder for the results")
        return str(real)

    def real_path(path: Path) -> str:
        folder, file = os.path.split(path)  # to resolve each file would take long
        return os.path.join(resolved(folder), file)  # noqa: PTH118 - faster than Path

    pairs = ((file.path, file.name) for file in inputs)
    for path, name in tell_apart(pairs, real_path, in_order=False, paged=PAGED if pages == "all" else ()):
        yield real_path(path), str(name)
