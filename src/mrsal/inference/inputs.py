"""Find the files to predict from what users type, and give each the name of its results.

Users name files, folders, patterns, text lists, Parquet tables of paths, and WebDataset shards: plain ``.tar`` files of images.
"""

import glob
import os
import re
import stat
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal._extras import optional
from mrsal.errors import DataError, FileError, InputError, MrsalError
from mrsal.images import EXTENSIONS, PAGED, first_page_note, page_count, read_image
from mrsal.inference import video
from mrsal.inference.options import FIGURES, Pages, PredictOptions
from mrsal.inference.result_names import TAR, of_page, stem, tell_apart, whole, with_suffix

# what a folder is searched for; a PDF has to be named, since most of those that lie beside images are papers and invoices
_KNOWN = (*EXTENSIONS, *video.VIDEO_EXTENSIONS, TAR)
_ENDINGS = {"npy": ".npy", "png": ".png", "overlay": "_overlay.jpg"} | {
    figure: f"_figure{suffix}" for figure, suffix in FIGURES.items()
}
_VIDEO_ENDINGS = {"npy": ".npy", "png": "", "overlay": "_overlay.mp4"}


@dataclass(frozen=True)
class InputFile:
    """An image, a video or a ``.tar`` of images to predict, and the name of its results.

    Parameters
    ----------
    path : Path
        The path of the file.
    name : Path
        The name of its results: a path below the output folder, without suffix.
    span : (int, int), optional
        For an image in a ``.tar``: its first byte, and its length in bytes.
    member : str
        For an image in a ``.tar``: its name there.
    page : int
        The page of a document, or the frame of an animation, counted from 1.
    """

    path: Path
    name: Path
    span: tuple[int, int] | None = None
    member: str = ""
    page: int = 1

    def __str__(self) -> str:
        file = f"{self.path}/{self.member}" if self.member else str(self.path)
        return file if self.page == 1 else f"{file}#page={self.page}"

    @property
    def is_video(self) -> bool:
        return self.span is None and self.path.suffix.lower() in video.VIDEO_EXTENSIONS

    @property
    def is_tar(self) -> bool:
        return self.span is None and self.path.suffix.lower() == TAR

    @property
    def has_pages(self) -> bool:
        """Whether the file may have several pages or frames."""
        return (self.member or self.path.name).lower().endswith(PAGED)

    def results(self, out: Path, formats: Iterable[str]) -> dict[str, Path]:
        """The path of the result in each format."""
        endings = _VIDEO_ENDINGS if self.is_video else _ENDINGS
        return {format_: out / self.name.with_name(self.name.name + endings[format_]) for format_ in formats}

    def result_texts(self, out: Path, formats: Iterable[str]) -> dict[str, str]:
        """As :meth:`results`, with the paths as text."""
        return {format_: str(path) for format_, path in self.results(out, formats).items()}

    def files(self, out: Path, formats: Iterable[str]) -> list[Path]:
        """All files that are written: the results, and for the maps of a video also the times of its frames."""
        results = self.results(out, formats)
        times = [video.times_path(results["npy"])] if self.is_video and "npy" in results else []
        return [*results.values(), *times]

    def is_done(self, out: Path, formats: Iterable[str]) -> bool:
        """Whether all these files exist."""
        return all(map(os.path.exists, self.files(out, formats)))  # os.path: False, and no error, if a name is too long

    def read(self) -> NDArray[np.uint8]:
        """Read the image, as :func:`mrsal.images.read_image` does; errors name the ``.tar`` and the image in it."""
        return self._from_content(lambda content: read_image(content, page=self.page))

    def note(self) -> str:
        """Say that only the first of several pages was used; empty if the file has one."""
        if not self.has_pages:
            return ""
        if self.span is None:
            return first_page_note(self.path)
        return self._from_content(lambda content: first_page_note(self.member, bytes(content)))

    def _from_content(self, function: Callable[[Path | bytes], Any]) -> Any:
        """Apply a function to the path of the file, or to the bytes of an image in a ``.tar``."""
        if self.span is None:
            return function(self.path)
        start, length = self.span
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return function(file.read(length))
        except OSError as error:
            raise FileError(f"cannot read {self.path}: {error.strerror or error}") from error
        except DataError as error:
            raise DataError(f"{self}: {error}") from error

    def images(
        self,
        report: Callable[[MrsalError], None],
        *,
        pages: Pages = PredictOptions.pages,
        formats: Iterable[str] = PredictOptions.format,
    ) -> "Iterator[InputFile]":
        """The images in a ``.tar``, whose results go to ``<name of the tar>/<name in the tar>``, or any other file itself.

        With ``pages="all"``, a document or animation becomes one input for each page: the first keeps its name, and page 2
        of ``a`` is called ``a_page2``. ``report`` is called with an error for everything that cannot be predicted, such as a
        video if one of the formats is a figure.
        """
        if self.is_video and not FIGURES.keys().isdisjoint(formats):
            report(
                InputError(f"expected an image for --format figure, got the video {self.path}; use --format overlay")
            )
            return
        for file in self._members(report, pages) if self.is_tar else (self,):
            if pages == "first" or not file.has_pages:
                yield file
                continue
            try:
                count = file._from_content(page_count)
            except MrsalError as error:
                report(error)
                continue
            for page in range(1, count + 1):
                yield replace(file, page=page, name=of_page(file.name, page))

    def _members(self, report: Callable[[MrsalError], None], pages: Pages) -> "Iterator[InputFile]":
        # of two members with the same name the later one counts, as when a tar is unpacked
        spans: dict[PurePosixPath, tuple[int, int]] = {}
        try:
            with tarfile.open(self.path, "r:") as tar:
                for member in tar:
                    inside = PurePosixPath(member.name)
                    if not member.isreg() or inside.suffix.lower() not in EXTENSIONS or inside.name.startswith("."):
                        continue
                    if inside.is_absolute() or ".." in inside.parts:
                        report(
                            DataError(f"{self.path}: the result of {member.name} would be outside the output folder")
                        )
                        continue
                    spans[inside] = member.offset_data, member.size
                end = tar.offset
            with self.path.open("rb") as file:
                file.seek(end)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile accepts any other end, too
                    raise tarfile.ReadError("the end is missing")
        except OSError as error:
            report(FileError(f"cannot read {self.path}: {error.strerror or error}"))
        except tarfile.TarError as error:
            report(DataError(f"{self.path} is damaged or compressed ({error}); use an uncompressed tar"))
        else:
            if not spans:
                report(DataError(f"{self.path} contains no image"))
        names = {inside: inside.with_suffix("") for inside in spans}
        for _ in range(2):  # the second time for a.jpg and a.png next to a_jpg.png
            counts = Counter(str(name).casefold() for name in names.values())
            for inside, name in names.items():
                if counts[str(name).casefold()] > 1:
                    names[inside] = with_suffix(name, inside)
        paged = {str(name).casefold() for inside, name in names.items() if inside.suffix.lower() in PAGED}
        for inside, name in names.items():
            if pages == "all" and whole(str(name).casefold()) in paged:
                names[inside] = with_suffix(name, inside)
        for inside, span in spans.items():
            yield InputFile(self.path, self.name / names[inside], span, str(inside))


