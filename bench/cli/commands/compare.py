"""``shotmark compare``: two records, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.base.files import default_results
from bench.cli import options


@click.command("compare")
@click.argument("a", type=options.RECORD, required=False)
@click.argument("b", type=options.RECORD, required=False)
@options.results
@options.json
def command(a: str | None, b: str | None, results: Path | None, as_json: bool) -> None:
    """Compare two records, A and B: files, or the start of a record's name such as 0003.

    Without names: CPU against GPU of the newest run that has both, otherwise the two newest runs. A ratio is shown only
    where both sides verified and did the same work with the same output.
    """
    from bench.record.compare import compare, find_sides
    from bench.report.comparison import comparison_document, show

    left, right = find_sides(a, b, results or default_results(), options.tell)
    lines = compare(left, right)
    if as_json:
        click.echo(json.dumps(comparison_document(left, right, lines), indent=1, allow_nan=False))
    else:
        show(left, right, lines)
