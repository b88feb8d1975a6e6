"""From images to saliency maps: predictors for single images, folders, videos and clusters.

``predictor.py`` runs a network with PyTorch, ``onnx_predictor.py`` runs an exported one without PyTorch. ``job.py`` is
``mrsal predict``, and ``ray_job.py`` does the same on many machines.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
