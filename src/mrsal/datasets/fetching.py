"""Download a published data set and unpack it, completely or not at all.

pooch compares the checksums and keeps the files that were already fetched. What it lacks is here: a download that broke off
continues where it stopped, and an address that does not work is followed by the next one. The files wait in a folder beside the
target, ``.<name>.download``, until all are there.
"""

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

from mrsal._extras import optional
from mrsal.datasets.catalogue_options import DownloadOptions
from mrsal.datasets.info import DatasetInfo, RemoteFile
from mrsal.datasets.loaders import info_of
from mrsal.datasets.unpack import unpack
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_folder, make_folder
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")

_TIMEOUT = (10, 30)  # seconds to wait for a connection, and for the next bytes
_ATTEMPTS = 3  # in a row that bring no new bytes, before an address is given up
_PAUSE = 1.0  # seconds between attempts
_CHUNK = 1 << 18  # bytes
_SLACK = 3  # a server may send so many times the size that is known before it is refused
_FEW = 9  # with more files, the progress bar counts files and not megabytes
_LARGEST = 100e9  # bytes, if no size is known

Report = Callable[[int, int | None], Any]


class _Unreachable(Exception):
    """An address that does not give the file."""


def download_job(options: DownloadOptions, *, console: Console) -> dict[str, Any]:
    """Download the data set, and return what ``mrsal datasets download --json`` prints about it."""
    info = info_of(options.name)
    if info.files:
        log.info("%s: %s", info.title, info.terms)
        log.info("please cite: %s", info.citation)
    with progress_bar(console) as bar:
        task = bar.add_task(f"downloading {info.name}", total=len(info.files), note="")
        root = download(info, options.root, progress=lambda done, note: bar.update(task, completed=done, note=note))
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    log.info("wrote %s, %.0f MB", root, size / 1e6)
    for line in _numbered(info.steps):
        log.info("%s", line)
    if not info.steps:
        log.info("look at it with: mrsal datasets show %s --root %s --out %s.png", info.name, root, info.name)
    return {"folder": root, "dataset": info.name, "bytes": size, "steps": list(info.steps)}


def download(info: DatasetInfo, root: str | Path, *, progress: Callable[[float, str], Any] | None = None) -> Path:
    """Download a data set into a folder that does not exist yet or is empty.

    Parameters
    ----------
    info : DatasetInfo
        The data set.
    root : str or Path
        The folder for the data set.
    progress : callable, optional
        Called with the number of files that are there (2.5 in the middle of the third), and a text about the last.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If mrsal cannot download this data set; the message says what to do instead.
    FileError
        If the folder has files, a server cannot be reached, or the disk is full. The next call continues.
    DataError
        If what comes is not the file with the known checksum.
    """
    root = Path(root)
    if not info.files:
        raise InputError("\n".join([f"mrsal cannot download {info.name}; fetch it yourself:", *_numbered(info.steps)]))
    if root.is_dir() and any(root.iterdir()):
        raise FileError(f"expected a new or empty folder for {info.name}, but {root} has files; choose another --root")
    waiting = make_folder(root.resolve().parent / f".{root.resolve().name}.download")
    limit = _SLACK * info.megabytes * 1e6 if info.megabytes else _LARGEST
    fetched = []
    for n, file in enumerate(info.files):

        def report(have: int, total: int | None, n: int = n) -> None:
            size = f"{have / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{have / 1e6:.0f} MB"
            note = f"file {n + 1} of {len(info.files)}" if len(info.files) > _FEW else size
            if progress:
                progress(n + (min(have / total, 1) if total else 0), note)

        fetched.append(_fetch(file, waiting, name=f"{n:04d}_{_file_name(file.urls[0])}", limit=limit, report=report))
        report(1, 1)
    with atomic_folder(root) as folder:
        for file, path in zip(info.files, fetched, strict=True):
            if file.is_zip:
                unpack(path, folder / file.path)
            else:
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / file.path)
    shutil.rmtree(waiting)
    return root


