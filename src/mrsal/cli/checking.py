"""``mrsal doctor``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mrsal.cli._options import JsonOption, console, print_json


def doctor(
    data_dir: Annotated[
        Path | None, typer.Option("--data_dir", help="Folder of the data sets; by default what MRSAL_DATA says.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what mrsal finds on this machine, and whether it works: versions, devices, weights, data, a short self-test.

    The exit status is 1 if something fails that mrsal cannot do without.
    """
    from mrsal.cli.doctor_checks import examine

    findings = examine(data_dir)
    broken = [finding for finding in findings if finding.state == "broken"]
    if json:
        print_json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        style = {"fine": "green", "missing": "yellow", "broken": "red"}
        for finding in findings:
            console.print(f"[{style[finding.state]}]{finding.state:8}[/] {finding.name:19}", end="")
            mend = f"; {finding.mend}" if finding.mend else ""
            console.print(f"{finding.value}{mend}", markup=False, soft_wrap=True)
        console.print(f"{len(broken)} things to mend" if broken else "mrsal works on this machine")
    if broken:
        raise typer.Exit(1)
