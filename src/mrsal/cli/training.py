"""``mrsal prepare``, ``train`` and ``demo``."""

from mrsal.cli._options import command, console, print_json
from mrsal.cli.demo_options import DemoOptions
from mrsal.datasets import PrepareOptions
from mrsal.training import TrainOptions


@command(PrepareOptions, quiet=True)
def prepare(options: PrepareOptions, *, json: bool) -> None:
    """Turn eye-tracking data into an archive for the other commands."""
    from mrsal.datasets import prepare_job

    about = prepare_job(options, console=console)
    if json:
        print_json(about)


@command(TrainOptions, quiet=True)
def train(options: TrainOptions, *, json: bool) -> None:
    """Train a network and save a checkpoint after every epoch."""
    from mrsal.evaluation import read_history
    from mrsal.training import first_only, train_job

    run = train_job(options, console=console)
    if json:
        first_only(print_json)({"folder": run, "epochs": read_history(run)})


@command(DemoOptions, quiet=True)
def demo(options: DemoOptions) -> None:
    """Try mrsal: generate data, train, evaluate and draw the results.

    It takes less than 3 minutes and needs neither data nor an internet connection.
    """
    from mrsal.cli.demo_job import run_demo

    run_demo(options, console=console)
