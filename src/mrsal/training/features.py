"""The images that the improved network is trained on, and what the first stages of its stream give for them.

These stages are not trained, so their feature maps are computed once for each image, for its mirror image and at each size,
and stored in files, which later runs and resumed runs use, too.

Letters: M images, C channels, h and w the sides of a feature map, H and W those of a map of the density.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from mrsal.datasets import NativeArchive, fixation_density, fixation_map
from mrsal.errors import DataError, FileError, InputError
from mrsal.files import atomic_path, make_folder
from mrsal.model import Stream, level_size, resized

FROZEN = 4  # the stages that are never trained, up to stride 8; they have few of the weights and most of the work
STRIDE = 8  # of the feature maps that the last of them gives
_CHANNELS = 40

MapOver = Callable[[Callable[[int], None], Sequence[int]], Iterable[None]]


class TrainingImages:
    """The training images of native archives.

    Parameters
    ----------
    archives : sequence of NativeArchive
        Each has its own bias of fixations towards some places.
    folder : str or Path
        Where feature maps are stored. The processes of a run have to share it.

    Raises
    ------
    InputError
        If there is no image to train on.
    """

    def __init__(self, archives: Sequence[NativeArchive], folder: str | Path) -> None:
        self.archives, self.folder = tuple(archives), Path(folder)
        found = [(a, int(i)) for a, archive in enumerate(self.archives) for i in archive.members("train")]
        self.origins = [(a, i) for a, i in found if self.archives[a].has_ground_truth(i)]
        self.without = len(found) - len(self.origins)  # images with neither fixations nor a map, which are left out
        if not self.origins:
            raise InputError(
                "expected at least one training image with fixations, got none; prepare the data set again"
            )
        self._archive_ids = [_digest(a.identity()) for a in self.archives]
        self._stream_id = ""

    def __len__(self) -> int:
        return len(self.origins)

    def shape(self, i: int) -> tuple[int, int]:
        """The height and width of an image in pixels."""
        a, n = self.origins[i]
        height, width = self.archives[a].shapes[n]
        return int(height), int(width)

    def targets(self, i: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Where people looked at an image, on a map of this size: ``(H, W)`` each, both with the sum 1.

        Returns
        -------
        fixated : Tensor
            The share of fixations in each cell; the density if only a published map is known.
        density : Tensor
            The density of the fixations, blurred by one degree of visual angle.
        """
        a, n = self.origins[i]
        archive, (height, width) = self.archives[a], self.shape(i)
        points = archive.fixations_of(n)
        if not len(points):
            whole = torch.from_numpy(np.ascontiguousarray(archive.ground_truth(n)))[None, None].float()
            density = F.interpolate(whole, size=size, mode="bilinear", antialias=True, align_corners=False)[0, 0]
            return density / density.sum(), density / density.sum()
        x, y = points.x * (size[1] / width), points.y * (size[0] / height)
        fixated = fixation_map(x, y, size) / len(points)
        blurred = fixation_density(x, y, size, sigma=archive.degrees[n] * max(size) / max(height, width))
        return torch.from_numpy(fixated).float(), torch.from_numpy(blurred).float()

    def relative_fixations(self, archive: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The positions of all fixations on the training images of an archive, in units of the sides of their image."""
        points = [
            (self.archives[a].fixations_of(n), self.shape(i)) for i, (a, n) in enumerate(self.origins) if a == archive
        ]
        x = np.concatenate([np.empty(0), *(p.x / width for p, (_, width) in points)])
        y = np.concatenate([np.empty(0), *(p.y / height for p, (height, _) in points)])
        return x, y

    def store_features(
        self,
        stream: Stream,
        sides: Iterable[int],
        *,
        device: torch.device,
        bf16: bool,
        map_over: MapOver = map,
        progress: Callable[[int], Any] | None = None,
    ) -> None:
        """Compute what the first stages of a stream give for every image, unless it is stored already.

        Parameters
        ----------
        stream : Stream
        sides : iterable of int
            The longer sides to which the images are resized, in pixels.
        device : torch.device
        bf16 : bool
            Whether to compute in bfloat16.
        map_over : callable
            The built-in ``map``, or a similar function that shares the images among processes.
        progress : callable, optional
            A function that is called with 1 after each image.
        """
        self._stream_id = _stream_id(stream)
        sides = tuple(dict.fromkeys(sides))
        make_folder(self.folder / self._stream_id)

        def store(i: int) -> None:
            missing = [side for side in sides if not self._path(i, side).is_file()]
            image = self._read(i) if missing else None
            for side in missing:
                assert image is not None
                level = level_of(image, side).to(device)
                both = torch.cat([level, level.flip(-1)]).contiguous(memory_format=torch.channels_last)
                with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                    maps = stream.until(both, FROZEN).half().contiguous().cpu()  # (2, C, h, w)
                with atomic_path(self._path(i, side)) as temporary:
                    save_file({"maps": maps}, temporary)
            if progress:
                progress(1)

        list(map_over(store, range(len(self))))

    def features(self, i: int, side: int, *, mirrored: bool) -> Tensor:
        """The stored feature maps of an image or of its mirror image: ``(C, h, w)`` float16."""
        path = self._path(i, side)
        try:
            with safe_open(path, "pt") as file:
                return file.get_slice("maps")[int(mirrored)]
        except FileNotFoundError as error:
            raise FileError(
                f"expected feature maps at {path}, which another process has stored; all machines of a run need the same "
                "--out_dir"
            ) from error
        except (OSError, SafetensorError, IndexError) as error:
            raise DataError(f"{path} is damaged ({error}); remove {path.parent} and resume the run") from error

    def nbytes(self, sides: Iterable[int]) -> int:
        """The size of the feature maps at these sizes in bytes."""
        sizes = [self._size(i, side) for side in dict.fromkeys(sides) for i in range(len(self))]
        return sum(h * w for h, w in sizes) // STRIDE**2 * _CHANNELS * 2 * 2  # two maps of float16

    def _size(self, i: int, side: int) -> tuple[int, int]:
        height, width = self.shape(i)
        return level_size(height, width, side)

    def _read(self, i: int) -> NDArray[np.uint8]:
        a, n = self.origins[i]
        return self.archives[a].read(n)

    def _path(self, i: int, side: int) -> Path:
        a, n = self.origins[i]
        return self.folder / self._stream_id / f"{self._archive_ids[a]}-{n}-{side}.safetensors"


def level_of(image: NDArray[np.uint8], side: int) -> Tensor:
    """``(H, W, 3)`` uint8, resized to this longer side: ``(1, 3, h, w)`` in [0, 1]."""
    return resized(torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255, side)


def _stream_id(stream: Stream) -> str:
    """A name for the weights of the stages that are not trained, the same whether they were stored in half precision."""
    weights = stream.stages[:FROZEN].state_dict().values()
    # plus 0, since a moving average turns -0 into 0, which is other bytes
    return _digest(b"".join((value.detach().half() + 0).cpu().numpy().tobytes() for value in weights))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
