"""Read MATLAB's ``.mat`` files, old and new (version 7.3, which is HDF5), into plain Python values. MATLAB is not needed.

==============  ===================================================
MATLAB          Python
==============  ===================================================
struct          dict
struct array    list of dicts
cell array      list, in MATLAB's order (down the columns)
char            str
number, array   2-D array, as in MATLAB
containers.Map  dict (:func:`read_map`)
==============  ===================================================
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from mrsal.datasets.pysaliency_hdf5 import array_of, load_h5py
from mrsal.errors import DataError, FileError, MrsalError

_HEADER = 128  # bytes in front of the first variable
_HDF5_MARK = b"\x89HDF\r\n\x1a\n"  # behind 512 bytes that are MATLAB's own


def read_mat(path: Path, variable: str, *, what: str) -> Any:
    """Read a variable.

    Parameters
    ----------
    path : Path
        The ``.mat`` file. Files of version 7.3 need h5py, the extra ``mrsal[hdf5]``.
    variable : str
        The name of the variable.
    what : str
        What the file should have, for messages, such as ``"OSIE's fixations"``.

    Raises
    ------
    FileError, DataError
        If there is no such file, or it is damaged, or has no such variable.
    """
    old: Callable[[], Any] = lambda: _plain(_load(path)[variable])  # noqa: E731
    new: Callable[[Any], Any] = lambda file: _from_hdf5(file[variable], file)  # noqa: E731
    return _read(path, what, old, new)


def read_map(path: Path, *, what: str) -> dict[str, Any]:
    """Read the only ``containers.Map`` of a file, as a dict.

    MATLAB keeps the content of such an object apart from the variables: as a struct with the fields ``keys`` and ``values``
    in a nameless part of the file.
    """
    maps = _read(
        path,
        what,
        lambda: _maps_in(_plain(_hidden_part(path))),
        lambda file: _maps_in([_from_hdf5(file[ref], file) for ref in array_of(file["#subsystem#/MCOS"]).ravel()]),
    )
    if len(maps) != 1:
        raise DataError(f"expected one containers.Map with {what} in {path}, got {len(maps)}; download it again")
    return dict(zip(as_list(maps[0]["keys"]), as_list(maps[0]["values"]), strict=True))


def as_list(value: Any) -> list[Any]:
    """The elements of a cell or struct array; a single struct or text is a list of one, and an empty array an empty list."""
    if isinstance(value, np.ndarray) and not value.size:
        return []
    return value if isinstance(value, list) else [value]


def _read(path: Path, what: str, old: Callable[[], Any], new: Callable[[Any], Any]) -> Any:
    if not path.is_file():
        raise FileError(f"expected {what} at {path}, found no file; check --root")
    try:
        with path.open("rb") as file:
            is_hdf5 = _HDF5_MARK in file.read(512 + len(_HDF5_MARK))
        if not is_hdf5:
            return old()
        with load_h5py().File(path, "r") as file:
            return new(file)
    except MrsalError:
        raise
    except Exception as error:  # loadmat raises many types of errors for damaged files, even zlib.error
        raise DataError(f"expected {what} in {path}, got something else ({error}); download it again") from error


def _load(file: Path | BytesIO) -> dict[str, Any]:
    from scipy.io import loadmat  # a slow import

    return loadmat(file, struct_as_record=False)


def _hidden_part(path: Path) -> Any:
    """The nameless part of a file, in which the content of objects is; it has the form of a file without a header."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    hidden = _load(path)["__function_workspace__"].tobytes()
    no_hidden_part = bytes(8)  # its position in the file
    return _load(BytesIO(header[:116] + no_hidden_part + header[124:] + hidden[8:]))["__function_workspace__"]


def _plain(value: Any) -> Any:
    from scipy.io.matlab import mat_struct  # a slow import
    from scipy.sparse import issparse

    if isinstance(value, mat_struct):
        return {name: _plain(getattr(value, name)) for name in value._fieldnames}
    if issparse(value):
        return value.toarray()
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:  # an object of MATLAB, which consists of its class and its content
        return [_plain(part) for record in value.ravel() for part in record]
    if value.dtype == object:
        is_struct = value.size == 1 and isinstance(value.flat[0], mat_struct)
        items = [_plain(item) for item in value.ravel(order="F")]
        return items[0] if is_struct else items
    if value.dtype.kind == "U":
        return str(value[0]) if value.size == 1 else value.tolist() if value.size else ""
    return value


def _from_hdf5(node: Any, file: Any) -> Any:
    """MATLAB writes arrays transposed, cells and struct arrays as references, and characters as numbers."""
    kind = node.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if "MATLAB_empty" in node.attrs:
        return "" if kind == "char" else [] if kind in ("cell", "struct") else np.zeros((0, 0))
    if not hasattr(node, "shape"):  # a group, so a struct or a struct array
        fields = {name: node[name] for name in node}
        if fields and not any("MATLAB_class" in field.attrs for field in fields.values() if hasattr(field, "shape")):
            columns = {name: [file[ref] for ref in array_of(field).ravel()] for name, field in fields.items()}
            count = len(next(iter(columns.values())))
            return [{name: _from_hdf5(column[i], file) for name, column in columns.items()} for i in range(count)]
        return {name: _from_hdf5(field, file) for name, field in fields.items()}
    if kind == "cell":
        return [_from_hdf5(file[ref], file) for ref in array_of(node).ravel()]
    if kind == "char":
        return "".join(map(chr, array_of(node).ravel()))
    return np.atleast_2d(array_of(node)).T if node.ndim < 2 else array_of(node).T


def _maps_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        if {"keys", "values"} <= value.keys():
            return [value]
        value = list(value.values())
    return [found for item in value for found in _maps_in(item)] if isinstance(value, list) else []
