"""The exceptions of mrsal. Every error that a user can correct derives from :class:`MrsalError`.

::

    MrsalError
    ├── InputError        (ValueError)   an argument, option or array is not what was expected
    ├── DataError         (ValueError)   a file was read, but its content is not what was expected
    ├── FileError         (OSError)      a file or folder is missing, unreadable or cannot be written
    ├── TrainingError     (RuntimeError) a training run cannot continue, for example because its loss is NaN
    └── Stopped                          a run was asked to stop; it is saved and can be resumed
"""


class MrsalError(Exception):
    """The base class of all errors that mrsal raises on purpose."""


class InputError(MrsalError, ValueError):
    """An argument, option or array is not what was expected."""


class DataError(MrsalError, ValueError):
    """A file was read, but its content is not what was expected."""


class FileError(MrsalError, OSError):
    """A file or folder is missing, unreadable or cannot be written."""


class TrainingError(MrsalError, RuntimeError):
    """A training run cannot continue."""


class Stopped(MrsalError):
    """A run was asked to stop. Its progress is saved, and it can be resumed.

    Parameters
    ----------
    message : str
        The text of the error.
    signal : int
        The number of the signal that asked the run to stop.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(message, signal)
        self.message, self.signal = message, signal

    def __str__(self) -> str:
        return self.message


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
