"""``shotmark report``: a record as a Markdown table."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.errors import UserError
from bench.base.files import default_results
from bench.cli import options
from bench.record.schema import find_record, list_records
from bench.report.markdown import markdown


@click.command("report")
@click.argument("record", required=False)
@options.results
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
