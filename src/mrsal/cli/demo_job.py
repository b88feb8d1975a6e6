"""The job of ``mrsal demo``: generate scenes, train a network on them, evaluate it, and draw the results."""

import time
from pathlib import Path

import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from rich.console import Console

from mrsal import datasets
from mrsal.cli.demo_options import DemoOptions
from mrsal.datasets import Example, NativeArchive, write_native, write_synthetic
from mrsal.evaluation import (
    Scores,
    comparison_picture,
    evaluate,
    read_history,
    save_curves,
    score_table,
    sheet,
    table_lines,
)
from mrsal.files import write_text
from mrsal.images import save_jpeg
from mrsal.inference import BASELINES, load_model
from mrsal.metrics import PROTOCOLS
from mrsal.progress import progress_bar
from mrsal.training import TrainOptions, train_job

SCENES, EPOCHS = 60, 3


def run_demo(options: DemoOptions, *, console: Console, scenes: int = SCENES, epochs: int = EPOCHS) -> Path:
    """Generate a small data set, train a network, evaluate it, and draw the results.

    Parameters
    ----------
    options : DemoOptions
        The options; ``out`` is the folder for ``data/``, ``archive/``, ``trained/<time>/`` and the results:
        ``comparisons.jpg``, ``curves.png``, ``scores.csv``, ``scores.md``, and ``photograph_overlay.jpg``, which the network
        that ships with mrsal predicts.
    console : Console
        The console for the progress and the table of scores.
    scenes, epochs : int
        The number of scenes and epochs. Fewer are faster and give worse results.

    Returns
    -------
    Path
        The folder ``out``.
    """
    out, seed = options.out, options.seed
    began = time.monotonic()
    with progress_bar(console) as bar:
        task = bar.add_task("generating scenes", total=scenes, note="")
        write_synthetic(out / "data", scenes=scenes, seed=seed, progress=lambda n: bar.update(task, advance=n))
        dataset = datasets.load("folder", out / "data")
        task = bar.add_task("preparing", total=scenes, note="")
        write_native(dataset, out / "archive", seed=seed, progress=lambda n: bar.update(task, advance=n))
    console.print(f"generated {scenes} scenes with {len(dataset.fixations)} fixations")

    training = TrainOptions(data_dir=out / "archive", out_dir=out, epochs=epochs, batch_size=32, devices=1, seed=seed)
    run = train_job(training, console=console)

    examples = list(NativeArchive(out / "archive").examples("test", skip_first=True))
    predictor = load_model(run / f"cnn_epoch_{epochs}.pth", mode="fast")
    pictures: list[NDArray[np.uint8]] = []

    def on_image(example: Example, saliency_map: NDArray, row: dict[str, float]) -> None:
        pictures.append(
            comparison_picture(
                example.stimulus(), saliency_map, example.ground_truth(), caption=f"sAUC {row['sAUC']:.2f}"
            )
        )

    results: dict[str, Scores] = {name: evaluate(baseline, examples) for name, baseline in BASELINES.items()}
    results["Mr-CNN"] = scores = evaluate(predictor, examples, on_image=on_image)
    scores.save(out / "scores.csv")
    save_jpeg(sheet(pictures), out / "comparisons.jpg")
    save_curves(read_history(run), out / "curves.png")
    write_text(out / "scores.md", "\n".join([*table_lines(results), "", PROTOCOLS["tuebingen"].description, ""]))

    photograph = get_sample_data("grace_hopper.jpg", asfileobj=False)  # public domain, part of matplotlib
    save_jpeg(load_model().predict(photograph).overlay(), out / "photograph_overlay.jpg")

    console.print(score_table(results, title=f"{len(examples)} test scenes that were not used for training"))
    summary = f"done in {time.monotonic() - began:.0f} s; open {out / 'comparisons.jpg'} and {out / 'curves.png'}"
    console.print(summary, markup=False)
    return out
