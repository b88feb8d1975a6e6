"""mrsal predicts where people look in a picture, and measures how well any prediction does.

The names below are the public ones; everything is imported when it is first used, so that
``import mrsal`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mrsal import datasets, metrics
    from mrsal.comparison import compare
    from mrsal.errors import DataError, FileError, InputError, MrsalError, Stopped, TrainingError
    from mrsal.evaluation import evaluate
    from mrsal.inference import Predictor, load_model
    from mrsal.recipe import TrainConfig
    from mrsal.saliency_map import SaliencyMap
    from mrsal.scores import Scores
    from mrsal.training import train

_HOME = {
    "DataError": "errors",
    "FileError": "errors",
    "InputError": "errors",
    "MrsalError": "errors",
    "Predictor": "inference",
    "SaliencyMap": "saliency_map",
    "Scores": "scores",
    "Stopped": "errors",
    "TrainConfig": "recipe",
    "TrainingError": "errors",
    "compare": "comparison",
    "evaluate": "evaluation",
    "load_model": "inference",
    "train": "training",
}

__all__ = [
    "DataError",
    "FileError",
    "InputError",
    "MrsalError",
    "Predictor",
    "SaliencyMap",
    "Scores",
    "Stopped",
    "TrainConfig",
    "TrainingError",
    "__version__",
    "compare",
    "datasets",
    "evaluate",
    "load_model",
    "metrics",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("datasets", "metrics"):
        return import_module(f"mrsal.{name}")
    if name in _HOME:
        return getattr(import_module(f"mrsal.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mrsal' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
