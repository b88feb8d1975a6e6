"""Load a data set by its name.

>>> sorted(LOADERS)
['cat2000', 'crowd', 'fifa', 'figrim', 'folder', 'mit1003', 'nusef', 'osie', 'pysaliency', 'salicon', 'sun', 'toronto']
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.info import DatasetInfo
from mrsal.errors import FileError, InputError


def _lazy(module: str) -> Callable[[Path], FixationDataset]:
    return lambda root: import_module(f"mrsal.datasets.{module}").load(root)


PUBLISHED = ("cat2000", "crowd", "fifa", "figrim", "mit1003", "nusef", "osie", "salicon", "sun", "toronto")
LOADERS: dict[str, Callable[[Path], FixationDataset]] = {
    name: _lazy(name) for name in sorted((*PUBLISHED, "folder", "pysaliency"))
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
    name = name.lower()
    if name not in LOADERS:
        raise InputError(f"expected the name of a data set, got {name!r}; choose one of {', '.join(LOADERS)}")
    if not Path(root).is_dir():
        raise FileError(f"expected a folder at {root}, found none; give the folder into which {name} was extracted")
    dataset = LOADERS[name](Path(root))
    return replace(dataset, info=info_of(name)) if name in PUBLISHED else dataset


def info_of(name: str) -> DatasetInfo:
    """The citation, terms of use, size and addresses of a published data set.

    Raises
    ------
    InputError
        If there is no published data set of this name.
    """
    if name.lower() not in PUBLISHED:
        raise InputError(
            f"expected the name of a published data set, got {name!r}; choose one of {', '.join(PUBLISHED)}"
        )
    return import_module(f"mrsal.datasets.{name.lower()}").INFO
