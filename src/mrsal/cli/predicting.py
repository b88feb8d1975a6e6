"""``mrsal predict``."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import (
    AddressOption,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    JsonOption,
    Mode,
    Precision,
    PrecisionOption,
    QuietOption,
    WorkersOption,
    console,
    networks,
    one_of,
    only_with_ray,
    print_json,
)


class Output(StrEnum):
    """What ``mrsal predict`` writes."""

    npy = "npy"
    png = "png"
    overlay = "overlay"


class Runtime(StrEnum):
    """What runs the network."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Images, videos, folders, quoted patterns ('photos/*.jpg'), lists of them (@list.txt), Parquet tables of "
            "paths, and .tar files of images (WebDataset)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the maps.")],
    model: Annotated[
        str,
        typer.Option(
            help="A checkpoint (.pth, .safetensors), the name of one that ships with mrsal, an .onnx file of mrsal export, "
            "a folder of save_pretrained, or hf://owner/name.",
            autocompletion=one_of(networks),
        ),
    ] = "mrcnn-osie",
    format: Annotated[
        list[Output] | None,
        typer.Option(help="npy: numbers; png: 16-bit grey; overlay: heatmap on the image (default). May be repeated."),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="Default: exact for images; fast, which is nearly the same, for videos and exported networks.",
            show_default=False,
        ),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders with all that is below them.")] = False,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the heatmap where it is hottest.")] = 0.6,
    colormap: Annotated[str, typer.Option(help="Of the heatmap: a name that matplotlib knows.")] = "inferno",
    smoothing: Annotated[float, typer.Option(min=0, help="Videos: time constant in seconds; 0: none.")] = 0.0,
    every: Annotated[int, typer.Option(min=1, help="Videos: predict every n-th frame, interpolate between.")] = 1,
    skip_existing: Annotated[bool, typer.Option("--skip_existing", help="Leave out what OUT already holds.")] = False,
    column: Annotated[str, typer.Option(help="Of Parquet tables: the one with the paths.")] = "path",
    runtime: Annotated[
        Runtime, typer.Option(help="onnx: an exported network, without torch; auto: for files that end in .onnx.")
    ] = Runtime.auto,
    engine: EngineOption = Engine.local,
    address: AddressOption = None,
    workers: WorkersOption = None,
    gpus_per_worker: Annotated[
        float | None, typer.Option("--gpus_per_worker", help="ray: 0.25 puts four workers on each GPU. Default: 1.")
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option("--shard_size", min=1, help="ray: inputs that are done as one piece. Default: 1000.")
    ] = None,
    nested: Annotated[bool, typer.Option("--nested", help="ray: spread results over 256 folders in OUT.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="ray: do what an earlier run finished again.")] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Predict where people look, for images, folders and videos.

    The exit status is 0 if all went well, 1 if something failed, and 2 if nothing could be done.
    """
    from mrsal.inference import PredictOptions, RayOptions

    cluster = {
        "address": address,
        "workers": workers,
        "gpus_per_worker": gpus_per_worker,
        "shard_size": shard_size,
        "nested": nested,
        "fresh": fresh,
    }
    only_with_ray(engine, **cluster)
    options = PredictOptions(
        paths=tuple(paths),
        out=out,
        model=model,
        format=tuple(dict.fromkeys(output.value for output in format or [Output.overlay])),
        mode=mode and mode.value,
        recursive=recursive,
        opacity=opacity,
        colormap=colormap,
        smoothing=smoothing,
        every=every,
        skip_existing=skip_existing,
        column=column,
        runtime=runtime.value,
        device=device.value,
        precision=precision.value,
    )
    if engine is Engine.ray:
        from mrsal.inference import predict_on_ray

        ray = RayOptions(**{name: value for name, value in cluster.items() if value is not None})  # type: ignore[arg-type]
        summary = predict_on_ray(options, ray, console=console)
    else:
        from mrsal.inference import predict_job

        summary = predict_job(options, console=console)
    if json:
        print_json({"out": out, **asdict(summary)})
    if summary.failed:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)
