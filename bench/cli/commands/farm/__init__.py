"""``shotmark farm``: a shot on many machines. Each command is a file of this folder."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.scanned import Scanned


class FarmGroup(Scanned):
    """The commands of ``shotmark farm``."""

    folder, order = Path(__file__).parent, ("check", "run", "report", "export")


@click.group("farm", cls=FarmGroup)
def command() -> None:
    """A shot on many machines: Slurm, PBS, LSF, Kubernetes, plain ones, or a studio's own farm."""
