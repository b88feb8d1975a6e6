"""The job of ``mrsal prepare``: make an archive of a data set."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from mrsal import datasets
from mrsal.datasets.archives.historical import write_pth
from mrsal.datasets.archives.native import write_native
from mrsal.datasets.options import PrepareOptions
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


def prepare_job(options: PrepareOptions, *, console: Console) -> dict[str, Any]:
    """Write the archive, and return what ``mrsal prepare --json`` prints about it."""
    dataset = datasets.load(options.name, options.root)
    splits = {split: len(members) for split, members in dataset.splits.items()}
    counts = ", ".join(f"{count} {split}" for split, count in splits.items())
    log.info("%s: %d stimuli (%s), %d fixations", dataset.name, len(dataset), counts, len(dataset.fixations))
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
    }
