"""``mrsal reproduce cvpr2015``."""

from mrsal.cli._options import command, console, print_json
from mrsal.training import ReproduceOptions


@command(ReproduceOptions, quiet=True)
def cvpr2015(options: ReproduceOptions, *, json: bool) -> None:
    """Repeat the experiment of the Mr-CNN paper on the data sets that you have.

    For each of them it writes an archive, trains, and measures the shuffled AUC. The report compares it with the published
    number. Steps whose results are there are skipped, so the same command continues after an interruption.
    """
    from mrsal.training import reproduce_job

    report = reproduce_job(options, console=console)
    if json:
        print_json(report.to_dict())
        return
    for line in report.summary():
        console.print(line, markup=False, soft_wrap=True)
    console.print(str(options.out_dir / "report.html"), markup=False, soft_wrap=True)
