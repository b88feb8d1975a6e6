"""Pages of A4 in a PDF, which are filled with texts, pictures, legends and tables from top to bottom."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mrsal.aoi.legends import Legend
from mrsal.aoi.tables import TextTable

Picture = NDArray[np.uint8]

# lengths are in millimetres, sizes of letters in points
_WIDTH, _HEIGHT, _MARGIN = 210.0, 297.0, 16.0
INSIDE = _WIDTH - 2 * _MARGIN
TALLEST = 150.0  # of a picture
_POINT = 25.4 / 72
_LEADING = 1.35  # distance of lines, in sizes of letters
_GAP = 5.0
_ROUNDING = 0.01
SOFT = "#555555"
_CELL, _CELL_GAP = 8.0, 4.0  # size of letters in tables, and the distance of columns


class Pages:
    """Writes from the top of a page to its bottom, and goes on with the next page."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._number = 0
        self._new()

    def _new(self) -> None:
        from matplotlib.figure import Figure  # a slow import

        if self._number:
            self._finish()
        self._number += 1
        self._figure = Figure(figsize=(_WIDTH / 25.4, _HEIGHT / 25.4))
        self._y = _MARGIN

    def _finish(self) -> None:
        self._put(f"{self._number}", _WIDTH - _MARGIN, _HEIGHT - _MARGIN + 4, size=8, colour=SOFT, align="right")
        self._file.savefig(self._figure)

    def end(self) -> None:
        """Finish the last page."""
        self._finish()

    def space(self, height: float) -> None:
        """Leave some room."""
        self._y += height

    def _need(self, height: float) -> None:
        """Begin a new page if there is less room than this on the page."""
        if height > self.room() and self._y > _MARGIN:
            self._new()

    def _put(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float,
        weight: str = "normal",
        colour: str = "black",
        align: str = "left",
    ) -> None:
        """One line of text whose base line is at ``y``."""
        self._figure.text(
            x / _WIDTH,
            1 - y / _HEIGHT,
            text,
            size=size,
            weight=weight,
            color=colour,
            ha=align,
            va="baseline",
            parse_math=False,
        )

    def heading(self, text: str, *, room: float) -> None:
        """A heading, with at least ``room`` for it and what follows on the same page."""
        self._need(room)
        if self._y > _MARGIN:
            self.space(4)
        self.text(text, size=13, weight="bold")

    def text(self, text: str, *, size: float = 9.0, weight: str = "normal", colour: str = "black") -> None:
        """A paragraph."""
        line = size * _POINT * _LEADING
        for part in _lines(text, INSIDE, size, weight):
            self._need(line)
            self._put(part, _MARGIN, self._y + size * _POINT, size=size, weight=weight, colour=colour)
            self._y += line
        self.space(1.5)

    def room(self) -> float:
        """The height that is left on the page."""
        return _HEIGHT - _MARGIN - self._y

    def pictures(
        self, pictures: Sequence[Picture], captions: Sequence[str], legend: Legend, *, tallest: float = TALLEST
    ) -> None:
        """Pictures beside each other, with captions above and a legend below, at most as high as ``tallest``."""
        wide = (INSIDE - _GAP * (len(pictures) - 1)) / len(pictures)
        height = min(max(wide * picture.shape[0] / picture.shape[1] for picture in pictures), tallest)
        lines = [_lines(caption, wide, 9.0, "normal") if caption else [] for caption in captions]
        above = max(len(each) for each in lines) * 9 * _POINT * _LEADING
        self._need(above + height + 20)
        for column, (picture, caption) in enumerate(zip(pictures, lines, strict=True)):
            left = _MARGIN + column * (wide + _GAP)
            for row, line in enumerate(caption):
                self._put(line, left, self._y + 9 * _POINT * (1 + row * _LEADING), size=9)
            scale = min(wide / picture.shape[1], height / picture.shape[0])
            size = picture.shape[1] * scale, picture.shape[0] * scale
            self._image(picture, left, self._y + above + 1, *size)
        self._y += above + height + 4
        self._legend(legend)

    def _image(self, picture: Picture, x: float, y: float, width: float, height: float) -> None:
        place = (x / _WIDTH, 1 - (y + height) / _HEIGHT, width / _WIDTH, height / _HEIGHT)
        axes = self._figure.add_axes(place)
        axes.imshow(picture, aspect="auto", interpolation="none")
        axes.set_axis_off()

    def _legend(self, legend: Legend) -> None:
        wide, left = 90.0, _MARGIN + 4
        self._put(legend.title, _MARGIN, self._y + 8 * _POINT, size=8, colour=SOFT)
        self._image(legend.colours[None], left, self._y + 4.5, wide, 3)
        for at, label in legend.ticks:
            self._put(label, left + at * wide, self._y + 11, size=8, align="center")
        self._y += 14

    def table(self, table: TextTable) -> None:
        """A table, whose headings are repeated on each page."""
        line = _CELL * _POINT * _LEADING
        numbers = [
            max(
                max(_width(word, _CELL, "bold") for word in heading.split()),
                *(_width(row[k], _CELL) for row in table.rows),
            )
            + _CELL_GAP
            for k, heading in enumerate(table.headings[1:], start=1)
        ]
        names = [_width(row[0], _CELL) for row in table.rows]
        first = max(30.0, min(max(names), INSIDE - sum(numbers)))
        widths = [first, *numbers]
        rights = [_MARGIN + sum(widths[: k + 1]) for k in range(len(widths))]
        headings = [
            _lines(text, width - _CELL_GAP * (k > 0), _CELL, "bold")
            for k, (text, width) in enumerate(zip(table.headings, widths, strict=True))
        ]

        def row_of(cells: Sequence[list[str]], weight: str) -> None:
            for k, cell in enumerate(cells):
                for number, part in enumerate(cell):
                    y = self._y + _CELL * _POINT + number * line
                    x, align = (rights[k], "right") if k else (_MARGIN, "left")
                    self._put(part, x, y, size=_CELL, weight=weight, align=align)
            self._y += max(map(len, cells)) * line + 0.8
            self._rule(rights[-1], "black" if weight == "bold" else "#cccccc")
            self._y += 0.8

        self._need(30)
        self.text(table.title, weight="bold")
        row_of(headings, "bold")
        for row in table.rows:
            cells = [_lines(row[0], first, _CELL, "normal"), *([cell] for cell in row[1:])]
            number = self._number
            self._need(len(cells[0]) * line + 2)
            if self._number > number:
                row_of(headings, "bold")
            row_of(cells, "normal")
        self.space(1.5)
        if table.caption:
            self.text(table.caption, size=8, colour=SOFT)
        self.space(3)

    def _rule(self, right: float, colour: str) -> None:
        from matplotlib.lines import Line2D  # a slow import

        y = 1 - self._y / _HEIGHT
        self._figure.add_artist(Line2D([_MARGIN / _WIDTH, right / _WIDTH], [y, y], color=colour, linewidth=0.5))


def _lines(text: str, width: float, size: float, weight: str) -> list[str]:
    """The lines into which a text is broken; a word that is wider than a line is broken, too."""
    lines = [""]
    for word in _pieces(text.split(), width, size, weight):
        longer = f"{lines[-1]} {word}".lstrip()
        if _width(longer, size, weight) <= width + _ROUNDING:
            lines[-1] = longer
        else:
            lines.append(word)
    return [line for line in lines if line] or [""]


def _pieces(words: Sequence[str], width: float, size: float, weight: str) -> Iterator[str]:
    for word in words:
        while _width(word, size, weight) > width + _ROUNDING and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _width(word[:n], size, weight) <= width)
            yield word[:fits]
            word = word[fits:]
        yield word


@lru_cache(maxsize=10_000)
def _width(text: str, size: float, weight: str = "normal") -> float:
    """The width of a line of text."""
    from matplotlib.font_manager import FontProperties  # slow imports
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) * _POINT
