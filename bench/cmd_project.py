"""``shotmark project``: what a shot and a film would take on many GPUs, from a record's measured stage times."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from bench.errors import UserError
from bench.project.projection import FILM_SHOTS, GPUS, SHOT_S, project, show
from bench.project.table import explain
from bench.record import Record, find_record, list_records
from bench.store import default_results
from bench.tables import console


@click.command("project")
@click.argument("record", required=False)
@click.option("--gpus", type=int, default=GPUS, show_default=True, help="GPUs of the centre.")
@click.option("--size", default=None, help="S, M, L or XL [XL, where the shot has it].")
@click.option("--shot", "only", multiple=True, metavar="SHOT", help="Project this shot alone; may be given again.")
@click.option("--seconds", type=float, default=SHOT_S, show_default=True, help="Length of a shot, at 24 frames/s.")
@click.option("--shots", "film_shots", type=int, default=FILM_SHOTS, show_default=True, help="Shots of the film.")
@click.option("--results", type=click.Path(path_type=Path), default=None, help="Folder of the records.")
@click.option("--explain", "explained", is_flag=True, help="List every assumption with its source.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    record: str | None,
    gpus: int,
    size: str | None,
    only: tuple[str, ...],
    seconds: float,
    film_shots: int,
    results: Path | None,
    explained: bool,
    as_json: bool,
) -> None:
    """Project RECORD (the newest unless said; a file, or the start of its name) to a film shot and a film."""
    folder = results or default_results()
    records, _ = list_records(folder)
    chosen = find_record(record, folder) if record else _newest(records, folder)
    document = project(chosen, gpus=gpus, size=size, seconds=seconds, film_shots=film_shots, only=only, others=records)
    if as_json:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    out = console()
    show(document, partial(out.print, soft_wrap=True))
    if explained:
        out.print()
        out.print(explain(document))


def _newest(records: list[Record], folder: Path) -> Record:
    """The newest record that has rows of the CPU."""
    for found in reversed(records):
        if any(row.backend == "numba" for row in found.rows):
            return found
    raise UserError(f"{folder}: expected a record of the CPU; shotmark run makes one")
