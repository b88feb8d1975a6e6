"""Give each input a name for its results, so that no two inputs have the same name, for any number of inputs."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path, PurePath
from typing import TypeVar

from mrsal.errors import InputError

TAR = ".tar"
_PAGE = re.compile(r"(.+)_page\d+")

AnyPath = TypeVar("AnyPath", bound=PurePath)


def stem(path: Path) -> Path:
    """The file without its suffix; a ``.tar`` keeps it, since its results go to a folder of their own."""
    return path if path.suffix.lower() == TAR else path.with_suffix("")


def with_suffix(name: AnyPath, path: PurePath) -> AnyPath:
    """The name with the suffix of its file: ``a_jpg``, which differs from ``a_png``."""
    return name.with_name(f"{name.name}_{path.suffix[1:].lower()}")


def of_page(name: AnyPath, page: int) -> AnyPath:
    """The name for a page of a file of this name: ``a`` for the first, then ``a_page2`` and so on."""
    return name if page == 1 else name.with_name(f"{name.name}_page{page}")


def whole(name: str) -> str | None:
    """``a`` for a name such as ``a_page2``, which :func:`of_page` may give to a page of the file ``a``; otherwise None."""
    match = _PAGE.fullmatch(name)
    return match and match[1]


def tell_apart(
    inputs: Iterable[tuple[Path, Path]],
    real_path: Callable[[Path], str],
    *,
    in_order: bool = True,
    paged: tuple[str, ...] = (),
) -> Iterator[tuple[Path, Path]]:
    """Give each input a name of its own, and leave out repeated inputs.

    If two inputs have the same name, they keep the folders in which they differ, or else the suffix: ``a_jpg`` and ``a_png``.
    Names that differ only in capitals count as the same, since on some disks ``A`` and ``a`` are one file.

    Parameters
    ----------
    inputs : iterable of (Path, Path)
        The path and the name of each input. There may be millions: a temporary database holds them, with about 500 bytes for
        each, and moves to disk (``TMPDIR``) when memory is short.
    real_path : callable
        Function from a path to the text that identifies a file, such as the path without links.
    in_order : bool
        Whether to keep the order of ``inputs``; otherwise inputs are ordered by ``real_path``.
    paged : tuple of str
        The suffixes of files of which each page will have a result, named as by :func:`of_page`. A file called ``a_page2.png``
        keeps its suffix if there is also an ``a.pdf`` with pages.

    Yields
    ------
    path, name : Path

    Raises
    ------
    InputError
        If two inputs would still have the same name.
    """
    with closing(sqlite3.connect("")) as db:  # an empty name is a database that exists as long as the connection
        db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE;")
        for function, arguments in (
            (_by_folder, 4),
            (_by_suffix, 4),
            (_fold, 1),
            (_parent, 1),
            (_whole, 1),
        ):
            db.create_function(function.__name__, arguments, function, deterministic=True)
        # blobs, since file names may not be valid text; they are sorted by byte on every machine
        db.execute("CREATE TABLE input (n INTEGER PRIMARY KEY, path BLOB, real BLOB, name BLOB, key BLOB)")
        rows = (
            (os.fsencode(path), os.fsencode(real_path(path)), os.fsencode(name.as_posix())) for path, name in inputs
        )
        db.executemany("INSERT INTO input (path, real, name, key) VALUES (?1, ?2, ?3, _fold(?3))", rows)
        db.execute("CREATE INDEX by_real ON input (real, n)")
        db.execute(
            "DELETE FROM input WHERE n IN (SELECT n FROM (SELECT n, real, LAG(real) OVER (ORDER BY real, n) AS before "
            "FROM input) WHERE real = before)"
        )
        several_folders = "MIN(_parent(real)) <> MAX(_parent(real))"
        # by suffix a second time, for a.jpg and a.png beside a_jpg.png
        for rename, condition in (("_by_folder", several_folders), ("_by_suffix", "1"), ("_by_suffix", "1")):
            clash = "CREATE TEMP TABLE clash AS SELECT key, MIN(real) AS low, MAX(real) AS high FROM input"
            db.execute(f"{clash} GROUP BY key HAVING COUNT(*) > 1 AND {condition}")
            db.execute("CREATE UNIQUE INDEX temp.by_key ON clash (key)")
            db.execute(
                f"UPDATE input SET name = {rename}(name, real, low, high) FROM clash WHERE input.key = clash.key"
            )
            db.execute("UPDATE input SET key = _fold(name) WHERE key IN (SELECT key FROM clash)")
            db.execute("DROP TABLE clash")
        if paged:
            db.create_function(
                "_has_pages", 1, lambda real: os.fsdecode(real).lower().endswith(paged), deterministic=True
            )
            db.execute("CREATE INDEX by_name ON input (key)")
            db.execute(
                "UPDATE input SET name = _by_suffix(name, real, '', ''), key = _fold(_by_suffix(name, real, '', '')) "
                "WHERE EXISTS (SELECT 1 FROM input AS whole WHERE whole.key = _whole(input.key) AND _has_pages(whole.real))"
            )
        rest = db.execute("SELECT name, path FROM input GROUP BY key HAVING COUNT(*) > 1 LIMIT 1").fetchone()
        if rest:
            name, path = map(os.fsdecode, rest)
            raise InputError(f"two inputs would have the same result, {name}; predict {path} separately")
        for path, name in db.execute(f"SELECT path, name FROM input ORDER BY {'n' if in_order else 'real'}"):
            yield Path(os.fsdecode(path)), Path(os.fsdecode(name))


def _fold(name: bytes) -> bytes:
    return os.fsencode(os.fsdecode(name).casefold())


def _parent(real: bytes) -> bytes:
    return os.path.dirname(real)  # noqa: PTH120 - bytes


def _whole(key: bytes) -> bytes | None:
    name = whole(os.fsdecode(key))
    return None if name is None else os.fsencode(name)


def _by_folder(name: bytes, real: bytes, low: bytes, high: bytes) -> bytes:
    """The path below the deepest folder that all inputs of a name share, which is that of the lowest and the highest path."""
    common: bytes = os.path.commonprefix([low, high])  # type: ignore[assignment]  # noqa: RUF071 - bytes are compared, not folders
    shared = common.rfind(os.fsencode(os.sep)) + 1
    if not shared:  # two drives on Windows
        return name
    return os.fsencode(stem(Path(os.fsdecode(real[shared:]))).as_posix())


def _by_suffix(name: bytes, real: bytes, low: bytes, high: bytes) -> bytes:
    return os.fsencode(with_suffix(Path(os.fsdecode(name)), Path(os.fsdecode(real))).as_posix())
