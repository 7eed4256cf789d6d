"""``shotmark shots``: the shots, their sizes, and what each needs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli import options


@click.command("shots")
@options.shots
@options.results
@options.json
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a shot file, for an editor to complete one.")
@options.needs_numba
def command(shots: tuple[str, ...], results: Path | None, as_json: bool, schema: bool) -> None:
    """List shots and sizes: particles, blocks, steps, samples, memory, and times here: of a frame, and to the first.

    The times come from this machine's newest record of the shot, scaled by particle-sound-steps and samples; they are
    estimates, and unknown before something was measured.
    """
    if schema:
        from bench.shot.schema import ShotFile
        from bench.shot.table import json_schema

        click.echo(json.dumps(json_schema(ShotFile), indent=1))
        return
    from bench.base.console import console
    from bench.base.files import default_results
    from bench.record import machine
    from bench.record.read import list_records
    from bench.report.shots import list_shots, show_shots
    from bench.shot.load import load_shot, shot_names

    loaded = [load_shot(name) for name in shots or shot_names()]
    records, _ = list_records(results or default_results())
    described = machine.describe()
    here = [record for record in records if record.machine_id == described["id"]]
    # What was measured with the same share of the machine tells most: it counts as the newest
    share = machine.share_of(machine.pytest_benchmark_view(described))
    here.sort(key=lambda record: machine.share_of(record.machine_info) == share)
    listed = list_shots(loaded, here)
    if as_json:
        click.echo(json.dumps({"shots": [one.as_document() for one in listed]}, indent=1))
        return
    show_shots(listed)
    if not here:
        console().print("\nTimes are unknown on this machine until shotmark run has measured it.")
