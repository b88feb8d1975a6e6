"""The floor and the ceiling of every table of scores.

======================  =======================================================  ==============================
name                    what it knows                                            how it is asked
======================  =======================================================  ==============================
:func:`uniform`         nothing                                                  ``image -> map``
:func:`centre`          that people look at the middle                           ``image -> map``
:func:`spectral_residual`  the picture, with no learning                         ``image -> map``
:class:`CentreBias`     where people look on the other images                    ``predict_example(example)``
:class:`InterObserver`  where the other observers look on this image: the limit  ``leave_one_out(example)``
======================  =======================================================  ==============================
"""

from mrsal.evaluation.baselines.centre_bias import CentreBias
from mrsal.evaluation.baselines.observers import InterObserver
from mrsal.evaluation.baselines.simple import centre, spectral_residual, uniform

BASELINES = {"uniform": uniform, "centre": centre, "spectral-residual": spectral_residual}

__all__ = ["BASELINES", "CentreBias", "InterObserver", "centre", "spectral_residual", "uniform"]
