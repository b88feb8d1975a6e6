"""What predictors of both networks have in common: a device, a precision, and a way to share the network."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from mrsal.inference.calibration import ShareCalibration
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import SaliencyModel
from mrsal.model import push_to_hub, resolve_device, resolve_precision, save_pretrained


class NetworkModel(SaliencyModel):
    """A network ready to predict whole images; :func:`mrsal.load_model` gives one.

    Parameters
    ----------
    network : MrCNN or ImprovedNetwork
    device : str
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    precision : str
        ``"fp32"``, ``"bf16"``, or ``"auto"``: bf16 where the hardware has it.
    calibration : ShareCalibration, optional
        How the shares of this very network differ from measured ones.
    """

    is_network = True

    def __init__(
        self,
        network: Any,  # its type is that of the subclass
        *,
        device: str = "auto",
        precision: str = "auto",
        calibration: ShareCalibration | None = None,
    ) -> None:
        self.device = torch.device(resolve_device(device))
        self.bf16 = resolve_precision(precision, device) == "bf16-mixed"
        self.network = network.to(self.device, memory_format=torch.channels_last).eval()
        self.batch_size = 1 if self.device.type == "cpu" else 16  # on a CPU more is no faster
        self.calibration = calibration

    def save_pretrained(self, folder: str | Path, **card: Any) -> Path:
        """Write weights, configuration and a model card as a folder; ``card`` as for :func:`mrsal.model.save_pretrained`."""
        return save_pretrained(self.network, folder, **card)

    def push_to_hub(self, repo: str, **options: Any) -> str:
        """Upload to the Hugging Face Hub, private unless told otherwise; ``options`` as for :func:`mrsal.model.push_to_hub`."""
        return push_to_hub(self.network, repo, **options)

    def predict(self, image: object, *, name: str = "", mode: str | None = None) -> SaliencyMap:
        """Predict where people look in an image; ``mode`` as for :meth:`with_mode`, the rest as for :meth:`prepare`."""
        return super(NetworkModel, self.with_mode(mode)).predict(image, name=name)

    def predict_many(
        self, images: Iterable[object], *, batch_size: int | None = None, mode: str | None = None
    ) -> Iterator[SaliencyMap]:
        """As :meth:`SaliencyModel.predict_many`; ``batch_size`` None: 1 on a CPU, where more is no faster, and 16 on a GPU."""
        yield from super(NetworkModel, self.with_mode(mode)).predict_many(images, batch_size=batch_size)
