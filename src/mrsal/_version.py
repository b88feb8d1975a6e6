"""The version of mrsal."""

__version__ = "0.1.0"
