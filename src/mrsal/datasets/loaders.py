"""Load a data set by its name.

>>> sorted(LOADERS)
['cat2000', 'crowd', 'fifa', 'figrim', 'folder', 'mit1003', 'nusef', 'osie', 'pysaliency', 'salicon', 'sun', 'toronto']
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.info import DatasetInfo
from mrsal.datasets.options import TableOptions
from mrsal.datasets.splits import with_chosen_split
from mrsal.errors import FileError, InputError


def _lazy(module: str) -> Callable[..., FixationDataset]:
    return lambda root, **options: import_module(f"mrsal.datasets.{module}").load(root, **options)


PUBLISHED = ("cat2000", "crowd", "fifa", "figrim", "mit1003", "nusef", "osie", "salicon", "sun", "toronto")
LOADERS: dict[str, Callable[..., FixationDataset]] = {
    name: _lazy(name) for name in sorted((*PUBLISHED, "folder", "pysaliency"))
}


WITH_TABLES = ("crowd", "folder", "mit1003", "sun")  # data sets whose fixations may be in a table, read with options


def load(
    name: str,
    root: str | Path,
    *,
    table: TableOptions | None = None,
    split: Mapping[str, float] | None = None,
) -> FixationDataset:
    """Load a data set.

    Parameters
    ----------
    name : str
        A key of :data:`LOADERS`, in lower or upper case.
    root : str or Path
        The folder into which the data set was extracted. If it has a table ``splits.csv``
        (:func:`mrsal.datasets.splits.read_splits`), the table decides on the splits.
    table : TableOptions, optional
        How the table of fixations is read, for the data sets in :data:`WITH_TABLES`.
    split : mapping of str to float, optional
        The share of the stimuli in ``"train"``, ``"val"`` and ``"test"``, instead of the split of the data set.

    Returns
    -------
    FixationDataset
        The stimuli, fixations and splits.

    Raises
    ------
    InputError
        If the name is not known, or an option has no effect on this data set.
    FileError, DataError
        If files are missing or damaged.
    """
    name = name.lower()
    if name not in LOADERS:
        raise InputError(f"expected the name of a data set, got {name!r}; choose one of {', '.join(LOADERS)}")
    if not Path(root).is_dir():
        raise FileError(f"expected a folder at {root}, found none; give the folder into which {name} was extracted")
    options: dict[str, TableOptions] = {}
    if table and table.changes():
        if name not in WITH_TABLES:
            raise InputError(
                f"{', '.join(table.changes())} would have no effect on {name}; these options are for {', '.join(WITH_TABLES)}"
            )
        options["table"] = table
    dataset = with_chosen_split(LOADERS[name](Path(root), **options), Path(root), split)
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
