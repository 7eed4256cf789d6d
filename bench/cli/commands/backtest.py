"""``shotmark backtest``: how wrong projections were on cases they had not seen. ``--measure`` makes the records."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.base.console import console, plain
from bench.base.errors import UserError
from bench.base.files import default_results, make_folder
from bench.cli import options
from bench.project.backtest.ladder import KINDS


@click.command("backtest")
@click.option(
    "--measure", type=click.Choice([*KINDS, "worker", "dispatch"]), default=None, help="Make the records of a series."
)
@options.only("Measure")
@click.option("--workers", type=int, default=1, show_default=True, help="Processes that measure at the same time.")
@options.results
@options.json
@click.option("--markdown", is_flag=True, help="Markdown on standard output.")
@options.needs_numba
def command(
    measure: str | None, only: tuple[str, ...], workers: int, results: Path | None, as_json: bool, markdown: bool
) -> None:
    """Predict what was measured from a part of it, and print how far off that is, beside simpler estimates."""

    if as_json and markdown:
        raise UserError("--json, --markdown: expected one of them")
    if workers != 1 and measure not in ("workers", "worker"):
        raise UserError("--workers: expected with --measure workers")
    results = results or default_results()
    if measure is None:
        from bench.project.backtest.bar import backtest
        from bench.project.backtest.table import as_document, tables
        from bench.project.backtest.table import markdown as as_markdown

        found = backtest(results)
        if as_json:
            click.echo(json.dumps(as_document(found), indent=1, allow_nan=False))
            return
        if markdown:
            click.echo(as_markdown(found))
            return
        out = console()
        for part in tables(found):
            out.print(part, soft_wrap=True)
        return
    if measure == "dispatch":
        from bench.project.backtest.dispatch_file import measure_dispatch

        console().print(f"trial    {plain(measure_dispatch(results))}", soft_wrap=True)
        return
    from bench.project.backtest.series import measure_series, run_workers
    from bench.shot.load import load_shot, shot_names

    shots = [load_shot(name) for name in only or shot_names()]
    make_folder(results)
    if measure == "workers":
        for count in (1, 2) if workers == 1 else (workers,):
            run_workers(count, [shot.path for shot in shots], results)
        return
    from bench.backend.ahead import compile_ahead
    from bench.base.progress import choose_progress
    from bench.pipeline.makers import COMPILED, MAKERS
    from bench.project.model import loop

    with choose_progress(len(shots)) as progress:
        compile_ahead(progress, [loop, *COMPILED])
        kind, threads = ("workers", 1) if measure == "worker" else (measure, None)
        path = measure_series(kind, shots, results, MAKERS, progress, threads=threads, workers=workers)
    console().print(f"record   {plain(path)}", soft_wrap=True)
