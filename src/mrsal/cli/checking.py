"""``mrsal doctor``."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import command, console, print_json
from mrsal.options import Option


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Options of ``mrsal doctor``."""

    data_dir: Annotated[
        Path | None, Option("Folder of the data sets. Default: the environment variable MRSAL_DATA.")
    ] = None


@command(DoctorOptions)
def doctor(options: DoctorOptions, *, json: bool) -> None:
    """Check the installation: versions, devices, weights and data.

    Shows what mrsal finds on this machine, and runs a short self-test. The exit status is 1 if something that mrsal needs is
    missing or broken.
    """
    from mrsal.cli.doctor_checks import examine

    findings = examine(options.data_dir)
    broken = [finding for finding in findings if finding.state == "broken"]
    if json:
        print_json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        style = {"fine": "green", "missing": "yellow", "broken": "red"}
        for finding in findings:
            console.print(f"[{style[finding.state]}]{finding.state:8}[/] {finding.name:19}", end="")
            advice = f"; {finding.mend}" if finding.mend else ""
            console.print(f"{finding.value}{advice}", markup=False, soft_wrap=True)
        console.print(f"problems to fix: {len(broken)}" if broken else "mrsal works on this machine")
    if broken:
        raise typer.Exit(1)
