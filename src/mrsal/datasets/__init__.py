"""Load data sets of fixations, and prepare archives from them.

Each published data set has a file of its own. ``folder.py`` loads your own data, and ``pysaliency.py`` loads HDF5 files of that
library. ``archives/`` writes and reads the archives of ``mrsal prepare``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
