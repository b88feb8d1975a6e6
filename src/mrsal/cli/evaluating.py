"""``mrsal evaluate``, ``compare`` and ``submit``."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mrsal.cli._options import command, console, print_json
from mrsal.evaluation import CompareOptions, EvaluateOptions, SubmitOptions

if TYPE_CHECKING:
    from mrsal.evaluation import Scores


@command(EvaluateOptions, quiet=True)
def evaluate(options: EvaluateOptions, *, json: bool) -> None:
    """Score a model on a data set, and write a report.

    The report compares the maps of the model with the ground truth.
    """
    from mrsal.evaluation import evaluate_job, score_table
    from mrsal.inference import Execute, execute_here, on_ray

    with ExitStack() as stack:
        execute: Execute = execute_here
        if options.engine == "ray":
            execute = stack.enter_context(
                on_ray(address=options.address, workers=options.workers, device=options.device)
            )
        run, results = evaluate_job(options, execute=execute, console=console)
    images = len(next(iter(results.values())).names)
    if json:
        models = {name: _means(scores) for name, scores in results.items()}
        print_json({"folder": run, "images": images, "protocol": options.protocol, "models": models})
        return
    title = f"{images} images, protocol {options.protocol}"
    console.print(score_table(results, title=title, intervals=True, width=console.width))
    console.print(f"the report is {run / 'report.html'}", markup=False, soft_wrap=True)


def _means(scores: "Scores") -> dict[str, dict[str, Any]]:
    """For each metric the mean, its 95 % interval, and the number of images; for one that is not defined also why."""
    spans, counts, reasons = scores.intervals(), scores.counts(), scores.not_defined()
    means: dict[str, dict[str, Any]] = {}
    for metric, mean in scores.mean().items():
        low, high = spans[metric]
        means[metric] = {"mean": mean, "low": low, "high": high, "images": counts[metric]}
        if metric in reasons:
            means[metric]["not_defined"] = reasons[metric]
    return means


@command(CompareOptions, quiet=True)
def compare(options: CompareOptions, *, json: bool) -> None:
    """Test whether models differ in their scores on the same images.

    Runs paired bootstrap and Wilcoxon tests, and writes a table and charts.
    """
    from mrsal.evaluation import compare_job

    folder, comparison = compare_job(options)
    if json:
        print_json({**comparison.to_dict(), "folder": folder})
        return
    console.print(comparison.mean_table())
    console.print(comparison.legend(), markup=False)
    if len(comparison.pairs) <= 40:
        console.print(comparison.pair_table())
    else:
        console.print(
            f"{len(comparison.pairs)} pairs of models are in comparison.md; use --reference to compare with one model only"
        )
    for line in comparison.explanation():
        console.print(line, markup=False)
    console.print(str(folder), markup=False, soft_wrap=True)


@command(SubmitOptions, quiet=True)
def submit(options: SubmitOptions, *, json: bool) -> None:
    """Write and check a submission to the MIT/Tuebingen benchmark.

    The file contains log-densities. With --dry_run, an existing file is checked and nothing is written.
    """
    from mrsal.evaluation import find_stimuli, report_problems, submit_job

    stimuli = find_stimuli(options.paths)
    if options.out:
        submit_job(stimuli, options.out, options, console=console)
    file = options.out or options.dry_run or Path()
    problems = report_problems(file, stimuli)
    ready = not any(problem.fatal for problem in problems)
    if json:
        reports = [{**asdict(problem), "text": str(problem)} for problem in problems]
        print_json({"file": file, "stimuli": len(stimuli), "ready": ready, "problems": reports})
    if not ready:
        raise typer.Exit(1)
