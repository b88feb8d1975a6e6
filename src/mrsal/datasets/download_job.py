"""The job of ``mrsal datasets download``."""

import logging
from typing import Any

from rich.console import Console

from mrsal.datasets.catalogue_options import DownloadOptions
from mrsal.datasets.download import download, numbered
from mrsal.datasets.loaders import info_of
from mrsal.progress import progress_bar

log = logging.getLogger("mrsal")


def download_job(options: DownloadOptions, *, console: Console) -> dict[str, Any]:
    """Download the data set, and return what ``mrsal datasets download --json`` prints about it."""
    info = info_of(options.name)
    if info.files:
        log.info("%s: %s", info.title, info.terms)
        log.info("please cite: %s", info.citation)
    with progress_bar(console) as bar:
        task = bar.add_task(f"downloading {info.name}", total=len(info.files), note="")
        root = download(info, options.root, progress=lambda done, note: bar.update(task, completed=done, note=note))
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    log.info("wrote %s, %.0f MB", root, size / 1e6)
    for line in numbered(info.steps):
        log.info("%s", line)
    log.info("look at it with: mrsal datasets show %s --root %s --out %s.png", info.name, root, info.name)
    return {"folder": root, "dataset": info.name, "bytes": size, "steps": list(info.steps)}
