"""Cut any number of inputs into shards that are done one by one, wherever: sources flow in, files that say what to do flow out.

In the output folder, beside the results::

    .mrsal-shards/run.json                what results depend on: the settings, and a digest of the model
    .mrsal-shards/lists/00000012.jsonl    the inputs of a shard, and what their results are called
    .mrsal-shards/done/00000012.json      written when the shard is finished: how many were done, and which failed and why

Every process that sees the folder can take a shard, do it again, or tell that it is finished. Listing needs disk for a
temporary database (about 500 bytes per input, in ``TMPDIR``), and hardly any memory.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path, write_text
from mrsal.inference.inputs import InputFile
from mrsal.inference.options import PredictOptions
from mrsal.inference.result_names import TAR, tell_apart

FOLDER = ".mrsal-shards"


@dataclass(frozen=True)
class Manifest:
    """What became of a shard.

    Parameters
    ----------
    fingerprint : str
        Of its inputs and of the settings; with others the shard is not finished.
    done, skipped : int
        Inputs predicted, and those whose results were there.
    failed : tuple of (str, str, str)
        For each input that failed the name of its results, its path, and what went wrong.
    run : str
        In which it was finished.
    """

    fingerprint: str
    run: str = ""
    done: int = 0
    skipped: int = 0
    failed: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Shards:
    """The shards of a run.

    Parameters
    ----------
    out : Path
        The output folder.
    settings : dict
        What results depend on.
    todo : list of int
        Shards to do.
    finished : int
        Inputs in shards that were finished earlier.
    """

    out: Path
    settings: dict[str, Any]
    todo: list[int] = field(default_factory=list)
    finished: int = 0

    def sources(self, shard: int) -> tuple[list[InputFile], str]:
        """The inputs of a shard, and the fingerprint of inputs and settings."""
        path = self.list_path(shard)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {path}: {error.strerror}; all machines need to see {self.out}") from error
        rows = [json.loads(line) for line in content.splitlines()]
        return [InputFile(Path(path), Path(name)) for path, name in rows], self.fingerprint(content)

    def manifest(self, shard: int, fingerprint: str) -> Manifest | None:
        """What is known of a shard that was finished with these inputs and settings."""
        try:
            values = json.loads((self._folder / "done" / f"{shard:08}.json").read_text(encoding="utf-8"))
            manifest = Manifest(**values | {"failed": tuple((name, path, why) for name, path, why in values["failed"])})
        except (OSError, ValueError, TypeError, KeyError):  # missing, or of another version: not finished
            return None
        return manifest if manifest.fingerprint == fingerprint else None

    def finish(self, shard: int, manifest: Manifest) -> None:
        """Mark a shard as finished."""
        write_text(self._folder / "done" / f"{shard:08}.json", json.dumps(asdict(manifest)))

    @property
    def _folder(self) -> Path:
        return self.out / FOLDER

    def list_path(self, shard: int) -> Path:
        """Where the inputs of a shard are listed."""
        return self._folder / "lists" / f"{shard:08}.jsonl"

    def fingerprint(self, content: bytes) -> str:
        """Of a shard with this list, and of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode() + b"\n" + content).hexdigest()


def cut_into_shards(
    sources: Iterable[InputFile],
    out: Path,
    settings: dict[str, Any],
    *,
    size: int = PredictOptions.shard_size,
    nested: bool = False,
    fresh: bool = False,
) -> Shards:
    """Cut the sources into shards of ``size``, a ``.tar`` into one of its own, and write their lists.

    Parameters
    ----------
    sources : iterable of InputFile
        From ``list_sources``, in any order. A file that comes twice is taken once, and names become those
        of ``find_sources``; but a link and its target are two files here.
    out : Path
    settings : dict
        What results depend on, as JSON has it.
    size : int
        Inputs of a shard.
    nested : bool
        Spread results over 256 folders, ``ab/`` and so on, by a hash of their names.
    fresh : bool
        Forget what an earlier run finished.

    Returns
    -------
    Shards
        With what is left to do; a shard in which something failed is among it.

    Raises
    ------
    InputError
        If an earlier run into the same folder had other settings, or results would be written among the inputs.
    """
    if size < 1:
        raise InputError(f"a shard has at least 1 input, got shard_size={size}")
    shards = Shards(out, settings | {"shard_size": size, "nested": nested})
    if fresh:
        shutil.rmtree(out / FOLDER, ignore_errors=True)
    kept = out / FOLDER / "run.json"
    if kept.exists():
        _agree(kept, shards.settings)
    todo, finished = [], 0
    for shard, rows in enumerate(_cut(_named(sources, out), size, nested)):
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        manifest = shards.manifest(shard, shards.fingerprint(content))
        if manifest and not manifest.failed:
            finished += manifest.done + manifest.skipped
            continue
        todo.append(shard)
        with atomic_path(shards.list_path(shard)) as temporary:
            temporary.write_bytes(content)
    if todo:
        write_text(kept, json.dumps(shards.settings, indent=1))
    return replace(shards, todo=todo, finished=finished)


def _agree(path: Path, settings: dict[str, Any]) -> None:
    """Refuse to mix results of other settings with those that are there."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}; begin anew with --fresh") from error
    other = [key for key in sorted({*before, *settings}) if before.get(key) != settings.get(key)]
    if other:
        changes = "; ".join(f"{key} was {before.get(key)}, is {settings.get(key)}" for key in other)
        raise InputError(
            f"{path.parent.parent} was begun with other settings: {changes}. Choose another --out, or do all again with --fresh"
        )


def _cut(rows: Iterable[tuple[str, str]], size: int, nested: bool) -> Iterator[list[tuple[str, str]]]:
    shard: list[tuple[str, str]] = []
    for path, name in rows:
        if nested:
            name = f"{hashlib.sha1(os.fsencode(name)).hexdigest()[:2]}/{name}"
        if path.lower().endswith(TAR):  # holds as many as a shard does
            yield [(path, name)]
            continue
        shard.append((path, name))
        if len(shard) == size:
            yield shard
            shard = []
    if shard:
        yield shard


def _named(sources: Iterable[InputFile], out: Path) -> Iterator[tuple[str, str]]:
    """Paths without links to folders, and the names of their results, each once, ordered by path."""
    inside = out.resolve()

    @lru_cache(10_000)
    def resolved(folder: str) -> str:
        real = Path(folder).resolve()
        if real.is_relative_to(inside):
            raise InputError(f"the inputs in {folder} lie in --out, {out}; choose another folder for the results")
        return str(real)

    def real_path(path: Path) -> str:
        folder, file = os.path.split(path)  # a look at each file would take long
        return os.path.join(resolved(folder), file)  # noqa: PTH118 - text is fast

    inputs = ((source.path, source.name) for source in sources)
    for path, name in tell_apart(inputs, real_path, in_order=False):
        yield real_path(path), str(name)
