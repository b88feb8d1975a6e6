"""The page that ``mrsal serve`` shows in a browser.

``app.py`` lays out the page, ``studio.py`` computes what it shows, and ``session.py`` keeps the images and areas of each
visitor. Areas are drawn by the scripts in ``board/``, and ``edits.py`` reads what they send. ``address.py`` finds the address
and port to listen on.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
