"""Docstrings are written in reStructuredText, as NumPy's are, and the site reads Markdown: this says one in the other."""

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):`~?([^`]+)`")
_TABLE = re.compile(r"^( *)=+(?: +=+)+\n(?:.*\n)*?\1=+(?: +=+)+\n(?:(?:.*\n)*?\1=+(?: +=+)+$)?", re.MULTILINE)


class Docstrings(Extension):
    """Turns each docstring into Markdown before it is taken apart."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(text: str) -> str:
    """The few things of reStructuredText that our docstrings use, in Markdown.

    >>> markdown("See :func:`mrsal.metrics.score` [1]_, as::\\n\\n    code")
    'See `mrsal.metrics.score` [1], as:\\n\\n    code'
    """
    text = _ROLE.sub(r"`\1`", text)
    text = _TABLE.sub(lambda table: f"```text\n{table[0].rstrip()}\n```", text)
    text = re.sub(r"\[(\d+)\]_", r"[\1]", text)
    text = re.sub(r"^\.\. \[(\d+)\] ", r"\1. ", text, flags=re.MULTILINE)
    text = re.sub(r"^::\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(\w)::(\s*)$", r"\1:\2", text, flags=re.MULTILINE)
