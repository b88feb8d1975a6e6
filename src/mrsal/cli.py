"""The command line: ``mrsal prepare``, ``train``, ``evaluate``, ``compare`` and so on; and what ``train.py``, ``eval.py`` run.

Options are spelled with underscores, as users of the method know them; hyphens do as well.
"""

import logging
import sys
import warnings
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from mrsal import __version__
from mrsal.errors import InputError, MrsalError

console = Console(highlight=False)
log = logging.getLogger("mrsal")

_CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda token: token.replace("-", "_"),
}
app = typer.Typer(
    help="Predict where people look in a picture; train, evaluate and compare models that do.",
    context_settings=_CONTEXT,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    """What ``mrsal prepare`` writes."""

    native = "native"
    pth = "pth"


class Output(StrEnum):
    """What ``mrsal predict`` writes."""

    npy = "npy"
    png = "png"
    overlay = "overlay"


class Mode(StrEnum):
    """How whole images are predicted."""

    exact = "exact"
    fast = "fast"
    crops = "crops"


class Precision(StrEnum):
    """Number format of the network."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Device(StrEnum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


DataDir = Annotated[Path, typer.Option("--data_dir", help="Folder with the *.pth.tar files or a native archive.")]
PrecisionOption = Annotated[Precision, typer.Option(help="auto: bf16 where the hardware has it.")]
DeviceOption = Annotated[Device, typer.Option(help="auto: a GPU where there is one.")]


@app.command()
def train(
    data_dir: DataDir,
    out_dir: Annotated[Path, typer.Option("--out_dir", help="The run goes to OUT_DIR/trained/<time>/.")] = Path(),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the samples.")] = 20,
    num_gpus: Annotated[int, typer.Option("--num_gpus", min=1, help="GPUs to use; this version uses at most one.")] = 2,
    use_val: Annotated[
        bool,
        typer.Option("--use_val", help="Score the validation images after each epoch; keep the best checkpoint."),
    ] = False,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Samples per step and process.")] = 256,
    learning_rate: Annotated[float, typer.Option("--learning_rate", help="Of SGD.")] = 0.002,
    start_momentum: Annotated[float, typer.Option("--start_momentum", help="At the first step.")] = 0.9,
    end_momentum: Annotated[float, typer.Option("--end_momentum", help="At the last step; linear between.")] = 0.99,
    lr_weight_decay: Annotated[float, typer.Option("--lr_weight_decay", help="L2 penalty on the weights.")] = 2e-4,
    conv1_weight_constraint: Annotated[
        float,
        typer.Option("--conv1_weight_constraint", help="Largest norm of a first-layer filter; 0: none."),
    ] = 0.1,
    using_windows: Annotated[
        bool, typer.Option("--using_windows", help="Accepted for old scripts; nothing needs it any more.")
    ] = False,
    improvements: Annotated[int, typer.Option(min=0, max=1, help="1: learned blur in front of each stream.")] = 0,
    early_stopping_patience: Annotated[
        int,
        typer.Option("--early_stopping_patience", help="Epochs without a better score before stopping; -1: never."),
    ] = -1,
    val_metric: Annotated[
        str, typer.Option("--val_metric", help="Decides which epoch is best, with --use_val.")
    ] = "CC",
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    resume: Annotated[Path | None, typer.Option(help="A run's folder, to go on after its last whole epoch.")] = None,
) -> None:
    """Train Mr-CNN and keep a checkpoint per epoch."""
    from mrsal.jobs import train_job
    from mrsal.model import ModelConfig
    from mrsal.training import TrainConfig

    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        start_momentum=start_momentum,
        end_momentum=end_momentum,
        weight_decay=lr_weight_decay,
        conv1_limit=conv1_weight_constraint,
        patience=early_stopping_patience,
        watch=val_metric,
        precision=precision.value,
        devices=num_gpus,
        device=device.value,
        seed=seed,
        model=ModelConfig(variant="blur" if improvements else "base"),
    )
    train_job(data_dir, out_dir, config, use_val=use_val, resume=resume, console=console)


@app.command()
def evaluate(
    data_dir: DataDir,
    model_path: Annotated[
        str,
        typer.Option(
            "--model_path",
            help="A checkpoint (.pth, .safetensors), mrcnn-osie, a baseline (uniform, centre), a folder or HDF5 file of "
            "maps, or package.module:function, which runs that code.",
        ),
    ],
    out_dir: Annotated[Path, typer.Option("--out_dir", help="The result goes to OUT_DIR/eval/<time>/.")] = Path(),
    improvements: Annotated[
        int | None,
        typer.Option(min=0, max=1, help="Checked against the checkpoint, which knows its variant."),
    ] = None,
    num_saved_images: Annotated[int, typer.Option("--num_saved_images", min=-1, help="Comparisons; -1: all.")] = -1,
    split: Annotated[str, typer.Option(help="test, val, train, or (native archives) all.")] = "test",
    mode: Annotated[Mode, typer.Option(help="How maps are computed; fast is nearly exact.")] = Mode.exact,
    skip_first: Annotated[
        bool, typer.Option("--skip_first", help="Leave out the first fixation of each trial.")
    ] = False,
    protocol: Annotated[
        str, typer.Option(help="Conventions: tuebingen, mit-matlab, mrcnn (shuffled AUC) or historical.")
    ] = "tuebingen",
    optimal: Annotated[
        bool,
        typer.Option("--optimal", help="Take maps as densities; score each metric on the map that is best for it."),
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
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Score a model and draw comparisons with the ground truth."""
    from mrsal.scoring import evaluate_job, score_table

    run, results = evaluate_job(
        data_dir,
        out_dir,
        model_path,
        improvements=improvements,
        num_saved_images=num_saved_images,
        split=split,
        mode=mode.value,
        skip_first=skip_first,
        protocol=protocol,
        optimal=optimal,
        adjust=adjust,
        limits=limits,
        parquet=parquet,
        resize_maps=resize_maps,
        device=device.value,
        precision=precision.value,
        console=console,
    )
    images = len(next(iter(results.values())).names)
    console.print(score_table(results, title=f"{images} images, protocol {protocol}", intervals=True))
    console.print(str(run), soft_wrap=True)


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="osie, mit1003, folder (your own data), or pysaliency (its HDF5 files).")],
    root: Annotated[Path, typer.Option(help="Where the data set was unpacked.")],
    out: Annotated[Path, typer.Option(help="Folder for the archive.")],
    format: Annotated[Format, typer.Option(help="native: small and fast; pth: the *.pth.tar files.")] = Format.native,
    seed: Annotated[int, typer.Option(help="Of the sampled locations.")] = 0,
) -> None:
    """Turn raw eye-tracking data into an archive for training and evaluation."""
    from mrsal import datasets
    from mrsal.archive import write_pth
    from mrsal.native import write_native
    from mrsal.progress import progress_bar

    dataset = datasets.load(name, root)
    counts = ", ".join(f"{len(members)} {split}" for split, members in dataset.splits.items())
    log.info("%s: %d stimuli (%s), %d fixations", dataset.name, len(dataset), counts, len(dataset.fixations))
    with progress_bar(console) as bar:
        task = bar.add_task("preparing", total=len(dataset), note="")
        write: Callable[..., Path] = write_native if format is Format.native else write_pth
        write(dataset, out, seed=seed, progress=lambda n: bar.update(task, advance=n))
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    log.info("wrote %s, %.0f MB", out, size / 1e6)


