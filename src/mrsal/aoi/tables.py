"""The tables of ``mrsal aoi``, for the terminal and for reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from mrsal.aoi.areas import AreaDifference
from mrsal.aoi.sentences import agreement_text, overlap_text, points
from mrsal.aoi.study import Attention


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text. The first column has names, and the others numbers.

    Parameters
    ----------
    title, caption : str
        What stands above and below it; may be empty.
    headings : tuple of str
        The headings of the columns.
    rows : list of tuple of str
        The rows.
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str = ""

    def __rich__(self) -> Table:
        """The table as the terminal shows it."""
        table = Table(
            title=escape(self.title) or None,
            title_justify="left",
            caption=escape(self.caption) or None,
            caption_justify="left",
        )
        for column, heading in enumerate(self.headings):
            table.add_column(escape(heading), justify="right" if column else "left")
        for row in self.rows:
            table.add_row(*map(escape, row))
        return table


def share_table(attention: Attention, *, level: float) -> TextTable:
    """A table of the shares, largest first, with a column for the intervals if there are any, and the overlaps below."""
    spans = [f"{100 * level:g} %"] if any(share.interval for share in attention.shares) else []
    rows = [
        (
            share.area.name,
            str(share.rank),
            f"{100 * share.attention:.1f} %",
            *([_span(share.interval)] if share.interval else []),
            f"{100 * share.surface:.1f} %",
            f"{share.per_surface:.2f}",
        )
        for share in sorted(attention.shares, key=lambda share: share.rank)
    ]
    headings = ("area", "rank", "attention", *spans, "surface", "attention per surface")
    return TextTable(attention.name, headings, rows, overlap_text(attention.overlaps))


def measured_table(attention: Attention, *, level: float) -> TextTable | None:
    """A table of predicted and measured shares, largest measured share first; None if there are no fixations."""
    measured = attention.measured
    if measured is None:
        return None
    pairs = zip(attention.shares, measured.shares, strict=True)
    rows = [
        (
            found.area,
            f"{100 * predicted.attention:.1f} %",
            f"{100 * found.share:.1f} %",
            _span(found.interval) if found.interval else "–",
            f"{100 * found.looked:.0f} %",
            *("–" if time is None else f"{time:.2f} s" for time in (found.first_fixation, found.dwell_time)),
        )
        for predicted, found in sorted(pairs, key=lambda pair: -pair[1].share)
    ]
    headings = ("area", "predicted", "measured", f"{100 * level:g} %", "looked", "first at", "dwell")
    title = f"{attention.name}: {measured.fixations} fixations of {measured.observers} observers"
    return TextTable(title, headings, rows, agreement_text(measured, level))


def difference_table(a: Attention, b: Attention, differences: Sequence[AreaDifference], *, level: float) -> TextTable:
    """A table of the shares and ranks in two designs, in the order of the areas.

    If the differences have intervals, it has a column for them and one that says which differences are clear.
    """
    has_intervals = any(pair.interval for pair in differences)
    rows = [
        (
            pair.a.area.name,
            f"{100 * pair.a.attention:.1f} %",
            f"{100 * pair.b.attention:.1f} %",
            points(pair.difference),
            *([_span(pair.interval, sign="+"), "yes" if pair.is_clear else "no"] if pair.interval else []),
            str(pair.a.rank) if pair.a.rank == pair.b.rank else f"{pair.a.rank} to {pair.b.rank}",
        )
        for pair in differences
    ]
    more = (f"{100 * level:g} %", "clearly different") if has_intervals else ()
    return TextTable(f"A: {a.name}, B: {b.name}", ("area", "A", "B", "difference", *more, "rank"), rows)


def _span(interval: tuple[float, float], *, sign: str = "") -> str:
    low, high = (100 * value for value in interval)
    return f"{low:{sign}.1f} to {high:{sign}.1f}"
