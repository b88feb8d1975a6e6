"""``mrsal datasets list``, ``info``, ``download`` and ``show``."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mrsal.cli._options import command, console, print_json
from mrsal.datasets import DownloadOptions, InfoOptions, ListOptions
from mrsal.evaluation import ShowOptions

if TYPE_CHECKING:
    from mrsal.datasets import DatasetInfo


@command(ListOptions)
def list_(options: ListOptions, *, json: bool) -> None:
    """List the published data sets that mrsal can load."""
    from mrsal.datasets import PUBLISHED, info_of

    infos = [info_of(name) for name in PUBLISHED]
    if json:
        print_json({"datasets": [_facts(info) for info in infos]})
        return
    rows = [("name", "stimuli", "observers", "download", "task")]
    rows += [(info.name, str(info.stimuli), str(info.observers), _fetching(info), info.task) for info in infos]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, stimuli, observers, fetching, task in rows:
        numbers = f"{stimuli:>{widths[1]}}  {observers:>{widths[2]}}"
        console.print(f"{name:{widths[0]}}  {numbers}  {fetching:{widths[3]}}  {task}", markup=False, soft_wrap=True)
    console.print("mrsal datasets info NAME has the citation, the terms of use and the home page", soft_wrap=True)


@command(InfoOptions)
def info(options: InfoOptions, *, json: bool) -> None:
    """Show the citation, terms of use, size and home page of a data set."""
    from mrsal.datasets import info_of

    found = info_of(options.name)
    if json:
        print_json(_facts(found))
        return
    lines = {
        "stimuli": f"{found.stimuli:,}",
        "observers": f"{found.observers}",
        "task": found.task,
        "1 degree": f"{found.pixels_per_degree:.4g} px",
        "cite": found.citation,
        "terms": found.terms,
        "home page": found.home,
        "download": f"mrsal datasets download {found.name} --root DIR" if found.files else "by hand:",
    }
    if found.files and found.megabytes:
        lines["download"] += f"  ({found.megabytes:.0f} MB)"
    console.print(found.title, style="bold", markup=False)
    for name, value in lines.items():
        console.print(f"{name:10} {value}", markup=False, soft_wrap=True)
    for number, step in enumerate(found.steps, start=1):
        console.print(f"{'':10} {number}. {step}", markup=False, soft_wrap=True)


@command(DownloadOptions, quiet=True)
def download(options: DownloadOptions, *, json: bool) -> None:
    """Download a data set and unpack it.

    Checksums are compared, and a download that broke off continues where it stopped. If mrsal cannot download a data set, it
    says how to get it. Install it with pip install 'mrsal[download]'.
    """
    from mrsal.datasets import download_job

    about = download_job(options, console=console)
    if json:
        print_json(about)


@command(ShowOptions, quiet=True)
def show(options: ShowOptions, *, json: bool) -> None:
    """Draw a sheet of stimuli with their fixations and density."""
    from mrsal.evaluation import show_job

    about = show_job(options)
    if json:
        print_json(about)


def _facts(info: "DatasetInfo") -> dict[str, Any]:
    addresses = [url for file in info.files[:10] for url in file.urls]  # OSIE has 701 files
    return {**asdict(info), "files": len(info.files), "addresses": addresses}


def _fetching(info: "DatasetInfo") -> str:
    if not info.files:
        return "by hand"
    return f"{info.megabytes:.0f} MB" if info.megabytes else "yes"
