"""What predictors of both networks have in common: a device, a precision, and a way to share the network."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from mrsal.inference.calibration import ShareCalibration
from mrsal.inference.saliency_map import SaliencyMap
from mrsal.inference.saliency_model import PreparedImage
from mrsal.inference.windows import WindowedModel
from mrsal.model import push_to_hub, resolve_device, resolve_precision, save_pretrained


class NetworkModel(WindowedModel):
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
        """Predict where people look.

        Parameters
        ----------
        image : path, PIL image or array
            ``(H, W, 3)`` or ``(H, W)``, uint8, or float in [0, 1]; of any size. If one side is more than three times as
            long as the other, the image is predicted in windows (:mod:`mrsal.inference.windows`).
        name : str
            The name of the image, for error messages.
        mode : str, optional
            For Mr-CNN: ``"exact"``; ``"fast"``, which is several times faster and nearly the same; or ``"crops"``, the slow
            reference. The improved network has no modes. None: the mode of the predictor.

        Returns
        -------
        SaliencyMap
            The map, in the size of the image.
        """
        return super(NetworkModel, self.with_mode(mode)).predict(image, name=name)

    def predict_many(
        self, images: Iterable[object], *, batch_size: int | None = None, mode: str | None = None
    ) -> Iterator[SaliencyMap]:
        """Predict many images of any sizes, in order; the next images are read while the network runs.

        Parameters
        ----------
        images : iterable
            The images, as for :meth:`predict`.
        batch_size : int, optional
            The number of images that go through the network together. None: 16 on a GPU, and 1 on a CPU, where larger
            batches are no faster.
        mode : str, optional
            The mode, as for :meth:`predict`.

        Yields
        ------
        SaliencyMap
            The map of each image.

        Raises
        ------
        FileError, DataError, InputError
            If an image cannot be read, after the maps of the images before it.
        """
        yield from super(NetworkModel, self.with_mode(mode)).predict_many(images, batch_size=batch_size)

    def _predict_whole(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """Predict images, those with the same :meth:`_batch_key` together."""
        if len(images) == 1:
            return self._predict_batch(images)
        groups: dict[object, list[int]] = {}
        for i, image in enumerate(images):
            groups.setdefault(self._batch_key(image), []).append(i)
        maps: dict[int, SaliencyMap] = {}
        for members in groups.values():
            maps |= zip(members, self._predict_batch([images[i] for i in members]), strict=True)
        return [maps[i] for i in range(len(images))]

    @abstractmethod
    def _batch_key(self, image: PreparedImage) -> object:
        """What images need to have in common to go through the network together; compared with ``==`` and hashed."""

    @abstractmethod
    def _predict_batch(self, images: Sequence[PreparedImage]) -> list[SaliencyMap]:
        """Predict images that have the same :meth:`_batch_key`; the maps have the same order."""
