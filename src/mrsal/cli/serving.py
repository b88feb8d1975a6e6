"""``mrsal serve``."""

import signal
import sys
from typing import Annotated

import typer

from mrsal.cli._options import Device, DeviceOption, Precision, PrecisionOption, console


def serve(
    model: Annotated[
        str | None,
        typer.Option(help="A checkpoint, or package.module:function, to offer besides those that ship with mrsal."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; with 0.0.0.0 or :: everybody in the network can use the page.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="By default the first free one from 7860 on.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page.")] = False,
    max_megabytes: Annotated[float, typer.Option("--max_megabytes", min=0.1, help="Of an uploaded file.")] = 20,
    max_megapixels: Annotated[float, typer.Option("--max_megapixels", min=0.1, help="Of a picture.")] = 25,
    max_waiting: Annotated[int, typer.Option("--max_waiting", min=1, help="Requests in the queue.")] = 16,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Serve a local page: drop pictures, see maps, draw areas of interest, compare two designs.

    It needs no internet, and no picture leaves the machine. pip install 'mrsal[web]'
    """
    from mrsal.web import Limits, Studio, is_private, serve as serve_page

    limits = Limits(megabytes=max_megabytes, megapixels=max_megapixels, waiting=max_waiting)
    if not is_private(host):
        console.print("everybody who can reach this machine can use the page; there is no password", style="yellow")
    with Studio(model, device=device.value, precision=precision.value, limits=limits) as studio:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uploads are removed then, too
        page = serve_page(studio, host=host, port=port, browser=browser)
        console.print(f"{page.local_url} (stop with Ctrl-C)", soft_wrap=True)
        page.block_thread()
