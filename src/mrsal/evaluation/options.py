"""Options of the commands that score models. Imports no torch, so that the command line starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mrsal.datasets import DataDir
from mrsal.errors import InputError
from mrsal.inference import RayOptions
from mrsal.model import DEFAULT_MODEL, MapOptions
from mrsal.options import Option, check

ResizeMaps = Annotated[bool, Option("Resize stored maps to the size of the stimulus (bilinear).")]


@dataclass(frozen=True, kw_only=True)
class ModelOptions(MapOptions):
    """Any model that :func:`mrsal.inference.open_model` opens."""

    model: Annotated[
        str,
        Option(
            "A network, baseline, folder or HDF5 file of maps, or package.module:function.",
            complete=("networks", "baselines"),
        ),
    ] = DEFAULT_MODEL


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How sure a mean over images is."""

    level: Annotated[float, Option("Confidence level of intervals and tests.", above=0, below=1)] = 0.95
    resamples: Annotated[int, Option("Number of bootstrap resamples.", minimum=100)] = 10_000
    seed: Annotated[int, Option("Random seed of the bootstrap.", minimum=0)] = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Bootstrap):
    """Options of ``mrsal compare``."""

    paths: Annotated[
        Sequence[Path], Option("Score files (.csv, .parquet), or folders of mrsal evaluate.", argument=True)
    ]
    names: Annotated[str, Option("Names for the models: A,B,... Default: the names in the files.")] = ""
    reference: Annotated[str | None, Option("Compare all others with this model only.")] = None
    out: Annotated[Path | None, Option("Folder for the table and charts. Default: compare/<time>/.")] = None


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(RayOptions, MapOptions):
    """Options of ``mrsal evaluate``."""

    data_dir: DataDir
    model_path: Annotated[
        str,
        Option(
            "A checkpoint (.pth, .safetensors, .onnx), mrsal or mrcnn, hf://owner/name, a baseline (uniform, centre), a "
            "folder or HDF5 file of maps, or package.module:function, which runs that code.",
            complete=("networks", "baselines"),
        ),
    ]
    out_dir: Annotated[Path, Option("The result goes to OUT_DIR/eval/<time>/.")] = Path()
    improvements: Annotated[
        int | None,
        Option(
            "0, 1 or 2: stop if the checkpoint holds another network. It says itself which one: 0 Mr-CNN, 1 with a blur, "
            "2 the improved network.",
            minimum=0,
            maximum=2,
        ),
    ] = None
    num_saved_images: Annotated[
        int, Option("Number of comparisons with the ground truth to draw; -1: all.", minimum=-1)
    ] = -1
    split: Annotated[str, Option("test, val, train, or (native archives) all.")] = "test"
    skip_first: Annotated[bool, Option("Leave out the first fixation of each trial.")] = False
    protocol: Annotated[
        str,
        Option(
            "Metric conventions: tuebingen, mit-matlab, mrcnn (shuffled AUC) or historical.", complete=("protocols",)
        ),
    ] = "tuebingen"
    optimal: Annotated[
        bool, Option("Take maps as densities, and score each metric on the map that is best for it.")
    ] = False
    agreement: Annotated[
        bool, Option("Add the historical score, for comparison with older numbers; not an AUC.", negatable=True)
    ] = False
    adjust: Annotated[
        bool, Option("Apply a blur and a centre bias, fitted on the validation images, to the model's maps.")
    ] = False
    limits: Annotated[bool, Option("Also score the uniform map, the centre bias and the inter-observer limit.")] = True
    parquet: Annotated[bool, Option("Also write scores.parquet.")] = False
    resize_maps: ResizeMaps = False


@dataclass(frozen=True, kw_only=True)
class SubmitOptions(ModelOptions):
    """Options of ``mrsal submit``."""

    paths: Annotated[Sequence[Path], Option("The benchmark's images: files, folders, or stimuli.hdf5.", argument=True)]
    out: Annotated[Path | None, Option("HDF5 file to write; an interrupted one is continued.")] = None
    dry_run: Annotated[Path | None, Option("Write nothing, but check this file as the benchmark does.")] = None
    resize_maps: ResizeMaps = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.out is None) == (self.dry_run is None):
            raise InputError("give either --out, the file to write, or --dry_run, the file to check")
