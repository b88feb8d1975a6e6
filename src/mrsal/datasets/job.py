"""The job of ``mrsal prepare``: make an archive of a data set."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mrsal import datasets
from mrsal.datasets.archives.historical import write_pth
from mrsal.datasets.archives.native import write_native
from mrsal.datasets.archives.sampling import left_out_text
from mrsal.datasets.dataset import FixationDataset
from mrsal.datasets.options import PrepareOptions
from mrsal.errors import DataError
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


_MARKER = 0.9  # MIT1003, with a marker in the middle, has .99; other data sets have .58 at most


def prepare_job(options: PrepareOptions, *, console: Console) -> dict[str, Any]:
    """Write the archive, and return what ``mrsal prepare --json`` prints about it."""
    dataset = datasets.load(options.name, options.root, table=options, split=options.shares())
    if options.skip_first:
        before, dataset = len(dataset.fixations), dataset.without_first_fixations()
        log.info("left out the first fixation of each trial: %d of %d", before - len(dataset.fixations), before)
    elif (share := _first_in_the_middle(dataset)) > _MARKER:
        log.warning(
            "%.0f %% of the first fixations are in the middle of the image, as if a marker was there before; --skip_first "
            "leaves them out, since a network would learn the place of the marker",
            100 * share,
        )
    splits = {split: len(members) for split, members in dataset.splits.items()}
    counts = ", ".join(f"{count} {split}" for split, count in splits.items())
    log.info("%s: %d stimuli (%s), %d fixations", dataset.name, len(dataset), counts, len(dataset.fixations))
    known = dataset.has_ground_truth()
    without = [stimulus.name for stimulus, has_any in zip(dataset.stimuli, known, strict=True) if not has_any]
    if without and not known.any():
        raise DataError(
            f"expected fixations or maps of the {len(without)} stimuli in {options.root}, got none; add them"
        )
    if without:
        log.warning("%s", left_out_text(without, len(dataset), "have no fixations"))
    if len(dataset.fixations) and len(np.unique(dataset.fixations.subject)) < 2:
        log.warning("the fixations are of one subject, so mrsal evaluate can give no ceiling, for which it needs two")
    with progress_bar(console) as bar:
        task = bar.add_task("preparing", total=len(dataset), note="")
        write: Callable[..., Path] = write_native if options.format == "native" else write_pth
        write(dataset, options.out, seed=options.seed, progress=lambda n: bar.update(task, advance=n))
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    log.info("wrote %s, %.0f MB", options.out, size / 1e6)
    return {
        "folder": options.out,
        "dataset": dataset.name,
        "format": options.format,
        "bytes": size,
        "stimuli": len(dataset),
        "splits": splits,
        "fixations": len(dataset.fixations),
        "left_out": dict(dataset.left_out),
        "without_fixations": without,
    }


def _first_in_the_middle(dataset: FixationDataset) -> float:
    """The share of first fixations that are less than a tenth of the diagonal from the middle of their image; 0 without any."""
    if not len(dataset.fixations):
        return 0.0
    first = dataset.fixations.where(dataset.fixations.order == 0)
    if not len(first):
        return 0.0
    height, width = np.array([stimulus.shape for stimulus in dataset.stimuli])[first.n].T
    distance = np.hypot(first.x - width / 2, first.y - height / 2)
    return float((distance < 0.1 * np.hypot(width, height)).mean())
