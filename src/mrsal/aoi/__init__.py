"""Areas of interest: which share of attention each area of an image or a video gets.

``shapes.py`` has the kinds of areas, ``areas.py`` computes their shares, ``area_files.py`` reads annotation files, ``rules.py``
checks shares against limits, and ``study.py`` has the job of ``mrsal aoi`` and ``mrsal check``. ``difference.py`` compares two
designs, and ``report.py`` says what a report on one image or two designs contains. For videos, ``moving.py`` has areas that
move, ``moving_files.py`` reads them, and ``video_shares.py`` and ``video_study.py`` measure them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
