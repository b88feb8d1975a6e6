"""What users type flows in; the files to predict flow out, each with the name that its results get.

Files, folders, patterns, text lists, Parquet tables of paths, and WebDataset shards: plain ``.tar`` files of pictures.
"""

import glob
import os
import re
import stat
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mrsal import images
from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError, MrsalError
from mrsal.inference import video
from mrsal.inference.options import PredictOptions
from mrsal.inference.result_names import TAR, stem, tell_apart, with_suffix

_PICTURES = (*images.EXTENSIONS, *images.UNREAD)  # say so rather than pass over them
_KNOWN = (*_PICTURES, *video.EXTENSIONS, TAR)
_ENDINGS = {"npy": ".npy", "png": ".png", "overlay": "_overlay.jpg"}
_VIDEO_ENDINGS = {"npy": ".npy", "png": "", "overlay": "_overlay.mp4"}


@dataclass(frozen=True)
class InputFile:
    """A file to predict, and the name of its results: a path below the output folder, without suffix.

    Parameters
    ----------
    path, name : Path
    span : (int, int), optional
        Of a picture inside of a ``.tar``: where it begins and how long it is, in bytes.
    member : str
        What it is called there.
    """

    path: Path
    name: Path
    span: tuple[int, int] | None = None
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def is_video(self) -> bool:
        return self.span is None and self.path.suffix.lower() in video.EXTENSIONS

    @property
    def is_tar(self) -> bool:
        return self.span is None and self.path.suffix.lower() == TAR

    def results(self, out: Path, formats: Iterable[str]) -> dict[str, Path]:
        """Where each format of this file goes."""
        endings = _VIDEO_ENDINGS if self.is_video else _ENDINGS
        return {one: out / self.name.with_name(self.name.name + endings[one]) for one in formats}

    def files(self, out: Path, formats: Iterable[str]) -> list[Path]:
        """All that is written for it: its results, and beside the maps of a video the times of the frames."""
        results = self.results(out, formats)
        times = [video.times_path(results["npy"])] if self.is_video and "npy" in results else []
        return [*results.values(), *times]

    def is_done(self, out: Path, formats: Iterable[str]) -> bool:
        """Whether all of them are there."""
        return all(map(os.path.exists, self.files(out, formats)))  # False where a name is too long

    def read(self) -> NDArray[np.uint8]:
        """The picture as :func:`mrsal.images.read_image` gives it; errors name it."""
        if self.span is None:
            return images.read_image(self.path)
        start, length = self.span
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return images.read_image(file.read(length))
        except OSError as error:
            raise FileError(f"cannot read {self.path}: {error.strerror or error}") from error
        except DataError as error:
            raise DataError(f"{self}: {error}") from error

    def pictures(self, complain: Callable[[MrsalError], None]) -> "Iterator[InputFile]":
        """This file itself; of a ``.tar`` the pictures in it, ``out/<name of the tar>/<name in the tar>``.

        What cannot be taken out of it is given to ``complain``.
        """
        if not self.is_tar:
            yield self
            return
        # of two with one name the later counts, as when it is unpacked
        spans: dict[PurePosixPath, tuple[int, int]] = {}
        try:
            with tarfile.open(self.path, "r:") as tar:
                for member in tar:
                    inside = PurePosixPath(member.name)
                    if not member.isreg() or inside.suffix.lower() not in _PICTURES or inside.name.startswith("."):
                        continue
                    if inside.is_absolute() or ".." in inside.parts:
                        complain(DataError(f"{self.path}: {member.name} would be written outside of the output folder"))
                        continue
                    spans[inside] = member.offset_data, member.size
                end = tar.offset
            with self.path.open("rb") as file:
                file.seek(end)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile takes any other end for one, too
                    raise tarfile.ReadError("it breaks off")
        except OSError as error:
            complain(FileError(f"cannot read {self.path}: {error.strerror or error}"))
        except tarfile.TarError as error:
            complain(DataError(f"{self.path} is damaged, or no plain tar: {error}; unpack it if it is compressed"))
        else:
            if not spans:
                complain(DataError(f"{self.path} holds no picture"))
        names = {inside: inside.with_suffix("") for inside in spans}
        for _ in range(2):  # a second time, where there is an a_jpg.png as well
            times = Counter(str(name).casefold() for name in names.values())
            for inside, name in names.items():
                if times[str(name).casefold()] > 1:
                    names[inside] = with_suffix(name, inside)
        for inside, span in spans.items():
            yield InputFile(self.path, self.name / names[inside], span, str(inside))


def find_sources(
    paths: Iterable[str], *, recursive: bool = False, out: Path | None = None, column: str = PredictOptions.column
) -> tuple[list[InputFile], list[MrsalError]]:
    """Turn what users type into files, each once, in the order given.

    Parameters
    ----------
    paths : iterable of str
        Files; folders (``recursive``: with all that is below them); patterns such as ``photos/**/*.jpg``; ``@list.txt`` or
        ``list.txt``, a text file with one of those per line, relative to its own folder, ``#`` for comments; and Parquet
        tables with a column of paths to files, relative to the table's folder.
    out : Path
        Where results go: not searched if it lies in one of the folders.
    column : str
        Of Parquet tables.

    Returns
    -------
    sources : list of InputFile
        A result is named after the stem of its file, below a recursive folder with its sub-folders. Where two would get
        the same name, they keep the folders that tell them apart, or else the suffix: ``a_jpg`` and ``a_png``.
    complaints : list of MrsalError
        One for each path that leads nowhere.
    """
    complaints: list[MrsalError] = []
    listed = list_sources(paths, complaints.append, recursive=recursive, out=out, column=column, ordered=True)
    named = tell_apart(((source.path, source.name) for source in listed), lambda path: str(path.resolve()))
    return [InputFile(path, name) for path, name in named], complaints


