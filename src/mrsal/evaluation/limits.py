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
    observers = [len(np.unique(example.fixations.subject)) if example.fixations else 0 for example in examples]
    if len(located) > 1:
        limits["centre bias"] = lambda: CentreBias(located)
    if len(examples) > 1 and min(observers) > 1:
        limits[CEILING] = lambda: InterObserver(located)
    return limits
