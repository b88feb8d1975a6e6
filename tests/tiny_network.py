"""Widths of a network eight hundred times smaller than the paper's, for tests that are not about its size."""

from mrsal.model.network import ModelConfig

WIDTHS = {"channels": (4, 6, 8), "hidden": 16}


def tiny(**settings: object) -> ModelConfig:
    """A configuration with these widths."""
    return ModelConfig(**WIDTHS, **settings)
