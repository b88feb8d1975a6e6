"""Files of MATLAB in both formats: the old one, which scipy writes, and 7.3, which is HDF5 and which mat-io writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

FORMATS = ("old", "7.3")


def cell(values: Sequence[Any]) -> np.ndarray:
    """A cell array with one column."""
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


def struct(**fields: Any) -> np.ndarray:
    """A struct, as it stands in a cell or in a field."""
    return struct_array([fields])


def struct_array(records: Sequence[dict[str, Any]]) -> np.ndarray:
    """A struct array with one column."""
    array = np.empty((len(records), 1), dtype=[(name, object) for name in records[0]])
    for i, record in enumerate(records):
        array[i, 0] = tuple(record.values())
    return array


def write_mat(path: Path, *, format: str = "old", **variables: Any) -> Path:
    """Write variables that consist of the arrays above, texts and numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "old":
        savemat(path, variables)
    else:
        mat_io = pytest.importorskip("matio", reason="mat-io writes files of MATLAB 7.3")
        mat_io.save_to_mat(path, variables, version="v7.3")
    return path


def write_map(path: Path, name: str, content: dict[str, Any], *, format: str = "old") -> Path:
    """Write a ``containers.Map``, an object of MATLAB that scipy cannot write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mat_io = pytest.importorskip("matio", reason="mat-io writes objects of MATLAB")
    from matio.utils import MatlabContainerMap

    mat_io.save_to_mat(path, {name: MatlabContainerMap(content)}, version="v7" if format == "old" else "v7.3")
    return path
