"""Models that are fitted to fixations, for the floor and the ceiling of a table of scores.

==========================  ==========================================================================================
:class:`CentreBias`         where people look on the other images
:class:`InterObserver`      where the other observers look on this image; the limit for any model
==========================  ==========================================================================================

Baselines that need no data, such as the uniform map, are in :data:`mrsal.inference.BASELINES`.
"""

from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.baselines.observers import InterObserver

__all__ = ["CentreBias", "InterObserver"]
