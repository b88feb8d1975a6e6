"""Declare the options of a command once, as a dataclass, for the command line, for Python and for messages to workers.

The dataclass is frozen and lies beside the job of the command. Each field is annotated with an :class:`Option`, which documents
the field and limits its values::

    @dataclass(frozen=True, kw_only=True)
    class DemoOptions:
        seed: Annotated[int, Option("Random seed for the scenes and the training.", minimum=0)] = 0

        def __post_init__(self) -> None:
            check(self)

The type of a field is str, int, float, bool, Path, or a Literal of strings (the choices). It may also be one of these or None,
or a Sequence of one of these. Options that several commands share are in base classes; the help of a command lists them last.
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
    """The documentation and the limits of a field. The field itself has the name, the type and the default.

    Parameters
    ----------
    help : str
        One line of documentation.
    flag : str
        The name on the command line, if it differs from the name of the field.
    minimum, maximum : float, optional
        The smallest and the largest allowed value.
    above, below : float, optional
        Exclusive limits: the value must be greater than ``above`` and less than ``below``.
    complete : tuple of str
        The lists of names from which a shell completes the value: ``"networks"``, ``"baselines"``, ``"protocols"``,
        ``"data_sets"``, ``"published_sets"``.
    argument : bool
        Whether the value is written on the command line without a name.
    switch : bool
        Whether the name may be followed by 0 or 1, as in old command lines.
    negatable : bool
        Whether there is also a flag ``--no_<name>``. There always is one if the default is True.
    only_with : str
        Another option and its value, such as ``"engine=ray"``. With any other value of that option, this one would have no
        effect, so only its default is allowed.
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
    negatable: bool = False
    only_with: str = ""


@dataclass(frozen=True)
class Setting:
    """A field that is annotated with an :class:`Option`, split into its parts.

    Parameters
    ----------
    name : str
        The name of the field.
    option : Option
        The documentation and the limits of the field.
    type : type or Literal
        The type of the value, or of each value in a sequence.
    is_sequence, is_optional : bool
        Whether the field holds several values, and whether it may be None.
    default
        The default of the field; ``dataclasses.MISSING`` if it has none.
    """

    name: str
    option: Option
    type: Any
    is_sequence: bool
    is_optional: bool
    default: Any

    @property
    def flag(self) -> str:
        """The name on the command line, without the leading hyphens."""
        return self.option.flag or self.name

    @property
    def is_required(self) -> bool:
        """Whether the field has no default."""
        return self.default is MISSING

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values; empty if every value of the type is allowed."""
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    def complaint(self, value: Any) -> str:
        """Say which rule a value breaks; empty if the value is allowed."""
        if value is None and self.is_optional:
            return ""
        if self.is_sequence and isinstance(value, str):
            return "must be a list, not a single text"
        for item in value if self.is_sequence else (value,):
            if self.choices and item not in self.choices:
                return f"must be one of {', '.join(self.choices)}"
            if self.type is int and not isinstance(item, numbers.Integral):
                return "must be a whole number"
            if self.type in (int, float):
                if not isinstance(item, numbers.Real) or not math.isfinite(item):
                    return "must be a number"
                if complaint := _out_of_range(float(item), self.option):
                    return complaint
        return ""


def _out_of_range(value: float, option: Option) -> str:
    limits = [
        (option.minimum, "at least", operator.ge),
        (option.above, "greater than", operator.gt),
        (option.maximum, "at most", operator.le),
        (option.below, "less than", operator.lt),
    ]
    active = [(limit, words, holds) for limit, words, holds in limits if limit is not None]
    if all(holds(value, limit) for limit, _, holds in active):
        return ""
    return "must be " + " and ".join(f"{words} {limit:g}" for limit, words, _ in active)


def settings_of(options: type) -> list[Setting]:
    """List the fields that have an :class:`Option`, in the order of the command line."""
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
    """Check that every field has an allowed value; to be called in ``__post_init__``.

    Raises
    ------
    InputError
        If a value is not allowed. The message names the field, what is allowed, and the value.
    """
    unused: dict[str, list[str]] = {}  # flags without an effect, by the flag that they need
    for setting in settings_of(type(options)):
        value = getattr(options, setting.name)
        name = setting.name if setting.name == setting.flag else f"{setting.name} (--{setting.flag})"
        if complaint := setting.complaint(value):
            raise InputError(f"{name} {complaint}, got {value!r}")
        partner, _, needed = setting.option.only_with.partition("=")
        if partner and value != setting.default and getattr(options, partner) != needed:
            unused.setdefault(f"--{partner} {needed}", []).append(f"--{setting.flag}")
    for needed, flags in unused.items():
        raise InputError(f"{', '.join(flags)} would have no effect without {needed}; add it")


def from_flags(options: type[T], values: Mapping[str, Any]) -> T:
    """Make the options of a command from values by their names on the command line; the others keep their defaults."""
    return options(**{item.name: values[item.flag] for item in settings_of(options) if item.flag in values})
