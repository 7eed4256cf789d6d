"""``shotmark validate``: the liquid against published experiments and closed forms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from bench.base.console import console, new_table, plain
from bench.base.errors import EXIT_CHECK_FAILED
from bench.base.progress import Lines
from bench.cli import options

if TYPE_CHECKING:
    from bench.check.validate.case import Case, Row


@click.command("validate")
@click.argument("cases", nargs=-1, type=options.CASE, metavar="[CASE ...]")
@click.option("--quick", is_flag=True, help="Small and coarse: about a minute on one core.")
@options.backend("auto", "numba", "cupy")
@options.threads
@options.device()
@options.json
@options.needs_numba
@click.pass_context
def command(
    context: click.Context,
    cases: tuple[str, ...],
    quick: bool,
    backend: str,
    threads: int | None,
    device: str | None,
    as_json: bool,
) -> None:
    """Hold the liquid against published experiments and closed forms: figure, ours, error, limit.

    The exit code is 1 when one is outside its limit.
    """
    from bench.backend.ahead import prepare
    from bench.backend.choose import choose_backends
    from bench.report.devices import tell_unused

    made = choose_backends(backend, threads, device)
    tell_unused(made.gpu_unused)
    from bench.check.validate.case import run
    from bench.check.validate.cases import chosen
    from bench.pipeline.makers import COMPILED

    found = chosen(cases, quick)
    prepare(made.backends, Lines(), COMPILED)
    err = console(stderr=True)
    rows: list[tuple[Case, Row]] = []
    for case in found:
        err.print(f"{plain(case.name)}: {plain(case.about)} ...", soft_wrap=True)
        rows += [(case, row) for row in run(case, made.backends[0], quick)]
    passed = all(row.passed for _, row in rows)
    if as_json:
        document = {
            "passed": passed,
            "quick": quick,
            "backend": made.backends[0].name,
            "rows": [_document(*pair) for pair in rows],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        _show(rows)
    if not passed:
        context.exit(EXIT_CHECK_FAILED)


def _number(figure: float | None) -> float | None:
    return figure if figure is not None and abs(figure) < float("inf") else None


def _document(case: Case, row: Row) -> dict[str, object]:
    return {
        "case": case.name,
        "what": row.what,
        "published": _number(row.published),
        "ours": _number(row.ours),
        "error": _number(row.error),
        "limit": row.limit,
        "is_share": row.is_share,
        "passed": row.passed,
        "why": row.failure,
        "source": case.source,
    }


def _show(rows: list[tuple[Case, Row]]) -> None:
    table = new_table(("case", "figure"), ("published", "ours", "error", "limit"), ("", "source"))
    for case, row in rows:
        error, limit = (f"{100.0 * v:.1f} %" if row.is_share else f"{v:.3g}" for v in (row.error, row.limit))
        published = "series" if row.published is None else f"{row.published:.4g}"
        verdict = "[green]passed[/]" if row.passed else f"[red]FAILED[/] {plain(row.failure)}".rstrip()
        table.add_row(case.name, plain(row.what), published, f"{row.ours:.4g}", error, limit, verdict, case.source)
    console().print(table)
