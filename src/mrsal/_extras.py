"""Import optional libraries when they are needed, or say how to install them."""

from importlib import import_module
from typing import Any

from mrsal.errors import InputError


def optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import a library that only some features of mrsal need.

    Parameters
    ----------
    module : str
        The module to import, such as ``"pyarrow.parquet"``.
    extra : str
        The extra of mrsal that installs the library.
    purpose : str
        What needs the library, in the plural and without "The", since the message is "<purpose> need <package>".

    Raises
    ------
    InputError
        If the library is not installed. The message has the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{purpose} need {package}; install it with: pip install 'mrsal[{extra}]'") from error
