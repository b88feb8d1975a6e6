"""The experiment of the paper as one command: data sets, splits, samples, training, shuffled AUC, and a report.

``options.py`` has the options, ``job.py`` puts the steps together, and ``experiment.py`` has the steps of one data set, each of
which is skipped if its result is there. ``published.py`` has the numbers of the paper. ``result.py`` computes what is reported,
and ``report.py`` writes it.
"""
