"""Write files and folders so that each appears completely under its name, or not at all; and say which file is damaged."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrsal.errors import DataError, FileError, first_line


@contextmanager
def decoding(path: str | Path, what: str, *, remedy: str) -> Iterator[None]:
    """In the block, the content of a file is read or converted; whatever is raised there becomes an error that names the file.

    A damaged file can raise almost any type, and which one depends on the version of a library: ``TokenError`` for the header
    of an ``.npy`` file, ``RecursionError`` for JSON that is nested too deeply, ``OverflowError`` and ``MemoryError`` for huge
    numbers. The block should be short, so that it hides no other mistakes.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What is expected in it, such as ``"an array of numbers"``.
    remedy : str
        What to do if it is something else.

    Raises
    ------
    FileError
        If the file cannot be opened.
    DataError
        If anything else is raised. A ``DataError`` or ``FileError`` of the block itself stays as it is.
    """
    try:
        yield
    except (DataError, FileError):
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise FileError(f"cannot read {path}: {error.strerror}; {remedy}") from error
    except Exception as error:
        raise DataError(
            f"{path} is damaged: expected {what}, got something else ({first_line(error)}); {remedy}"
        ) from error


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``target``; after the block, the file is synced to disk and renamed to ``target``.

    If the block raises an exception or the process dies, an older file at ``target`` is unchanged.

    Raises
    ------
    FileError
        If the folder cannot be written or the disk is full.
    """
    target = Path(target)
    make_folder(target.parent)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
        os.close(handle)
    except OSError as error:
        raise FileError(f"cannot write into {target.parent}: {error.strerror}; choose another folder") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        _sync_folder(target.parent)
    except FileError:  # it is about another file, such as one that the block reads
        raise
    except OSError as error:
        # NumPy's error has no strerror: it gives the number of bytes written, and not the reason
        raise FileError(f"cannot write {target}: {error.strerror or f'{error}; is the disk full?'}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | Path, text: str) -> None:
    """Write a text file in UTF-8, completely or not at all.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def atomic_folder(target: str | Path) -> Iterator[Path]:
    """Do the same as :func:`atomic_path` for a folder; an older folder at ``target`` is replaced after the block."""
    target = Path(target)
    make_folder(target.parent)
    if os.path.exists(target) and not os.path.isdir(target):  # noqa: PTH110, PTH112 - no error if the name is too long
        raise FileError(f"expected a folder or a new name, got the file {target}; choose another name")
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part"))
    except OSError as error:
        raise FileError(f"cannot write into {target.parent}: {error.strerror}; choose another folder") from error
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
        temporary.chmod(0o777 & ~_umask())
        if target.exists():
            old = temporary.with_suffix(".old")
            try:
                target.rename(old)
                temporary.rename(target)
            except BaseException:
                if old.exists() and not target.exists():
                    old.rename(target)
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(target)
        _sync_folder(target.parent)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files of :func:`atomic_path` that a killed process left in a folder."""
    for path in Path(folder).glob(".*.part"):
        path.unlink(missing_ok=True)


def make_folder(folder: str | Path) -> Path:
    """Create a folder and its parents, and return its path.

    Raises
    ------
    FileError
        If the folder cannot be created.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot create the folder {folder}: {error.strerror}; choose another one") from error
    return folder


_UMASK_LOCK = threading.Lock()


def _umask() -> int:
    with _UMASK_LOCK:  # the mask can only be read by setting it, and two threads at a time would lose it
        mask = os.umask(0)
        os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows does not open folders; it syncs renamed files by itself
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_folder(parent: Path) -> Path:
    """Create and return ``parent/<date>_<time>``; if it exists, a number is added to the name."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder, attempt = make_folder(parent) / stamp, 1
    while True:
        try:
            folder.mkdir()
        except FileExistsError:  # another job may have started in the same second
            attempt += 1
            folder = parent / f"{stamp}_{attempt}"
        except OSError as error:
            raise FileError(f"cannot create the folder {folder}: {error.strerror}; choose another one") from error
        else:
            return folder
