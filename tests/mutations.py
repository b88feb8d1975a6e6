"""Damage files as disks, editors, other programs and attackers do: one seeded change of the content of a file.

:func:`mutated` changes bytes, or what the file holds: numbers and cells of text, values of JSON, headers and values of arrays,
tensors of a checkpoint, data sets and attributes of HDF5.
"""

import io
import json
import random
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
NUMBERS = (
    *("1e999", "-1e999", "nan", "inf", "-1", "0", "-0.5", "1e308", "1e-320", "99999999999999999999", "2147483648"),
    *("", "0x10", "1_000", "١٢", "1,5", "--1", "true", "9" * 5000),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 0.5, 1e308, -1e308, float("nan"), float("inf"), 10**12, 10**30, 10**400),
    *("", "x", "1", "../../../notes.txt", "/notes.txt", "a\nb" * 50, "x" * 10_000, "\ud800", "\x1b[31m", "\0", "[red]"),
    *([], {}, [[]], [1, 2, 3, 4], ["a"], {"a": 1}, [None] * 1000, [[1, 2]] * 3),
)
TEXTS = (".csv", ".tsv", ".txt", ".jsonl")


def mutated(path: Path, rng: random.Random) -> tuple[bytes, str]:
    """The content of a file with one change, and what the change is."""
    content, structured = path.read_bytes(), _BY_SUFFIX.get(path.suffix, ())
    # the HDF5 library itself hangs or crashes on some files with wrong bytes inside (github.com/HDFGroup/hdf5/issues/1707)
    unstructured = (_cut_off, _add_tail) if path.suffix == ".hdf5" else _BYTES
    change = rng.choice(structured) if structured and rng.random() < 0.6 else rng.choice(unstructured)
    return change(content, rng), change.__name__.lstrip("_")


