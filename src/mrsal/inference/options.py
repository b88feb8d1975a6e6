"""The options of ``mrsal predict``."""

from dataclasses import dataclass
from pathlib import Path

COLUMN = "path"
SHARD_SIZE = 1000


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What is predicted, by which model, and what is written.

    ``mode`` None is the model's own, and for videos the model's own for videos.
    """

    paths: tuple[str, ...]
    out: Path
    model: str = "mrcnn-osie"
    format: tuple[str, ...] = ("overlay",)
    mode: str | None = None
    recursive: bool = False
    opacity: float = 0.6
    colormap: str = "inferno"
    smoothing: float = 0.0
    every: int = 1
    skip_existing: bool = False
    column: str = COLUMN
    runtime: str = "auto"
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where the workers of a Ray cluster are, how many there are, and what each is given at a time."""

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float = 1.0
    shard_size: int = SHARD_SIZE
    nested: bool = False
    fresh: bool = False