def _numbered(steps: tuple[str, ...]) -> list[str]:
    """The steps as numbered lines."""
    return [f"{i}. {step}" for i, step in enumerate(steps, start=1)]


def _fetch(file: RemoteFile, folder: Path, *, name: str, limit: float, report: Report) -> Path:
    """Fetch a file from the first address that gives it."""
    pooch = optional("pooch", extra="download", purpose="Downloads of data sets")
    pooch.get_logger().setLevel("ERROR")  # the progress bar says what it would say
    partial = folder / f"{name}.part"

    def downloader(url: str, output: str, _: Any) -> None:
        _continue(url, partial, limit=limit, report=report)
        partial.replace(output)

    complaints: list[str] = []
    wrong = False
    for url in file.urls:
        fresh = not partial.exists()
        for attempt in ("continue", "start again"):
            try:
                path = pooch.retrieve(url, known_hash=file.checksum, fname=name, path=folder, downloader=downloader)
                return Path(path)
            except _Unreachable as error:
                complaints.append(str(error))
                break
            except ValueError:  # of pooch: another checksum; the file is gone
                wrong = True
                complaints.append(f"{url} has another file than the one that is known ({file.checksum})")
                if fresh or attempt == "start again":
                    break
            except OSError as error:
                raise FileError(f"cannot write into {folder}: {error.strerror or error}; is the disk full?") from error
    reasons = "; ".join(dict.fromkeys(complaints))
    if wrong:
        raise DataError(f"{reasons}; nothing was kept of it; the authors may have changed or moved the file")
    raise FileError(f"{reasons}; check your network and try again: what is there already is kept in {folder}")


def _continue(url: str, partial: Path, *, limit: float, report: Report) -> None:
    """Fetch what ``partial`` lacks; broken connections are tried again as long as they bring something."""
    import requests

    idle = 0
    while idle < _ATTEMPTS:
        before = _size(partial)
        try:
            if _append(url, partial, limit=limit, report=report):
                return
            reason = "the connection broke off"
        except requests.HTTPError as error:
            raise _Unreachable(str(error)) from error  # such as 404 Client Error: Not Found for url: ...
        except requests.ConnectionError as error:
            stalled = isinstance(error, requests.Timeout) or "timed out" in str(error)
            reason = "the server does not answer in time" if stalled else "no connection"
            if _size(partial) > before:
                reason = "the server stopped sending" if stalled else "the connection broke off"
        except requests.Timeout:
            reason = "the server does not answer in time"
        except requests.exceptions.ChunkedEncodingError:
            reason = "the connection broke off"
        except requests.RequestException as error:
            raise _Unreachable(f"{url}: {error}") from error
        idle = 0 if _size(partial) > before else idle + 1
        time.sleep(_PAUSE)
    raise _Unreachable(f"{urlsplit(url).hostname}: {reason}")


def _append(url: str, partial: Path, *, limit: float, report: Report) -> bool:
    """Append what a server sends; False if it is less than it announced."""
    import requests

    have = _size(partial)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if have and response.status_code == requests.codes.requested_range_not_satisfiable:
            return True  # it is all there, as the checksum will tell
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content or not _begins_at(response, have):
            have = 0  # the server sends the whole file
        announced = response.headers.get("Content-Length", "")
        total = have + int(announced) if announced.isdecimal() else None
        if total and total > limit:
            raise _Unreachable(f"{url} announces {total / 1e6:.0f} MB, more than {limit / 1e6:.0f}")
        with partial.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > limit:
                    file.truncate(0)
                    raise _Unreachable(f"{url} sends more than {limit / 1e6:.0f} MB")
                report(have, total)
    return total is None or have >= total


def _begins_at(response: Any, position: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {position}-")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _file_name(url: str) -> str:
    return Path(urlsplit(url).path).name