def _span(content: bytes, rng: random.Random, most: int = 64) -> tuple[int, int]:
    start = rng.randrange(len(content))
    if rng.random() < 0.4:  # headers are at the beginning, and directories at the end
        start = rng.choice([min(start % 128, len(content) - 1), max(0, len(content) - 1 - start % 256)])
    return start, min(len(content), start + rng.randint(1, most))


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 4, 32])):
        changed[_span(content, rng)[0]] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut_off(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.choice([0, 1, 8, len(content) // 2, len(content) - 1, rng.randrange(len(content))])]


def _remove(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[start:end] * rng.choice([2, 3, 100]) + content[end:]


def _swap(content: bytes, rng: random.Random) -> bytes:
    (a, b), (c, d) = sorted([_span(content, rng), _span(content, rng)])
    b = min(b, c)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _overwrite(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    filling = rng.choice([bytes(end - start), b"\xff" * (end - start), rng.randbytes(end - start)])
    return content[:start] + filling + content[end:]


def _huge_number(content: bytes, rng: random.Random) -> bytes:
    number, start = rng.choice(HUGE), _span(content, rng)[0]
    packed = struct.pack(rng.choice("<>") + "Q", number)
    packed = packed if number >= 2**32 else packed.strip(b"\0")
    return content[:start] + packed + content[start + len(packed) :]


def _add_tail(content: bytes, rng: random.Random) -> bytes:
    return content + rng.choice([rng.randbytes(100), bytes(100), content, b"\n"])


_BYTES = (
    _flip,
    _flip,
    _cut_off,
    _remove,
    _repeat,
    _swap,
    _overwrite,
    _overwrite,
    _huge_number,
    _huge_number,
    _add_tail,
)


def _number_in_text(content: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?(e[-+]?\d+)?", content))
    match = rng.choice(found)
    return content[: match.start()] + rng.choice(NUMBERS).encode() + content[match.end() :]


def _column_of_numbers(content: bytes, rng: random.Random) -> bytes:
    """The same change of all numbers that look alike: another unit, another origin, or one value."""
    factor, value = rng.choice([0.001, 1000, 1e300, -1, 0]), rng.choice(NUMBERS[:11])
    column, by_value = rng.randrange(6), rng.random() < 0.5
    lines = content.split(b"\n")
    for i, line in enumerate(lines[1:], 1):
        cells = re.split(rb"([,;\t])", line)
        place = 2 * column
        if place < len(cells) and re.fullmatch(rb"-?\d+(\.\d+)?", cells[place]):
            cells[place] = value.encode() if by_value else repr(float(cells[place]) * factor).encode()
        lines[i] = b"".join(cells)
    return b"\n".join(lines)


def _lines(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.randrange(7)
    if change == 0:
        del lines[i]
    elif change == 1:
        lines[i : i + 1] *= rng.choice([2, 5000])
    elif change == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif change == 3:
        lines[i] = lines[i].replace(b",", rng.choice([b";", b"\t", b",,", b""]))
    elif change == 4:
        lines[i] += rng.choice(
            [b'"', b"'", b"\0", b"\r", "ä".encode("latin-1"), b"\xff\xfe", b",", b"\x1b[31m", b"x" * 200_000]
        )
    elif change == 5:
        lines = [line.lower() if i % 2 else line.upper() for line in lines]
    else:
        lines = [rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"sep=;", b"## x"]) + lines[0], *lines[1:]]
    return b"\n".join(lines)


def _cell(content: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"[^,;\t\n]+", content))
    match, value = rng.choice(found), rng.choice(VALUES)
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return content[: match.start()] + text.encode("utf-8", "surrogatepass") + content[match.end() :]


_TEXT = (_number_in_text, _column_of_numbers, _lines, _cell)


def _json_value(content: bytes, rng: random.Random) -> bytes:
    return _dumped(_changed(json.loads(content), rng))


def _json_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines()
    i = rng.randrange(len(lines))
    lines[i] = _dumped(_changed(json.loads(lines[i]), rng))
    return b"\n".join(lines)


def _nested(content: bytes, rng: random.Random) -> bytes:
    deep = rng.choice([b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000])
    found = list(re.finditer(rb'-?\d+|"[^"]*"', content))
    match = rng.choice(found)
    return rng.choice([deep, content[: match.start()] + deep + content[match.end() :]])


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _changed(tree: Any, rng: random.Random, values: Callable[[Any, random.Random], Any] | None = None) -> Any:
    """A tree of dicts and lists with one value replaced, removed, renamed or repeated."""
    places: list[tuple[Any, Any]] = []
    queue = [tree]
    while queue:
        node = queue.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            places += [(node, key) for key in keys]
            queue += [node[key] for key in keys]
    new = values or (lambda _, rng: rng.choice(VALUES))
    if not places or rng.random() < 0.05:
        return new(tree, rng)
    node, key = rng.choice(places)
    change = rng.random()
    if change < 0.7:
        node[key] = new(node[key], rng)
    elif change < 0.8:
        del node[key]
    elif change < 0.9 and isinstance(node, dict):
        node[rng.choice(["", "x", "../x", 1, str(key).upper()])] = node.pop(key)
    elif isinstance(node, list):
        node += [node[key]] * rng.choice([1, 20])
    else:
        other = rng.choice(list(node))
        node[key], node[other] = node[other], node[key]
    return tree


def _other_array(array: Any, rng: random.Random) -> np.ndarray:
    """An array with other values, or of another type or shape."""
    array = np.array(array)
    change = rng.randrange(8)
    if change < 4 and array.size and array.dtype.kind in "biuf":
        array = array.astype(array.dtype.newbyteorder("=")).copy()
        place = rng.choice([..., rng.randrange(array.size)])
        if array.dtype.kind == "f":
            array.reshape(-1)[place] = rng.choice([np.nan, np.inf, -np.inf, -1, 0, 1e300, 1e-300, 0.5])
        elif array.dtype.kind in "iu":
            array.reshape(-1)[place] = rng.choice([np.iinfo(array.dtype).min, np.iinfo(array.dtype).max, 0, 1])
        return array
    if change == 4:
        with np.errstate(all="ignore"):
            numeric = array if array.dtype.kind in "biuf" else np.zeros(array.shape)
            return numeric.astype(rng.choice(["f4", "f8", "i1", "u1", "i8", ">f8", "c8", "S3", "U2", "?"]))
    if change == 5:
        return array[: array.shape[0] // 2] if array.ndim else np.array([1.0, 2.0])
    if change == 6:
        return rng.choice([array.reshape(-1), array[None], array.T, np.concatenate([array.reshape(-1)] * 2)])
    return rng.choice([np.zeros(0), np.array(1.0), np.zeros((0, 4)), np.zeros((1, 0, 3), np.uint8)])


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _npy_values(content: bytes, rng: random.Random) -> bytes:
    return _saved(_other_array(np.load(io.BytesIO(content)), rng))


def _npy_header(content: bytes, rng: random.Random) -> bytes:
    """A header that says something else than the bytes that follow."""
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode().rstrip()
    shape = rng.choice(
        [
            "(10**12,)",
            "(1000000000000,)",
            "(-1,)",
            "()",
            "(0,)",
            "(2, 2)",
            "(1000000000, 1000000000)",
            "('a',)",
            "(1.5, 2)",
        ]
    )
    kind = rng.choice(["'|O'", "'<f8'", "'<U1000000'", "'|V0'", "'<c16'", "[('a', '<f8')]", "'q'", "'>i8'", "'M8[s]'"])
    header = rng.choice(
        [
            re.sub(r"\(.*?\)", lambda _: shape, header),
            re.sub(r"'descr': [^,]*", lambda _: f"'descr': {kind}", header),
            header.replace("False", "True"),
            "{" * 5000,
            header[:20],
        ]
    )
    packed = header.encode().ljust(length - 1) + b"\n"
    return content[:8] + struct.pack("<H", len(packed) & 0xFFFF) + packed + content[10 + length :]


def _npz_column(content: bytes, rng: random.Random) -> bytes:
    columns = dict(np.load(io.BytesIO(content)))
    name = rng.choice(list(columns))
    change = rng.random()
    if change < 0.8:
        columns[name] = _other_array(columns[name], rng)
    elif change < 0.9:
        del columns[name]
    else:
        columns[rng.choice(["z", "file", "../x"])] = columns.pop(name)
    file = io.BytesIO()
    rng.choice([np.savez, np.savez_compressed])(file, **{key: value for key, value in columns.items() if key != "file"})
    return file.getvalue()


def _torch_value(content: bytes, rng: random.Random) -> bytes:
    tree = torch.load(io.BytesIO(content), weights_only=True)
    metadata = getattr(tree, "_metadata", None)
    if metadata and rng.random() < 0.4:
        tree._metadata = _changed(metadata, rng)
    else:
        tree = _changed(tree, rng, _other_tensor)
    file = io.BytesIO()
    torch.save(tree, file)
    return file.getvalue()


def _other_tensor(old: Any, rng: random.Random) -> Any:
    if not isinstance(old, torch.Tensor) or rng.random() < 0.2:
        return rng.choice(VALUES)
    change = rng.randrange(9)
    if change < 4 and old.numel():
        new = old.clone()
        values = [float("nan"), float("inf"), -1, 0, 1e30] if new.is_floating_point() else [-(2**62), 2**62, 0, -1]
        new.reshape(-1)[rng.choice([slice(None), rng.randrange(new.numel())])] = rng.choice(values)
        return new
    if change == 4:
        return old.to(rng.choice([torch.float64, torch.float16, torch.int32, torch.bool, torch.complex64, torch.uint8]))
    if change == 5:
        return old[None] if rng.random() < 0.5 else old.reshape(-1)[: old.numel() // 2]
    if change == 6:
        return old.reshape(-1)[:1].expand(10 ** rng.choice([6, 12]))
    if change == 7:
        return rng.choice([old.to_sparse() if old.dim() else old, old.to("meta")])
    return torch.zeros(rng.choice([(0,), (1,), (3, 0, 5), ()]))


def _safetensors_header(content: bytes, rng: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    about = json.loads(header["__metadata__"]["mrsal"])
    if rng.random() < 0.6:
        header["__metadata__"]["mrsal"] = json.dumps(_changed(about, rng))
    else:
        header = _changed(header, rng)
    packed = _dumped(header)
    packed = packed.ljust(-(-len(packed) // 8) * 8)
    return struct.pack("<Q", len(packed)) + packed + content[8 + length :]


def _hdf5_item(content: bytes, rng: random.Random) -> bytes:
    """One data set or attribute of an HDF5 file is another one, or is gone."""
    import h5py

    memory = io.BytesIO(content)
    with h5py.File(memory, "r+") as file:
        items: list[str] = []
        file.visit(items.append)
        names = [name for name in items if isinstance(file[name], h5py.Dataset)]
        if rng.random() < 0.4 and file.attrs:
            name = rng.choice(list(file.attrs))
            if rng.random() < 0.2:
                del file.attrs[name]
            else:
                value = rng.choice(
                    [0, -1, 10**9, 1.5, "x", "[", "[]", '["filenames"]', [1, 2], np.zeros(0), "9" * 5000]
                )
                file.attrs[name] = np.bytes_(value) if isinstance(value, str) and rng.random() < 0.5 else value
            return _closed(file, memory)
        name = rng.choice(names)
        old, attrs = file[name][...], dict(file[name].attrs)
        change = rng.random()
        del file[name]
        if change < 0.6:
            dtype = h5py.check_dtype(vlen=old.dtype) if old.dtype.kind == "O" else None
            new = np.array([0, -1, 5]) if old.dtype.kind == "O" else _other_array(old, rng)
            new = new if new.dtype.kind != "U" else new.astype("S")
            file.create_dataset(name, data=new, dtype=None if new.dtype.kind != "O" else dtype)
        elif change < 0.75:  # terabytes, of which none is in the file
            shape = rng.choice([(10**6, 10**6), (10**5, 10**5), (10**12,), (1, 10**9)])
            file.create_dataset(name, shape=shape, dtype=old.dtype if old.dtype.kind != "O" else "f8", chunks=True)
        elif change < 0.85:
            file.create_group(name)
        elif change < 0.95:
            file[rng.choice(["x", "ä", "sub/folder"])] = rng.choice([old if old.dtype.kind != "O" else 1, 1.5])
        if name in file:
            for key, value in attrs.items():
                file[name].attrs[key] = rng.choice([value, value, -1, 10**9, [10**6, 10**6], "x"])
        return _closed(file, memory)


def _closed(file: Any, memory: io.BytesIO) -> bytes:
    file.close()
    return memory.getvalue()


def _parquet_column(content: bytes, rng: random.Random) -> bytes:
    import pyarrow
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(content))
    place = rng.randrange(table.num_columns)
    name, rows = table.column_names[place], table.num_rows
    new = rng.choice(
        [
            *(
                pyarrow.array([value] * rows)
                for value in (None, True, -1, 2**62, float("nan"), 1e308, "x", b"\xff", [1])
            ),
            pyarrow.array([{"a": 1}] * rows),
            pyarrow.array([10**12] * rows, pyarrow.timestamp("us")),
            pyarrow.array([str(value) for value in table.column(place).to_pylist()]),
        ]
    )
    table = rng.choice(
        [
            table.set_column(place, name, new),
            table.set_column(place, name, new),
            table.remove_column(place),
            table.append_column(name, new),
            table.rename_columns(["x"] * table.num_columns),
            table.slice(0, 0),
        ]
    )
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def _png_size(content: bytes, rng: random.Random) -> bytes:
    """Another size or kind of pixels in the header, whose checksum is right."""
    header = bytearray(content[12:29])
    if rng.random() < 0.6:
        start = rng.choice([4, 8])
        header[start : start + 4] = struct.pack(">I", rng.choice([0, 1, 10**4, 10**5, 2**31 - 1, 2**32 - 1]))
    else:
        header[rng.randrange(12, 17)] = rng.choice([0, 1, 2, 3, 4, 6, 16, 255])
    return content[:12] + bytes(header) + struct.pack(">I", zlib.crc32(header)) + content[33:]


def _jpeg_size(content: bytes, rng: random.Random) -> bytes:
    place = max(content.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2")) + 5
    size = struct.pack(">HH", *(rng.choice([0, 1, 300, 20_000, 65_535]) for _ in range(2)))
    return content[:place] + size + content[place + 4 :]


def _gif_size(content: bytes, rng: random.Random) -> bytes:
    place = rng.choice([6, content.find(b",") + 5])
    size = struct.pack("<HH", *(rng.choice([0, 1, 300, 20_000, 65_535]) for _ in range(2)))
    return content[:place] + size + content[place + 4 :]


_BY_SUFFIX: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    ".json": (*[_json_value] * 6, _nested, _number_in_text),
    ".jsonl": (*[_json_line] * 4, _nested, _number_in_text, _lines),
    **dict.fromkeys((".csv", ".tsv", ".txt"), _TEXT),
    ".npy": (_npy_values, _npy_values, _npy_header),
    ".npz": (_npz_column,),
    **dict.fromkeys((".pth", ".pt", ".tar"), (_torch_value,)),
    ".safetensors": (_safetensors_header,),
    ".hdf5": (_hdf5_item,),
    ".parquet": (_parquet_column,),
    ".png": (_png_size,),
    ".jpg": (_jpeg_size,),
    ".gif": (_gif_size,),
}
