"""Optional libraries: imported when they are needed, with an error that says how to install them."""

from importlib import import_module
from typing import Any

from mrsal.errors import InputError


def optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import a library that mrsal does not need for everything.

    Parameters
    ----------
    module : str
        The name of the module, such as ``"pyarrow.parquet"``.
    extra : str
        The extra of mrsal that installs it.
    purpose : str
        What needs it, at the beginning of a sentence.

    Raises
    ------
    InputError
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise InputError(f"{purpose} need {package}; install it with: pip install 'mrsal[{extra}]'") from error
