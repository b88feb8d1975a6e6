"""Areas of interest: which share of attention each area of an image gets.

``shapes.py`` has the kinds of areas, ``areas.py`` computes their shares, ``area_files.py`` reads annotation files, ``rules.py``
checks shares against limits, and ``study.py`` has the job of ``mrsal aoi`` and ``mrsal check``. ``difference.py`` compares two
designs, and ``report.py`` says what a report on one image or two designs contains.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
