"""Find the columns of a table by their usual names, and stimuli by the names in its cells."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mrsal.datasets.dataset import Stimulus
from mrsal.datasets.table_files import Table
from mrsal.errors import DataError
from mrsal.images import EXTENSIONS

# the usual names of each column: lower case, letters and digits only, without a unit; "fixation" is the number of a fixation
NAMES = {
    "stimulus": (
        "stimulus stimulusname stimulusfile image imagename imagefile img picture filename file media medianame "
        "presentedstimulusname presentedmedianame"
    ),
    "subject": (
        "subject subj subjectid subjectname participant participantid participantname observer observerid recordingsessionlabel"
    ),
    "x": "x fixx xfix fixationx fixationpointx fixationpositionx currentfixx fpogx xpos posx xposition positionx",
    "y": "y fixy yfix fixationy fixationpointy fixationpositiony currentfixy fpogy ypos posy yposition positiony",
    "trial": "trial trialindex trialid trialnumber trialnr",
    "start": (
        "start starttime fixationstart currentfixstart eventstarttrialtime fpogs onset time timestamp recordingtimestamp"
    ),
    "end": "end endtime fixationend currentfixend eventendtrialtime",
    "duration": "duration fixationduration fixduration currentfixduration eventduration gazeeventduration fpogd",
    "fixation": "fixationindex fixationnumber fixindex currentfixindex eyemovementtypeindex fpogid",
    "eye": "eye eyelr eyereported",
}
NEEDED = ("stimulus", "subject", "x", "y")
_PIXELS = ("px", "pixel", "pixels", "mcspx")  # MCS: Tobii's coordinates of the media, that is, of the image
TIMES = {"s": 1, "sec": 1, "seconds": 1, "ms": 1_000, "us": 1_000_000, "µs": 1_000_000, "μs": 1_000_000}
_SHOWN = 3  # how many names a message shows


class Columns:
    """Where the columns of a table are.

    Parameters
    ----------
    table : Table
        The table.
    names : mapping of str to str
        The usual names of each column, as in :data:`NAMES`.
    needed : sequence of str
        The columns that must be there.
    chosen : mapping of str to str
        The names in the table of the columns that the user named.
    remedy : str
        What to do if a column is missing, for the message.

    Attributes
    ----------
    places : dict of str to int
        The index of each column that was found.
    units : dict of str to str
        Its unit; empty if the header has none.

    Raises
    ------
    DataError
        If a column is missing or twice, or several columns could be meant.
    """

    def __init__(
        self,
        table: Table,
        names: Mapping[str, str],
        needed: Sequence[str],
        chosen: Mapping[str, str] = {},
        *,
        remedy: str,
    ) -> None:
        self.table = table
        self.places: dict[str, int] = {}
        self.units: dict[str, str] = {}
        plain = [_plain(name) for name in table.header]
        for meaning, name in chosen.items():
            self.places[meaning] = self._only(
                meaning, [i for i, own in enumerate(table.header) if _same(own, name)], name
            )
            self.units[meaning] = plain[self.places[meaning]][1]
        for meaning, aliases in names.items():
            if meaning in chosen:
                continue
            free = [i for i in range(len(plain)) if i not in self.places.values()]
            found = [
                i for alias in aliases.split() for i in free if plain[i][0] == alias and _fits(plain[i][1], meaning)
            ]
            ours = [i for i in found if plain[i][0] == meaning]
            found = ours or (found if meaning in needed else found[:1])
            if not found:
                continue
            self.places[meaning] = self._only(meaning, found, table.header[found[0]])
            self.units[meaning] = plain[self.places[meaning]][1]
        missing = [meaning for meaning in needed if meaning not in self.places]
        if missing:
            raise DataError(
                f"expected the columns {', '.join(needed)} in {table.path}, got {table.kind} without {', '.join(missing)}: "
                f"{', '.join(table.header) or 'no columns'}; {remedy}"
            )

    def _only(self, meaning: str, found: list[int], name: str) -> int:
        header = self.table.header
        if not found:
            raise DataError(
                f"expected a column {name!r} in {self.table.path}, got {', '.join(header)}; correct --columns"
            )
        twice = [i for i, own in enumerate(header) if _same(own, header[found[0]])]
        if len(twice) > 1:
            raise DataError(
                f"expected each column once in {self.table.path}, got {header[twice[0]]} twice; rename or remove one of them"
            )
        if len(found) > 1:
            raise DataError(
                f"{self.table.path} has {len(found)} columns for {meaning}: {', '.join(header[i] for i in found)}; "
                f"choose one, such as --columns '{meaning}={header[found[0]]}'"
            )
        return found[0]

    def describe(self) -> str:
        """The columns that have other names than ours."""
        other = {meaning: self.table.header[i] for meaning, i in self.places.items()}
        return ", ".join(f"{meaning} is “{name}”" for meaning, name in other.items() if _plain(name)[0] != meaning)


def _same(a: str, b: str) -> bool:
    return a.strip().casefold() == b.strip().casefold()


def _plain(name: str) -> tuple[str, str]:
    """The letters and digits of a name in lower case, and its unit, which is behind it: ``start_s``, ``Duration [ms]``."""
    units = "|".join((*_PIXELS, *TIMES))
    text = name.strip().casefold()
    match = re.fullmatch(rf"(.+?)\s*(?:[\[(]\s*({units})\s*[\])]|_({units}))", text)
    stem, unit = (match[1], match[2] or match[3]) if match else (text, "")
    return "".join(letter for letter in stem if letter.isalnum()), unit


def _fits(unit: str, meaning: str) -> bool:
    """Whether a column of this meaning can have this unit."""
    units = _PIXELS if meaning in ("x", "y") else TIMES if meaning in ("start", "end", "duration") else ()
    return not unit or unit in units


class StimulusNames:
    """Finds stimuli by the names in a table."""

    def __init__(self, stimuli: Sequence[Stimulus]) -> None:
        self._by_name = {stimulus.name: i for i, stimulus in enumerate(stimuli)}
        self._by_stem = {stimulus.path.stem: i for i, stimulus in enumerate(stimuli)}
        self._folded = {name.casefold(): name for name in (*self._by_name, *self._by_stem)}
        self._known: dict[str, int | None] = {}

    def find(self, name: str) -> int | None:
        """The index of the stimulus; None if there is no such stimulus. Capitals count, as in names of files."""
        if name not in self._known:
            self._known[name] = next(
                (index[form] for form in _forms(name) for index in (self._by_name, self._by_stem) if form in index),
                None,
            )
        return self._known[name]

    def complaint(self, unknown: Counter[str], rows: int) -> str:
        """Say how many rows name no stimulus, and show names of both."""
        stimuli = ", ".join(list(self._by_name)[:_SHOWN])
        return (
            f"{unknown.total()} of {rows} rows name no stimulus, such as {self.shown(unknown)}; "
            f"there are {len(self._by_name)} stimuli, such as {stimuli}"
        )

    def shown(self, unknown: Counter[str]) -> str:
        """The most frequent of the names that were not found, each with the stimulus that has other capitals."""
        shown = []
        for name, _ in unknown.most_common(_SHOWN):
            almost = next(
                (self._folded[form.casefold()] for form in _forms(name) if form.casefold() in self._folded), ""
            )
            shown.append((name or "an empty cell") + (f" (the stimulus is {almost})" if almost else ""))
        return ", ".join(shown)


def _forms(name: str) -> Iterator[str]:
    """A name as it is, without the folders before it, and without the extension of an image."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for form in (name, last):
        yield form
        path = PurePosixPath(form)
        if path.suffix.lower() in EXTENSIONS:
            yield path.stem


def text_of(cell: Any) -> str:
    """A cell as text without blanks around it; a missing one is empty."""
    if isinstance(cell, float) and cell.is_integer():  # a column of whole numbers with gaps, in Parquet
        return str(int(cell))
    return "" if cell is None else str(cell).strip()
