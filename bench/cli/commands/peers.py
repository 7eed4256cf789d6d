"""``shotmark peers``: taichi's shipped example and Mitsuba beside Shotmark, in one run on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bench.base import units
from bench.base.console import console, new_table, plain
from bench.cli import options
from bench.record import machine

if TYPE_CHECKING:
    from bench.measure.peers.compare import SimulationRow, TraceRow


@click.command("peers")
@click.argument("which", nargs=-1, type=click.Choice(["simulation", "tracer"]), metavar="[simulation] [tracer]")
@options.threads
@options.json
def command(which: tuple[str, ...], threads: int | None, as_json: bool) -> None:
    """Compare with taichi's shipped mpm3d example (particle-substeps/s) and Mitsuba's volpath (1 / (MSE x s)).

    Both need the extra "peers". Every figure comes from this run, the sides taking turns.
    """
    from bench.backend.numba_cpu import NumbaBackend
    from bench.measure.peers import compare as peers

    count = NumbaBackend(threads).threads or 1
    parts = which or ("simulation", "tracer")
    for package in [{"simulation": "taichi", "tracer": "mitsuba"}[part] for part in parts]:
        peers.need(package)
    document: dict[str, Any] = {"machine": machine.describe(), "threads": count}
    out = console()
    with console(stderr=True).status("peers") as status:
        if "simulation" in parts:
            simulations, taichi = peers.simulations(count, status.update)
            document["simulation"] = {"taichi": taichi, "rows": simulation_rows(simulations)}
        if "tracer" in parts:
            traces, mitsuba, missing = peers.tracers(count, status.update)
            document["tracer"] = {"mitsuba": mitsuba, "missing": missing, "rows": trace_rows(traces)}
    if as_json:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    if "simulation" in document:
        show_simulation(document["simulation"])
    if "tracer" in document:
        out.print()
        show_tracer(document["tracer"])


def simulation_rows(rows: Sequence[SimulationRow]) -> list[dict[str, Any]]:
    """Each with its ratio to taichi at the same threads, and to itself with one thread."""
    made = []
    for row in rows:
        rate = row.particle_substeps_per_s
        other = next(r for r in rows if r.threads == row.threads and r.name != row.name)
        one = next(r for r in rows if r.threads == 1 and r.name == row.name)
        made.append(
            {
                "name": row.name,
                "threads": row.threads,
                "samples_s": list(row.seconds),
                "particle_substeps_per_s": rate,
                "peer_ratio": rate / other.particle_substeps_per_s if row.name == "shotmark" else None,
                "threads_ratio": rate / one.particle_substeps_per_s,
            }
        )
    return made


def trace_rows(rows: Sequence[TraceRow]) -> list[dict[str, Any]]:
    """Each with Shotmark's efficiency over its own."""
    ours = next(row for row in rows if row.name == "shotmark")
    return [
        {
            "name": row.name,
            "threads": row.threads,
            "samples_s": list(row.seconds),
            "mse": row.mse,
            "mean": row.mean,
            "mean_error": row.mean_error,
            "efficiency_per_s": row.efficiency_per_s,
            "peer_ratio": ours.efficiency_per_s / row.efficiency_per_s if row is not ours else None,
        }
        for row in rows
    ]


def show_simulation(document: dict[str, Any]) -> None:
    from bench.measure.peers import compare as peers
    from bench.record.statistics import median

    title = f"simulation: {peers.PARTICLES:,} particles, {peers.CELLS}^3 cells, taichi {plain(document['taichi'])}"
    numbers = ("threads", f"{peers.SUBSTEPS} substeps", "particle-substeps/s", "Shotmark / taichi", "1 thread")
    table = new_table(("",), numbers, title=title)
    for row in document["rows"]:
        table.add_row(
            row["name"],
            str(row["threads"]),
            units.seconds(median(row["samples_s"])),
            units.count(row["particle_substeps_per_s"]),
            units.ratio(row["peer_ratio"]) if row["peer_ratio"] else "",
            units.ratio(row["threads_ratio"]) if row["threads"] > 1 else "",
        )
    console().print(table)


def show_tracer(document: dict[str, Any]) -> None:
    from bench.measure.peers import compare as peers
    from bench.record.statistics import median

    out = console()
    title = (
        f"tracer: a cloud, {peers.WIDTH} x {peers.WIDTH} x {peers.SAMPLES} samples, depth {peers.MAX_DEPTH},"
        f" Mitsuba {plain(document['mitsuba'])}"
    )
    numbers = ("threads", "picture", "MSE", "1 / (MSE x s)", "Shotmark / it", "mean of the picture")
    table = new_table(("",), numbers, title=title)
    for row in document["rows"]:
        table.add_row(
            row["name"],
            str(row["threads"]),
            units.seconds(median(row["samples_s"])),
            f"{row['mse']:.3g}",
            units.count(row["efficiency_per_s"]),
            units.ratio(row["peer_ratio"]) if row["peer_ratio"] else "",
            f"{row['mean']:.5f} ± {row['mean_error']:.5f}",
        )
    out.print(table)
    for line in document["missing"]:
        out.print(plain(line), soft_wrap=True)
    if document["missing"]:
        out.print("Mitsuba finds LLVM by itself; DRJIT_LIBLLVM_PATH=/path/to/libLLVM.so names a newer one")
