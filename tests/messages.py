"""What a test asks of a message: that it names the values at fault, whatever its sentence is."""

import re


def naming(*values: object, without: str = "") -> str:
    """A pattern for texts that hold every one of ``values``, in any order, and not the text ``without``.

    Each has to stand by itself: 5 is not in 0.5, 50 or ``a5``, but in ``got 5;`` and ``(5, 6)``.
    """
    each = (rf"(?=.*(?<!\w)(?<!\d\.){re.escape(str(value))}(?!\w)(?!\.\d))" for value in values)
    return r"(?s)\A" + (rf"(?!.*{re.escape(without)})" if without else "") + "".join(each)


def mentions(text: str, *values: object, without: str = "") -> bool:
    """Whether ``text`` is such a text, wherever a terminal broke its lines."""
    return re.search(naming(*values, without=without), re.sub(r"\s+", " ", text)) is not None
