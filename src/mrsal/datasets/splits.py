"""The split that a user chooses: shares of the stimuli, or a table ``splits.csv`` with the split of each stimulus."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mrsal.datasets.dataset import FixationDataset, Stimulus, random_split
from mrsal.datasets.options import SPLITS
from mrsal.datasets.table_columns import NAMES, Columns, StimulusNames, text_of
from mrsal.datasets.table_files import find_table, has_table, read_table
from mrsal.errors import DataError, InputError

log = logging.getLogger("mrsal")

TABLE = "splits"


def with_chosen_split(dataset: FixationDataset, root: Path, shares: Mapping[str, float] | None) -> FixationDataset:
    """Give a data set the split that the user chose; without a choice, it keeps its own.

    Parameters
    ----------
    dataset : FixationDataset
        The data set.
    root : Path
        Its folder, in which there may be ``splits.csv``; see :func:`read_splits`.
    shares : mapping of str to float, optional
        The share of the stimuli in each split; they are drawn at random with a fixed seed.

    Raises
    ------
    InputError
        If there are both ``shares`` and a table.
    FileError, DataError
        If the table cannot be used.
    """
    if not has_table(root, TABLE):
        return replace(dataset, splits=split_by_shares(len(dataset), shares)) if shares else dataset
    path = find_table(root, TABLE)
    if shares:
        raise InputError(f"--split and {path} both say how to split; leave --split out, or move the table away")
    return replace(dataset, splits=read_splits(path, dataset.stimuli))


def split_by_shares(count: int, shares: Mapping[str, float], *, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Split ``count`` stimuli at random by shares that sum to 1; numbers that are not whole go where the rest is largest.

    >>> {name: len(members) for name, members in split_by_shares(9, {"val": 0.25, "test": 0.75}).items()}
    {'train': 0, 'val': 2, 'test': 7}
    """
    exact = {name: count * shares.get(name, 0.0) for name in SPLITS}
    counts = {name: int(number + 1e-9) for name, number in exact.items()}
    for name in sorted(exact, key=lambda name: counts[name] - exact[name])[: count - sum(counts.values())]:
        counts[name] += 1
    return random_split(count, val=counts["val"], test=counts["test"], seed=seed)


def read_splits(path: Path, stimuli: Sequence[Stimulus]) -> dict[str, NDArray[np.int64]]:
    """Read which stimulus is in which split from a table with the columns ``stimulus`` and ``split`` (train, val or test).

    Parameters
    ----------
    path : Path
        The table.
    stimuli : sequence of Stimulus
        The stimuli. Those that are not in the table are in no split.

    Returns
    -------
    dict of str to int array
        The indices into ``stimuli`` of ``"train"``, ``"val"`` and ``"test"``.

    Raises
    ------
    FileError, DataError
        If the table cannot be read, a column is missing, a stimulus is in two splits or there is none, or a split has another
        name.
    """
    table = read_table(path)
    usual = {"stimulus": NAMES["stimulus"], "split": "split set subset part"}
    places = Columns(table, usual, ("stimulus", "split"), remedy="add them").places
    names = StimulusNames(stimuli)
    split_of: dict[int, str] = {}
    unknown: Counter[str] = Counter()
    for i, row in enumerate(table.rows):
        name, split = text_of(row[places["stimulus"]]), text_of(row[places["split"]]).lower()
        if split not in SPLITS:
            raise DataError(f"{table.at(i)}: expected a split out of {', '.join(SPLITS)}, got {split!r}; correct it")
        n = names.find(name)
        if n is None:
            unknown[name] += 1
        elif split_of.setdefault(n, split) != split:
            raise DataError(
                f"{table.at(i)}: expected one split for {stimuli[n].name}, got {split_of[n]} and {split}; keep one of them"
            )
    if not split_of:
        raise DataError(f"{path}: {names.complaint(unknown, len(table.rows))}")
    if unknown:
        log.warning("%s: %s", path.name, names.complaint(unknown, len(table.rows)))
    if missing := len(stimuli) - len(split_of):
        log.warning("%s: %d of %d stimuli are in no split", path.name, missing, len(stimuli))
    return {split: np.array([n for n in sorted(split_of) if split_of[n] == split], np.int64) for split in SPLITS}
