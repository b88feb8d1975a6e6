"""Open a folder as whichever kind of archive it holds."""

from pathlib import Path

from mrsal.datasets.archives.historical import PthArchive
from mrsal.datasets.archives.native import INDEX, NativeArchive
from mrsal.errors import FileError


def open_archive(folder: str | Path) -> NativeArchive | PthArchive:
    """Open what lies in a folder: a native archive, or else the historical ``*.pth.tar`` files."""
    folder = Path(folder)
    if (folder / INDEX).is_file():
        return NativeArchive(folder)
    if any((folder / f"{split}_data.pth.tar").is_file() for split in ("train", "val", "test")):
        return PthArchive(folder)
    raise FileError(
        f"no data in {folder}: expected {INDEX}, or train_data.pth.tar, val_data.pth.tar, test_data.pth.tar; "
        "make them with: mrsal prepare"
    )
