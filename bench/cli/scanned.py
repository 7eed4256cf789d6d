"""A group of commands that are found by scanning a folder: a file, or a folder of files, is a command."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import click

HERE = Path(__file__).parent  # is bench.cli


class Scanned(click.Group):
    """A command's module is imported when the command is asked for."""

    folder: Path  # in which the commands are
    order: Sequence[str] = ()  # of the help text; what is not in it follows

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = {path.stem for path in self.folder.glob("[a-z]*.py")}
        found |= {path.parent.name for path in self.folder.glob("[a-z]*/__init__.py")}
        return [name for name in self.order if name in found] + sorted(found - set(self.order))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        package = ".".join(("bench.cli", *self.folder.relative_to(HERE).parts))
        return importlib.import_module(f"{package}.{cmd_name}").command  # type: ignore[no-any-return]
