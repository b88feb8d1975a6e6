"""Areas of interest: which share of attention each area of an image gets.

``areas.py`` computes the shares, ``box_files.py`` reads annotation files and ``rules.py`` checks shares against limits.
``study.py`` is what ``mrsal aoi`` and ``mrsal check`` run.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
