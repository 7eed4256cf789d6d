"""``shotmark devices``: what this machine has, and which back-ends can run."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from bench.cli import options


@click.command("devices")
@options.json
def command(as_json: bool) -> None:
    """Show this machine, and each back-end: ready, or why not and what to install."""
    from bench.backend.choose import available_backends
    from bench.record import machine
    from bench.report.devices import show_devices

    states = available_backends()
    if as_json:
        document = {"machine": machine.describe(), "backends": [asdict(state) for state in states]}
        click.echo(json.dumps(document, indent=1))
    else:
        show_devices(states)
