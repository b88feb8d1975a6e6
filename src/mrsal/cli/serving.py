"""``mrsal serve``."""

import os
import signal
import sys
from pathlib import Path

from mrsal.cli._options import command, console
from mrsal.web import ServeOptions


@command(ServeOptions)
def serve(options: ServeOptions) -> None:
    """Open a local page to predict images and compare designs.

    Drop images, see their maps, mark areas of interest, and compare two designs. The page needs no internet connection, and no
    image leaves the machine. Install it with pip install 'mrsal[web]'.
    """
    from mrsal.web import Studio, is_private, serve as serve_page

    if not is_private(options.host):
        console.print("everybody who can reach this machine can use the page; there is no password", style="yellow")
    settings = {"device": options.device, "precision": options.precision}
    with Studio(options.model, adjustment=options.adjustment, limits=options.limits, **settings) as studio:
        set_gradio_environment(studio.folder, options.host)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the uploads are removed then, too
        page = serve_page(studio, host=options.host, port=options.port, browser=options.browser)
        console.print(f"{page.local_url} (stop with Ctrl-C)", soft_wrap=True)
        page.block_thread()


def set_gradio_environment(folder: Path, host: str) -> None:
    """Set what Gradio reads from environment variables only. It affects the whole process, so only the command calls it.

    Parameters
    ----------
    folder : Path
        The folder for uploads, which the caller removes at the end.
    host : str
        The name or address to listen on. Gradio sends a request to its own page, which must not go through a proxy.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    direct = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY"), "localhost", host.strip("[]")]
    os.environ["no_proxy"] = ",".join(filter(None, direct))