def find_inputs(
    paths: Iterable[str],
    *,
    recursive: bool = False,
    out: Path | None = None,
    column: str = PredictOptions.column,
    pages: Pages = PredictOptions.pages,
) -> tuple[list[InputFile], list[MrsalError]]:
    """Find the files that users name, each once, in the order in which they are named.

    Parameters
    ----------
    paths : iterable of str
        Files; folders; patterns such as ``photos/**/*.jpg``; text files with one of these per line, relative to their own
        folder, with ``#`` for comments, as ``@list`` or ``list.txt``; and Parquet tables with a column of paths to files,
        relative to the folder of the table.
    recursive : bool
        Whether to search the subfolders of folders.
    out : Path
        The output folder, which is not searched if it lies in one of the folders.
    column : str
        The column of Parquet tables with the paths.
    pages : str
        ``"all"`` if each page of a file will have a result; then no name of a page is given to another file.

    Returns
    -------
    inputs : list of InputFile
        A result is named after its file without the suffix, with the subfolders below a recursive folder. If two results
        would get the same name, they keep the folders in which they differ, or else the suffix: ``a_jpg`` and ``a_png``.
    errors : list of MrsalError
        One error for each path that cannot be used.
    """
    errors: list[MrsalError] = []
    listed = list_inputs(paths, errors.append, recursive=recursive, out=out, column=column, ordered=True)
    named = tell_apart(
        ((file.path, file.name) for file in listed),
        lambda path: str(path.resolve()),
        paged=PAGED if pages == "all" else (),
    )
    return [InputFile(path, name) for path, name in named], errors


