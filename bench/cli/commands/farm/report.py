"""``shotmark farm report``: what was projected of a farm run, beside what it took."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.base.console import console, plain
from bench.base.errors import UserError
from bench.base.files import default_results
from bench.cli import options


@click.command("report")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--drawing", type=click.Path(path_type=Path), default=None, help="Who did what when: an .svg file.")
@click.option("--keep", is_flag=True, help="Keep the run in results/farm, for shotmark backtest.")
@options.results
@options.json
@click.option("--markdown", is_flag=True, help="Markdown on standard output.")
@options.needs_numba
def command(out: Path, drawing: Path | None, keep: bool, results: Path | None, as_json: bool, markdown: bool) -> None:
    """Hold a farm run's projection against what the run took: OUT is the folder that ``farm run`` wrote.

    Each figure with its error and whether the truth lay in the interval; the slowest task, and why.
    """
    from bench.base.files import write_atomically
    from bench.farm.report.compare import report
    from bench.farm.report.drawing import drawing as drawn
    from bench.farm.report.files import read_files
    from bench.farm.report.keep import kept
    from bench.farm.report.table import as_document, show
    from bench.farm.report.table import markdown as as_markdown
    from bench.project.backtest.farm_runs import keep_run

    if as_json and markdown:
        raise UserError("--json, --markdown: expected one of them")
    if drawing is not None and drawing.suffix != ".svg":
        raise UserError(f"{drawing}: expected a name that ends in .svg")
    found = report(read_files(out))
    if drawing is not None:
        write_atomically(drawing, drawn(found).encode())
        options.tell(f"drawing  {plain(drawing)}")
    if as_json:
        click.echo(json.dumps(as_document(found), indent=1, allow_nan=False))
    elif markdown:
        click.echo(as_markdown(found))
    else:
        screen = console()
        for part in show(found):
            screen.print(part, soft_wrap=True)
    if keep:
        options.tell(f"kept  {plain(keep_run(kept(found), results or default_results()))}")
