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
    from bench.check.validate.case import Case, Figure


@click.command("validate")
@click.argument("cases", nargs=-1, type=options.CASE, metavar="[CASE ...]")
@click.option("--quick", is_flag=True, help="Small and coarse: about a minute on one core.")
@options.backend("auto", "numba", "cupy", all="the back-ends give the same bits")
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
    figures: list[tuple[Case, Figure]] = []
    for case in found:
        err.print(f"{plain(case.name)}: {plain(case.about)} ...", soft_wrap=True)
        figures += [(case, figure) for figure in run(case, made.backends[0], quick)]
    passed = all(figure.passed for _, figure in figures)
    if as_json:
        document = {
            "passed": passed,
            "quick": quick,
            "backend": made.backends[0].name,
            "figures": [_document(*pair) for pair in figures],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        _show(figures)
    if not passed:
        context.exit(EXIT_CHECK_FAILED)


def _number(figure: float | None) -> float | None:
    return figure if figure is not None and abs(figure) < float("inf") else None


def _document(case: Case, figure: Figure) -> dict[str, object]:
    return {
        "case": case.name,
        "what": figure.what,
        "published": _number(figure.published),
        "ours": _number(figure.ours),
        "error": _number(figure.error),
        "limit": figure.limit,
        "is_share": figure.is_share,
        "passed": figure.passed,
        "why": figure.failure,
        "source": case.source,
    }


def _show(figures: list[tuple[Case, Figure]]) -> None:
    table = new_table(("case", "figure"), ("published", "ours", "error", "limit"), ("", "source"))
    before = None
    for case, figure in figures:
        error, limit = (f"{100.0 * v:.1f} %" if figure.is_share else f"{v:.3g}" for v in (figure.error, figure.limit))
        published = "series" if figure.published is None else f"{figure.published:.4g}"
        verdict = "[green]passed[/]" if figure.passed else f"[red]FAILED[/] {plain(figure.failure)}".rstrip()
        source = "" if case is before else case.source
        table.add_row(case.name, plain(figure.what), published, f"{figure.ours:.4g}", error, limit, verdict, source)
        before = case
    console().print(table)
