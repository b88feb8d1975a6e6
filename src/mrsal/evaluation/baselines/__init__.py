"""Models that are fitted to fixations; they are the floor and the ceiling of a table of scores.

==========================  ==========================================================================================
:class:`CentreBias`         predicts an image from the fixations on the other images
:class:`InterObserver`      predicts an observer from the other observers of the same image; the limit for any model
==========================  ==========================================================================================

Baselines that need no data, such as the uniform map, are in :data:`mrsal.inference.BASELINES`.
"""

from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.baselines.observers import InterObserver

__all__ = ["CentreBias", "InterObserver"]
