"""Docstrings are written in reStructuredText, as NumPy's are, and the site reads Markdown: this says one in the other."""

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):`~?([^`]+)`")
_SHARED = re.compile(r"^([\w*]+(?:, [\w*]+)+)( : .*)?\n((?: +.*\n?|\n(?= ))+)", re.MULTILINE)
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
    >>> markdown("x, y : array\\n    Positions.\\n")
    'x : array\\n    Positions.\\ny : array\\n    Positions.\\n'
    """
    text = _SHARED.sub(_one_by_one, text)
    text = re.sub(r"^(Returns|Yields)\n-+\n.*", lambda found: found[0].replace("``", ""), text, flags=re.MULTILINE)
    text = _ROLE.sub(r"`\1`", text)
    text = _TABLE.sub(lambda table: f"```text\n{table[0].rstrip()}\n```", text)
    text = re.sub(r"\[(\d+)\]_", r"[\1]", text)
    text = re.sub(r"^\.\. \[(\d+)\] ", r"\1. ", text, flags=re.MULTILINE)
    text = re.sub(r"^::\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(\w)::(\s*)$", r"\1:\2", text, flags=re.MULTILINE)


def _one_by_one(shared: re.Match[str]) -> str:
    """Parameters that share a line, each with a line of its own: they would share a default too."""
    about = f"{shared[2] or ''}\n{shared[3].rstrip()}\n"
    return "".join(name + about for name in shared[1].split(", "))
