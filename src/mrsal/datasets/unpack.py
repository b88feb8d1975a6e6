"""Unpack a zip archive from the internet: only files, only inside the folder, and not more than is plausible."""

import stat
import zlib
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from mrsal.errors import DataError

_RATIO = 100  # an archive may become so many times as large, and by this size in any case:
_SPARE = 100e6  # bytes
_MEMBERS = 200_000
_CHUNK = 1 << 20
_IGNORED = ("__MACOSX", ".DS_Store", ".svn", "Thumbs.db")  # what computers leave in archives beside the data


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive into a folder; an archive that is not safe or damaged is refused.

    Raises
    ------
    DataError
        If a member is a link or encrypted, is to go outside the folder or twice to the same place, or if the content is damaged
        or far larger than the archive. Some members may have been written before.
    """
    limit = _RATIO * archive.stat().st_size + _SPARE
    try:
        with ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            if len(members) > _MEMBERS:
                raise DataError(
                    f"expected at most {_MEMBERS} files in {archive}, got {len(members)}; it is not unpacked"
                )
            for member in members:
                place = _place(member, archive)
                if set(place.parts) & set(_IGNORED):
                    continue
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("xb") as file:
                    while chunk := source.read(
                        _CHUNK
                    ):  # what the archive says of sizes may be wrong, so bytes are counted
                        limit -= len(chunk)
                        if limit < 0:
                            raise DataError(
                                f"{archive} has more than {_RATIO} times its own size in it; it is not unpacked further"
                            )
                        file.write(chunk)
    except FileExistsError as error:
        raise DataError(f"{archive} has {error.filename} twice; it is not unpacked further") from error
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"expected a zip archive, but {archive} is damaged or of another kind ({error})") from error


def _place(member: ZipInfo, archive: Path) -> PurePosixPath:
    """Where a member goes, below the folder."""
    name = member.filename.replace("\\", "/")
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts or ":" in name or not place.parts:
        raise DataError(f"expected paths inside the folder in {archive}, got {member.filename!r}; it is not unpacked")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DataError(f"expected only files and folders in {archive}, but {member.filename!r} is a link or a device")
    if member.flag_bits & 1:
        raise DataError(f"expected no encrypted files in {archive}, but {member.filename!r} is one")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise DataError(
            f"expected files in {archive} that are deflated, the usual method, but {member.filename!r} is not"
        )
    return place
