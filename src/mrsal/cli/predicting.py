"""``mrsal predict``."""

from dataclasses import asdict

import typer

from mrsal.cli._options import command, console, print_json
from mrsal.inference import PredictOptions


@command(PredictOptions, quiet=True)
def predict(options: PredictOptions, *, json: bool) -> None:
    """Predict where people look, for images, folders and videos.

    The exit status is 0 if all went well, 1 if something failed, and 2 if nothing could be done.
    """
    names = (
        "mode",
        "recursive",
        "opacity",
        "colormap",
        "smoothing",
        "every",
        "skip_existing",
        "column",
        "device",
        "precision",
    )
    how = {name: getattr(options, name) for name in names}
    how |= {"formats": list(dict.fromkeys(options.formats)), "console": console}
    if options.engine == "ray":
        from mrsal.inference import predict_on_ray

        ray = ("address", "workers", "gpus_per_worker", "shard_size", "nested", "fresh")
        how |= {name: getattr(options, name) for name in ray}
        summary = predict_on_ray(options.paths, options.out, options.model, **how)
    else:
        from mrsal.inference import predict_job

        summary = predict_job(options.paths, options.out, options.model, runtime=options.runtime, **how)
    if json:
        print_json({"out": options.out, **asdict(summary)})
    if summary.failed:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)
