"""Training of networks: the settings, the loop, the folder that a run leaves, and runs on several processes.

``config.py`` has the settings and ``loop.py`` the loop. ``run_folder.py`` writes the files of a run and resumes it, and
``distributed.py`` starts the processes of a run and stops them together.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
