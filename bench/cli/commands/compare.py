"""``shotmark compare``: two records, stage by stage."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.base import units
from bench.base.console import console, plain
from bench.base.errors import UserError
from bench.base.files import default_results
from bench.cli import options
from bench.record.compare import Line, Side, choose, compare, pairs_of, sides_of
from bench.record.schema import find_record, list_records
from bench.report import tables


@click.command("compare")
@click.argument("a", required=False)
@click.argument("b", required=False)
@options.results
@options.json
def command(a: str | None, b: str | None, results: Path | None, as_json: bool) -> None:
    """Compare two records, A and B: files, or the start of a record's name such as 0003.

    Without names: CPU against GPU of the newest run that has both, otherwise the two newest runs. A ratio is shown only
    where both sides verified and did the same work with the same output.
    """
    left, right = _sides(a, b, results or default_results())
    lines = compare(left, right)
    if as_json:
        click.echo(json.dumps(_document(left, right, lines), indent=1, allow_nan=False))
        return
    out = console()
    for letter, side in (("A", left), ("B", right)):
        about = side.as_dict()
        threads = f", {about['threads']} threads" if about["threads"] else ""
        clean = {True: "", False: ", tree not clean", None: ", tree unknown"}[side.record.clean]
        out.print(
            f"{letter}: {plain(side.record.path)}\n   {plain(side.record.machine_id)}, {side.backend}"
            f"{threads}, commit {plain(units.short_hash(side.record.commit))}{clean}",
            soft_wrap=True,
        )
    if left.record.machine_id != right.record.machine_id:
        out.print("The machines differ: a ratio compares the two machines, not two versions of the program.")
    out.print(tables.compare_table(left, right, lines))


def _sides(a: str | None, b: str | None, results: Path) -> tuple[Side, Side]:
    if a is None:
        records, unreadable = list_records(results)
        for line in unreadable:
            click.echo(f"shotmark: left out: {line}", err=True)
        return choose(records)
    record = find_record(a, results)
    first = sides_of(record)
    if b is None:
        if len(first) < 2:
            raise UserError(
                f"{a}: one record is compared with itself only where it has two back-ends; name a second one"
            )
        return pairs_of(record)[0]
    second = sides_of(find_record(b, results))
    for name, sides in ((a, first), (b, second)):
        if not sides:
            raise UserError(f"{name}: no row in it verified, there is nothing to compare")
    return first[0], second[0]


def _document(a: Side, b: Side, lines: list[Line]) -> dict[str, object]:
    return {
        "a": a.as_dict(),
        "b": b.as_dict(),
        "stages": [
            {
                "shot": line.shot,
                "size": line.size,
                "stage": line.stage,
                "a": tables.summary_dict(line.a),
                "b": tables.summary_dict(line.b),
                "ratio": line.ratio.ratio,
                "low_ratio": line.ratio.low,
                "high_ratio": line.ratio.high,
                "a_is": line.verdict,
                "why_no_ratio": line.why_not,
            }
            for line in lines
        ],
    }
