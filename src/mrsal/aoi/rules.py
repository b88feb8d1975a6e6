"""Rules about the shares of areas, such as ``cta>=15%`` or ``cta>logo``."""

import operator
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mrsal.aoi.areas import AreaShare
from mrsal.errors import InputError

_OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_RULE = re.compile(r"(?P<area>[^<>=]+)(?P<sign>>=|<=|>|<)(?P<limit>[^<>=]+)")
_NUMBER = re.compile(r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)(e-?\d+)?)\s*(?P<per_cent>%?)", re.IGNORECASE)
_ROUNDING = 1e-6  # a map is float32, so a share that should be 0.15 may be 0.14999999


@dataclass(frozen=True)
class Rule:
    """A condition for the share of attention of an area.

    Parameters
    ----------
    area : str
        The name of the area on the left.
    sign : str
        The operator: ``>=``, ``>``, ``<=`` or ``<``.
    limit : float or str
        The right side: a share in [0, 1], or the name of another area.
    """

    area: str
    sign: str
    limit: float | str

    def __str__(self) -> str:
        return f"{self.area} {self.sign} {self.limit if isinstance(self.limit, str) else f'{100 * self.limit:.6g} %'}"


@dataclass(frozen=True)
class Outcome:
    """A rule and the shares on its two sides, in [0, 1]."""

    rule: Rule
    left: float
    right: float

    @property
    def holds(self) -> bool:
        """Whether the rule holds. Shares that differ by less than 1e-6 are equal."""
        if abs(self.left - self.right) <= _ROUNDING:
            return "=" in self.rule.sign
        return bool(_OPERATORS[self.rule.sign](self.left, self.right))

    def __str__(self) -> str:
        other = f", {self.rule.limit} {100 * self.right:.1f} %" if isinstance(self.rule.limit, str) else ""
        verdict = "ok  " if self.holds else "FAIL"
        return f"{verdict} {self.rule}: {self.rule.area} {100 * self.left:.1f} %{other}"


def parse_rule(text: str, names: Iterable[str]) -> Rule:
    """Read a rule from text.

    Parameters
    ----------
    text : str
        The name of an area, then ``>=``, ``>``, ``<=`` or ``<``, then a number in [0, 1], a percentage, or the name of
        another area.
    names : iterable of str
        The names of all areas.

    Raises
    ------
    InputError
        If the text is not a rule, names an unknown area, or has a share outside [0, 1].

    Examples
    --------
    >>> parse_rule("cta >= 15%", ["cta", "logo"])
    Rule(area='cta', sign='>=', limit=0.15)
    >>> parse_rule("cta>logo", ["cta", "logo"])
    Rule(area='cta', sign='>', limit='logo')
    """
    names = list(names)
    parts = _RULE.fullmatch(text.strip())
    if not parts:
        raise InputError(f"expected a rule such as 'cta>=0.15', 'cta>=15%' or 'cta>logo', got {text!r}")
    area, limit = parts["area"].strip(), parts["limit"].strip()
    _require(area, names, text)
    number = _NUMBER.fullmatch(limit)
    if number is None:
        _require(limit, names, text)
        return Rule(area, parts["sign"], limit)
    value = float(number["number"]) / (100 if number["per_cent"] else 1)
    if not 0 <= value <= 1:
        raise InputError(f"rule {text!r}: expected a share from 0 to 1, or from 0% to 100%, got {limit}")
    return Rule(area, parts["sign"], value)


def check_rules(rules: Iterable[Rule], shares: Iterable[AreaShare] | Mapping[str, float]) -> list[Outcome]:
    """Check rules against the shares of an image, or shares by the names of their areas."""
    attention = dict(shares) if isinstance(shares, Mapping) else {share.area.name: share.attention for share in shares}
    return [
        Outcome(rule, attention[rule.area], attention[rule.limit] if isinstance(rule.limit, str) else rule.limit)
        for rule in rules
    ]


def _require(area: str, names: list[str], text: str) -> None:
    if area not in names:
        raise InputError(f"rule {text!r}: there is no area {area!r}; the areas are {', '.join(names)}")
