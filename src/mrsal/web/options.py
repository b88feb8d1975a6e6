"""Options of ``mrsal serve``, and the limits of uploads."""

from dataclasses import dataclass
from typing import Annotated

from mrsal.inference import AdjustmentFile
from mrsal.model import DeviceOptions
from mrsal.options import Option


@dataclass(frozen=True)
class UploadLimits:
    """What the page accepts.

    Parameters
    ----------
    megabytes, megapixels : float
        The largest size of a file.
    images : int
        The largest number of images at a time.
    areas : int
        The largest number of areas on an image.
    corners : int
        The largest number of corners of a polygon that can be changed; others are shown as they are.
    letters : int
        The largest number of characters of the name of an area.
    waiting : int
        The largest number of requests in the queue.
    """

    megabytes: float = 20
    megapixels: float = 25
    images: int = 12
    areas: int = 100
    corners: int = 300
    letters: int = 300
    waiting: int = 16


@dataclass(frozen=True, kw_only=True)
class ServeOptions(DeviceOptions):
    """Options of ``mrsal serve``."""

    model: Annotated[
        str | None,
        Option("Another model to offer: a checkpoint or package.module:function."),
    ] = None
    adjustment: AdjustmentFile = None
    host: Annotated[str, Option("Address to listen on. 0.0.0.0 or :: let everybody in the network use the page.")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int | None, Option("Port to listen on. Default: the first free one from 7860 on.", minimum=1, maximum=65535)
    ] = None
    browser: Annotated[bool, Option("Open the page in a browser.")] = False
    max_megabytes: Annotated[float, Option("Largest size of an uploaded file, in megabytes.", minimum=0.1)] = (
        UploadLimits.megabytes
    )
    max_megapixels: Annotated[float, Option("Largest size of an image, in megapixels.", minimum=0.1)] = (
        UploadLimits.megapixels
    )
    max_waiting: Annotated[int, Option("Largest number of requests in the queue.", minimum=1)] = UploadLimits.waiting

    @property
    def limits(self) -> UploadLimits:
        """The limits of uploads."""
        return UploadLimits(megabytes=self.max_megabytes, megapixels=self.max_megapixels, waiting=self.max_waiting)
