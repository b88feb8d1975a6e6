"""Rules as users write them, the edge where they turn, and text that is none."""

import pytest
from messages import naming

from mrsal.aoi.areas import AreaShare
from mrsal.aoi.rules import Rule, check_rules, parse_rule
from mrsal.aoi.shapes import Rectangle
from mrsal.errors import InputError

NAMES = ["cta", "logo", "call to action"]


def shares(**attention):
    return [AreaShare(Rectangle(name, 0, 0, 1, 1), value, 0.1, 1, None) for name, value in attention.items()]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("cta>=0.15", Rule("cta", ">=", 0.15)),
        ("cta > 15%", Rule("cta", ">", 0.15)),
        (" cta<=7.5 % ", Rule("cta", "<=", 0.075)),
        ("call to action<.5", Rule("call to action", "<", 0.5)),
        ("cta>logo", Rule("cta", ">", "logo")),
        ("cta>=1", Rule("cta", ">=", 1.0)),
        ("cta>=1e-2", Rule("cta", ">=", 0.01)),
    ],
)
def test_rules_are_understood(text, rule):
    assert parse_rule(text, NAMES) == rule


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("cta", ["cta>=0.15", "cta"]),
        ("cta=0.15", ["cta>=0.15", "cta=0.15"]),
        ("cta==0.15", ["cta>=0.15", "cta==0.15"]),
        ("cta=>0.15", ["cta>=0.15", "cta=>0.15"]),
        ("0.1<cta<0.2", ["cta>=0.15", "0.1<cta<0.2"]),
        (">=0.15", ["cta>=0.15", ">=0.15"]),
        ("cta>=", ["cta>=0.15", "cta>="]),
        ("cta>=15", ["cta>=15", "100%", 15]),
        ("cta>=101%", ["100%", "101%"]),
        ("cta>=-0.1", ["100%", -0.1]),
        ("cta>=nan", ["nan", "cta", "logo"]),
        ("cta>=0,15", ["0,15", "cta", "logo"]),
        ("CTA>=0.1", ["CTA", "cta", "logo"]),
        ("0.15<=cta", ["0.15", "cta", "logo"]),
    ],
)
def test_what_is_no_rule_is_refused(text, named):
    with pytest.raises(InputError, match=naming(*named)):
        parse_rule(text, NAMES)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("cta>=15%", 0.15, True),
        ("cta>=15%", 0.1 + 0.05 - 1e-7, True),
        ("cta>=15%", 0.1499, False),
        ("cta>15%", 0.15, False),
        ("cta>15%", 0.15 + 1e-7, False),
        ("cta>15%", 0.1501, True),
        ("cta<=15%", 0.15 + 1e-7, True),
        ("cta<=15%", 0.1501, False),
        ("cta<15%", 0.15, False),
        ("cta<15%", 0.1499, True),
        ("cta>logo", 0.21, True),
        ("cta>logo", 0.2, False),
        ("cta>=logo", 0.2, True),
        ("cta<logo", 0.1, True),
    ],
)
def test_a_rule_turns_at_its_limit(text, value, holds):
    [outcome] = check_rules([parse_rule(text, NAMES)], shares(cta=value, logo=0.2))
    assert outcome.holds is holds
    assert str(outcome).startswith("ok " if holds else "FAIL ")


def test_an_outcome_says_both_sides():
    [outcome] = check_rules([parse_rule("cta>logo", NAMES)], shares(cta=0.123, logo=0.2))
    assert str(outcome) == "FAIL cta > logo: cta 12.3 %, logo 20.0 %"
