"""``mrsal export``."""

from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import JsonOption, QuietOption, log, networks, one_of, print_json


def export(
    model: Annotated[
        str,
        typer.Argument(
            help="A checkpoint (.pth, .safetensors), the name of one that ships with mrsal, a folder of save_pretrained, or "
            "hf://owner/name.",
            autocompletion=one_of(networks),
        ),
    ],
    out: Annotated[Path, typer.Argument(help="File to write, .onnx or .safetensors.")],
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Write a network as ONNX, which runs without torch and is verified, or as safetensors with its configuration."""
    from mrsal.inference import export_model

    difference = export_model(model, out)
    size = out.stat().st_size
    verified = f"; its maps differ by {difference:.1g} at most" if out.suffix.lower() == ".onnx" else ""
    log.info("wrote %s, %.1f MB%s", out, size / 1e6, verified)
    if json:
        print_json({"file": out, "bytes": size, "largest_difference": difference})
