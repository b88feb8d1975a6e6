"""Eye-movement data: images, the fixations of observers on them, and the archives that are prepared from them.

There is one file per published data set, ``folder.py`` for your own data, and ``pysaliency.py`` for HDF5 files of that
library. ``archives/`` reads and writes what ``mrsal prepare`` makes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