def list_sources(
    paths: Iterable[str],
    complain: Callable[[MrsalError], None],
    *,
    recursive: bool = False,
    out: Path | None = None,
    column: str = PredictOptions.column,
    ordered: bool = False,
) -> Iterator[InputFile]:
    """As :func:`find_sources`, one by one and with next to nothing in memory: as they come, unless ``ordered``.

    A file that is named twice comes twice, and two may have one name.
    """
    listing = _Listing(recursive, out, column, ordered, complain)
    for text in paths:
        try:
            yield from listing.expand(text, Path())
        except MrsalError as error:
            complain(error)


@dataclass(frozen=True)
class _Listing:
    recursive: bool
    out: Path | None
    column: str
    ordered: bool
    complain: Callable[[MrsalError], None]

    def expand(self, text: str, base: Path, *, in_list: bool = False) -> Iterator[InputFile]:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            raise InputError(f"{text} is an address; download it first and give the file")
        if not text:
            raise InputError("a path is empty; name a file or folder, . for this one")
        path = base / _expanded(text)
        is_list = text.startswith("@") or path.suffix.lower() == ".txt"
        if is_list and not in_list and not os.path.isdir(path):  # noqa: PTH112 - no error if the name is too long
            file = _expanded(text.removeprefix("@"))
            for number, line in _lines(file):
                try:
                    yield from self.expand(line, file.parent, in_list=True)
                except MrsalError as error:
                    self.complain(InputError(f"{file}, line {number}: {error}"))
            return
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            yield from self._in_folder(path)
        elif path.suffix.lower() == ".parquet" and mode:
            # no look at each file: for millions that takes long, and whoever reads it will say so
            yield from (_source(path.parent / name) for name in _column(path, self.column))
        elif mode:
            yield _source(path)
        elif glob.has_magic(text):
            names = glob.iglob(str(path), recursive=True)  # noqa: PTH207 - takes absolute patterns
            files = (Path(name) for name in names)
            yield from self._some(
                map(_source, (file for file in files if _is_known(file.name) and file.is_file())),
                f"no image or video matches {path}; check the pattern",
            )
        else:
            raise FileError(f"no file or folder at {path}; check the path")

    def _in_folder(self, folder: Path) -> Iterator[InputFile]:
        out = None if self.out is None else self.out.resolve()
        if out == folder.resolve():
            raise InputError(f"{folder} holds the images and is --out as well; choose another folder for the results")
        files = _walk(folder, self.recursive, out, self.complain)
        deeper = "" if self.recursive else "; for its sub-folders add --recursive"
        named = (InputFile(file, stem(file.relative_to(folder))) for file in files)
        yield from self._some(named, f"{folder} holds no image or video{deeper}")

    def _some(self, sources: Iterable[InputFile], complaint: str) -> Iterator[InputFile]:
        """The sources, of which there has to be one."""
        empty = True
        for source in sorted(sources, key=lambda source: source.path) if self.ordered else sources:
            empty = False
            yield source
        if empty:
            raise FileError(complaint)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~ here is no user, but the beginning of a name
        return Path(text)


def _mode(path: Path) -> int:
    """The mode of a file or folder; 0 if nothing is there, as with a pattern.

    Raises
    ------
    FileError
        If that cannot be told, or it is something else, such as a pipe, which cannot be read twice.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        if glob.has_magic(str(path)):  # not every pattern can be a name
            return 0
        raise FileError(f"cannot open {path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in it
        raise FileError(f"cannot open {path}: {error}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise FileError(f"{path} is neither a file nor a folder; save what it gives as a file")
    return mode


def _source(path: Path) -> InputFile:
    return InputFile(path, Path(stem(path).name))


def _is_known(name: str) -> bool:
    return name.lower().endswith(_KNOWN) and not name.startswith(".")


def _walk(folder: Path, recursive: bool, out: Path | None, complain: Callable[[MrsalError], None]) -> Iterator[Path]:
    """Images, videos and tars, as the system lists them, without a look at each; links to folders are not followed."""
    folders = [folder]
    while folders:
        here = folders.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if recursive and (out is None or Path(entry.path).resolve() != out):
                            folders.append(Path(entry.path))
                    elif _is_known(entry.name) and entry.is_file():
                        yield Path(entry.path)
        except OSError as error:
            complain(FileError(f"cannot list {here}: {error.strerror}"))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open(encoding="utf-8-sig") as text:
            for number, line in enumerate(map(str.strip, text), start=1):
                if line and not line.startswith("#"):
                    yield number, line
    except OSError as error:
        raise FileError(f"cannot read the list {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"the list {file} is not UTF-8 text; save it as UTF-8") from error


def _column(file: Path, column: str) -> Iterator[str]:
    parquet = optional("pyarrow.parquet", extra="parquet", purpose="Parquet tables of paths")
    pyarrow = optional("pyarrow", extra="parquet", purpose="Parquet tables of paths")
    try:
        with parquet.ParquetFile(file) as table:
            if column not in table.schema_arrow.names:
                there = ", ".join(table.schema_arrow.names)
                raise InputError(f"{file} has no column {column!r} of paths; name one of {there} with --column")
            if not pyarrow.types.is_string(kind := table.schema_arrow.field(column).type) and (
                not pyarrow.types.is_large_string(kind)
            ):
                raise DataError(f"{file}: expected text in the column {column!r}, the paths, got {kind}")
            for batch in table.iter_batches(batch_size=10_000, columns=[column]):
                for name in batch.column(0).to_pylist():
                    if not name:
                        raise DataError(f"{file}: a row has no path in the column {column!r}; leave such rows out")
                    yield name
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot read {file}: {error}") from error
