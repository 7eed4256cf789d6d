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
    shelves: Sequence[str] = ()  # folders in it whose files are commands of this group too
    order: Sequence[str] = ()  # of the help text; what is not in it follows

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = set(self._files())
        return [name for name in self.order if name in found] + sorted(found - set(self.order))

    def _files(self) -> dict[str, Path]:
        """The folder that each command stands in."""
        found = {path.stem: path.parent for path in self.folder.glob("[a-z]*.py")}
        for path in self.folder.glob("[a-z]*/__init__.py"):
            if path.parent.name in self.shelves:
                found |= {command.stem: command.parent for command in path.parent.glob("[a-z]*.py")}
            else:
                found[path.parent.name] = self.folder
        return found

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        folder = self._files().get(cmd_name)
        if folder is None:
            return None
        package = ".".join(("bench.cli", *folder.relative_to(HERE).parts))
        return importlib.import_module(f"{package}.{cmd_name}").command  # type: ignore[no-any-return]
