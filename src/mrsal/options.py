"""Options of commands: a dataclass says once what there is, and the command line, Python and workers elsewhere all use it.

Each command has a frozen dataclass beside its job. Every field is annotated with an :class:`Option`, which documents and limits
it::

    @dataclass(frozen=True, kw_only=True)
    class DemoOptions:
        seed: Annotated[int, Option("Of the scenes and of the training.", minimum=0)] = 0

        def __post_init__(self) -> None:
            check(self)

Types are str, int, float, bool, Path, and a Literal of strings (the choices); each of them or None; and a Sequence of them.
What several commands share is in a base class, whose options come after those of the class itself.
"""

import inspect
import math
import numbers
import operator
import types
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, MISSING, dataclass, fields
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mrsal.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """What there is to say about a field besides its name, its type and its default.

    Parameters
    ----------
    help : str
        A line of documentation.
    flag : str
        Name on the command line, where it is not that of the field.
    minimum, maximum : float, optional
        The smallest and the largest value.
    above, below : float, optional
        Limits that are not allowed themselves.
    complete : tuple of str
        What a shell completes the value with: ``"networks"``, ``"baselines"``, ``"protocols"`` or ``"data_sets"``.
    argument : bool
        Whether it is written on the command line without its name.
    switch : bool
        Whether a flag may be followed by 0 or 1, as old command lines have it.
    only_with : str
        Without which it would do nothing, such as ``"engine=ray"``: then only the default is allowed.
    """

    help: str
    _: KW_ONLY
    flag: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    complete: tuple[str, ...] = ()
    argument: bool = False
    switch: bool = False
    only_with: str = ""


@dataclass(frozen=True)
class Setting:
    """A field with an :class:`Option`, taken apart.

    Parameters
    ----------
    name : str
        Of the field.
    option : Option
    type : type or Literal
        Of a value; of a sequence, of its members.
    is_sequence, is_optional : bool
        Whether there may be several values, and whether there may be none.
    default
        ``dataclasses.MISSING`` if it has to be given.
    """

    name: str
    option: Option
    type: Any
    is_sequence: bool
    is_optional: bool
    default: Any

    @property
    def flag(self) -> str:
        """The name on the command line, without hyphens in front."""
        return self.option.flag or self.name

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING

    @property
    def choices(self) -> tuple[str, ...]:
        """What a value may be; empty if it may be anything of its type."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def complaint(self, value: Any) -> str:
        """What a value should be and is not; empty if it is fine."""
        if value is None and self.is_optional:
            return ""
        for single in value if self.is_sequence else (value,):
            if self.choices and single not in self.choices:
                return f"must be one of {', '.join(self.choices)}"
            if self.type is int and not isinstance(single, numbers.Integral):
                return "must be a whole number"
            if self.type in (int, float):
                if not isinstance(single, numbers.Real) or not math.isfinite(single):
                    return "must be a number"
                if complaint := _out_of_range(float(single), self.option):
                    return complaint
        return ""


def _out_of_range(value: float, option: Option) -> str:
    limits = [
        (option.minimum, "at least", operator.ge),
        (option.above, "greater than", operator.gt),
        (option.maximum, "at most", operator.le),
        (option.below, "less than", operator.lt),
    ]
    there = [(limit, words, holds) for limit, words, holds in limits if limit is not None]
    if all(holds(value, limit) for limit, _, holds in there):
        return ""
    return "must be " + " and ".join(f"{words} {limit:g}" for limit, words, _ in there)


def settings_of(options: type) -> list[Setting]:
    """The fields that have an :class:`Option`, in the order of the command line."""
    hints = get_type_hints(options, include_extras=True)
    defaults = {item.name: item.default for item in fields(options)}
    names = [name for base in options.__mro__ for name in inspect.get_annotations(base) if name in defaults]
    return [_setting(name, hints[name], defaults[name]) for name in dict.fromkeys(names) if _is_option(hints[name])]


def _is_option(hint: Any) -> bool:
    return get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Option)


def _setting(name: str, hint: Any, default: Any) -> Setting:
    inner, option = get_args(hint)
    is_optional = get_origin(inner) in (Union, types.UnionType)
    if is_optional:
        (inner,) = set(get_args(inner)) - {types.NoneType}
    is_sequence = get_origin(inner) is Sequence
    return Setting(name, option, get_args(inner)[0] if is_sequence else inner, is_sequence, is_optional, default)


def check(options: Any) -> None:
    """Refuse values that an :class:`Option` or a choice does not allow; for ``__post_init__``.

    Raises
    ------
    InputError
        With the name of the field, what is allowed, and the value.
    """
    idle: dict[str, list[str]] = {}
    for setting in settings_of(type(options)):
        value = getattr(options, setting.name)
        name = setting.name if setting.name == setting.flag else f"{setting.name} (--{setting.flag})"
        if complaint := setting.complaint(value):
            raise InputError(f"{name} {complaint}, got {value!r}")
        partner, _, needed = setting.option.only_with.partition("=")
        if partner and value != setting.default and getattr(options, partner) != needed:
            idle.setdefault(f"--{partner} {needed}", []).append(f"--{setting.flag}")
    for needed, flags in idle.items():
        raise InputError(f"{', '.join(flags)} would do nothing without {needed}")


def from_flags(options: type[T], values: Mapping[str, Any]) -> T:
    """The options of a command with these values, by their names on the command line; what is not there has its default."""
    return options(**{item.name: values[item.flag] for item in settings_of(options) if item.flag in values})
