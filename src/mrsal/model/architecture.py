"""Which network a file holds: the header of a checkpoint names one of the two architectures.

A header without a name is of Mr-CNN: that is how its files were written before there was a second architecture, and how
they are written today, so that older versions read them.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mrsal.model.improved import ImprovedConfig, ImprovedNetwork
from mrsal.model.network import MrCNN
from mrsal.model.options import IMPROVED

Network = MrCNN | ImprovedNetwork

KEY = "architecture"
ARCHITECTURES = (MrCNN.__name__, IMPROVED)


def header_of(network: Network) -> dict[str, Any]:
    """Name of the architecture (none for Mr-CNN) and configuration, as plain values for the header of a file."""
    named = {KEY: IMPROVED} if isinstance(network, ImprovedNetwork) else {}
    return {**named, "config": network.config.to_dict()}


def architecture_of(header: Mapping[str, Any]) -> str:
    """The name in the header of a file; Mr-CNN's where there is none."""
    return str(header.get(KEY, MrCNN.__name__))


def improvements_of(network: Network) -> int:
    """The number that ``--improvements`` gives this network: 0 the paper's, 1 with a blur, 2 the improved network."""
    return 2 if isinstance(network, ImprovedNetwork) else int(network.config.variant != "base")


def title_of(network: Network) -> str:
    """What people call the network."""
    return "the improved network" if isinstance(network, ImprovedNetwork) else f"the {network.config.variant} variant"


def stored_improved_config(header: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ImprovedConfig:
    """The configuration in a header, checked before a network takes memory for widths that the tensors do not have."""
    config = ImprovedConfig.from_dict(header["config"])
    layers = ("readout.join.0", "readout.conv2", "readout.conv3")
    found = tuple(len(weights[f"{layer}.bias"]) for layer in layers if f"{layer}.bias" in weights)
    if len(found) == len(layers) and found != tuple(config.widths):
        raise ValueError(f"it says widths={config.widths}, but the tensors have {found}")
    return config
