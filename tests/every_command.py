"""All commands of ``mrsal``, those inside a group included, such as ``datasets list``."""

import typer

from mrsal.cli import app

GROUP = typer.main.get_command(app)
COMMANDS = {
    f"{name} {inner}".strip(): found
    for name, command in GROUP.commands.items()
    for inner, found in getattr(command, "commands", {"": command}).items()
}
