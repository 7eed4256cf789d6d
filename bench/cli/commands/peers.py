"""``shotmark peers``: taichi's shipped example and Mitsuba beside Shotmark, in one run on this machine."""

from __future__ import annotations

import json

import click

from bench.base.console import console
from bench.cli import options


@click.command("peers")
@click.argument("which", nargs=-1, type=click.Choice(["simulation", "tracer"]), metavar="[simulation] [tracer]")
@options.threads
@options.json
@options.needs_numba
def command(which: tuple[str, ...], threads: int | None, as_json: bool) -> None:
    """Compare with taichi's shipped mpm3d example (particle-substeps/s) and Mitsuba's volpath (1 / (MSE x s)).

    Both need the extra "peers". Every figure comes from this run, the sides taking turns.
    """
    from bench.backend.numba_cpu import NumbaBackend
    from bench.measure.peers import compare as peers
    from bench.record import machine
    from bench.report.peers import show_simulation, show_tracer

    count = NumbaBackend(threads).threads or 1
    parts = which or ("simulation", "tracer")
    for package in [{"simulation": "taichi", "tracer": "mitsuba"}[part] for part in parts]:
        peers.need(package)
    with console(stderr=True).status("peers") as status:
        simulations = peers.simulations(count, status.update) if "simulation" in parts else None
        traces = peers.tracers(count, status.update) if "tracer" in parts else None
    if as_json:
        found = {"simulation": simulations, "tracer": traces}
        documents = {part: one.document() for part, one in found.items() if one is not None}
        head = {"machine": machine.describe(), "threads": count}
        click.echo(json.dumps({**head, **documents}, indent=1, allow_nan=False))
        return
    if simulations is not None:
        show_simulation(simulations)
    if traces is not None:
        console().print()
        show_tracer(traces)
