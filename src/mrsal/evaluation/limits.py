"""The floor and the ceiling of a table of scores."""

from collections.abc import Callable, Sequence

import numpy as np

from mrsal.datasets import Example
from mrsal.evaluation.baselines import CentreBias, InterObserver
from mrsal.inference import BASELINES, FunctionModel, SaliencyModel

FLOOR, CEILING = "uniform", "observers"


def limits_of(examples: Sequence[Example]) -> dict[str, Callable[[], SaliencyModel]]:
    """The limits that the data allow, from the floor to the ceiling: a function for each, which fits it and returns the model.

    The centre bias needs fixations on two images. The ceiling needs fixations of two observers on every image.
    """
    limits: dict[str, Callable[[], SaliencyModel]] = {FLOOR: lambda: FunctionModel(BASELINES[FLOOR], name=FLOOR)}
    located = [example for example in examples if example.fixations is not None]
    if len(located) > 1:
        limits["centre bias"] = lambda: CentreBias(located)
    if len(examples) > 1 and min(map(_observers, examples)) > 1:
        limits[CEILING] = lambda: InterObserver(located)
    return limits


def why_no_ceiling(examples: Sequence[Example]) -> str:
    """Say why images with fixations have no ceiling; empty if they have one, or no fixations."""
    lonely = [example.name for example in examples if _observers(example) == 1]
    if not lonely:
        return ""
    return (
        f"no ceiling: it predicts each subject from the others, and {len(lonely)} of {len(examples)} images, such as "
        f"{lonely[0]}, have fixations of one subject only"
    )


def _observers(example: Example) -> int:
    return 0 if example.fixations is None else len(np.unique(example.fixations.subject))
