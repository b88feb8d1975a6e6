"""What a test asks of a message: that it names the values at fault, whatever its sentence is."""

import re


def naming(*values: object) -> str:
    """A pattern for texts that hold every one of ``values``, in any order.

    Each has to stand by itself: 5 is not in 0.5, 50 or ``a5``, but in ``got 5;`` and ``(5, 6)``.
    """
    return "(?s)" + "".join(rf"(?=.*(?<!\w)(?<!\d\.){re.escape(str(value))}(?!\w)(?!\.\d))" for value in values)


def mentions(text: str, *values: object) -> bool:
    """Whether ``text`` holds every one of ``values``, wherever a terminal broke its lines."""
    return re.search(naming(*values), re.sub(r"\s+", " ", text)) is not None
