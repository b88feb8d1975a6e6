"""The page that ``mrsal serve`` shows in a browser.

``app.py`` lays out the page, ``studio.py`` computes what it shows, and ``session.py`` keeps each visitor's images apart.
``address.py`` decides where the page listens.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
