"""Scores for any model on any data set, comparisons between models, reports and benchmark submissions.

``evaluator.py`` scores a model, ``baselines/`` has the models that are fitted to fixations, and ``report/`` shows the
results. The files ``job.py``, ``comparison_job.py`` and ``submission_job.py`` do the work of ``mrsal evaluate``,
``mrsal compare`` and ``mrsal submit``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
