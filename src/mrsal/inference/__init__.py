"""Saliency maps of single images, folders, videos and whole crawls, from any kind of model.

``predictor.py`` runs a network with PyTorch, and ``onnx_predictor.py`` runs an exported network without it. ``job.py`` is
``mrsal predict``, and ``ray_job.py`` does the same on many machines.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
