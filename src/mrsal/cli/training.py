"""``mrsal prepare``, ``train`` and ``demo``."""

from mrsal.cli._options import command, console, print_json
from mrsal.cli.demo_options import DemoOptions
from mrsal.datasets import PrepareOptions
from mrsal.training import TrainOptions


@command(PrepareOptions, quiet=True)
def prepare(options: PrepareOptions, *, json: bool) -> None:
    """Turn raw eye-tracking data into an archive for training and evaluation."""
    from mrsal.datasets import prepare_job

    about = prepare_job(options, console=console)
    if json:
        print_json(about)


@command(TrainOptions, quiet=True)
def train(options: TrainOptions, *, json: bool) -> None:
    """Train Mr-CNN and keep a checkpoint per epoch."""
    from mrsal.evaluation import read_history
    from mrsal.training import first_only, train_job

    run = train_job(options, console=console)
    if json:
        first_only(print_json)({"folder": run, "epochs": read_history(run)})


@command(DemoOptions, quiet=True)
def demo(options: DemoOptions) -> None:
    """Make a small data set, train on it, evaluate and draw: the whole way in under 3 minutes, offline."""
    from mrsal.cli.demo_job import run_demo

    run_demo(options, console=console)
