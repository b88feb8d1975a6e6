"""The networks: Mr-CNN and its variants, their input, and their weights.

``network.py`` has the network of the paper. ``pyramid.py`` and ``grid.py`` make its input from an image, and ``dense.py``
applies it to whole images. ``checkpoint.py``, ``pretrained.py`` and ``hub.py`` load and save weights.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
