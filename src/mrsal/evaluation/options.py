"""Options of the commands that score models. Imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mrsal.datasets import DataDir
from mrsal.errors import InputError
from mrsal.inference import AdjustmentFile, RayOptions
from mrsal.model import DEFAULT_MODEL, MapOptions
from mrsal.options import Option, check

PictureFormat = Literal["jpg", "pdf", "svg"]

ResizeMaps = Annotated[bool, Option("Resize stored maps to the size of the stimulus (bilinear).")]


@dataclass(frozen=True, kw_only=True)
class ModelOptions(MapOptions):
    """Which model is used: any that :func:`mrsal.inference.open_model` opens."""

    model: Annotated[
        str,
        Option(
            "A network, baseline, folder or HDF5 file of maps, or package.module:function.",
            complete=("networks", "baselines"),
        ),
    ] = DEFAULT_MODEL
    adjustment: AdjustmentFile = None


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How the uncertainty of a mean over images is computed."""

    level: Annotated[float, Option("Confidence level of intervals and tests.", above=0, below=1)] = 0.95
    resamples: Annotated[int, Option("Number of bootstrap resamples.", minimum=100)] = 10_000
    seed: Annotated[int, Option("Random seed of the bootstrap.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Bootstrap):
    """Options of ``mrsal compare``."""

    paths: Annotated[
        Sequence[Path], Option("Score files (.csv, .parquet), or folders that mrsal evaluate wrote.", argument=True)
    ]
    names: Annotated[str, Option("Names for the models, separated by commas. Default: the names in the files.")] = ""
    reference: Annotated[str | None, Option("Compare the other models with this one only.")] = None
    out: Annotated[Path | None, Option("Folder for the table and charts. Default: compare/<time>/.")] = None


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RayOptions, MapOptions):
    """Options of ``mrsal evaluate``."""

    data_dir: DataDir
    model_path: Annotated[
        str,
        Option(
            "A checkpoint (.pth, .safetensors, .onnx), mrsal or mrcnn, hf://owner/name, a baseline (uniform, centre), a "
            "folder or HDF5 file of maps, or package.module:function, which is run.",
            complete=("networks", "baselines"),
        ),
    ]
    out_dir: Annotated[Path, Option("Folder for the results, which are written to OUT_DIR/eval/<time>/.")] = Path()
    improvements: Annotated[
        int | None,
        Option(
            "Stop if the checkpoint is not of this kind: 0 Mr-CNN, 1 with a blur, 2 the improved network. Default: accept all.",
            minimum=0,
            maximum=2,
        ),
    ] = None
    num_saved_images: Annotated[
        int, Option("Number of pictures that compare maps with the ground truth; -1: all.", minimum=-1)
    ] = -1
    picture_format: Annotated[
        Sequence[PictureFormat],
        Option("Format of these pictures. jpg: all pixels; pdf, svg: a figure for a paper. May be repeated."),
    ] = ("jpg",)
    split: Annotated[str, Option("Part of the data set: test, val, train, or all (native archives).")] = "test"
    skip_first: Annotated[bool, Option("Leave out the first fixation of each trial.")] = False
    protocol: Annotated[
        str,
        Option(
            "Conventions of the metrics: tuebingen, mit-matlab, mrcnn (shuffled AUC) or historical.",
            complete=("protocols",),
        ),
    ] = "tuebingen"
    optimal: Annotated[
        bool, Option("Treat maps as densities, and score each metric on the map that is best for it.")
    ] = False
    agreement: Annotated[
        bool, Option("Also compute the historical score, to compare with older numbers; not an AUC.", negatable=True)
    ] = False
    adjust: Annotated[
        bool,
        Option(
            "Make densities of the maps with a handful of numbers, fitted to the fixations on the validation images."
        ),
    ] = False
    adjustment: AdjustmentFile = None
    limits: Annotated[
        bool | None,
        Option(
            "Also score the uniform map, the centre bias and the inter-observer limit, and stop if the data do not allow all "
            "of them. Default: score those that the data allow.",
            negatable=True,
        ),
    ] = None
    parquet: Annotated[bool, Option("Also write the scores as scores.parquet.")] = False
    resize_maps: ResizeMaps = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adjust and self.adjustment:
            raise InputError(
                "--adjust fits an adjustment, and --adjustment uses one that was fitted before; give only one of them"
            )


@dataclass(frozen=True, kw_only=True)
class SubmitOptions(ModelOptions):
    """Options of ``mrsal submit``."""

    paths: Annotated[Sequence[Path], Option("Images of the benchmark: files, folders, or stimuli.hdf5.", argument=True)]
    out: Annotated[Path | None, Option("HDF5 file to write. An interrupted file is continued.")] = None
    dry_run: Annotated[Path | None, Option("HDF5 file to check as the benchmark does. Nothing is written.")] = None
    resize_maps: ResizeMaps = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.out is None) == (self.dry_run is None):
            raise InputError(
                "expected either --out, the file to write, or --dry_run, the file to check; give one of them"
            )