@app.command()
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Images, videos, folders, quoted patterns ('photos/*.jpg'), and lists of them (@list.txt)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the maps.")],
    model: Annotated[
        str, typer.Option(help="A checkpoint (.pth, .safetensors), or the name of one that ships with mrsal.")
    ] = "mrcnn-osie",
    format: Annotated[
        list[Output] | None,
        typer.Option(help="npy: numbers; png: 16-bit grey; overlay: heatmap on the image (default). May be repeated."),
    ] = None,
    mode: Annotated[
        Mode | None,
        typer.Option(help="Default: exact for images, fast, which is nearly the same, for videos.", show_default=False),
    ] = None,
    recursive: Annotated[bool, typer.Option("--recursive", help="Folders with all that is below them.")] = False,
    opacity: Annotated[float, typer.Option(min=0, max=1, help="Of the heatmap where it is hottest.")] = 0.6,
    colormap: Annotated[str, typer.Option(help="Of the heatmap: a name that matplotlib knows.")] = "inferno",
    smoothing: Annotated[float, typer.Option(min=0, help="Videos: time constant in seconds; 0: none.")] = 0.0,
    every: Annotated[int, typer.Option(min=1, help="Videos: predict every n-th frame, interpolate between.")] = 1,
    skip_existing: Annotated[bool, typer.Option("--skip_existing", help="Leave out what OUT already holds.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say only what went wrong.")] = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Predict where people look, for images, folders and videos.

    The exit status is 0 if all went well, 1 if something failed, and 2 if nothing could be done.
    """
    from mrsal.predicting import predict_job

    if quiet:
        log.setLevel(logging.WARNING)
    summary = predict_job(
        paths,
        out,
        model,
        formats=[one.value for one in format or [Output.overlay]],
        mode=mode and mode.value,
        recursive=recursive,
        opacity=opacity,
        colormap=colormap,
        smoothing=smoothing,
        every=every,
        skip_existing=skip_existing,
        device=device.value,
        precision=precision.value,
        console=Console(quiet=True) if quiet else console,
    )
    if summary.failed:
        raise typer.Exit(1 if summary.done or summary.skipped else 2)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("mrsal-demo"),
    seed: Annotated[int, typer.Option(help="Of the scenes, the observers and the training.")] = 0,
) -> None:
    """Make a small data set, train on it, evaluate and draw: the whole way in under 3 minutes, offline."""
    from mrsal.demo import run_demo

    run_demo(out, seed=seed, console=console)


@app.command()
def compare(
    paths: Annotated[list[Path], typer.Argument(help="Score files (.csv, .parquet), or folders of mrsal evaluate.")],
    names: Annotated[str, typer.Option(help="What to call the models: A,B,...; by default what the files say.")] = "",
    reference: Annotated[str | None, typer.Option(help="Compare all others with this model only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for table and charts; by default compare/<time>/.")] = None,
    level: Annotated[float, typer.Option(help="Of confidence.")] = 0.95,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare models by their scores on the same images: paired bootstrap and Wilcoxon tests, a table and charts."""
    from json import dumps

    from mrsal.scoring import compare_job

    called = [name.strip() for name in names.split(",")] if names else None
    folder, found = compare_job(
        paths, out, names=called, reference=reference, level=level, resamples=resamples, seed=seed
    )
    if json:
        typer.echo(dumps({**found.to_dict(), "folder": str(folder)}, indent=1, ensure_ascii=False))
        return
    console.print(found.mean_table())
    console.print(found.legend(), markup=False)
    if len(found.pairs) <= 40:
        console.print(found.pair_table())
    else:
        console.print(f"{len(found.pairs)} pairs of models are in comparison.md; --reference makes them fewer")
    for line in found.explanation():
        console.print(line, markup=False)
    console.print(str(folder), soft_wrap=True)


