"""What is said about areas in words: the summary of a comparison or of one image, and what the numbers mean."""

from collections.abc import Iterable, Sequence

from mrsal.aoi.areas import AreaDifference, AreaShare, clear_level
from mrsal.aoi.measured import Measured
from mrsal.aoi.options import StudySize
from mrsal.aoi.overlaps import Overlaps

MOVED = "Where attention moved"  # the title of the picture of a difference

_SHOWN_SHARE = 0.0005  # of the attention; less is 0.0 %
_PAIRS = 5  # of overlapping areas that are named
_NAMED = 3  # of clearly different areas that are named
_MOST = 0.5  # of a change, from which on it comes mainly from one place


def summary(
    differences: Sequence[AreaDifference], *, level: float = StudySize.level, elsewhere: float | None = None
) -> str:
    """Say in a sentence or two how attention differs between two designs, which are called A and B.

    Parameters
    ----------
    differences : sequence of AreaDifference
        The differences, from :func:`compare_shares`; may be empty.
    level : float
        The level of their intervals.
    elsewhere : float, optional
        By how much the share of what lies outside all areas is larger in B, from :func:`change_elsewhere`. If it is given, the
        sentence may say that attention came from there or went there.

    Returns
    -------
    str
        Plain text. The names of areas stand in quotation marks.

    Examples
    --------
    >>> from mrsal.aoi import Rectangle, attention_shares, compare_shares
    >>> button = [Rectangle("button", 0, 0, 2, 2)]
    >>> a, b = attention_shares([[1, 1, 2]], button), attention_shares([[1, 2, 1]], button)
    >>> print(summary(compare_shares(a, b)))  # doctest: +NORMALIZE_WHITESPACE
    "button" is predicted to get 75.0 % of the attention in B instead of 50.0 % (+25.0 points). The model is not calibrated, so
    it is not known whether this is a clear difference.
    """
    if not differences:
        return "No areas were compared."
    ordered = sorted(differences, key=lambda pair: -abs(pair.difference))
    largest, count = ordered[0], len(ordered)
    if abs(largest.difference) < _SHOWN_SHARE:
        return "No area differs between A and B: " + (
            f"{_quoted(largest)} is predicted to get {_percent(largest.b)} of the attention in both."
            if count == 1
            else "each is predicted to get the same share of the attention in both."
        )
    gets = f"is predicted to get {_percent(largest.b)} of the attention in B instead of {_percent(largest.a)}"
    if largest.is_clear is None:
        doubt = "The model is not calibrated, so it is not known whether this is a clear difference."
        start = (
            f"{_quoted(largest)} {gets}"
            if count == 1
            else f"The largest difference is that of {_quoted(largest)}, which {gets}"
        )
        return f"{start} {_change(largest, level)}. {doubt}"
    clear = [pair for pair in ordered if pair.is_clear]
    if clear:
        return _clear_summary(clear, ordered, level, elsewhere)
    if count == 1:
        return f"No area differs clearly between A and B: {_quoted(largest)} {gets} {_change(largest, level)}."
    low, high = largest.interval or (0.0, 0.0)
    but = f"; its interval excludes 0, but among {count} areas this can be chance" if low > 0 or high < 0 else ""
    return (
        f"No area differs clearly between A and B. The largest difference is that of {_quoted(largest)}, which {gets} "
        f"{_change(largest, level)}{but}."
    )


def _clear_summary(
    clear: Sequence[AreaDifference], every: Sequence[AreaDifference], level: float, elsewhere: float | None
) -> str:
    """The summary if some areas differ clearly, the largest difference first."""
    parts: list[str] = []
    for pair in clear[:_NAMED]:
        words = ("is predicted to get", " of the attention") if not parts else ("", "")
        parts.append(
            " ".join(
                filter(None, (_quoted(pair), words[0], f"{_percent(pair.b)}{words[1]} instead of {_percent(pair.a)}"))
            )
            + f" {_change(pair, level, short=bool(parts))}"
        )
    text = f"In B, {_joined(parts)}"
    others = [pair for pair in every if not pair.is_clear]
    total = sum(pair.difference for pair in clear)
    if all(pair.difference * total > 0 for pair in clear):
        text += _source(total, others, elsewhere)
    text += "."
    if (more := len(clear) - _NAMED) > 0:
        text += f" {more} more {'area differs' if more == 1 else 'areas differ'} clearly."
    if len(others) == 1:
        text += f" {_quoted(others[0])} does not differ clearly."
    elif others:
        text += f" The other {len(others)} areas do not differ clearly."
    return text


