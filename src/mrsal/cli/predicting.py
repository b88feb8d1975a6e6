"""``mrsal predict``."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import (
    Device,
    DeviceOption,
    JsonOption,
    Mode,
    Precision,
    PrecisionOption,
    QuietOption,
    console,
    networks,
    one_of,
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
            help="Images, videos, folders, quoted patterns ('photos/*.jpg'), and lists of them (@list.txt)."
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
    runtime: Annotated[
        Runtime, typer.Option(help="onnx: an exported network, without torch; auto: for files that end in .onnx.")
    ] = Runtime.auto,
    quiet: QuietOption = False,
    json: JsonOption = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Predict where people look, for images, folders and videos.

    The exit status is 0 if all went well, 1 if something failed, and 2 if nothing could be done.
    """
    from mrsal.predicting import predict_job

    summary = predict_job(
        paths,
        out,
        model,
        formats=[one.value for one in format or [Output.overlay]],
        mode=mode and mode.value,
        recursive=recursive,
        opacity=opacity,
        colormap=colormap,
        smoothing=smoothing,
        every=every,
        skip_existing=skip_existing,
        device=device.value,
        precision=precision.value,
        runtime=runtime.value,
        console=console,
    )
    if json:
        print_json({"out": out, **asdict(summary)})
    if summary.failed:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)