@app.command()
def submit(
    paths: Annotated[list[Path], typer.Argument(help="The benchmark's images: files, folders, or stimuli.hdf5.")],
    out: Annotated[Path | None, typer.Option(help="HDF5 file to write; an interrupted one is continued.")] = None,
    model: Annotated[
        str, typer.Option(help="A network, baseline, folder or HDF5 file of maps, or package.module:function.")
    ] = "mrcnn-osie",
    dry_run: Annotated[
        Path | None, typer.Option("--dry_run", help="Write nothing; check this file as the benchmark does.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="fast is several times faster and nearly exact.")] = Mode.exact,
    resize_maps: Annotated[
        bool, typer.Option("--resize_maps", help="Bring stored maps to the stimulus's size, bilinear.")
    ] = False,
    precision: PrecisionOption = Precision.auto,
    device: DeviceOption = Device.auto,
) -> None:
    """Write log-densities for the MIT/Tuebingen benchmark, and check them; or only check a file (--dry_run)."""
    from mrsal.submitting import find_stimuli, report_problems, submit_job

    if (out is None) == (dry_run is None):
        raise InputError("give either --out, the file to write, or --dry_run, the file to check")
    stimuli = find_stimuli(paths)
    if out:
        how = {"mode": mode.value, "precision": precision.value, "device": device.value, "resize": resize_maps}
        submit_job(stimuli, out, model, console=console, **how)
    if not report_problems(out or dry_run or Path(), stimuli):
        raise typer.Exit(1)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit()


def main() -> None:
    """Entry point of ``mrsal``."""
    _run(app)


def train_script() -> None:
    """Entry point of ``train.py``."""
    _run(_single(train))


def evaluate_script() -> None:
    """Entry point of ``eval.py``."""
    _run(_single(evaluate))


def _single(command: Callable[..., Any]) -> typer.Typer:
    alone = typer.Typer(
        add_completion=False, context_settings=_CONTEXT, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    alone.command()(command)
    return alone


class _ConsoleHandler(logging.Handler):
    """The log on the terminal, above any progress bar; a line stays a line when the output is a file."""

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        console.print(record.getMessage(), style=style, markup=False, soft_wrap=True)


def _run(application: typer.Typer) -> None:
    """Run with one line of explanation instead of a traceback, and exit status 1."""
    handler = _ConsoleHandler(logging.INFO)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)  # the log files of the jobs hold more than the terminal shows
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: log.warning("warning: %s", message)
            application()
    except MrsalError as error:
        Console(stderr=True, highlight=False).print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)
    finally:
        log.removeHandler(handler)