def list_inputs(
    paths: Iterable[str],
    report: Callable[[MrsalError], None],
    *,
    recursive: bool = False,
    out: Path | None = None,
    column: str = PredictOptions.column,
    ordered: bool = False,
) -> Iterator[InputFile]:
    """As :func:`find_inputs`, but one by one, with hardly any memory.

    Errors are given to ``report``. A file that is named twice comes twice, and two results may have the same name. The files of
    a folder are sorted only if ``ordered``.
    """
    listing = _Listing(recursive, out, column, ordered, report)
    for text in paths:
        try:
            yield from listing.expand(text, Path())
        except MrsalError as error:
            report(error)


@dataclass(frozen=True)
class _Listing:
    recursive: bool
    out: Path | None
    column: str
    ordered: bool
    report: Callable[[MrsalError], None]

    def expand(self, text: str, base: Path, *, in_list: bool = False) -> Iterator[InputFile]:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            raise InputError(f"expected a file or folder, got the address {text}; download it first")
        if not text:
            raise InputError("expected a file or folder, got an empty path; use . for the current folder")
        path = base / _expanded(text)
        is_list = text.startswith("@") or path.suffix.lower() == ".txt"
        if is_list and not in_list and not os.path.isdir(path):  # noqa: PTH112 - gives no error if the name is too long
            file = _expanded(text.removeprefix("@"))
            for number, line in _lines(file):
                try:
                    yield from self.expand(line, file.parent, in_list=True)
                except MrsalError as error:
                    self.report(InputError(f"{file}, line {number}: {error}"))
            return
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            yield from self._in_folder(path)
        elif path.suffix.lower() == ".parquet" and mode:
            # whether each file exists is seen when it is read; to check millions of files would take long
            yield from (_input(path.parent / name) for name in _column(path, self.column))
        elif mode:
            yield _input(path)
        elif glob.has_magic(text):
            names = glob.iglob(str(path), recursive=True)  # noqa: PTH207 - takes absolute patterns
            files = (Path(name) for name in names)
            yield from self._at_least_one(
                map(_input, (file for file in files if _is_known(file.name) and file.is_file())),
                f"no image or video matches {path}; check the pattern",
            )
        else:
            raise FileError(f"no file or folder at {path}; check the path")

    def _in_folder(self, folder: Path) -> Iterator[InputFile]:
        out = None if self.out is None else self.out.resolve()
        if out == folder.resolve():
            raise InputError(f"{folder} contains the inputs and is also --out; choose another folder for the results")
        files = _walk(folder, self.recursive, out, self.report)
        deeper = "" if self.recursive else "; add --recursive for its subfolders"
        named = (InputFile(file, stem(file.relative_to(folder))) for file in files)
        yield from self._at_least_one(named, f"{folder} contains no image or video{deeper}")

    def _at_least_one(self, files: Iterable[InputFile], message: str) -> Iterator[InputFile]:
        """The same files; raises an error with this message if there are no files."""
        empty = True
        for file in sorted(files, key=lambda file: file.path) if self.ordered else files:
            empty = False
            yield file
        if empty:
            raise FileError(message)


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the tilde does not stand for a user but begins a file name
        return Path(text)


def _mode(path: Path) -> int:
    """The mode of a file or folder; 0 if there is none, as with a pattern.

    Raises
    ------
    FileError
        If the path cannot be examined, or is something else, such as a pipe, which cannot be read twice.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        if glob.has_magic(str(path)):  # some patterns are not valid names
            return 0
        raise FileError(f"cannot open {path}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the path
        raise FileError(f"cannot open {path}: {error}") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise FileError(f"expected a file or folder, got {path}, which is neither; save its content as a file")
    return mode


def _input(path: Path) -> InputFile:
    return InputFile(path, Path(stem(path).name))


def _is_known(name: str) -> bool:
    return name.lower().endswith(_KNOWN) and not name.startswith(".")


def _walk(folder: Path, recursive: bool, out: Path | None, report: Callable[[MrsalError], None]) -> Iterator[Path]:
    """The images, videos and tars of a folder, in the order of the system; links to folders are not followed."""
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
            report(FileError(f"cannot list {here}: {error.strerror}"))


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
                columns = ", ".join(table.schema_arrow.names)
                raise InputError(f"{file} has no column {column!r} of paths; choose one of {columns} with --column")
            if not pyarrow.types.is_string(kind := table.schema_arrow.field(column).type) and (
                not pyarrow.types.is_large_string(kind)
            ):
                raise DataError(f"{file}: expected paths, as text, in the column {column!r}, got {kind}")
            for batch in table.iter_batches(batch_size=10_000, columns=[column]):
                for name in batch.column(0).to_pylist():
                    if not name:
                        raise DataError(f"{file}: a row has no path in the column {column!r}; remove such rows")
                    yield name
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"cannot read {file}: {error}") from error
