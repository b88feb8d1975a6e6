"""``mrsal evaluate``, ``compare`` and ``submit``."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrsal.cli._options import (
    AddressOption,
    DataDir,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    JsonOption,
    ModeOption,
    Precision,
    PrecisionOption,
    QuietOption,
    WorkersOption,
    baselines,
    console,
    networks,
    one_of,
    only_with_ray,
    print_json,
    protocols,
)
from mrsal.errors import InputError

if TYPE_CHECKING:
    from mrsal.evaluation import Scores


def evaluate(
    data_dir: DataDir,
    model_path: Annotated[
        str,
        typer.Option(
            "--model_path",
            help="A checkpoint (.pth, .safetensors, .onnx), mrcnn-osie, hf://owner/name, a baseline (uniform, centre), a "
            "folder or HDF5 file of maps, or package.module:function, which runs that code.",
            autocompletion=one_of(networks, baselines),
        ),
    ],
    out_dir: Annotated[Path, typer.Option("--out_dir", help="The result goes to OUT_DIR/eval/<time>/.")] = Path(),
    improvements: Annotated[
        int | None,
        typer.Option(min=0, max=1, help="Checked against the checkpoint, which knows its variant."),
    ] = None,
    num_saved_images: Annotated[int, typer.Option("--num_saved_images", min=-1, help="Comparisons; -1: all.")] = -1,
    split: Annotated[str, typer.Option(help="test, val, train, or (native archives) all.")] = "test",
    mode: ModeOption = None,
    skip_first: Annotated[
        bool, typer.Option("--skip_first", help="Leave out the first fixation of each trial.")
    ] = False,
    protocol: Annotated[
        str,
        typer.Option(
            help="Conventions: tuebingen, mit-matlab, mrcnn (shuffled AUC) or historical.",
            autocompletion=one_of(protocols),
        ),
    ] = "tuebingen",
    optimal: Annotated[
        bool,
        typer.Option("--optimal", help="Take maps as densities; score each metric on the map that is best for it."),
    ] = False,
    agreement: Annotated[
        bool,
        typer.Option(
            "--agreement/--no_agreement",
            help="Add the historical score, for comparison with older numbers; not an AUC.",
        ),
    ] = False,
    adjust: Annotated[
        bool,
        typer.Option("--adjust", help="Blur and centre bias, fitted on the validation images, for the model's maps."),
    ] = False,
    limits: Annotated[
        bool, typer.Option("--limits/--no_limits", help="Also score uniform, centre bias and inter-observer limit.")
    ] = True,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write scores.parquet too.")] = False,
    resize_maps: Annotated[
        bool, typer.Option("--resize_maps", help="Bring stored maps to the stimulus's size, bilinear.")
    ] = False,
    engine: EngineOption = Engine.local,
    address: AddressOption = None,
    workers: WorkersOption = None,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Score a model and draw comparisons with the ground truth."""
    from mrsal.evaluation import EvaluateOptions, evaluate_job, score_table
    from mrsal.inference import Execute, execute_here, on_ray

    only_with_ray(engine, address=address, workers=workers)
    options = EvaluateOptions(
        data_dir=data_dir,
        out_dir=out_dir,
        model_path=model_path,
        improvements=improvements,
        num_saved_images=num_saved_images,
        split=split,
        mode=mode and mode.value,
        skip_first=skip_first,
        protocol=protocol,
        optimal=optimal,
        agreement=agreement,
        adjust=adjust,
        limits=limits,
        parquet=parquet,
        resize_maps=resize_maps,
        device=device.value,
        precision=precision.value,
    )
    with ExitStack() as stack:
        execute: Execute = execute_here
        if engine is Engine.ray:
            execute = stack.enter_context(on_ray(address=address, workers=workers, device=device.value))
        run, results = evaluate_job(options, execute=execute, console=console)
    images = len(next(iter(results.values())).names)
    if json:
        models = {name: _means(scores) for name, scores in results.items()}
        print_json({"folder": run, "images": images, "protocol": protocol, "models": models})
        return
    title = f"{images} images, protocol {protocol}"
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


def compare(
    paths: Annotated[list[Path], typer.Argument(help="Score files (.csv, .parquet), or folders of mrsal evaluate.")],
    names: Annotated[str, typer.Option(help="What to call the models: A,B,...; by default what the files say.")] = "",
    reference: Annotated[str | None, typer.Option(help="Compare all others with this model only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for table and charts; by default compare/<time>/.")] = None,
    level: Annotated[float, typer.Option(help="Of confidence.")] = 0.95,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Compare models by their scores on the same images: paired bootstrap and Wilcoxon tests, a table and charts."""
    from mrsal.evaluation import compare_job

    called = [name.strip() for name in names.split(",")] if names else None
    folder, found = compare_job(
        paths, out, names=called, reference=reference, level=level, resamples=resamples, seed=seed
    )
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


def submit(
    paths: Annotated[list[Path], typer.Argument(help="The benchmark's images: files, folders, or stimuli.hdf5.")],
    out: Annotated[Path | None, typer.Option(help="HDF5 file to write; an interrupted one is continued.")] = None,
    model: Annotated[
        str,
        typer.Option(
            help="A network, baseline, folder or HDF5 file of maps, or package.module:function.",
            autocompletion=one_of(networks, baselines),
        ),
    ] = "mrcnn-osie",
    dry_run: Annotated[
        Path | None, typer.Option("--dry_run", help="Write nothing; check this file as the benchmark does.")
    ] = None,
    mode: ModeOption = None,
    resize_maps: Annotated[
        bool, typer.Option("--resize_maps", help="Bring stored maps to the stimulus's size, bilinear.")
    ] = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Write log-densities for the MIT/Tuebingen benchmark, and check them; or only check a file (--dry_run)."""
    from mrsal.evaluation import SubmitOptions, find_stimuli, report_problems, submit_job

    if (out is None) == (dry_run is None):
        raise InputError("give either --out, the file to write, or --dry_run, the file to check")
    stimuli = find_stimuli(paths)
    if out:
        options = SubmitOptions(
            paths=tuple(paths),
            out=out,
            model=model,
            mode=mode and mode.value,
            precision=precision.value,
            device=device.value,
            resize_maps=resize_maps,
        )
        submit_job(stimuli, out, options, console=console)
    file = out or dry_run or Path()
    problems = report_problems(file, stimuli)
    ready = not any(problem.fatal for problem in problems)
    if json:
        found = [{**asdict(problem), "text": str(problem)} for problem in problems]
        print_json({"file": file, "stimuli": len(stimuli), "ready": ready, "problems": found})
    if not ready:
        raise typer.Exit(1)
