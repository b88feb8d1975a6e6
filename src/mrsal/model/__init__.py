"""The networks: Mr-CNN and its variants, their weights, and how a network is applied to a whole image.

``network.py`` is the network of the paper, ``pyramid.py`` and ``grid.py`` cut its input out of an image, and ``dense.py``
predicts a whole image at once. ``checkpoint.py``, ``pretrained.py`` and ``hub.py`` load and save weights.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
