"""``mrsal export``."""

from mrsal.cli._options import command, log, print_json
from mrsal.inference import ExportOptions


@command(ExportOptions, quiet=True)
def export(options: ExportOptions, *, json: bool) -> None:
    """Save a network as ONNX or safetensors.

    An ONNX file runs without torch; its maps are compared with those of the network. A safetensors file contains the
    configuration, too.
    """
    from mrsal.inference import export_model

    out = options.out
    difference = export_model(options.model, out)
    size = out.stat().st_size
    verified = f"; its maps differ by {difference:.1g} at most" if out.suffix.lower() == ".onnx" else ""
    log.info("wrote %s, %.1f MB%s", out, size / 1e6, verified)
    if json:
        print_json({"file": out, "bytes": size, "largest_difference": difference})
