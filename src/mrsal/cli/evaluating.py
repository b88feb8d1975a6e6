"""``mrsal evaluate``, ``compare`` and ``submit``."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from mrsal.cli._options import command, console, print_json
from mrsal.evaluation import CompareOptions, EvaluateOptions, SubmitOptions

if TYPE_CHECKING:
    from mrsal.evaluation import Scores


@command(EvaluateOptions, quiet=True)
def evaluate(options: EvaluateOptions, *, json: bool) -> None:
    """Score a model and draw comparisons with the ground truth."""
    from mrsal.evaluation import evaluate_job, score_table
    from mrsal.inference import Execute, execute_here, on_ray

    with ExitStack() as stack:
        execute: Execute = execute_here
        if options.engine == "ray":
            ray = on_ray(address=options.address, workers=options.workers, device=options.device)
            execute = stack.enter_context(ray)
        run, results = evaluate_job(options, execute=execute, console=console)
    images = len(next(iter(results.values())).names)
    if json:
        models = {name: _means(scores) for name, scores in results.items()}
        print_json({"folder": run, "images": images, "protocol": options.protocol, "models": models})
        return
    title = f"{images} images, protocol {options.protocol}"
    console.print(score_table(results, title=title, intervals=True, width=console.width))
    console.print(str(run), markup=False, soft_wrap=True)


def _means(scores: "Scores") -> dict[str, dict[str, float]]:
    """For JSON: of each metric the mean, its 95 % interval, and over how many images."""
    spans, counts, nowhere = scores.intervals(), scores.counts(), (float("nan"),) * 2
    return {
        metric: dict(
            zip(("mean", "low", "high", "images"), (mean, *spans.get(metric, nowhere), counts[metric]), strict=True)
        )
        for metric, mean in scores.mean().items()
    }


@command(CompareOptions, quiet=True)
def compare(options: CompareOptions, *, json: bool) -> None:
    """Compare models by their scores on the same images: paired bootstrap and Wilcoxon tests, a table and charts."""
    from mrsal.evaluation import compare_job

    folder, found = compare_job(options)
    if json:
        print_json({**found.to_dict(), "folder": folder})
        return
    console.print(found.mean_table())
    console.print(found.legend(), markup=False)
    if len(found.pairs) <= 40:
        console.print(found.pair_table())
    else:
        console.print(f"{len(found.pairs)} pairs of models are in comparison.md; --reference makes them fewer")
    for line in found.explanation():
        console.print(line, markup=False)
    console.print(str(folder), markup=False, soft_wrap=True)


@command(SubmitOptions, quiet=True)
def submit(options: SubmitOptions, *, json: bool) -> None:
    """Write log-densities for the MIT/Tuebingen benchmark, and check them; or only check a file (--dry_run)."""
    from mrsal.evaluation import find_stimuli, report_problems, submit_job

    stimuli = find_stimuli(options.paths)
    if options.out:
        submit_job(stimuli, options.out, options, console=console)
    file = options.out or options.dry_run or Path()
    problems = report_problems(file, stimuli)
    ready = not any(problem.fatal for problem in problems)
    if json:
        found = [{**asdict(problem), "text": str(problem)} for problem in problems]
        print_json({"file": file, "stimuli": len(stimuli), "ready": ready, "problems": found})
    if not ready:
        raise typer.Exit(1)
