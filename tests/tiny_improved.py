"""The improved network with a small readout and small resolutions, for tests that are not about how well it predicts."""

import torch

from mrsal.model.improved import ImprovedConfig, ImprovedNetwork

CONFIG = ImprovedConfig(resolutions=(128, 64), widths=(16, 8, 8))


def tiny_improved(seed: int = 0, *, config: ImprovedConfig = CONFIG) -> ImprovedNetwork:
    """Random weights whose maps depend on the picture, and a prior that is not flat."""
    torch.manual_seed(seed)
    network = ImprovedNetwork(config).eval()
    for parameter in network.stream.parameters():  # as PyTorch starts them, nothing would be left after 50 layers
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter)
    with torch.no_grad():
        network.readout.conv4.weight *= 10  # so that the picture counts for more than the prior
    network.log_prior.copy_(torch.linspace(-1, 1, 64).expand(64, 64))
    return network
