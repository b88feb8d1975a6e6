"""Masks that are written as lengths of runs: COCO's, compressed or not, CVAT's, and Label Studio's.

Every decoder knows the number of pixels before it begins, and refuses numbers that give more or fewer.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mrsal.aoi.formats.reading import MOST_PIXELS, short
from mrsal.errors import DataError

_MOST_RUNS = 4_000_000  # of a mask


def from_counts(counts: ArrayLike, pixels: int) -> NDArray[np.bool_]:
    """The pixels ``(pixels,)`` of runs that are outside, inside, outside and so on.

    Raises
    ------
    DataError
        If the counts are not whole numbers of at least 0, or do not sum to the number of pixels.
    """
    try:
        runs = np.asarray(counts)
    except ValueError:
        runs = np.array("")
    if runs.ndim != 1 or not (np.issubdtype(runs.dtype, np.integer) or not runs.size):
        raise DataError(f"expected a mask as whole numbers, the lengths of its runs, got {short(counts)}")
    if pixels > MOST_PIXELS or len(runs) > 2 * pixels + 2:
        raise DataError(
            f"expected a mask of at most {MOST_PIXELS // 10**6} million pixels, got {pixels:,} in {len(runs):,} runs"
        )
    if (runs < 0).any() or (runs > pixels).any() or int(runs.sum(dtype=np.int64)) != pixels:
        raise DataError(f"expected runs of a mask that sum to its {pixels:,} pixels, got others; export it again")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def to_counts(inside: NDArray[np.bool_]) -> list[int]:
    """The lengths of the runs of ``(N,)`` pixels, as in :func:`from_counts`."""
    changes = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=np.int8(0)))
    return np.diff(changes, prepend=0, append=len(inside)).tolist()


def coco_counts(text: str) -> NDArray[np.int64]:
    """The counts in the compressed text of COCO.

    Each letter has 6 bits: the lowest 5 are a part of a number, the lowest part first, and the sixth says that more follow.
    The highest bit of the last part is the sign. From the fourth number on, it is the difference to the number two before.
    """
    letters = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - 48
    if not len(letters) or letters.min() < 0 or letters.max() > 63 or letters[-1] & 32:
        raise DataError(f"expected a compressed mask of COCO, got {short(text)}; export it again")
    last = (letters & 32) == 0
    number = np.cumsum(last) - last  # of each letter
    first = np.flatnonzero(np.concatenate([[True], last[:-1]]))
    place = np.arange(len(letters)) - first[number]
    if place.max() > 10:
        raise DataError("expected a compressed mask of COCO, got a number that is too large; export it again")
    values = np.zeros(int(last.sum()), np.int64)
    np.add.at(values, number, (letters & 31) << (5 * place))
    ends = np.flatnonzero(last)
    negative = (letters[ends] & 16) != 0
    values[negative] -= np.int64(1) << (5 * (place[ends][negative] + 1))
    odd, even = values[1::2], values[2::2]  # the first number stands alone
    values[1::2], values[2::2] = np.cumsum(odd), np.cumsum(even)
    return values


def brush_alpha(data: list[int], pixels: int) -> NDArray[np.uint8]:
    """The opacity ``(pixels,)`` of Label Studio's brush, from its run lengths.

    The bits are those of the library rle-pack: 32 for the number of values, 5 for the size of a value less 1, four times 4 for
    sizes of lengths less 1, and then runs. A run is one bit that says whether one value is repeated, 2 bits that choose the
    size of the length, the length less 1, and the value or the values. Each pixel has four values, the last its opacity.
    """
    try:
        content = bytes(data)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected the numbers of a brush from 0 to 255: {error}") from error
    end, position = 8 * len(content), 0

    def read(size: int) -> int:
        nonlocal position
        if position + size > end:
            raise DataError("a brush ends too early; export it again")
        first, last = position >> 3, (position + size + 7) >> 3
        position += size
        return (int.from_bytes(content[first:last], "big") >> (8 * last - position)) & ((1 << size) - 1)

    count, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    if count != 4 * pixels or word != 8 or pixels > MOST_PIXELS:
        raise DataError(
            f"expected a brush with 4 values of 8 bits for each of {pixels:,} pixels, got {count:,} of {word} bits; "
            "export it again"
        )
    values = np.empty(count, np.uint8)
    bits: NDArray[np.uint8] | None = None
    done = runs = 0
    while done < count:
        runs += 1
        repeated = read(1)
        length = 1 + read(sizes[read(2)])
        if done + length > count or runs > _MOST_RUNS:
            raise DataError(f"a brush has more than its {count:,} values, or too many runs; export it again")
        if repeated:
            values[done : done + length] = read(word)
        else:
            if position + word * length > end:
                raise DataError("a brush ends too early; export it again")
            if bits is None:
                bits = np.unpackbits(np.frombuffer(content, np.uint8))
            values[done : done + length] = np.packbits(bits[position : position + word * length])
            position += word * length
        done += length
    return values[3::4]


def split_numbers(text: Any) -> list[int]:
    """The whole numbers in a text with commas, as CVAT writes runs."""
    try:
        return np.array([part for part in str(text).split(",") if part.strip()]).astype(np.int64).tolist()
    except (ValueError, OverflowError) as error:
        raise DataError(f"expected the runs of a mask as whole numbers with commas, got {short(text)}") from error
