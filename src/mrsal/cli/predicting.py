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
    if options.engine == "ray":
        from mrsal.inference import predict_on_ray

        summary = predict_on_ray(options, console=console)
    else:
        from mrsal.inference import predict_job

        summary = predict_job(options, console=console)
    if json:
        print_json({"out": options.out, **asdict(summary)})
    if summary.failed:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)
