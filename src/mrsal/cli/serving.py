"""``mrsal serve``."""

import signal
import sys

from mrsal.cli._options import command, console
from mrsal.web import ServeOptions


@command(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Serve a local page: drop pictures, see maps, draw areas of interest, compare two designs.

    It needs no internet, and no picture leaves the machine. pip install 'mrsal[web]'
    """
    from mrsal.web import Studio, is_private, serve as serve_page

    if not is_private(options.host):
        console.print("everybody who can reach this machine can use the page; there is no password", style="yellow")
    how = {"device": options.device, "precision": options.precision}
    with Studio(options.model, limits=options.limits, **how) as studio:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uploads are removed then, too
        page = serve_page(studio, host=options.host, port=options.port, browser=options.browser)
        console.print(f"{page.local_url} (stop with Ctrl-C)", soft_wrap=True)
        page.block_thread()
