"""Load a data set by its name.

>>> sorted(LOADERS)
['crowd', 'folder', 'mit1003', 'osie', 'pysaliency', 'sun']
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.options import TableOptions
from mrsal.datasets.splits import with_chosen_split
from mrsal.errors import FileError, InputError


def _lazy(module: str) -> Callable[..., FixationDataset]:
    return lambda root, **options: import_module(f"mrsal.datasets.{module}").load(root, **options)


LOADERS: dict[str, Callable[..., FixationDataset]] = {
    "crowd": _lazy("crowd"),
    "folder": _lazy("folder"),
    "mit1003": _lazy("mit1003"),
    "osie": _lazy("osie"),
    "pysaliency": _lazy("pysaliency"),
    "sun": _lazy("sun"),
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
    if name.lower() not in LOADERS:
        raise InputError(f"expected the name of a data set, got {name!r}; choose one of {', '.join(sorted(LOADERS))}")
    if not Path(root).is_dir():
        raise FileError(f"expected a folder at {root}, found none; give the folder into which {name} was extracted")
    options: dict[str, TableOptions] = {}
    if table and table.changes():
        if name.lower() not in WITH_TABLES:
            raise InputError(
                f"{', '.join(table.changes())} would have no effect on {name}; these options are for {', '.join(WITH_TABLES)}"
            )
        options["table"] = table
    return with_chosen_split(LOADERS[name.lower()](Path(root), **options), Path(root), split)