def _source(total: float, others: Sequence[AreaDifference], elsewhere: float | None) -> str:
    """Where most of a change came from or went to; empty if there is no such place."""
    places = [(pair.difference, _quoted(pair)) for pair in others]
    if elsewhere is not None:
        places.append((elsewhere, "places outside the areas"))
    opposite = [(change, place) for change, place in places if change * total < 0]
    change, place = max(opposite, key=lambda each: abs(each[0]), default=(0.0, ""))
    if abs(change) < _MOST * abs(total):
        return ""
    return f"; most of this attention {'comes from' if total > 0 else 'goes to'} {place} ({points(change)} points)"


def share_summary(shares: Sequence[AreaShare], *, level: float) -> str:
    """Say in a sentence which area of an image gets most attention."""
    if not shares:
        return "No areas were marked."
    first, *others = sorted(shares, key=lambda share: share.rank)
    interval = f" ({100 * level:g} % interval {_ends(first.interval)})" if first.interval else ""
    most = "" if not others else f", the most of the {len(shares)} areas" if others[0].rank > 1 else ", as others do"
    return (
        f'"{first.area.name}" is predicted to get {_percent(first)} of the attention{interval}{most}. '
        f"It covers {100 * first.surface:.1f} % of the surface."
    )


def points(change: float) -> str:
    """A change of a share in percentage points, with its sign."""
    text = f"{100 * change:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def moved_text(differences: Sequence[AreaDifference]) -> str:
    """Explain the picture that shows where attention moved."""
    labels = " The label of an area has the change of its share in percentage points." if differences else ""
    return (
        "Red places get more attention in B than in A, blue places less, and places without colour the same. At +2, a patch "
        "that covers 1 % of the picture gets 2 percentage points more of the attention. The picture is B, faded."
        + labels
    )


def clear_text(level: float, count: int) -> str:
    """Say when a difference is clear, with ``count`` areas."""
    if count == 1:
        return f"A difference is clear if its {100 * level:g} % interval excludes 0."
    return (
        f"Of {count} areas, some may differ by chance. So a difference is clear only if its "
        f"{100 * clear_level(level, count):.4g} % interval excludes 0 (Bonferroni's correction for {count} areas)."
    )


def interval_text(study: StudySize, *, is_comparison: bool = False) -> str:
    """Say what an interval is for."""
    what = "share or the difference" if is_comparison else "share"
    return (
        f"{100 * study.level:g} %: the interval in which a study with {study.observers} observers and {study.per_observer} "
        f"fixations each would measure the {what}; it covers the error of the model and the chance in such a sample"
    )


def overlap_text(found: Overlaps) -> str:
    """Say which areas overlap, and what is counted twice; empty if none overlap."""
    if found.pairs is None:
        parts = ["there are too many areas to compare them by pairs"]
    else:
        pairs = [pair for pair in found.pairs if pair.attention >= _SHOWN_SHARE]
        parts = [f"{pair.a} and {pair.b} have {100 * pair.attention:.1f} % in common" for pair in pairs[:_PAIRS]]
        if len(pairs) > _PAIRS:
            parts.append(f"{len(pairs) - _PAIRS} more pairs overlap")
    if not parts:
        return ""
    total = found.together + found.twice
    sums = f"together the areas get {100 * found.together:.1f} %, and their shares sum to {100 * total:.1f} %"
    return f"Overlaps: {'; '.join(parts)}. Counted once, {sums}."


def agreement_text(measured: Measured, level: float) -> str:
    """Say how well the order of predicted shares agrees with the measured ones."""
    count = len(measured.shares)
    if measured.rank_correlation is None:
        return f"The order of {count} areas has no rank correlation: it needs 3 areas with different shares."
    low, high = measured.interval or (None, None)
    over = "" if low is None else f" ({100 * level:g} % over observers: {low:.2f} to {high:.2f})"
    return (
        f"Rank correlation of predicted and measured shares over {count} areas: {measured.rank_correlation:.2f}{over}."
    )


def _quoted(pair: AreaDifference) -> str:
    return f'"{pair.a.area.name}"'


def _percent(share: AreaShare) -> str:
    return f"{100 * share.attention:.1f} %"


def _change(pair: AreaDifference, level: float, *, short: bool = False) -> str:
    """The difference in brackets, with its interval if there is one; ``short`` leaves out what the first one has said."""
    unit, span = ("", "") if short else (" points", f"{100 * level:g} % interval ")
    interval = f", {span}{_ends(pair.interval, sign='+')}" if pair.interval else ""
    return f"({points(pair.difference)}{unit}{interval})"


def _ends(interval: tuple[float, float], *, sign: str = "") -> str:
    low, high = (100 * value for value in interval)
    return f"{low:{sign}.1f} to {high:{sign}.1f}"


def _joined(parts: Iterable[str]) -> str:
    """Parts with commas between them, and "and" before the last."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
