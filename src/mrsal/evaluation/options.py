"""The options of ``mrsal evaluate`` and ``mrsal submit``."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is scored, on which data, and by which conventions."""

    data_dir: Path
    model_path: str
    out_dir: Path = Path()
    improvements: int | None = None
    num_saved_images: int = -1
    split: str = "test"
    mode: str | None = None
    skip_first: bool = False
    protocol: str = "tuebingen"
    optimal: bool = False
    agreement: bool = False
    adjust: bool = False
    limits: bool = True
    parquet: bool = False
    resize_maps: bool = False
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """The images of a benchmark, and the model that predicts them."""

    paths: tuple[Path, ...]
    out: Path | None = None
    model: str = "mrcnn-osie"
    dry_run: Path | None = None
    mode: str | None = None
    resize_maps: bool = False
    device: str = "auto"
    precision: str = "auto"
