"""``mrsal predict``."""

import typer

from mrsal.cli._options import command, console, print_json
from mrsal.inference import PredictOptions


@command(PredictOptions, quiet=True)
def predict(options: PredictOptions, *, json: bool) -> None:
    """Predict where people look, for images, folders and videos.

    The exit status is 0 if all inputs were predicted, 1 if some failed or are damaged, and 2 if all failed.
    """
    if options.engine == "ray":
        from mrsal.inference import predict_on_ray as job
    else:
        from mrsal.inference import predict_job as job  # imports no torch for an exported network
    summary = job(options, console=console)
    if json:
        print_json({"out": options.out, **summary.to_dict()})
    if summary.failed or summary.damaged:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)
