"""Training: its settings, the loop, the folder of a run, and several processes.

``config.py`` has every setting and ``loop.py`` is the loop. ``run_folder.py`` says what a run leaves behind and how it is
resumed; ``distributed.py`` starts processes and stops them together.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
