"""The learned blur of a variant of Mr-CNN, and the blur of historical checkpoints."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BLUR_KERNELS = (7, 5, 3)
BLUR_ROOT_SIGMAS = (0.5, 0.75, 1.0)


class GaussianBlur(nn.Module):
    """A learned Gaussian blur of each channel. The border is replicated, so that a constant image does not change.

    Parameters
    ----------
    kernel : int
        The side of the kernel in pixels, an odd number.
    root_sigma : float
        The initial square root of the standard deviation, in units of half the kernel. Since the root is learned, sigma stays
        positive without a constraint.
    """

    def __init__(self, kernel: int, root_sigma: float) -> None:
        super().__init__()
        self.kernel = kernel
        self.root_sigma = nn.Parameter(torch.tensor(root_sigma))

    def taps(self) -> Tensor:
        """The 1-D kernel, ``(kernel,)``, which sums to 1. The 2-D kernel is its outer product with itself."""
        position = torch.linspace(-1, 1, self.kernel, device=self.root_sigma.device)
        sigma = self.root_sigma.float().square().clamp_min(1e-4)
        return torch.softmax(-position.square() / (2 * sigma.square()), dim=0)

    def forward(self, x: Tensor) -> Tensor:
        _, C, _, _ = x.shape
        taps, half = self.taps().to(x.dtype), self.kernel // 2
        x = F.pad(x, (half, half, half, half), mode="replicate")
        x = F.conv2d(x, taps.view(1, 1, 1, -1).expand(C, 1, 1, -1), groups=C)
        return F.conv2d(x, taps.view(1, 1, -1, 1).expand(C, 1, -1, 1), groups=C)


class HistoricalBlur(nn.Module):
    """The blur of historical checkpoints, which gives their historical outputs. Do not use it for new runs.

    Each row of the filter is divided by its L2 norm, every output channel is the sum over all colours, and the image is padded
    with zeros.
    """

    def __init__(self, kernel: int, root_sigma: float) -> None:
        super().__init__()
        self.kernel = kernel
        self.sqrt_sigma = nn.Parameter(torch.tensor(root_sigma))

    def forward(self, x: Tensor) -> Tensor:
        _, C, _, _ = x.shape
        position = torch.linspace(-1, 1, self.kernel, device=x.device)
        squared = position[:, None].square() + position[None, :].square()  # (k, k)
        filter_ = torch.exp(-squared / (2 * self.sqrt_sigma.square().square()))
        filter_ = filter_ / filter_.norm(dim=1, keepdim=True)
        return F.conv2d(x, filter_.to(x.dtype).expand(C, C, -1, -1), padding=self.kernel // 2)
