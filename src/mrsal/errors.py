"""The exceptions of mrsal: every error a user can mend derives from :class:`MrsalError`.

::

    MrsalError
    ├── InputError        (ValueError)   an argument, option or array is not what was expected
    ├── DataError         (ValueError)   a file was read but does not hold what it should
    ├── FileError         (OSError)      a file or folder is missing, unreadable or cannot be written
    ├── TrainingError     (RuntimeError) a run cannot go on, such as a loss that is not a number
    └── Stopped                          a run was asked to stop; it is saved and can be resumed
"""


class MrsalError(Exception):
    """Base of all errors that mrsal raises on purpose."""


class InputError(MrsalError, ValueError):
    """An argument, option or array is not what was expected."""


class DataError(MrsalError, ValueError):
    """A file was read but does not hold what it should."""


class FileError(MrsalError, OSError):
    """A file or folder is missing, unreadable or cannot be written."""


class TrainingError(MrsalError, RuntimeError):
    """A training run cannot go on."""


class Stopped(MrsalError):
    """A run was asked to stop; what it has done is saved, and it can be resumed.

    Parameters
    ----------
    message : str
    signal : int
        Number of the signal that asked.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message, signal)
        self.message, self.signal = message, signal

    def __str__(self) -> str:
        return self.message


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
