"""Load a data set by its name.

>>> sorted(LOADERS)
['crowd', 'folder', 'mit1003', 'osie', 'pysaliency', 'sun']
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from mrsal.datasets.dataset import FixationDataset
from mrsal.errors import FileError, InputError


def _lazy(module: str) -> Callable[[Path], FixationDataset]:
    return lambda root: import_module(f"mrsal.datasets.{module}").load(root)


LOADERS: dict[str, Callable[[Path], FixationDataset]] = {
    "crowd": _lazy("crowd"),
    "folder": _lazy("folder"),
    "mit1003": _lazy("mit1003"),
    "osie": _lazy("osie"),
    "pysaliency": _lazy("pysaliency"),
    "sun": _lazy("sun"),
}


def load(name: str, root: str | Path) -> FixationDataset:
    """Load a data set.

    Parameters
    ----------
    name : str
        A key of :data:`LOADERS`, in lower or upper case.
    root : str or Path
        The folder into which the data set was extracted.

    Returns
    -------
    FixationDataset
        The stimuli, fixations and splits.

    Raises
    ------
    InputError
        If the name is not known.
    FileError, DataError
        If files are missing or damaged.
    """
    if name.lower() not in LOADERS:
        raise InputError(f"expected the name of a data set, got {name!r}; choose one of {', '.join(sorted(LOADERS))}")
    if not Path(root).is_dir():
        raise FileError(f"expected a folder at {root}, found none; give the folder into which {name} was extracted")
    return LOADERS[name.lower()](Path(root))
