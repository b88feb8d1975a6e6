"""mrsal predicts where people look in images and measures how good a prediction is.

The names below are public. Each is imported when it is first used, so ``import mrsal`` is fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
