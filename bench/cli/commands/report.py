"""``shotmark report``: a record as a Markdown table."""

from __future__ import annotations

from pathlib import Path

import click

from bench.base.files import default_results
from bench.cli import options


@click.command("report")
@click.argument("record", type=options.RECORD, required=False)
@options.results
def command(record: str | None, results: Path | None) -> None:
    """Print RECORD (the newest unless said; a file, or the start of a record's name) as a Markdown table."""
    from bench.record.read import find_record, newest_record
    from bench.report.markdown import markdown

    folder = results or default_results()
    found = newest_record(folder, options.tell) if record is None else find_record(record, folder, options.tell)
    click.echo(markdown(found))
