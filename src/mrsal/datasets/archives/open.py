"""Open an archive of either kind."""

from pathlib import Path

from mrsal.datasets.archives.historical import PthArchive
from mrsal.datasets.archives.native import INDEX, NativeArchive
from mrsal.errors import FileError


def open_archive(folder: str | Path) -> NativeArchive | PthArchive:
    """Open the archive in a folder: a native archive if there is one, otherwise the historical ``*.pth.tar`` files."""
    folder = Path(folder)
    if (folder / INDEX).is_file():
        return NativeArchive(folder)
    if any((folder / f"{split}_data.pth.tar").is_file() for split in ("train", "val", "test")):
        return PthArchive(folder)
    raise FileError(
        f"expected {INDEX}, or train_data.pth.tar, val_data.pth.tar or test_data.pth.tar, in {folder}, found none; "
        "make them with: mrsal prepare"
    )
