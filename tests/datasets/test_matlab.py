"""MATLAB's values become the same Python values from both formats of its files."""

import numpy as np
import pytest
from matlab_files import FORMATS, cell, struct, struct_array, write_map, write_mat
from messages import naming
from scipy.sparse import csc_array

from mrsal.datasets.matlab import as_list, read_map, read_mat
from mrsal.errors import DataError, FileError


@pytest.fixture(params=FORMATS)
def format(request):
    return request.param


@pytest.fixture
def read(tmp_path, format):
    """Write a value and read it."""
    return lambda value: read_mat(
        write_mat(tmp_path / "a.mat", format=format, value=value), "value", what="the test's value"
    )


def test_numbers_keep_their_rows_and_columns(read):
    table = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(read(table), table)
    assert read(table[:1]).shape == (1, 3)
    assert read(table[:, :1]).shape == (2, 1)
    np.testing.assert_array_equal(read(np.eye(3, dtype=bool)), np.eye(3))


def test_texts_cells_and_structs(read):
    assert read("ä.jpg") == "ä.jpg"
    assert read(cell(["a", "bc"])) == ["a", "bc"]
    assert read(cell(["a"])) == ["a"]  # and not the text in it
    assert read(struct(name="a", more=cell(["b", struct(c="d")]))) == {"name": "a", "more": ["b", {"c": "d"}]}
    assert read(struct_array([{"n": "a"}, {"n": "b"}])) == [{"n": "a"}, {"n": "b"}]


def test_positions_in_structs_keep_their_shape(read):
    first, second = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    records = read(struct_array([{"xy": first}, {"xy": second}]))
    np.testing.assert_array_equal(records[0]["xy"], first)
    np.testing.assert_array_equal(records[1]["xy"], second)


def test_what_is_empty_is_a_list_of_none(read):
    assert as_list(read(np.zeros((0, 0)))) == []
    assert as_list(read(struct(a="b"))) == [{"a": "b"}]
    assert as_list(read("a")) == ["a"]


def test_a_map_is_a_dictionary(tmp_path, format):
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    content = {"Art/2.jpg": cell([struct(name="a-b.eye", data=rows)]), "Action/1.jpg": cell([])}
    found = read_map(write_map(tmp_path / "m.mat", "all", content, format=format), what="the map")
    assert sorted(found) == ["Action/1.jpg", "Art/2.jpg"]
    assert found["Art/2.jpg"][0]["name"] == "a-b.eye"
    np.testing.assert_array_equal(found["Art/2.jpg"][0]["data"], rows)


def test_a_file_without_a_map_is_refused(tmp_path, format):
    path = write_mat(tmp_path / "a.mat", format=format, value=1.0)
    with pytest.raises(DataError, match=naming(path, "the map")):
        read_map(path, what="the map")


def test_what_is_missing_or_damaged_is_named(tmp_path, format):
    path = write_mat(tmp_path / "a.mat", format=format, value=cell(["a"]))
    with pytest.raises(DataError, match=naming(path, "other", "the table")):
        read_mat(path, "other", what="the table")
    with pytest.raises(FileError, match=naming(tmp_path / "gone.mat", "the table")):
        read_mat(tmp_path / "gone.mat", "value", what="the table")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=naming(path, "the table")):
        read_mat(path, "value", what="the table")


def test_a_sparse_array_of_the_old_format_is_filled(tmp_path):
    path = write_mat(tmp_path / "a.mat", value=csc_array(np.eye(3)))
    np.testing.assert_array_equal(read_mat(path, "value", what="it"), np.eye(3))
