"""Options of the commands that predict. Imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mrsal.errors import InputError
from mrsal.figures import WIDTH
from mrsal.model import DEFAULT_MODEL, DeviceOptions, Mode
from mrsal.options import Option, check

Format = Literal["npy", "png", "overlay", "figure", "figure-svg", "figure-png"]
FIGURES = {"figure": ".pdf", "figure-svg": ".svg", "figure-png": ".png"}  # the file of each format that is a figure
Pages = Literal["first", "all"]
Runtime = Literal["auto", "torch", "onnx"]

AdjustmentFile = Annotated[
    Path | None,
    Option("Make densities of the maps with the numbers in this adjustment.json, which mrsal evaluate --adjust wrote."),
]

_ON_RAY = "engine=ray"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a heatmap is laid over an image."""

    opacity: Annotated[float, Option("Opacity of the heatmap at its highest value.", minimum=0, maximum=1)] = 0.6
    colormap: Annotated[str, Option("Name of a Matplotlib colormap for the heatmap.")] = "inferno"

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class FigureOptions:
    """How the figure of a map is drawn, besides its colours."""

    pixels_per_degree: Annotated[
        float | None,
        Option(
            "figure: pixels of the image per degree of visual angle, for a scale in degrees and a density per square degree.",
            above=0,
        ),
    ] = None
    figure_width: Annotated[
        float, Option("figure: width in millimetres; 85 or so is a column of a journal.", minimum=40, maximum=1000)
    ] = WIDTH

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Whether the workers of a Ray cluster do the work. All machines see the inputs and results under the same paths."""

    engine: Annotated[
        Literal["local", "ray"],
        Option("local: one process; ray: many processes, on this machine or on a cluster (needs mrsal[ray])."),
    ] = "local"
    address: Annotated[
        str | None,
        Option(
            "ray: address of the cluster, such as host:6379, or auto on one of its machines. Default: this machine.",
            only_with=_ON_RAY,
        ),
    ] = None
    workers: Annotated[
        int | None,
        Option("ray: number of processes. Default: one per GPU, or one per CPU core.", minimum=1, only_with=_ON_RAY),
    ] = None

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class PredictOptions(Look, FigureOptions, RayOptions, DeviceOptions):
    """Options of ``mrsal predict``."""

    paths: Annotated[
        Sequence[str],
        Option(
            "Images, PDF documents, videos, folders, quoted patterns ('photos/*.jpg'), lists of them (@list.txt), Parquet "
            "tables of paths, and .tar files of images (WebDataset).",
            argument=True,
        ),
    ]
    out: Annotated[Path, Option("Folder for the maps.")]
    model: Annotated[
        str,
        Option(
            "A checkpoint (.pth, .safetensors), the name of a network that ships with mrsal, an .onnx file from mrsal "
            "export, a folder from save_pretrained, or hf://owner/name.",
            complete=("networks",),
        ),
    ] = DEFAULT_MODEL
    adjustment: AdjustmentFile = None
    format: Annotated[
        Sequence[Format],
        Option(
            "npy: numbers; png: 16-bit grey; overlay: heatmap on the image; figure: PDF for a paper, with contours, scale "
            "and colour bar, or figure-svg, figure-png. May be repeated."
        ),
    ] = ("overlay",)
    mode: Annotated[
        Mode | None,
        Option(
            "fast is several times faster and nearly exact. Default: exact for images, fast for videos and exported networks."
        ),
    ] = None
    recursive: Annotated[bool, Option("Include subfolders.")] = False
    pages: Annotated[
        Pages,
        Option("all: predict each page of a PDF or TIFF, and each frame of a GIF or WebP; first: only the first one."),
    ] = "first"
    smoothing: Annotated[
        float, Option("Videos: time constant of the smoothing in seconds; 0: no smoothing.", minimum=0)
    ] = 0.0
    every: Annotated[int, Option("Videos: predict every n-th frame and interpolate the others.", minimum=1)] = 1
    skip_existing: Annotated[bool, Option("Skip inputs whose results are already in OUT.")] = False
    column: Annotated[str, Option("Parquet tables: name of the column with the paths.")] = "path"
    runtime: Annotated[
        Runtime, Option("onnx: run an exported network without torch; auto: onnx for .onnx files, otherwise torch.")
    ] = "auto"
    gpus_per_worker: Annotated[
        float,
        Option("ray: number of GPUs per process; 0.25 puts four processes on each GPU.", above=0, only_with=_ON_RAY),
    ] = 1.0
    shard_size: Annotated[int, Option("ray: number of inputs per task.", minimum=1, only_with=_ON_RAY)] = 1000
    nested: Annotated[bool, Option("ray: distribute the results over 256 subfolders of OUT.", only_with=_ON_RAY)] = (
        False
    )
    fresh: Annotated[bool, Option("ray: predict again what an earlier run has finished.", only_with=_ON_RAY)] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine == "ray" and self.runtime == "onnx":
            raise InputError("--engine ray predicts with torch; leave --runtime onnx out")
        drawn = {"--pixels_per_degree": self.pixels_per_degree is None, "--figure_width": self.figure_width == WIDTH}
        unused = [flag for flag, is_default in drawn.items() if not is_default]
        if unused and FIGURES.keys().isdisjoint(self.format):
            raise InputError(f"{', '.join(unused)} would have no effect without --format figure; add it")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of ``mrsal export``."""

    model: Annotated[
        str,
        Option(
            "A checkpoint (.pth, .safetensors), the name of a network that ships with mrsal, a folder from "
            "save_pretrained, or hf://owner/name.",
            argument=True,
            complete=("networks",),
        ),
    ]
    out: Annotated[Path, Option("File to write: .onnx or .safetensors.", argument=True)]

    def __post_init__(self) -> None:
        check(self)
