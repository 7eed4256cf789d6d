"""``shotmark report``: a record as a Markdown table."""

from __future__ import annotations

from pathlib import Path

import click

from bench.errors import UserError
from bench.record import find_record, list_records
from bench.report import markdown
from bench.store import default_results


@click.command("report")
@click.argument("record", required=False)
@click.option("--results", type=click.Path(path_type=Path), default=None, help="Folder of the records.")
def command(record: str | None, results: Path | None) -> None:
    """Print RECORD (the newest unless said; a file, or the start of a record's name) as a Markdown table."""
    folder = results or default_results()
    if record is None:
        records, _ = list_records(folder)
        if not records:
            raise UserError(f"{folder}: expected a record, found none; shotmark run makes one")
        click.echo(markdown(records[-1]))
        return
    click.echo(markdown(find_record(record, folder)))
