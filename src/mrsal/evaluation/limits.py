"""The floor and the ceiling of a table of scores, as far as the data allow them."""

from collections.abc import Callable, Sequence

import numpy as np

from mrsal.datasets import Example
from mrsal.evaluation.baselines import CentreBias, InterObserver
from mrsal.inference import BASELINES, FunctionModel, SaliencyModel

FLOOR, CEILING = "uniform", "observers"


def limits_of(examples: Sequence[Example]) -> dict[str, Callable[[], SaliencyModel]]:
    """What makes each limit that the data allow, from the floor to the ceiling; a limit is fitted when it is made."""
    limits: dict[str, Callable[[], SaliencyModel]] = {FLOOR: lambda: FunctionModel(BASELINES[FLOOR], name=FLOOR)}
    located = [example for example in examples if example.fixations is not None]
    if len(located) > 1:
        limits["centre bias"] = lambda: CentreBias(located)
    if len(located) == len(examples) > 1 and all(len(np.unique(e.fixations.subject)) > 1 for e in located):  # type: ignore[union-attr]
        limits[CEILING] = lambda: InterObserver(located)
    return limits
